import type { InvoiceState } from "../../gen/settled/settlement/v1/state.ts";
import { maxBigint, minBigint, mulDivFloor } from "../../lib/int.ts";
import { amountOf, type Coins, mapCoins, NO_COINS } from "../../types/coins.ts";
import { coinsIn } from "./records.ts";

/**
 * The tax in a payment of an invoice: the floored share of all that is paid then, less what was
 * paid before. So all payments together bring the invoice's tax exactly.
 * @param amount at most what is due
 */
export function taxInPayment(invoice: InvoiceState, amount: Coins): Coins {
  if (invoice.tax.length === 0) return NO_COINS;
  const [total, tax] = [coinsIn(invoice.total), coinsIn(invoice.tax)];
  const [paid, taxPaid] = [coinsIn(invoice.amountPaid), coinsIn(invoice.taxPaid)];
  return mapCoins(amount, (each, denom) => {
    const after = amountOf(paid, denom) + each;
    const share = mulDivFloor(after, amountOf(tax, denom), amountOf(total, denom));
    // A settlement's tax is rounded rate by rate: it can be off the share by some units.
    return minBigint(maxBigint(share - amountOf(taxPaid, denom), 0n), each);
  });
}
