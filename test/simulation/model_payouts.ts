import { PayoutLedgerEntry, PayoutState } from "../../src/gen/settled/settlement/v1/state.ts";
import type * as own from "../../src/gen/settled/settlement/v1/tx.ts";
import { type Escrow, invoiceId, made, need, type Payout } from "./model_state.ts";
import { payoutId, type Rules, type Settlement, type World } from "./model_state.ts";
import {
  type Coins,
  idOf,
  least,
  less,
  max,
  min,
  minus,
  NONE,
  parsed,
  plus,
} from "./model_sums.ts";
import { SECOND, split, text } from "./model_sums.ts";

// Payouts, their holdbacks, and the fee accounts: RULES 28, 32 and 38; README, "Payouts" to "Hold".

/** What a settlement, a release or a payment comes to. */
export type Shares = Pick<Settlement, "total" | "platformFee" | "validatorFee" | "providerShare">;

/** RULES 28: the provider keeps the dust. */
export function sharesOf(w: World, total: Coins, withFees = true): Shares {
  const platformFee = withFees ? split(total, w.params.platformFeeRate, "0.05") : NONE;
  const validatorFee = withFees ? split(total, w.params.validatorFeeRate, "0.01") : NONE;
  const providerShare = less(total, plus(platformFee, validatorFee));
  return { total, platformFee, validatorFee, providerShare };
}

/** Moves shares from where the total is; the provider's goes to `to`. */
export function moveShares(w: World, from: string, shares: Shares, to: string): void {
  w.move(from, w.module("settlement_platform_fee"), shares.platformFee);
  w.move(from, w.module("settlement_validator_fee"), shares.validatorFee);
  w.move(from, to, shares.providerShare);
}

/** The payout of a provider's share that is in the account `settlement` already. */
export function openPayout(
  w: World,
  escrow: Escrow,
  shares: Shares,
  of: { seq: bigint; invoiceSeq: bigint; settlementSeq: bigint },
): Payout {
  const { total: gross, platformFee, validatorFee, providerShare } = shares;
  const holdback = split(gross, w.params.payoutHoldbackRate, "0");
  const [net, dueAtNs] = [less(providerShare, holdback), w.after(w.params.payoutDelay)];
  const holdbackDueAtNs = holdback.size === 0 ? 0n : w.after(w.params.disputeWindowDuration);
  const facts = { ...of, escrowSeq: escrow.seq, gross, platformFee, validatorFee, holdback, net };
  const times = { createdAtNs: w.now, height: w.height, dueAtNs, holdbackDueAtNs };
  const record: Partial<Payout> = { ...facts, ...times, status: "" };
  const payout = w.push(w.payouts, made<Payout>(PayoutState, record));
  log(w, payout, "created", "pending", net);
  if (dueAtNs <= w.now) execute(w, payout);
  else {
    const ids = { payout_id: payoutId(payout), settlement_id: settlementIdOf(payout) };
    w.emit("PayoutPending", { ...ids, net_amount: net, due_at: dueAtNs / SECOND });
  }
  return payout;
}

export function log(
  w: World,
  payout: Payout,
  kind: string,
  status: string,
  amount: Coins,
  reason = "",
): void {
  const number = payout.ledgerCount + 1;
  const facts = { payoutSeq: payout.seq, number, kind, previousStatus: payout.status, status };
  const entry = { ...facts, amount, reason, height: w.height, timeNs: w.now };
  w.push(w.payoutLedger, made(PayoutLedgerEntry, entry));
  w.set(payout, { status, ledgerCount: number });
}

function settlementIdOf({ settlementSeq: seq, createdAtNs }: Payout): string {
  return seq === 0n ? "" : idOf("settle", createdAtNs, seq);
}

/** Refunds come of the holdback first. */
export function refundedOf({ refunded, holdback, reversedHoldback }: Payout) {
  const ofHoldback = least(refunded, less(holdback, reversedHoldback));
  return { ofHoldback, ofNet: less(refunded, ofHoldback) };
}

/** What went back of a settlement so far, its tax left out. */
export function refundedSoFar(w: World, { payoutSeq, refunded }: Settlement): Coins {
  const payout = w.payouts.find(({ seq }) => seq === payoutSeq);
  const { platformFee, validatorFee, holdback, net } = refunded ?? {};
  const given = [platformFee, validatorFee, holdback, net, payout?.refunded];
  return plus(...given.map((leg) => leg ?? NONE));
}

export function netToPay(payout: Payout): Coins {
  return less(payout.net, plus(refundedOf(payout).ofNet, payout.reversedNet));
}

