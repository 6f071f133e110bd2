import {
  type DisputeResolution,
  DisputeStatus,
  type InvoiceState,
  type UsageState,
} from "../../gen/settled/settlement/v1/state.ts";
import { maxBigint, minBigint, mulDivFloor } from "../../lib/int.ts";
import { amountOf } from "../../types/coins.ts";
import type { Dec } from "../../types/dec.ts";
import { coinsIn } from "./records.ts";
import { costOf } from "./usage_facts.ts";

/** What a decision about a settled record moves, base units of its denom. */
export interface DisputedAmounts {
  /** Of what its settlement paid. */
  readonly back: bigint;
  /** Of what is due on its invoice, tax included. */
  readonly waived: bigint;
}

/**
 * Amounts are compared as a settlement pays them: after discount, and without tax, be that on top of
 * the price or within it.
 * @param invoice undefined without billing: what was settled was paid then
 */
export function disputedAmounts(
  usage: UsageState,
  resolution: DisputeResolution,
  invoice: InvoiceState | undefined,
): DisputedAmounts {
  const paid = BigInt(usage.settledAmount === "" ? "0" : usage.settledAmount);
  const worth = worthOf(usage, paid, invoice);
  const now = scaled(usage, resolution, worth);
  const back = maxBigint(paid - now, 0n);
  const short = maxBigint(worth - paid, 0n) - maxBigint(now - paid, 0n);
  return { back, waived: invoice === undefined ? 0n : waivedOf(invoice, usage.denom, short) };
}

/** What the record was worth: what was paid of it, and what is due. */
function worthOf(usage: UsageState, paid: bigint, invoice: InvoiceState | undefined): bigint {
  const billed = BigInt(usage.cost) - BigInt(usage.discount === "" ? "0" : usage.discount);
  if (invoice === undefined) return paid;
  if (invoice.taxTerms?.mode !== "inclusive") return billed;
  const [total, tax] = [totalOf(invoice, usage.denom), taxOf(invoice, usage.denom)];
  // Discounts took all of it, or it cost nothing: there is nothing to divide by.
  if (total === 0n) return paid;
  const net = mulDivFloor(billed, total - tax, total);
  // The tax is shared out with floors: a record that was paid whole can be off by a unit for each.
  return paid > 0n && net - paid < BigInt(invoice.lineCount) ? paid : net;
}

/** What it is worth by the decision. */
function scaled(
  usage: UsageState,
  { status, units, unitPrice }: DisputeResolution,
  worth: bigint,
): bigint {
  if (status === DisputeStatus.DISPUTE_STATUS_ACCEPTED) return 0n;
  if (status !== DisputeStatus.DISPUTE_STATUS_AMENDED) return worth;
  // An amendment costs less than the record, so the record does not cost 0.
  return mulDivFloor(costOf(BigInt(unitPrice) as Dec, units), worth, BigInt(usage.cost));
}

/** With its tax; all that is due when nothing else is. */
function waivedOf(invoice: InvoiceState, denom: string, short: bigint): bigint {
  const due = amountOf(coinsIn(invoice.amountDue), denom);
  if (short <= 0n || due === 0n) return 0n;
  const [total, tax] = [totalOf(invoice, denom), taxOf(invoice, denom)];
  const dueNet = mulDivFloor(due, total - tax, total);
  if (short >= dueNet) return due;
  return minBigint(mulDivFloor(short, total, total - tax), due);
}

function totalOf(invoice: InvoiceState, denom: string): bigint {
  return amountOf(coinsIn(invoice.total), denom);
}

function taxOf(invoice: InvoiceState, denom: string): bigint {
  return amountOf(coinsIn(invoice.tax), denom);
}
