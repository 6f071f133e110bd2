import { SettlementState } from "../../src/gen/settled/settlement/v1/state.ts";
import type * as wire from "../../src/gen/virtengine/settlement/v1/tx.ts";
import { type Bill, billOf, chargeOf, useUp } from "./model_billing.ts";
import { issueInvoice } from "./model_invoices.ts";
import { moveShares, openPayout, type Shares, sharesOf } from "./model_payouts.ts";
import { rewardUsage } from "./model_rewards.ts";
import { type Escrow, type Facts, isExpired, made, need } from "./model_state.ts";
import { needActive, type Rules, type Settlement, settlementId, spendable } from "./model_state.ts";
import { type Usage, usageId, type World } from "./model_state.ts";
import { type Coins, idOf, less, limited, max, min, NONE } from "./model_sums.ts";
import { plus, SECOND, sum, text } from "./model_sums.ts";

// RULES 13, 14 and 22 to 28.

export const settleRules: Rules = {
  MsgSettleOrder: (w, m: wire.MsgSettleOrder) => {
    const escrow = w.newest(m.orderId);
    need(escrow !== undefined, 1501);
    const { authority, maxRecordsPerSettlement: most } = w.params;
    need([escrow.depositor, escrow.recipient, authority].includes(m.sender), 1505);
    needActive(w, escrow);
    need(m.usageRecordIds.length <= most, 1506);
    // Of a provider who is the authority, too: no document says so.
    const mayTake = (usage: Usage): boolean => m.sender !== escrow.recipient || isReady(w, usage);
    const named = m.usageRecordIds.map((id) => {
      const usage = w.usageById(id);
      need(usage.escrowSeq === escrow.seq, 1512);
      need(usage.status === "open", 1515);
      need(!usage.disputed, 1535);
      need(mayTake(usage), 1506);
      return usage;
    });
    const [open, isAll] = [w.openOf(escrow), named.length === 0];
    const chosen = open.filter((each) => (isAll ? !each.disputed : named.includes(each)));
    need(open.length === 0 || open.some((each) => !each.disputed), 1535);
    need(isAll || limited(chosen, most).length === chosen.length, 1506);
    const plan = { initiator: m.sender, open: open.length };
    const mayEnd = m.isFinal && escrow.openDisputes === 0;
    if (mayEnd && (isAll || chosen.length === open.length)) {
      need(chosen.slice(0, most).every(mayTake), 1506);
      const part = limited(chosen, most);
      const isFinal = part.length === open.length;
      const bill = billOf(w, m.orderId, part, spendable(escrow));
      const settled = settle(w, escrow, bill, { ...plan, isFinal });
      if (isFinal) finish(w, escrow);
      return answer(w, settled);
    }
    const { bill, stoppedAt } = affordable(w, escrow, chosen.filter(mayTake), isAll ? most : 1e9);
    need(bill.taken.length > 0, 1506);
    return answer(w, settle(w, escrow, bill, { ...plan, isFinal: false, stoppedAt }));
  },
};

function answer(w: World, settlement: Settlement | undefined): Facts {
  const { total = NONE, providerShare = NONE, platformFee = NONE } = settlement ?? {};
  return {
    ...{ settlementId: settlement ? settlementId(settlement) : "" },
    ...{ totalAmount: text(total), providerShare: text(providerShare) },
    ...{ platformFee: text(platformFee), settledAt: w.seconds },
  };
}

/** RULES 22: whether the customer has had the time to look at it. */
function isReady(w: World, usage: Usage): boolean {
  const after = w.params.autoSettleAfter || w.params.settlementPeriod;
  const shownAt = max(usage.submittedAtNs, usage.correctedAtNs);
  return usage.acknowledged || w.now >= shownAt + after * SECOND;
}

/** RULES 24, 26 and 27 for a settlement that is not final. */
function affordable(w: World, escrow: Escrow, chosen: readonly Usage[], most: number) {
  const [stopped, taken]: [Usage[], Usage[]] = [[], []];
  const balance = spendable(escrow);
  let isCut = false;
  for (const usage of chosen) {
    const { denom } = usage;
    if (usage.disputed || stopped.some((each) => each.denom === denom)) continue;
    const same = [...taken.filter((each) => each.denom === denom), usage];
    const fits = chargeOf(w, escrow.orderId, denom, same) <= (balance.get(denom) ?? 0n);
    const next = [...taken, ...(fits ? [usage] : [])];
    isCut = taken.length === most || limited(next, next.length).length < next.length;
    if (isCut) break;
    (fits ? taken : stopped).push(usage);
  }
  const least = BigInt(w.params.minSettlementAmount);
  const { total } = billOf(w, escrow.orderId, taken, balance);
  // A denom that comes to 0 is left out even where the minimum is 0: no document says so.
  const enough = taken.filter(({ denom }) => (total.get(denom) ?? -1n) >= least);
  return { bill: billOf(w, escrow.orderId, enough, balance), stoppedAt: stopped[0], isCut };
}

