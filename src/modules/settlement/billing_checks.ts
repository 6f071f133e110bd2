import type { Discount, TaxTerms, VolumeTier } from "../../gen/settled/settlement/v1/state.ts";
import { ChainError } from "../../lib/errors.ts";
import { DEC_ONE, type Dec, formatDec, parseDec } from "../../types/dec.ts";
import { BPS_ONE, DISCOUNT_KINDS } from "./discount.ts";
import { ErrMsgSettlement } from "./errors.ts";
import * as check from "./msg_validate.ts";
import { TAX_MODES, taxOfTerms, taxOn } from "./tax.ts";

/** Checks of discounts and tax alone, of a message or a genesis: codes 3 and 4. */

const DISCOUNTS_MAX = 8;
const TIERS_MAX = 8;
const COINS_MAX = 8;
const RATES_MAX = 4;
const DESCRIPTION_BYTES_MAX = 128;
const TAX_TEXT_BYTES_MAX = 64;
/** A tax rate has at most as many digits as this: 1 before the point, 18 behind it. */
const RATE_CHARS_MAX = 20;

function refuse(field: string, expected: string, found: string | number | bigint): never {
  const shown = typeof found === "string" ? `"${found.slice(0, 64)}"` : found;
  throw new ChainError(ErrMsgSettlement, `${field}: expected ${expected}, found ${shown}`);
}

/**
 * @param o.mayBeUsedUp as in the state, where nothing may be left of a fixed one
 * @throws ChainError settlement/3 or 4 naming the field.
 */
export function requireDiscounts(
  discounts: readonly Discount[],
  o: { readonly mayBeUsedUp: boolean } = { mayBeUsedUp: false },
): void {
  if (discounts.length > DISCOUNTS_MAX) {
    refuse("discounts", `at most ${DISCOUNTS_MAX}`, discounts.length);
  }
  discounts.forEach((discount, index) => {
    const field = `discounts[${index}]`;
    if (discount.kind === "fixed" && discount.amount.length === 0 && !o.mayBeUsedUp) {
      refuse(`${field}.amount`, "coins for a fixed discount", 0);
    }
    requireDiscount(discount, field);
  });
}

function requireDiscount(discount: Discount, field: string): void {
  const { kind, rateBps, tiers, amount, validFrom, validUntil } = discount;
  if (!DISCOUNT_KINDS.some((name) => name === kind)) {
    refuse(`${field}.kind`, DISCOUNT_KINDS.join(", "), kind);
  }
  if (kind === "percentage") requireBps(rateBps, `${field}.rate_bps`);
  else if (rateBps !== 0) refuse(`${field}.rate_bps`, `none for ${kind}`, rateBps);
  if (kind === "volume") requireTiers(tiers, `${field}.tiers`);
  else if (tiers.length > 0) refuse(`${field}.tiers`, `none for ${kind}`, tiers.length);
  if (kind !== "fixed" && amount.length > 0) {
    refuse(`${field}.amount`, `none for ${kind}`, amount.length);
  }
  if (validFrom < 0n) refuse(`${field}.valid_from`, "unix seconds from 0", validFrom);
  if (validUntil < 0n) refuse(`${field}.valid_until`, "unix seconds from 0", validUntil);
  if (validUntil !== 0n && validUntil < validFrom) {
    refuse(`${field}.valid_until`, `valid_from (${validFrom}) or later, or 0`, validUntil);
  }
  requireCoins(amount, `${field}.amount`);
  requireCoins(discount.minTotal, `${field}.min_total`);
  requireCoins(discount.maxDiscount, `${field}.max_discount`);
  const { description } = discount;
  check.limited(description, `${field}.description`, ErrMsgSettlement, DESCRIPTION_BYTES_MAX);
}

/** Each settlement reads them: there are few. */
function requireCoins(coins: Discount["amount"], field: string): void {
  if (coins.length > COINS_MAX) refuse(field, `at most ${COINS_MAX} coins`, coins.length);
  check.coins(coins);
}

function requireTiers(tiers: readonly VolumeTier[], field: string): void {
  if (tiers.length < 1 || tiers.length > TIERS_MAX) {
    refuse(field, `1 to ${TIERS_MAX} for volume`, tiers.length);
  }
  tiers.forEach(({ minUnits, rateBps }, index) => {
    requireBps(rateBps, `${field}[${index}].rate_bps`);
    const before = tiers[index - 1]?.minUnits;
    if (before === undefined || before < minUnits) return;
    refuse(`${field}[${index}].min_units`, `more than ${before}`, minUnits);
  });
}

function requireBps(bps: number, field: string): void {
  if (bps < 1 || BigInt(bps) > BPS_ONE) refuse(field, `1 to ${BPS_ONE}`, bps);
}

/** @throws ChainError settlement/4 naming the field. */
export function requireTax(tax: TaxTerms): void {
  const { mode, rates } = tax;
  if (!TAX_MODES.some((name) => name === mode)) refuse("tax.mode", TAX_MODES.join(", "), mode);
  if (mode === "reverse_charge") {
    if (rates.length > 0) refuse("tax.rates", "none for reverse_charge", rates.length);
  } else if (rates.length < 1 || rates.length > RATES_MAX) {
    refuse("tax.rates", `1 to ${RATES_MAX}`, rates.length);
  }
  const bytesMax = TAX_TEXT_BYTES_MAX;
  rates.forEach(({ name, rate }, index) => {
    const field = `tax.rates[${index}]`;
    check.text(name, `${field}.name`, ErrMsgSettlement, bytesMax);
    const value = rate.length > RATE_CHARS_MAX ? undefined : parseDec(rate);
    if (value !== undefined && value > 0n && value <= DEC_ONE) return;
    refuse(`${field}.rate`, "a decimal above 0, at most 1", rate);
  });
  const whole = taxOfTerms(tax, "up");
  if (whole !== undefined && taxOn(whole, DEC_ONE) > DEC_ONE) {
    refuse("tax.rates", "at most 1 together", formatDec(taxOn(whole, DEC_ONE) as Dec));
  }
  check.limited(tax.jurisdiction, "tax.jurisdiction", ErrMsgSettlement, bytesMax);
  check.limited(tax.customerTaxId, "tax.customer_tax_id", ErrMsgSettlement, bytesMax);
}
