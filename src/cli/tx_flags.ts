import type { Command } from "commander";
import type { SignModeName } from "../client/tx_builder.ts";
import { usageError } from "./cli_error.ts";
import { type KeyringFlags, type NodeFlags, withKeyringFlags, withNodeFlag } from "./context.ts";
import { DEFAULT_GAS_ADJUSTMENT, DEFAULT_GAS_PRICE } from "./gas.ts";

/** Flags of every command that makes a tx. */
export interface TxFlags extends NodeFlags, KeyringFlags {
  from?: string;
  gas?: string;
  gasAdjustment?: string;
  fees?: string;
  gasPrices?: string;
  memo?: string;
  timeoutHeight?: string;
  signMode: string;
  chainId?: string;
  accountNumber?: string;
  sequence?: string;
  dryRun?: boolean;
  generateOnly?: boolean;
  yes?: boolean;
  wait: boolean;
}

/** Names of those flags: a message's field of such a name gets another. */
export const TX_FLAG_NAMES: readonly string[] = [
  ...["from", "gas", "gas-adjustment", "fees", "gas-prices", "memo", "timeout-height"],
  ...["sign-mode", "chain-id", "account-number", "sequence", "dry-run", "generate-only"],
  ...["yes", "wait", "no-wait", "node", "keyring-backend", "password-file"],
  ...["home", "output", "help"],
];

export function addTxFlags(command: Command): Command {
  command
    .option("--from <key>", "name or address of the key that signs and pays")
    .option("--gas <auto|number>", "gas limit; auto simulates the tx first", "auto")
    .option("--gas-adjustment <factor>", "on the simulated gas", DEFAULT_GAS_ADJUSTMENT)
    .option(
      "--gas-prices <price>",
      `price of a unit of gas (default: ${DEFAULT_GAS_PRICE} of the bond denom)`,
    )
    .option("--fees <coins>", "the whole fee, instead of a gas price");
  return addSigningFlags(command)
    .option("--memo <text>", "a note that stays in the tx")
    .option("--timeout-height <number>", "last block that may hold the tx")
    .option("--dry-run", "simulate, print gas and fee, send nothing")
    .option("--generate-only", "print the unsigned tx, send nothing")
    .option("-y, --yes", "do not ask before sending")
    .option("--no-wait", "return when the tx is checked, before it is in a block");
}

/** The flags that signing needs. */
export function addSigningFlags(command: Command): Command {
  command
    .option("--sign-mode <mode>", "direct or amino-json", "direct")
    .option("--chain-id <id>", "refuse to sign for another chain")
    .option("--account-number <number>", "instead of asking the node")
    .option("--sequence <number>", "instead of asking the node");
  return withKeyringFlags(withNodeFlag(command));
}

export function parseSignMode(text: string): SignModeName {
  if (text === "direct" || text === "amino-json") return text;
  throw usageError(`--sign-mode is direct or amino-json, not "${text}"`);
}

/** A number of 64 bits, or undefined where the flag is absent. */
export function parseNumber(flag: string, text: string | undefined): bigint | undefined {
  if (text === undefined) return undefined;
  if (/^[0-9]{1,19}$/.test(text)) return BigInt(text);
  throw usageError(`${flag}: expected a number, found "${text}"`);
}
