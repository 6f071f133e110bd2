import { assert } from "./assert.ts";

/** Quotient rounded towards minus infinity. @throws InvariantError for a divisor of 0. */
export function divFloor(dividend: bigint, divisor: bigint): bigint {
  assert(divisor !== 0n, "division by zero");
  const quotient = dividend / divisor;
  // The operator rounds towards zero, which is down unless one of the two is negative.
  if (dividend < 0n === divisor < 0n) return quotient;
  return quotient * divisor === dividend ? quotient : quotient - 1n;
}

/** Quotient rounded towards plus infinity. @throws InvariantError for a divisor of 0. */
export function divCeil(dividend: bigint, divisor: bigint): bigint {
  return -divFloor(-dividend, divisor);
}

/** floor(value × numerator / denominator), multiplied first, so that nothing is lost between. */
export function mulDivFloor(value: bigint, numerator: bigint, denominator: bigint): bigint {
  return divFloor(value * numerator, denominator);
}

/** Floor division of non-negative safe integers (sizes, indexes, counts; never money). */
export function divFloorSize(dividend: number, divisor: number): number {
  if (!(divisor > 0 && dividend >= 0)) {
    assert(false, "sizes divide only when positive", { dividend, divisor });
  }
  return (dividend - (dividend % divisor)) / divisor;
}

const SAFE_MAX = 9_007_199_254_740_991n;

/** A bigint as a number, exactly. @throws InvariantError outside ±(2^53 − 1). */
export function toSafeNumber(value: bigint): number {
  if (!(value <= SAFE_MAX && value >= -SAFE_MAX)) {
    assert(false, "outside the exact range of number", { value });
  }
  return Number(value);
}

/** Decimal digits, an optional sign and nothing else, as bigint; undefined for any other text. */
export function parseInteger(text: string): bigint | undefined {
  return /^-?(0|[1-9][0-9]*)$/.test(text) ? BigInt(text) : undefined;
}

export const UINT64_MAX = 18_446_744_073_709_551_615n;
export const INT64_MAX = 9_223_372_036_854_775_807n;

export function maxBigint(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

export function minBigint(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

export function minSize(a: number, b: number): number {
  return a < b ? a : b;
}
