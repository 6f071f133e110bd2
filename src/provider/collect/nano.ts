/** Digits after the point that are kept of a number of an exporter. */
const DECIMALS = 9;
/** A number of more whole digits is no measurement of anything. */
const WHOLE_DIGITS_MAX = 30;

/**
 * A number as exporters write it, "1.5", "1.23e+06" or "+17", in billionths: its decimal digits are
 * read as they stand, never by way of a float. What is below a billionth is dropped (towards zero).
 * Undefined for NaN, for infinities, for what is no number and for more than 30 digits.
 */
export function parseNano(text: string): bigint | undefined {
  const match = /^([+-]?)([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]{1,4}))?$/.exec(text);
  if (match === null || text.length > 400) return undefined;
  const [, sign, whole = "", part = "", exponent = "0"] = match;
  const digits = (whole + part).replace(/^0+/, "");
  if (whole + part === "") return undefined;
  if (digits === "") return 0n;
  // The value is digits × 10^shift billionths.
  const shift = Number(exponent) - part.length + DECIMALS;
  if (digits.length + shift > WHOLE_DIGITS_MAX + DECIMALS) return undefined;
  const kept = shift < 0 ? digits.slice(0, Math.max(0, digits.length + shift)) : digits;
  const nano = BigInt(kept === "" ? "0" : kept) * 10n ** BigInt(Math.max(0, shift));
  return sign === "-" ? -nano : nano;
}
