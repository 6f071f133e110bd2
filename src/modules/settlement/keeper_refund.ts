import type { Context } from "../../baseapp/context.ts";
import {
  type InvoiceState,
  type RefundState,
  type SettlementState,
  SettlementType,
} from "../../gen/settled/settlement/v1/state.ts";
import { must } from "../../lib/assert.ts";
import { ChainError } from "../../lib/errors.ts";
import { maxBigint, minBigint, mulDivFloor } from "../../lib/int.ts";
import {
  addCoins,
  amountOf,
  type Coins,
  coversCoins,
  formatCoins,
  isZeroCoins,
  mapCoins,
  NO_COINS,
  subCoins,
  wireCoins,
} from "../../types/coins.ts";
import type { Accounts } from "./accounts.ts";
import { bookCredit, takeCreditNote } from "./credit_note.ts";
import * as errors from "./errors.ts";
import { settlementRefunded } from "./events_refund.ts";
import type { BankKeeper } from "./expected_keepers.ts";
import { timedId, timedSeqOf } from "./ids.ts";
import { quote } from "./keeper_escrow.ts";
import { ReceivableKeeper } from "./keeper_receivable.ts";
import { type Reversal, reversePayout } from "./payout_reverse.ts";
import { coinsIn, type Records } from "./records.ts";
import {
  addLegs,
  doneOf,
  type Legs,
  legsIn,
  legsOf,
  splitRefundCoins,
  sumOfCoins,
  wireLegs,
  withoutFees,
} from "./refund_legs.ts";
import { partsOf, type RefundOrigin, type RefundPart } from "./refund_parts.ts";
import { refundId, writeRefund } from "./refund_records.ts";
import { cancelRewards } from "./reward_cancel.ts";

/** What is to be refunded of a settlement, and why. */
export interface RefundRequest {
  readonly settlementSeq: bigint;
  /** Of the settlement's total; empty for all that is left of it. */
  readonly amount: Coins;
  readonly reason: string;
  /** Who asked for it; empty for the chain itself. */
  readonly initiator: string;
  /** 0n when it is of no dispute. */
  readonly disputeSeq: bigint;
  /**
   * Whether the fees stay where they are: what two parties agree on is not others' to pay, and
   * rewards that were claimed would be theirs for nothing.
   */
  readonly feesStand?: boolean;
}

/** A refund that is decided: what it gives back of which records. */
interface RefundPlan extends RefundOrigin {
  readonly invoice: InvoiceState | undefined;
  readonly amount: Coins;
  readonly split: Legs;
  /** Of the settlement's total: what all refunds up to this one give back. */
  readonly refunded: Coins;
}

/** What a settlement is made of, what of it went back, and what may. */
interface RefundsLeft {
  readonly legs: Legs;
  readonly done: Legs;
  /** Of its total. */
  readonly left: Coins;
  readonly invoice: InvoiceState | undefined;
  /** What is left and not credited in another way. */
  readonly all: Coins;
}

/**
 * Gives shares of settlements back to their customers, each part by a reversal from the account
 * that has it. What an account cannot pay is owed and never taken from elsewhere (RULES 31).
 */
export class RefundKeeper {
  readonly #records: Records;
  readonly #bank: BankKeeper;
  readonly #accounts: Accounts;
  readonly #receivables: ReceivableKeeper;

  constructor(records: Records, bank: BankKeeper, accounts: Accounts) {
    this.#records = records;
    this.#bank = bank;
    this.#accounts = accounts;
    this.#receivables = new ReceivableKeeper(records, bank);
  }

  /** The number of a settlement. @throws ChainError settlement/1507 */
  seqOf(ctx: Context, id: string): bigint {
    const seq = timedSeqOf("settle", id);
    const settlement = seq === undefined ? undefined : this.#records.settlement(ctx, seq);
    if (settlement !== undefined && idOf(settlement) === id) return settlement.seq;
    throw new ChainError(errors.ErrSettlementNotFound, `settlement ${quote(id)}`);
  }

