import { divFloor } from "../../lib/int.ts";
import { DEC_ONE, parseDec } from "../../types/dec.ts";

/** An exact number of units, never negative: byte-seconds make no finite decimal of GB-hours. */
export interface Quantity {
  readonly numerator: bigint;
  /** Above 0. */
  readonly denominator: bigint;
}

export const NO_UNITS: Quantity = Object.freeze({ numerator: 0n, denominator: 1n });

export function wholeUnits(units: bigint): Quantity {
  return { numerator: units, denominator: 1n };
}

/** "1.75" with at most 18 places; undefined when it is not one, or negative. */
export function parseQuantity(text: string): Quantity | undefined {
  const atomics = parseDec(text);
  if (atomics === undefined || atomics < 0n) return undefined;
  return { numerator: atomics, denominator: DEC_ONE };
}

export function addQuantities(a: Quantity, b: Quantity): Quantity {
  if (a.denominator === b.denominator) {
    return { numerator: a.numerator + b.numerator, denominator: a.denominator };
  }
  return {
    numerator: a.numerator * b.denominator + b.numerator * a.denominator,
    denominator: a.denominator * b.denominator,
  };
}

/** Part of a quantity: × part / whole. */
export function shareOf(quantity: Quantity, part: bigint, whole: bigint): Quantity {
  const { numerator, denominator } = quantity;
  return { numerator: numerator * part, denominator: denominator * whole };
}

/** Whether the two are less than `units` apart. */
export function areWithin(a: Quantity, b: Quantity, units: Quantity): boolean {
  return compareApart(a, b, units) < 0n;
}

/** Whether the two are at most `units` apart. */
export function areAtMost(a: Quantity, b: Quantity, units: Quantity): boolean {
  return compareApart(a, b, units) <= 0n;
}

/** Below 0: nearer than `units`; 0: exactly so far apart. */
function compareApart(a: Quantity, b: Quantity, units: Quantity): bigint {
  const apart = a.numerator * b.denominator - b.numerator * a.denominator;
  const size = apart < 0n ? -apart : apart;
  return size * units.denominator - units.numerator * a.denominator * b.denominator;
}

export function areEqual(a: Quantity, b: Quantity): boolean {
  return a.numerator * b.denominator === b.numerator * a.denominator;
}

/** What so many units cost, floored. @param unitPrice atomics */
export function costOfQuantity({ numerator, denominator }: Quantity, unitPrice: bigint): bigint {
  return divFloor(numerator * unitPrice, denominator * DEC_ONE);
}

/** As a decimal of at most six places, "~" before one that has more. */
export function quantityText({ numerator, denominator }: Quantity): string {
  const scaled = (numerator * 1_000_000n) / denominator;
  const isExact = scaled * denominator === numerator * 1_000_000n;
  const digits = (scaled % 1_000_000n).toString().padStart(6, "0").replace(/0+$/, "");
  const text = `${scaled / 1_000_000n}${digits === "" ? "" : `.${digits}`}`;
  return isExact ? text : `~${text}`;
}
