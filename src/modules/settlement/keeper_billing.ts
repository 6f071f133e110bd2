import type { Context } from "../../baseapp/context.ts";
import {
  BillingTerms,
  type Discount,
  type EscrowState,
  EscrowStatus,
  type TaxTerms,
} from "../../gen/settled/settlement/v1/state.ts";
import { equalBytes } from "../../lib/bytes.ts";
import { ChainError } from "../../lib/errors.ts";
import { termsOf, writeTerms } from "./billing_terms.ts";
import * as errors from "./errors.ts";
import { discountsSet, taxSet } from "./events_billing.ts";
import { escrowId } from "./ids.ts";
import { type EscrowKeeper, quote, requireUnexpired, unauthorized } from "./keeper_escrow.ts";
import type { Records } from "./records.ts";
import { statusName } from "./status_names.ts";

/**
 * What an order's later settlements take off prices and put on top of them (RULES 30). It belongs
 * to the order and outlives its escrows.
 */
export class BillingKeeper {
  readonly #records: Records;
  readonly #escrows: EscrowKeeper;

  constructor(records: Records, escrows: EscrowKeeper) {
    this.#records = records;
    this.#escrows = escrows;
  }

  /**
   * Puts these discounts in the place of all that the order has. Not while its escrow is past its
   * time and waits for its end: that settles by the terms there were.
   * @throws ChainError settlement/1501, 1505, 1518 or 1506
   */
  setDiscounts(
    ctx: Context,
    request: { sender: string; orderId: string; discounts: readonly Discount[] },
  ): void {
    const { sender, orderId } = request;
    const escrow = this.#escrows.ofOrder(ctx, orderId);
    if (!this.#isAuthority(ctx, sender)) requireProvider(sender, escrow);
    requireUnexpired(ctx, escrow);
    const before = this.#termsOf(ctx, orderId);
    const after = { ...before, discounts: [...request.discounts] };
    this.#write(ctx, before, after, "discounts");
    const [old, now] = [before.discounts, after.discounts];
    ctx.emit(discountsSet({ orderId, sender, old, now, at: ctx.time }));
  }

  /**
   * Sets the tax of the order, or ends it. Who bears a tax says so: the customer for one that is on
   * top of the prices, the provider for one within them; a change from one to the other is both's,
   * so it takes two messages, or the authority. Not while its escrow waits for its end.
   * @throws ChainError settlement/1501, 1505, 1518 or 1506
   */
  setTax(
    ctx: Context,
    request: { sender: string; orderId: string; tax: TaxTerms | undefined },
  ): void {
    const { sender, orderId, tax } = request;
    const escrow = this.#escrows.ofOrder(ctx, orderId);
    const before = this.#termsOf(ctx, orderId);
    if (!this.#isAuthority(ctx, sender)) {
      for (const terms of [before.tax, tax]) requireBearer(sender, escrow, terms);
    }
    requireUnexpired(ctx, escrow);
    this.#write(ctx, before, { ...before, tax }, "tax");
    ctx.emit(taxSet({ orderId, sender, old: before.tax, now: tax, at: ctx.time }));
  }

  #termsOf(ctx: Context, orderId: string): BillingTerms {
    return termsOf(ctx, orderId, this.#records.order(ctx, orderId));
  }

  #isAuthority(ctx: Context, sender: string): boolean {
    const { authority } = this.#records.params(ctx).extended;
    return authority !== "" && sender === authority;
  }

  /** @throws ChainError settlement/1506 when nothing changes. */
  #write(ctx: Context, before: BillingTerms, after: BillingTerms, what: string): void {
    if (equalBytes(BillingTerms.encode(before).finish(), BillingTerms.encode(after).finish())) {
      const detail = `nothing changes: order ${quote(after.orderId)} has this ${what}`;
      throw new ChainError(errors.ErrInvalidSettlement, detail);
    }
    writeTerms(ctx, this.#records, after);
  }
}

/** @throws ChainError settlement/1505 unless the sender bears the tax. */
function requireBearer(
  sender: string,
  { depositor, recipient }: EscrowState,
  tax: TaxTerms | undefined,
): void {
  const isWithin = tax?.mode === "inclusive";
  if (tax === undefined) {
    if (sender === depositor || (sender === recipient && sender !== "")) return;
    throw unauthorized(sender, `depositor ${depositor}, recipient or authority`);
  }
  if (sender === (isWithin ? recipient : depositor)) return;
  const expected = isWithin
    ? `the recipient ${recipient}, who bears a tax within the prices,`
    : `depositor ${depositor}, who bears the tax,`;
  throw unauthorized(sender, `${expected} or the authority`);
}

/** @throws ChainError settlement/1505 unless the sender provides the order's service now. */
function requireProvider(sender: string, { seq, recipient, status }: EscrowState): void {
  const isProviding =
    status === EscrowStatus.ESCROW_STATUS_ACTIVE || status === EscrowStatus.ESCROW_STATUS_DISPUTED;
  if (isProviding && sender === recipient) return;
  const expected = isProviding
    ? `recipient ${recipient}`
    : `the recipient of an active or disputed escrow (${escrowId(seq)} is ${statusName(status)})`;
  throw unauthorized(sender, `${expected} or the authority`);
}
