import type { Context } from "../../baseapp/context.ts";
import { fieldError } from "../../baseapp/genesis_error.ts";
import type * as state from "../../gen/settled/settlement/v1/state.ts";
import { ChainError } from "../../lib/errors.ts";
import { coversCoins, subCoins } from "../../types/coins.ts";
import { requireDiscounts, requireTax } from "./billing_checks.ts";
import { writeTerms } from "./billing_terms.ts";
import { ErrMsgSettlement } from "./errors.ts";
import { checkCoins, writeEach } from "./genesis_lists.ts";
import { coinsIn, type Records } from "./records.ts";

/**
 * Discounts and tax of orders that are written, the taxes that payments of invoices brought, and
 * what was taken out of the account of taxes, which no record tells.
 */
export function writeBilling(ctx: Context, records: Records, genesis: state.GenesisState): void {
  const keyOf = ({ orderId }: state.BillingTerms): string => orderId;
  const list = { name: "billing_terms", records: genesis.billingTerms, keyOf };
  writeEach(list, (terms, field) => {
    if (records.order(ctx, terms.orderId) === undefined) {
      throw fieldError(`${field}.order_id`, "the order has no escrow");
    }
    requireTerms(terms);
    writeTerms(ctx, records, terms);
  });
  genesis.invoices.forEach(({ settlementSeq, taxPaid }, index) => {
    const settled = coinsIn(records.settlement(ctx, settlementSeq)?.tax ?? []);
    if (taxPaid.length === 0 && settled.length === 0) return;
    const field = `settlement.invoices[${index}].tax_paid`;
    if (!coversCoins(coinsIn(taxPaid), settled)) {
      throw fieldError(
        field,
        "is less than the tax of its settlement: see settlement.settlements[]",
      );
    }
    records.addTotal(ctx, "taxes", subCoins(coinsIn(taxPaid), settled));
  });
  records.addTotal(ctx, "taxesWithdrawn", coinsIn(genesis.taxesWithdrawn));
}

/** @throws ChainError settlement/3 or 4 */
function requireTerms({ discounts, tax }: state.BillingTerms): void {
  if (discounts.length === 0 && tax === undefined) {
    throw new ChainError(ErrMsgSettlement, "expected discounts or tax, found neither");
  }
  for (const each of discounts) checkCoins(each.amount, each.minTotal, each.maxDiscount);
  requireDiscounts(discounts, { mayBeUsedUp: true });
  if (tax !== undefined) requireTax(tax);
}
