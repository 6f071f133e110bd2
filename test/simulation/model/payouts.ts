import type * as own from "../../../src/gen/settled/settlement/v1/tx.ts";
import { type Coins, covers, higher, least, lower, minus, plus, SECOND, share } from "./coins.ts";
import { lowered } from "./fields.ts";
import { Ledgers, type Step } from "./ledgers.ts";
import { refuse, type Row, WORDS } from "./records.ts";
import type { Shares } from "./state.ts";

// README, "Payouts", "Holdback" and "Hold, release, refund".

type Payout = Row<"payout">;

const isOpen = ({ status }: Payout): boolean => ["pending", "failed", "held"].includes(status);
export const isHeld = ({ status, holdbackHeld }: Payout): boolean =>
  status === "held" || holdbackHeld;

export class Payouts extends Ledgers {
  payOut(of: Partial<Payout>, { total: gross, platformFee, validatorFee }: Shares): Payout {
    const holdback = share(gross, this.params.payoutHoldbackRate, "0");
    const net = minus(gross, platformFee, validatorFee, holdback);
    const { payoutDelay, disputeWindowDuration } = this.params;
    const dueAtNs = payoutDelay === 0n ? 0n : this.after(payoutDelay);
    const holdbackDueAtNs = holdback.length === 0 ? 0n : this.after(disputeWindowDuration);
    const parts = { gross, platformFee, validatorFee, holdback, net, unpaid: net, kept: holdback };
    const payout = this.add("payout", { ...of, ...parts, dueAtNs, holdbackDueAtNs });
    this.log(payout, "created", { amount: net }, { status: "pending" });
    if (payoutDelay === 0n) this.pay(payout);
    else this.emit("PayoutPending", payout, { ...this.idsOf(payout), netAmount: net });
    return payout;
  }

  idsOf({ settlementSeq, invoiceSeq }: Payout) {
    const invoiceId = this.nth("invoice", invoiceSeq)?.id;
    return { settlementId: this.nth("settlement", settlementSeq)?.id ?? "", invoiceId };
  }

  /** Pays what is unpaid of the net. */
  pay(payout: Payout): void {
    const tried = { lastAttemptAtNs: this.now, processedAtNs: this.now, nextAttemptHeight: 0n };
    const { unpaid: paid, attempts } = payout;
    const fields = { status: "processing", attempts: attempts + 1, ...tried };
    this.log(payout, "processing", { amount: paid }, fields);
    const { recipient } = this.escrowOf(payout);
    if (!this.canBePaid(recipient)) {
      const most = this.params.maxPayoutRetries || 3;
      return this.fail(payout, { status: "failed", dueAtNs: 0n }, most);
    }
    this.move("settlement", recipient, paid);
    const done = { status: "completed", completedAtNs: this.now, unpaid: [], dueAtNs: 0n };
    this.log(payout, "completed", { amount: paid }, { ...done, lastError: "" });
    this.emit("PayoutCompleted", payout, { ...this.idsOf(payout), netAmount: paid, paid });
  }

  fail(payout: Payout, fields: Partial<Payout>, most: number): void {
    const { attempts } = payout;
    const nextAttemptHeight = attempts > most ? 0n : this.height + 2n ** BigInt(attempts);
    const failed = { ...fields, nextAttemptHeight, lastError: WORDS };
    this.log(payout, "failed", { reason: WORDS }, failed);
    const height = nextAttemptHeight || "";
    this.emit("PayoutFailed", payout, { nextAttemptHeight: height, error: WORDS, paid: [] });
  }

  /** Gives the holdback to the provider. */
  payHoldback(payout: Payout): void {
    const { kept: amount, attempts, holdbackReleased } = payout;
    const { recipient } = this.escrowOf(payout);
    const lastAttemptAtNs = this.now;
    if (!this.canBePaid(recipient)) {
      this.change(payout, { attempts: attempts + 1 });
      return this.fail(payout, { lastAttemptAtNs }, Infinity);
    }
    this.move("settlement", recipient, amount);
    const paid = { kept: [], holdbackReleased: plus(holdbackReleased, amount), lastAttemptAtNs };
    const done = { holdbackDueAtNs: 0n, holdbackHeld: false, nextAttemptHeight: 0n };
    this.log(payout, "holdback_released", { amount }, { ...paid, ...done });
    this.emit("HoldbackReleased", payout, { amount, paid: amount });
  }

  /** The payout that the authority names. */
  payoutOf({ sender, payoutId }: { readonly sender: string; readonly payoutId: string }): Payout {
    this.onlyAuthority(sender);
    return this.find("payout", payoutId, 1531);
  }

  MsgHoldPayout(message: own.MsgHoldPayout): void {
    const payout = this.payoutOf(message);
    const { heldByDispute } = payout;
    const { reason } = message;
    refuse([1534, isHeld(payout) && !heldByDispute]);
    refuse([1503, !this.hold(payout, reason, heldByDispute ? {} : { dueAtNs: 0n })]);
    this.change(payout, { heldByDispute: false });
    this.emit("PayoutHeld", payout, { reason, disputeId: "" });
  }