  /**
   * Refunds a settlement, or a part of it: coins, payout, rewards, invoice.
   * @throws ChainError settlement/1507, 1506 when nothing of it can be refunded, 1522 for more than
   * is left of it or of its invoice, 1537 when the customer cannot be paid.
   */
  refund(ctx: Context, request: RefundRequest): RefundState {
    const plan = this.#plan(ctx, request);
    const { settlement, escrow, split } = plan;
    const draft: RefundState = {
      seq: this.#records.take(ctx, "refund"),
      settlementSeq: settlement.seq,
      escrowSeq: settlement.escrowSeq,
      amount: wireCoins(plan.amount),
      legs: wireLegs(split),
      owed: [],
      rewardsCancelled: [],
      reason: request.reason,
      initiator: request.initiator,
      disputeSeq: request.disputeSeq,
      creditNoteSeq: 0n,
      refundedAtNs: ctx.time,
      height: ctx.height,
      paramsVersion: this.#records.paramsVersion(ctx),
    };
    const owed = this.#giveBack(ctx, plan, draft);
    const rewardsCancelled = this.#cancelRewards(ctx, plan, draft);
    const creditNoteSeq = this.#credit(ctx, plan, draft);
    const given = wireLegs(addLegs(legsIn(settlement.refunded), split));
    this.#records.changeSettlement(ctx, { ...settlement, refunded: given });
    const sums = { owed: wireCoins(owed), rewardsCancelled: wireCoins(rewardsCancelled) };
    const refund: RefundState = { ...draft, ...sums, creditNoteSeq };
    writeRefund(ctx, this.#records, refund);
    const { orderId, depositor: customer, recipient: provider } = escrow;
    const ids = { refundId: refundId(refund), settlementId: idOf(settlement), orderId };
    const { reason, initiator } = request;
    const facts = { ...ids, customer, provider, amount: plan.amount, legs: split };
    ctx.emit(
      settlementRefunded({ ...facts, owed, rewardsCancelled, reason, initiator, at: ctx.time }),
    );
    return refund;
  }

  /**
   * All that a refund could give back of a settlement now, tax left out.
   * @throws ChainError settlement/1507, 1506 for a refund of an escrow, 1537
   */
  refundable(ctx: Context, settlementSeq: bigint): Coins {
    return this.#leftOf(ctx, this.#originOf(ctx, settlementSeq)).all;
  }

  /** Whether a refund would give anything back. */
  givesBack(ctx: Context, request: RefundRequest): boolean {
    if (isZeroCoins(request.amount)) return false;
    return !isZeroCoins(this.#plan(ctx, request).amount);
  }

  /** Decides what goes back, before anything is written. */
  #plan(ctx: Context, request: RefundRequest): RefundPlan {
    const origin = this.#originOf(ctx, request.settlementSeq);
    const { settlement } = origin;
    const left = this.#leftOf(ctx, origin);
    if (request.feesStand !== true) return this.#wholePlan(origin, left, request);
    const total = coinsIn(settlement.total);
    const [legs, done] = [withoutFees(left.legs), withoutFees(left.done)];
    const [share, given] = [sumOfCoins(legs), sumOfCoins(done)];
    const amount = mapCoins(request.amount, (asked, denom) => {
      const scaled = mulDivFloor(asked, amountOf(share, denom), amountOf(total, denom));
      return minBigint(scaled, amountOf(share, denom) - amountOf(given, denom));
    });
    const split = splitRefundCoins(legs, done, amount);
    // Rewards are cancelled in the share of the settlement that this stands for.
    const refunded = mapCoins(addCoins(given, amount), (sum, denom) =>
      mulDivFloor(sum, amountOf(total, denom), amountOf(share, denom)),
    );
    return { ...origin, invoice: left.invoice, amount, split, refunded };
  }

  #wholePlan(
    origin: RefundOrigin,
    { legs, done, left, invoice, all }: RefundsLeft,
    request: RefundRequest,
  ): RefundPlan {
    const { settlement } = origin;
    if (isZeroCoins(left)) throw notRefundable(settlement, "nothing is left of it");
    const amount = isZeroCoins(request.amount) ? all : request.amount;
    if (isZeroCoins(amount)) {
      throw notRefundable(settlement, "credit notes gave back what was paid");
    }
    if (!coversCoins(left, amount)) throw tooMuch(idOf(settlement), left, amount);
    const split = splitRefundCoins(legs, done, amount);
    const credit = addCoins(amount, split.tax);
    const most = creditable(invoice);
    if (invoice !== undefined && !coversCoins(most, credit)) {
      throw tooMuch(timedId("invoice", invoice.issuedAtNs, invoice.seq), most, credit);
    }
    return { ...origin, invoice, amount, split, refunded: addCoins(sumOfCoins(done), amount) };
  }

