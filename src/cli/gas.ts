import type { Fee } from "../client/tx_builder.ts";
import { divCeil } from "../lib/int.ts";
import { parseCoinsText, wireCoins } from "../types/coins.ts";
import { DEC_ONE, parseDec } from "../types/dec.ts";
import { isDenom } from "../types/denom.ts";
import { usageError } from "./cli_error.ts";

/** What the flags say of gas and fee. */
export interface FeePlan {
  /** undefined: as simulated. */
  readonly gas: bigint | undefined;
  /** Factor on the simulated gas, in atomics. */
  readonly adjustment: bigint;
  /** The fee as such; else gas limit × price. */
  readonly fees: Fee["amount"] | undefined;
  readonly price: { readonly denom: string; readonly atomics: bigint };
}

/** Price of gas, in the bond denom, where no flag says one. */
export const DEFAULT_GAS_PRICE = "0.025";
export const DEFAULT_GAS_ADJUSTMENT = "1.3";

/** @throws CliError for a flag of the wrong form, or fees given twice */
export function parseFeeFlags(
  flags: {
    gas?: string | undefined;
    gasAdjustment?: string | undefined;
    fees?: string | undefined;
    gasPrices?: string | undefined;
  },
  denom: string,
): FeePlan {
  if (flags.fees !== undefined && flags.gasPrices !== undefined) {
    throw usageError("--fees and --gas-prices say the same thing: give one of them");
  }
  return {
    gas: parseGas(flags.gas ?? "auto"),
    adjustment: parseAdjustment(flags.gasAdjustment ?? DEFAULT_GAS_ADJUSTMENT),
    fees: flags.fees === undefined ? undefined : parseFees(flags.fees),
    price: parsePrice(flags.gasPrices ?? `${DEFAULT_GAS_PRICE}${denom}`, denom),
  };
}

function parseGas(text: string): bigint | undefined {
  if (text === "auto") return undefined;
  if (/^[1-9][0-9]{0,17}$/.test(text)) return BigInt(text);
  throw usageError(`--gas: expected "auto" or a number, found "${text}"`);
}

function parseAdjustment(text: string): bigint {
  const atomics = parseDec(text);
  if (atomics !== undefined && atomics >= DEC_ONE && atomics <= DEC_ONE * 100n) return atomics;
  throw usageError(`--gas-adjustment: expected a decimal from 1 to 100, found "${text}"`);
}

function parseFees(text: string): Fee["amount"] {
  try {
    return wireCoins(parseCoinsText(text === "0" ? "" : text));
  } catch (error) {
    throw usageError(`--fees: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function parsePrice(text: string, bondDenom: string): FeePlan["price"] {
  const match = /^([0-9.]+)([a-zA-Z].*)?$/.exec(text);
  const atomics = parseDec(match?.[1] ?? "");
  const denom = match?.[2] ?? (atomics === 0n ? bondDenom : "");
  if (atomics !== undefined && isDenom(denom)) return { denom, atomics };
  throw usageError(`--gas-prices: expected a price such as 0.025uve, found "${text}"`);
}

/** The gas limit for what a simulation used. */
export function gasLimitOf(plan: FeePlan, simulated: bigint): bigint {
  return divCeil(simulated * plan.adjustment, DEC_ONE);
}

/** The fee of a gas limit, rounded up. */
export function feeOf(plan: FeePlan, gasLimit: bigint): Fee {
  if (plan.fees !== undefined) return { amount: plan.fees, gasLimit };
  const { denom, atomics } = plan.price;
  const amount = divCeil(gasLimit * atomics, DEC_ONE);
  return { amount: amount === 0n ? [] : [{ denom, amount: amount.toString() }], gasLimit };
}
