import type { Faucet } from "../api/faucet/faucet.ts";
import type { HttpDoor } from "../api/rest/http_door.ts";
import type { NodeConfig } from "../node/config.ts";
import type { NodeView } from "../node/view.ts";
import { faucetLimits, faucetSigner, hasFaucet } from "./faucet_signer.ts";

interface ExtraParts {
  readonly home: string;
  readonly view: NodeView;
  readonly config: NodeConfig;
  /** Known when the server listens. */
  readonly endpoints: () => { readonly rpc: string; readonly rest: string };
}

/** What the REST server answers besides the API: what wallets ask for and, on dev chains, a faucet. */
export async function extraDoors(parts: ExtraParts): Promise<HttpDoor[]> {
  const { view, config, endpoints } = parts;
  const { minimumGasPrice } = config;
  const { chainDoor } = await import("../api/wallet/door.ts");
  const chain = chainDoor(view, { minimumGasPrice, endpoints });
  return hasFaucet(config, view) ? [chain, await faucet(parts)] : [chain];
}

async function faucet({ home, view, config }: ExtraParts): Promise<HttpDoor> {
  const { faucetDoor } = await import("../api/faucet/door.ts");
  let opened: Promise<Faucet> | undefined;
  // Opened when it is first used: a start does not wait for a key that nobody may need.
  const open = async (): Promise<Faucet> => {
    const { Faucet } = await import("../api/faucet/faucet.ts");
    const signer = await faucetSigner(home, config, view);
    return new Faucet(view, signer, faucetLimits(config, view.info.bondDenom));
  };
  return faucetDoor(async () => {
    opened ??= open().catch((error: unknown) => {
      opened = undefined;
      throw error;
    });
    return opened;
  });
}