interface Plan {
  readonly isFinal: boolean;
  /** Open records before it. */
  readonly open: number;
  readonly stoppedAt?: Usage | undefined;
  /** "" for the chain itself. */
  readonly initiator: string;
}

/** RULES 25 to 28: closes records, moves coins, writes what follows. @returns undefined for none */
export function settle(
  w: World,
  escrow: Escrow,
  bill: Bill,
  { isFinal, open, stoppedAt, initiator }: Plan,
): Settlement | undefined {
  const { taken, total, tax, discount } = bill;
  if (taken.length === 0) return undefined;
  const [bills, isPaid] = [w.params.billingEnabled, total.size + tax.size > 0];
  const records = taken.map(({ usage }) => usage);
  const periodStart = records.map((u) => u.periodStart).reduce(min);
  const period = { periodStart, periodEnd: records.map((u) => u.periodEnd).reduce(max) };
  const settlementSeq = isPaid ? w.next("settlement") : 0n;
  const invoiceSeq = bills ? w.next("invoice") : 0n;
  for (const { usage, paid, discount: off } of taken) {
    const facts = { settlementSeq, invoiceSeq, settledAmount: paid, discount: off };
    w.set(usage, { status: "settled", ...facts });
  }
  useUp(w, escrow.orderId, bill);
  if (bills) {
    const costs = { ...bill.invoice, amountPaid: plus(total, tax), taxPaid: tax };
    const facts = { seq: invoiceSeq, settlementSeq, ...costs, ...period, lineCount: taken.length };
    const settlement_id = isPaid ? idOf("settle", w.now, settlementSeq) : "";
    issueInvoice(w, escrow, facts, { settlement_id, initiator });
  }
  if (!isPaid) return undefined;
  const shares = pay(w, escrow, total, true, bills ? w.module("settlement") : escrow.recipient);
  w.move(w.module("settlement_escrow"), w.module("settlement_tax"), tax);
  w.set(escrow, { balance: less(escrow.balance, tax), taxPaid: plus(escrow.taxPaid, tax) });
  const numbers = { settlementSeq, invoiceSeq };
  const payoutSeq =
    bills && total.size > 0
      ? openPayout(w, escrow, shares, { seq: w.next("payout"), ...numbers }).seq
      : 0n;
  const distributionSeq = rewardUsage(w, escrow, settlementSeq, taken);
  const facts: Partial<Settlement> = {
    ...{ ...shares, ...period, seq: settlementSeq, invoiceSeq, payoutSeq, distributionSeq },
    ...{ type: isFinal ? "final" : "usage_based", isFinal, recordCount: taken.length },
    ...{ units: sum(records, ({ units }) => units), tax, discount },
  };
  const short = stoppedAt ?? taken.find(({ isShort }) => isShort)?.usage;
  const rest = { records_remaining: open - taken.length, stopped_at: short && usageId(short) };
  const reduced = bill.hasTerms ? { discount, tax } : {};
  return ordered(w, escrow, facts, { ...rest, ...reduced });
}

/** Takes coins out of an escrow, to the fee accounts and `to`. */
function pay(w: World, escrow: Escrow, total: Coins, withFees: boolean, to: string): Shares {
  const shares = sharesOf(w, total, withFees);
  moveShares(w, w.module("settlement_escrow"), shares, to);
  w.set(escrow, {
    ...{ balance: less(escrow.balance, total), totalSettled: plus(escrow.totalSettled, total) },
    ...{ settlementCount: escrow.settlementCount + 1, lastSettledAtNs: w.now },
    ...{ autoSettleAtNs: w.after(w.params.settlementPeriod), autoSettleAttempts: 0 },
  });
  return shares;
}

/** Without records its period is from the activation to now: no document says so. */
export function writeSettlement(w: World, escrow: Escrow, facts: Partial<Settlement>): Settlement {
  const { now: settledAtNs, height, paramsVersion } = w;
  const period = { periodStart: escrow.activatedAtNs / SECOND, periodEnd: w.seconds };
  const own = { escrowSeq: escrow.seq, provider: escrow.recipient, settledAtNs, height };
  const record = { ...own, ...period, paramsVersion, ...facts };
  return w.push(w.settlements, made<Settlement>(SettlementState, record));
}