  #leftOf(ctx: Context, { settlement, payout }: RefundOrigin): RefundsLeft {
    const [legs, done] = [legsOf(settlement, payout), doneOf(settlement, payout)];
    const left = subCoins(coinsIn(settlement.total), sumOfCoins(done));
    const { invoiceSeq } = settlement;
    const invoice = invoiceSeq === 0n ? undefined : this.#records.invoice(ctx, invoiceSeq);
    const all = allOf(left, subCoins(legs.tax, done.tax), invoice);
    return { legs, done, left, invoice, all };
  }

  #originOf(ctx: Context, seq: bigint): RefundOrigin {
    const settlement = this.#records.settlement(ctx, seq);
    if (settlement === undefined) {
      throw new ChainError(errors.ErrSettlementNotFound, `settlement ${seq}`);
    }
    if (settlement.type === SettlementType.SETTLEMENT_TYPE_REFUND) {
      throw notRefundable(settlement, "it is a refund of an escrow");
    }
    const { escrowSeq, payoutSeq } = settlement;
    const escrow = must(this.#records.escrow(ctx, escrowSeq), "settlement: it has an escrow");
    const { depositor, recipient } = escrow;
    if (depositor === recipient || this.#isModule(depositor)) {
      const detail = `the customer of ${idOf(settlement)} cannot be paid: ${depositor}`;
      throw new ChainError(errors.ErrPayoutExecutionFailed, detail);
    }
    const payout = payoutSeq === 0n ? undefined : this.#records.payout(ctx, payoutSeq);
    return { settlement, payout, escrow };
  }

  #isModule(address: string): boolean {
    return Object.values(this.#accounts).some((account) => account === address);
  }

  /** Moves each part, or books that it is owed. @returns what is owed */
  #giveBack(ctx: Context, plan: RefundPlan, refund: RefundState): Coins {
    const { escrow, payout } = plan;
    const creditor = escrow.depositor;
    const reversals: Reversal[] = [];
    let sum: Coins = NO_COINS;
    for (const part of partsOf(ctx, this.#accounts, plan, plan.split)) {
      const coins = this.#payable(ctx, plan, part);
      const owed = subCoins(part.coins, coins);
      if (!isZeroCoins(coins)) {
        const journalSeq = this.#bank.post(ctx, {
          ...{ kind: "settlement_refund", reference: refundId(refund), reverses: part.reverses },
          movements: [{ source: part.source, destination: creditor, coins }],
        });
        const { leg, isUnpaid } = part;
        if (leg === "holdback" || leg === "net")
          reversals.push({ leg, coins, isUnpaid, journalSeq });
      }
      if (isZeroCoins(owed)) continue;
      this.#receivables.book(ctx, { refund, part, creditor, owed });
      sum = addCoins(sum, owed);
    }
    if (payout !== undefined) {
      const reason = refundId(refund);
      reversePayout(ctx, this.#records, { before: payout, escrow, reversals, reason });
    }
    return sum;
  }

  /** What the account of a part has of it: each denom whole or nothing. */
  #payable(ctx: Context, { escrow }: RefundPlan, { source, coins }: RefundPart): Coins {
    // A provider that is a module account has no coins of its own: they are promised to others.
    if (source === escrow.recipient && this.#isModule(source)) return NO_COINS;
    return mapCoins(coins, (amount, denom) =>
      this.#bank.balance(ctx, source, denom) >= amount ? amount : 0n,
    );
  }

  #cancelRewards(ctx: Context, plan: RefundPlan, refund: RefundState): Coins {
    const { settlement, refunded } = plan;
    const parts = { records: this.#records, bank: this.#bank, accounts: this.#accounts };
    return cancelRewards(ctx, parts, { settlement, refunded, refundId: refundId(refund) });
  }

  /** A credit note of what goes back, tax included. @returns its number; 0n without an invoice */
  #credit(ctx: Context, plan: RefundPlan, refund: RefundState): bigint {
    const { invoice, escrow, amount, split } = plan;
    if (invoice === undefined) return 0n;
    const note = takeCreditNote(ctx, this.#records, escrow.recipient);
    const { reason, initiator } = refund;
    const credited = addCoins(amount, split.tax);
    const facts = { invoice, escrow, amount: credited, reason, initiator };
    bookCredit(ctx, note, { ...facts, reference: refundId(refund) });
    return note.seq;
  }
}

function idOf({ settledAtNs, seq }: SettlementState): string {
  return timedId("settle", settledAtNs, seq);
}

/** What was paid of an invoice and is not credited: a refund is credited as well. */
function creditable(invoice: InvoiceState | undefined): Coins {
  return subCoins(coinsIn(invoice?.amountPaid ?? []), coinsIn(invoice?.credited ?? []));
}

/** All that can be refunded, with room for its tax. */
function allOf(left: Coins, taxLeft: Coins, invoice: InvoiceState | undefined): Coins {
  if (invoice === undefined) return left;
  const most = creditable(invoice);
  return mapCoins(left, (amount, denom) => {
    const room = amountOf(most, denom) - amountOf(taxLeft, denom);
    return minBigint(amount, maxBigint(room, 0n));
  });
}

function notRefundable(settlement: SettlementState, why: string): ChainError {
  const detail = `${idOf(settlement)} cannot be refunded: ${why}`;
  return new ChainError(errors.ErrInvalidSettlement, detail);
}

function tooMuch(what: string, most: Coins, amount: Coins): ChainError {
  const asked = formatCoins(amount);
  const detail = `${what} has ${formatCoins(most) || "nothing"} left to refund, asked for ${asked}`;
  return new ChainError(errors.ErrInvalidAmount, detail, { asked });
}