  /** @returns whether anything of it can be held */
  hold(payout: Payout, holdReason: string, due: Partial<Payout> = {}): boolean {
    const amount = isOpen(payout) ? plus(payout.unpaid, payout.kept) : payout.kept;
    if (amount.length === 0) return false;
    const held = isOpen(payout) ? { status: "held", ...due } : { holdbackHeld: true };
    const fields = { holdReason, nextAttemptHeight: 0n, ...held };
    if (isHeld(payout)) this.change(payout, fields);
    else this.log(payout, "held", { amount, reason: holdReason }, fields);
    return true;
  }

  /** While an escrow or a record is disputed, nothing of its payouts moves. */
  onlyUndisputed(payout: Payout): void {
    refuse([1535, this.escrowOf(payout).status === "disputed" || payout.openDisputes > 0]);
  }

  MsgReleasePayout(message: own.MsgReleasePayout): void {
    const payout = this.payoutOf(message);
    const isNet = isOpen(payout);
    refuse([1503, !isNet && payout.kept.length === 0]);
    this.onlyUndisputed(payout);
    if (isHeld(payout)) this.free(payout);
    if (isNet) this.pay(payout);
    else this.payHoldback(payout);
  }

  /** Ends a hold. */
  free(payout: Payout): void {
    const { unpaid, kept } = payout;
    const status = payout.status === "held" ? "pending" : payout.status;
    const amount = payout.status === "held" ? plus(unpaid, kept) : kept;
    const none = { holdReason: "", holdbackHeld: false, heldByDispute: false };
    this.log(payout, "released", { amount }, { ...none, status });
    this.emit("PayoutReleased", payout);
  }

  MsgRefundPayout(message: own.MsgRefundPayout): void {
    const payout = this.payoutOf(message);
    const { status, unpaid, kept, refunded } = payout;
    const { depositor: customer } = this.escrowOf(payout);
    const held = status === "held" ? plus(unpaid, kept) : kept;
    const amount = message.amount.length === 0 ? held : plus(message.amount);
    refuse([1503, !isHeld(payout)]);
    this.onlyUndisputed(payout);
    refuse([1504, !covers(held, amount)], [1537, !this.canBePaid(customer)]);
    this.move("settlement", customer, amount);
    const { reason } = message;
    this.change(payout, { refunded: plus(refunded, amount) });
    const ofHoldback = least(kept, amount);
    this.take(payout, { amount, reason }, minus(amount, ofHoldback), ofHoldback);
    this.emit("PayoutRefunded", payout, { customer, amount, reason });
  }

  /** Takes coins out of what is here. @param due when nothing is left to pay */
  take(
    payout: Payout,
    step: Step,
    ofNet: Coins,
    ofHoldback: Coins,
    due: Partial<Payout> = {},
  ): void {
    const [unpaid, kept] = [minus(payout.unpaid, ofNet), minus(payout.kept, ofHoldback)];
    const isPaid = payout.status === "completed";
    const isEmpty = kept.length === 0;
    const end = !isPaid && isEmpty && unpaid.length === 0 ? { status: "refunded", ...due } : {};
    const free = { holdbackHeld: false, holdbackDueAtNs: 0n };
    const rest = { ...(isEmpty && free), ...(isEmpty && isPaid && { nextAttemptHeight: 0n }) };
    this.log(payout, "refunded", step, { unpaid, kept, ...rest, ...end });
  }

  payWhenDue(payout: Payout): void {
    const { status, nextAttemptHeight, dueAtNs, kept, holdbackDueAtNs, holdbackHeld } = payout;
    const isAgain = nextAttemptHeight > 0n && this.height >= nextAttemptHeight;
    const isNet = (status === "pending" && this.now >= dueAtNs) || (status === "failed" && isAgain);
    const isKept = status === "completed" && kept.length > 0 && !holdbackHeld;
    const isHoldback = isKept && (nextAttemptHeight > 0n ? isAgain : this.now >= holdbackDueAtNs);
    if (!isNet && !isHoldback) return;
    const escrow = this.escrowOf(payout);
    if (escrow.status !== "disputed") return isNet ? this.pay(payout) : this.payHoldback(payout);
    const lasted = this.now - escrow.disputedAtNs;
    const until = this.now + higher(60n * SECOND, lower(lasted, 3600n * SECOND));
    const later = isNet ? { dueAtNs: until } : { holdbackDueAtNs: until };
    const untilHeight = isAgain ? this.height + 60n : "";
    this.change(payout, untilHeight === "" ? later : { nextAttemptHeight: untilHeight });
    this.emit("PayoutPostponed", payout, { until: isAgain ? "" : until / SECOND, untilHeight });
  }

  MsgWithdrawFees({ sender, account, ...of }: own.MsgWithdrawFees): void {
    const recipient = lowered(of.recipient);
    this.onlyAuthority(sender);
    refuse([1521, !Object.hasOwn(this.withdrawn, account) || !this.canBePaid(recipient)]);
    const amount = plus(of.amount);
    this.move(`settlement_${account}`, recipient, amount);
    this.change(this.withdrawn, { [account]: plus(this.withdrawn[account] ?? [], amount) });
    const { coins } = this.coinsOf(this.at(`settlement_${account}`));
    const balance = coins.filter(({ denom }) => amount.some((each) => each.denom === denom));
    this.emit("FeesWithdrawn", undefined, { account, recipient, amount, balance });
  }
}
