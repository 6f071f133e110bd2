import { type NodeConfig, configPath } from "../node/config.ts";
import type { OpenApp } from "../node/node.ts";
import { type Dec, parseDec } from "../types/dec.ts";
import { usageError } from "./cli_error.ts";
import { chainOfGenesis } from "./home.ts";

const MIB = 1024 * 1024;

/** The application. Loaded on use: commands that only talk to a node do not need the machine. */
export async function loadOpenApp(): Promise<OpenApp> {
  const { openApp } = await import("../app/app.ts");
  return ({ db, crypto, config, genesis, checkpoint, onRebuild }) => {
    const { denom } = chainOfGenesis({ app_state: genesis.appState });
    return openApp({
      ...{ db, crypto, genesis, minimumGasPrice: minimumGasPrice(config, denom) },
      ...{ keepHistory: config.keepHistory, cacheBytes: config.stateCacheMib * MIB },
      load: { checkpoint, onRebuild },
    });
  };
}

/** The setting in 10^-18 of the bond denom per gas. @throws CliError for another denom */
function minimumGasPrice({ minimumGasPrice: text }: NodeConfig, bondDenom: string): Dec {
  const match = /^([0-9.]+)(.*)$/.exec(text);
  const price = parseDec(match?.[1] ?? "");
  const denom = match?.[2] ?? "";
  if (price !== undefined && (denom === bondDenom || (denom === "" && price === 0n))) return price;
  throw usageError(
    `the minimum gas price "${text}" is not in ${bondDenom}, in which this chain's gas is paid`,
    `set minimum_gas_price in ${configPath("HOME")}, or give --minimum-gas-price`,
  );
}
