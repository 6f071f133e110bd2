import { access } from "node:fs/promises";
import { join } from "node:path";
import { Command } from "commander";
import { resolveConfig, writeConfig } from "../../node/config.ts";
import { genesisPath, parseGenesis, writeGenesisFile } from "../../node/genesis_file.ts";
import { loadNodeKey, nodeKeyPath } from "../../node/node_key.ts";
import { loadValidatorKey, validatorKeyPath } from "../../node/validator_key.ts";
import { DEFAULT_BECH32_PREFIX, parseAddress } from "../../types/address.ts";
import { type Coins, parseCoinsText } from "../../types/coins.ts";
import type { TimeNs } from "../../types/time.ts";
import { CliError, usageError } from "../cli_error.ts";
import { contextOf } from "../context.ts";
import { type DevAccount, devAccounts, devFunds, storeDevAccounts } from "../dev_accounts.ts";
import { EXIT } from "../exit_codes.ts";
import { parseInstant } from "../flag_values.ts";
import { type GenesisAccount, newGenesis } from "../genesis.ts";
import { examples } from "../help.ts";
import { DEFAULT_DENOM, readJsonFile } from "../home.ts";
import type { Io } from "../io.ts";
import { openTestKeyring } from "../keyring/test_keyring.ts";
import { printResult } from "../output.ts";

const CHAIN_ID = "settled-1";

interface InitFlags {
  chainId: string;
  dev?: boolean;
  mnemonic?: string;
  moniker?: string;
  genesisTime: string;
  bech32Prefix: string;
  denom: string;
  authority?: string;
  account?: string[];
  genesis?: string;
  minimumGasPrice?: string;
}

/** `settled init` */
export function initCommand(io: Io): Command {
  return new Command("init")
    .description("make the home of a new chain: genesis, validator key, settings")
    .option("--chain-id <id>", "name of the chain", CHAIN_ID)
    .option("--dev", "a chain for development: funded accounts with keys in plain text")
    .option("--mnemonic <words>", "derive the dev accounts from it (default: new ones)")
    .option("--moniker <name>", "name of the node")
    .option("--genesis-time <time>", 'RFC 3339, "now" or "31d ago"', "now")
    .option("--bech32-prefix <prefix>", "what addresses begin with", DEFAULT_BECH32_PREFIX)
    .option("--denom <denom>", "the bond denom, in which gas is paid", DEFAULT_DENOM)
    .option("--authority <address>", "may change parameters (required without --dev)")
    .option("--account <address=coins>", "a funded account; may be repeated", collect)
    .option("--genesis <file>", "take this genesis file, as `settled export` writes it")
    .option("--minimum-gas-price <price>", "least price of gas that this node takes")
    .addHelpText(
      "after",
      examples("init --dev", "init --chain-id mychain-1 --authority ve1… --account ve1…=1000uve"),
    )
    .action(async (flags: InitFlags, self: Command) => {
      const context = contextOf(io, self);
      const { chainId, dev, accounts } = await makeHome(context.home, flags);
      const shown = accounts.map(({ name, role, address }) => ({ name, role, address }));
      printResult(io, context.format, {
        home: context.home,
        chain_id: chainId,
        dev,
        accounts: shown,
      });
      if (context.format === "text") io.err(`next: settled start --home ${context.home}\n`);
    });
}

/** The home of a dev chain with standard names, as `settled init --dev` makes it. */
export async function makeDevHome(home: string, genesisTime: string): Promise<void> {
  const names = { chainId: CHAIN_ID, bech32Prefix: DEFAULT_BECH32_PREFIX, denom: DEFAULT_DENOM };
  await makeHome(home, { ...names, dev: true, genesisTime });
}

async function makeHome(home: string, flags: InitFlags) {
  await refuseUsedHome(home);
  const { genesis, accounts } = await genesisOf(flags);
  const { chainId } = parseGenesis(genesis).doc;
  if (accounts.length > 0) {
    const keys = join(home, "keyring-test");
    await storeDevAccounts(openTestKeyring(keys, flags.bech32Prefix), accounts);
  }
  const dev = flags.dev === true;
  await writeConfig(home, configOf(flags, dev));
  await loadValidatorKey(validatorKeyPath(home));
  await loadNodeKey(nodeKeyPath(home));
  // Last: a home with a genesis is a finished one.
  await writeGenesisFile(genesisPath(home), genesis);
  return { chainId, dev, accounts };
}

function collect(text: string, before: string[] | undefined): string[] {
  return [...(before ?? []), text];
}

async function refuseUsedHome(home: string): Promise<void> {
  const path = genesisPath(home);
  const exists = await access(path).then(
    () => true,
    () => false,
  );
  if (!exists) return;
  throw new CliError(EXIT.other, "home_in_use", `${home} has a chain already (${path})`, {
    hint: `settled start --home ${home}, or choose another --home`,
  });
}

function configOf(flags: InitFlags, dev: boolean) {
  const { moniker, minimumGasPrice = `0.025${flags.denom}` } = flags;
  return resolveConfig({}, { dev, moniker, minimumGasPrice });
}

async function genesisOf(
  flags: InitFlags,
): Promise<{ genesis: unknown; accounts: readonly DevAccount[] }> {
  if (flags.genesis !== undefined) {
    const genesis = await readJsonFile(flags.genesis);
    if (genesis === undefined) throw usageError(`--genesis: no such file: ${flags.genesis}`);
    return { genesis, accounts: [] };
  }
  const { chainId, bech32Prefix, denom: bondDenom, dev = false } = flags;
  if (!/^[a-z]{1,20}$/.test(bech32Prefix)) {
    throw usageError("--bech32-prefix: 1 to 20 small letters");
  }
  const accounts = dev ? await devAccounts(bech32Prefix, flags.mnemonic) : [];
  const funds = devFunds(bondDenom);
  const funded = [
    ...accounts.map(({ address }): GenesisAccount => ({ address, coins: funds })),
    ...(flags.account ?? []).map((text) => parseAccount(text, bech32Prefix)),
  ];
  const authority = flags.authority ?? accounts.find(({ role }) => role === "authority")?.address;
  if (authority === undefined) throw usageError("--authority is missing", "settled init --dev");
  const genesisTime = parseGenesisTime(flags.genesisTime);
  const input = { chainId, genesisTime, bech32Prefix, bondDenom, dev, accounts: funded };
  return { genesis: newGenesis({ ...input, authority: checked(authority, flags) }), accounts };
}

function checked(authority: string, { bech32Prefix }: InitFlags): string {
  return inFlag("--authority", () => parseAddress(authority, bech32Prefix));
}

function parseAccount(text: string, prefix: string): { address: string; coins: Coins } {
  const at = text.indexOf("=");
  if (at < 0) throw usageError(`--account: expected ADDRESS=COINS, found "${text}"`);
  return inFlag("--account", () => ({
    address: parseAddress(text.slice(0, at), prefix),
    coins: parseCoinsText(text.slice(at + 1)),
  }));
}

function inFlag<T>(flag: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw usageError(`${flag}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function parseGenesisTime(text: string): TimeNs {
  const time = parseInstant(text, (BigInt(Date.now()) * 1_000_000n) as TimeNs);
  if (time !== undefined) return time;
  throw usageError(`--genesis-time: expected RFC 3339, "now" or "31d ago", found "${text}"`);
}
