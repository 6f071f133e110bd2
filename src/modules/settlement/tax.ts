import type { TaxTerms } from "../../gen/settled/settlement/v1/state.ts";
import { must } from "../../lib/assert.ts";
import { divCeil, divFloor } from "../../lib/int.ts";
import { DEC_ONE, type Dec, parseDec } from "../../types/dec.ts";

/** Where a tax stands to prices, or that the customer owes it elsewhere. */
export const TAX_MODES = ["exclusive", "inclusive", "reverse_charge"] as const;

type Rounding = (dividend: bigint, divisor: bigint) => bigint;

/** Of dividends from 0, by the values of the param `tax_rounding`. */
const ROUNDINGS: readonly (readonly [name: string, Rounding])[] = [
  ["half_up", (dividend, divisor) => divFloor(2n * dividend + divisor, 2n * divisor)],
  ["half_even", divHalfEven],
  ["down", divFloor],
  ["up", divCeil],
];

function divHalfEven(dividend: bigint, divisor: bigint): bigint {
  const down = divFloor(dividend, divisor);
  const twice = 2n * (dividend - down * divisor);
  const isUp = twice > divisor || (twice === divisor && down % 2n === 1n);
  return isUp ? down + 1n : down;
}

/** A tax that is paid here. */
export interface Tax {
  /** Whether prices contain it; otherwise it is on top of them. */
  readonly isWithin: boolean;
  readonly rates: readonly { readonly rate: Dec; readonly isCompound: boolean }[];
  readonly round: Rounding;
}

/**
 * The tax of checked terms; undefined when there is nothing to pay, as of a reverse charge.
 * @param rounding the param `tax_rounding`
 */
export function taxOfTerms(terms: TaxTerms | undefined, rounding: string): Tax | undefined {
  if (terms === undefined || terms.rates.length === 0) return undefined;
  const [, round] = must(
    ROUNDINGS.find(([name]) => name === rounding),
    "settlement: tax_rounding is known",
  );
  const rates = terms.rates.map(({ rate, compound: isCompound }) => {
    return { rate: must(parseDec(rate), "settlement: a tax rate is a decimal"), isCompound };
  });
  return { isWithin: terms.mode === "inclusive", rates, round };
}

/** Tax on an amount without it, in base units: each rate rounded, compound ones on those before. */
export function taxOn({ rates, round }: Tax, net: bigint): bigint {
  let tax = 0n;
  for (const { rate, isCompound } of rates) {
    tax += round((isCompound ? net + tax : net) * rate, DEC_ONE);
  }
  return tax;
}

/** The largest amount that is, with the tax on it, at most `gross`. */
export function netWithin(tax: Tax, gross: bigint): bigint {
  // An amount with its tax grows with the amount, whatever the rounding: halving finds it.
  let [low, high] = [0n, gross];
  while (low < high) {
    const middle = (low + high + 1n) >> 1n;
    if (middle + taxOn(tax, middle) <= gross) low = middle;
    else high = middle - 1n;
  }
  return low;
}