/** A settlement with its event. */
function ordered(w: World, escrow: Escrow, facts: Partial<Settlement>, more: Facts): Settlement {
  const s = writeSettlement(w, escrow, facts);
  w.emit(
    "OrderSettled",
    {
      ...{ settlement_id: settlementId(s), total_amount: s.total },
      ...{ provider_share: s.providerShare, platform_fee: s.platformFee },
      ...{ validator_fee: s.validatorFee, settlement_type: s.type, is_final: s.isFinal },
      ...{ records: s.recordCount, stopped_at: undefined, ...more },
    },
    escrow,
  );
  return s;
}

/** RULES 13: a settlement without usage. */
export function release(w: World, escrow: Escrow, amount: Coins, reason: string): void {
  const isFinal = less(escrow.balance, amount).size === 0;
  if (amount.size > 0) {
    const shares = pay(w, escrow, amount, w.params.releaseFees, escrow.recipient);
    const type = isFinal ? "final" : "periodic";
    ordered(
      w,
      escrow,
      { ...shares, seq: w.next("settlement"), type, isFinal },
      {
        records_remaining: 0,
      },
    );
  }
  // The reason of a release that gave none: no document says it.
  if (isFinal) close(w, escrow, "released", reason || "released");
  w.emit("EscrowReleased", { amount, reason }, escrow);
}

/** RULES 24 and 25: the end of a final settlement. */
function finish(w: World, escrow: Escrow): void {
  const isReleased = w.params.finalRemainder === "provider";
  if (isReleased) return release(w, escrow, escrow.balance, "final settlement");
  giveBack(w, escrow);
  close(w, escrow, "released", "final settlement");
  w.emit("EscrowReleased", { amount: NONE, reason: "final settlement" }, escrow);
}

/** RULES 14: the first thing of a block after params. */
export function expireEscrows(w: World): void {
  const due = w.escrows.filter((each) => isExpired(w, each) && each.openDisputes === 0);
  due.sort((a, b) => Number(a.expiresAtNs - b.expiresAtNs || a.seq - b.seq));
  for (const escrow of due) {
    const open = w.openOf(escrow);
    const part = limited(open, w.params.maxRecordsPerSettlement);
    const isFinal = part.length === open.length;
    const bill = billOf(w, escrow.orderId, part, escrow.balance);
    settle(w, escrow, bill, { isFinal, open: open.length, initiator: "" });
    if (!isFinal) continue;
    const { balance } = escrow;
    giveBack(w, escrow);
    close(w, escrow, "expired", "expired");
    w.emit("EscrowExpired", { balance }, escrow);
  }
}

/** README, "Automatic settlement". */
export function settleDue(w: World): void {
  if (!w.params.autoSettleEnabled) return;
  const due = w.escrows.filter((e) => e.status === "active" && e.autoSettleAtNs <= w.now);
  due.sort((a, b) => Number(a.autoSettleAtNs - b.autoSettleAtNs || a.seq - b.seq));
  for (const escrow of due) {
    const open = isExpired(w, escrow) ? [] : w.openOf(escrow);
    const fit = open.filter((usage) => {
      const { anomalies, anomalyCleared, acknowledged } = usage;
      return isReady(w, usage) && (anomalies.length === 0 || anomalyCleared || acknowledged);
    });
    const most = Math.min(1000, w.params.maxRecordsPerSettlement);
    const { bill, stoppedAt, isCut } = affordable(w, escrow, fit, most);
    const next = { autoSettleAtNs: w.after(w.params.settlementPeriod), autoSettleAttempts: 0 };
    const { length } = bill.taken;
    if (length === 0) w.set(escrow, next);
    settle(w, escrow, bill, { isFinal: false, open: open.length, stoppedAt, initiator: "" });
    if (length > 0 && isCut) w.set(escrow, { autoSettleAtNs: w.now });
  }
}

export function giveBack(w: World, escrow: Escrow): void {
  const amount = spendable(escrow);
  w.move(w.module("settlement_escrow"), escrow.depositor, amount);
  w.set(escrow, { refunded: plus(escrow.refunded, amount), balance: less(escrow.balance, amount) });
}

export function close(w: World, escrow: Escrow, status: string, closureReason: string): void {
  w.set(escrow, { status, closureReason, closedAtNs: w.now });
}
