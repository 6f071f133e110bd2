import { type Dec, formatDec } from "../types/dec.ts";

/** A price for people: "1.5uve". @param atomics 10^-18 of the denom */
export function priceText(atomics: bigint, denom: string): string {
  return formatDec(atomics as Dec).replace(/\.?0+$/, "") + denom;
}
