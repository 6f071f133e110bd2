import { divFloor } from "../lib/int.ts";

/** An 18-decimal fixed-point number as its integer number of 10^-18 units ("atomics"). */
export type Dec = bigint & { readonly __dec: unique symbol };

export const DEC_DECIMALS = 18;
export const DEC_ONE = (10n ** 18n) as Dec;

/** "1.5" → atomics; undefined for any text that is not a decimal with at most 18 places. */
export function parseDec(text: string): Dec | undefined {
  const match = /^(-?)([0-9]{1,80})(?:\.([0-9]{1,18}))?$/.exec(text);
  if (match === null) return undefined;
  const [, sign = "", whole = "", fraction = ""] = match;
  const atomics = BigInt(whole + fraction.padEnd(DEC_DECIMALS, "0"));
  return (sign === "-" ? -atomics : atomics) as Dec;
}

/** Atomics as decimal text with all 18 places, as Cosmos JSON shows them. */
export function formatDec(dec: Dec): string {
  const sign = dec < 0n ? "-" : "";
  const digits = (dec < 0n ? -dec : dec).toString().padStart(DEC_DECIMALS + 1, "0");
  return `${sign}${digits.slice(0, -DEC_DECIMALS)}.${digits.slice(-DEC_DECIMALS)}`;
}

/** floor(dec × integer). */
export function mulFloor(dec: Dec, integer: bigint): bigint {
  return divFloor(dec * integer, DEC_ONE);
}