export function holdbackLeft(payout: Payout): Coins {
  const { holdback, holdbackReleased, reversedHoldback } = payout;
  return less(holdback, plus(holdbackReleased, reversedHoldback, refundedOf(payout).ofHoldback));
}

/** What the account `settlement` has of it. */
export function unpaid(payout: Payout): Coins {
  const isPaid = payout.status === "completed";
  return plus(isPaid ? NONE : netToPay(payout), holdbackLeft(payout));
}

/** One attempt to pay the net. */
function execute(w: World, payout: Payout): void {
  const [net, escrow] = [netToPay(payout), w.escrowOf(payout)];
  w.set(payout, { attempts: payout.attempts + 1, lastAttemptAtNs: w.now, processedAtNs: w.now });
  w.set(payout, { dueAtNs: 0n, nextAttemptHeight: 0n });
  log(w, payout, "processing", "processing", net);
  if (w.isModule(escrow.recipient)) return fail(w, payout, "failed");
  w.move(w.module("settlement"), escrow.recipient, net);
  w.set(payout, { completedAtNs: w.now, lastError: "" });
  endHoldback(w, payout);
  log(w, payout, "completed", "completed", net);
  const invoice = w.invoices.find(({ seq }) => seq === payout.invoiceSeq);
  const ids = { payout_id: payoutId(payout), settlement_id: settlementIdOf(payout) };
  const facts = { ...ids, invoice_id: invoice && invoiceId(invoice), net_amount: net };
  w.emit("PayoutCompleted", { ...facts, platform_fee: payout.platformFee }, escrow);
}

/** One attempt to give the holdback to the provider. */
function releaseHoldback(w: World, payout: Payout): void {
  const [amount, escrow] = [holdbackLeft(payout), w.escrowOf(payout)];
  w.set(payout, { lastAttemptAtNs: w.now, nextAttemptHeight: 0n });
  if (w.isModule(escrow.recipient)) {
    w.set(payout, { attempts: payout.attempts + 1 });
    return fail(w, payout, "completed");
  }
  w.move(w.module("settlement"), escrow.recipient, amount);
  w.emit("HoldbackReleased", { payout_id: payoutId(payout), amount }, escrow);
  w.set(payout, { holdbackReleased: plus(payout.holdbackReleased, amount), lastError: "" });
  endHoldback(w, payout);
  log(w, payout, "holdback_released", "completed", amount);
}

/** 2, 4, 8 … blocks, a net so many times, a holdback without end. */
function fail(w: World, payout: Payout, status: string): void {
  const { attempts } = payout;
  const isTriedAgain = status === "completed" || attempts <= (w.params.maxPayoutRetries || 3);
  // At most 2^10 blocks: no document says so.
  const wait = 1n << min(BigInt(attempts), 10n);
  const nextAttemptHeight = isTriedAgain ? w.height + wait : 0n;
  const facts = { payout_id: payoutId(payout), error: "*", attempts };
  const next_attempt_height = isTriedAgain ? nextAttemptHeight : undefined;
  w.emit("PayoutFailed", { ...facts, next_attempt_height });
  w.set(payout, { lastError: "*", nextAttemptHeight });
  log(w, payout, "failed", status, NONE, "*");
}

/** A holdback that has gone has no time, and nothing of it is held. */
export function endHoldback(w: World, payout: Payout): void {
  if (payout.holdbackDueAtNs === 0n || holdbackLeft(payout).size > 0) return;
  w.set(payout, { holdbackDueAtNs: 0n, holdbackHeld: false });
  if (payout.status === "completed") w.set(payout, { nextAttemptHeight: 0n });
}

/** RULES 32: what a block does for payouts, the state as it was when it began. */
export function advancePayouts(w: World): void {
  const retried = ({ nextAttemptHeight: at }: Payout): boolean => at !== 0n && at <= w.height;
  const queued = w.payouts.filter((p) => p.nextAttemptHeight === 0n);
  const work = [
    ...queued.filter(({ status, dueAtNs }) => status === "pending" && dueAtNs <= w.now),
    ...w.payouts.filter(retried),
    ...queued.filter(({ status, holdbackHeld, holdbackDueAtNs: at }) => {
      return status === "completed" && !holdbackHeld && at !== 0n && at <= w.now;
    }),
  ];
  for (const payout of work) {
    const escrow = w.escrowOf(payout);
    if (escrow.status === "disputed") postpone(w, payout, escrow);
    else if (payout.status === "completed") releaseHoldback(w, payout);
    else execute(w, payout);
  }
}

/** After as long as the dispute has lasted, 1 minute to 1 hour; of blocks no document says it. */
function postpone(w: World, payout: Payout, escrow: Escrow): void {
  const until = w.now + min(max(w.now - escrow.disputedAtNs, 60n * SECOND), 3600n * SECOND);
  const [isRetry, height] = [payout.nextAttemptHeight !== 0n, w.height + 60n];
  if (isRetry) w.set(payout, { nextAttemptHeight: height });
  else if (payout.status === "completed") w.set(payout, { holdbackDueAtNs: until });
  else w.set(payout, { dueAtNs: until });
  const facts = isRetry ? { until_height: height } : { until: until / SECOND };
  w.emit("PayoutPostponed", { payout_id: payoutId(payout), ...facts }, escrow);
}

function payoutById(w: World, sender: string, id: string) {
  w.needAuthority(sender);
  const payout = w.find(w.payouts, id, payoutId, 1531);
  const [left, isPaid] = [unpaid(payout), payout.status === "completed"];
  const isHeld = payout.status === "held" || payout.holdbackHeld;
  return { payout, left, isPaid, isHeld, escrow: w.escrowOf(payout) };
}

export const payoutRules: Rules = {
  MsgHoldPayout: (w, { sender, payoutId: payout_id, reason }: own.MsgHoldPayout) => {
    const { payout, left, isPaid, isHeld } = payoutById(w, sender, payout_id);
    if (payout.heldByDispute) {
      need(left.size > 0, 1503);
      // It stays held when the dispute is over; no document says that it has no entry.
      w.set(payout, { heldByDispute: false, holdReason: reason });
      w.emit("PayoutHeld", { payout_id, dispute_id: "", reason });
      return {};
    }
    need(!isHeld, 1534);
    need(isPaid ? left.size > 0 : payout.status !== "refunded", 1503);
    w.set(payout, { dueAtNs: 0n, nextAttemptHeight: 0n, holdReason: reason, holdbackHeld: isPaid });
    log(w, payout, "held", isPaid ? "completed" : "held", left, reason);
    w.emit("PayoutHeld", { payout_id, dispute_id: "", reason });
    return {};
  },
  MsgReleasePayout: (w, { sender, payoutId: payout_id }: own.MsgReleasePayout) => {
    const { payout, left, isPaid, isHeld, escrow } = payoutById(w, sender, payout_id);
    need(isPaid ? left.size > 0 : payout.status !== "refunded", 1503);
    need(escrow.status !== "disputed" && payout.openDisputes === 0, 1535);
    if (isHeld) {
      w.set(payout, { holdReason: "", holdbackHeld: false });
      log(w, payout, "released", isPaid ? "completed" : "pending", left);
      w.emit("PayoutReleased", { payout_id });
    }
    if (isPaid) releaseHoldback(w, payout);
    else execute(w, payout);
    return { paidAmount: text(less(left, unpaid(payout))), state: payout.status };
  },
  MsgRefundPayout: (w, m: own.MsgRefundPayout) => {
    const { payout, left, isPaid, isHeld, escrow } = payoutById(w, m.sender, m.payoutId);
    need(isHeld, 1503);
    need(escrow.status !== "disputed" && payout.openDisputes === 0, 1535);
    const amount = m.amount.length === 0 ? left : (parsed(m.amount) as Coins);
    const rest = minus(left, amount);
    need(rest !== undefined, 1504);
    w.move(w.module("settlement"), escrow.depositor, amount);
    w.set(payout, { refunded: plus(payout.refunded, amount) });
    endHoldback(w, payout);
    const status = rest.size === 0 && !isPaid ? "refunded" : payout.status;
    log(w, payout, "refunded", status, amount, m.reason);
    w.emit("PayoutRefunded", { payout_id: m.payoutId, amount, reason: m.reason }, escrow);
    return { refundedAmount: text(amount) };
  },
  MsgWithdrawFees: (w, { sender, account, recipient, amount: asked }: own.MsgWithdrawFees) => {
    w.needAuthority(sender);
    const [amount, from] = [parsed(asked) as Coins, w.modules[`settlement_${account}`]];
    need(/^(platform_fee|validator_fee|tax)$/.test(account) && from !== undefined, 1521);
    need(!w.isModule(recipient), 1521);
    need(w.has(from, amount), 1504);
    w.move(from, recipient, amount);
    w.put(w.withdrawn, account, plus(w.withdrawn.get(account) ?? NONE, amount));
    w.emit("FeesWithdrawn", { account, recipient, amount });
    const balance = [...w.balance(from)].filter(([denom]) => amount.has(denom));
    return { balance: text(new Map(balance)) };
  },
};
