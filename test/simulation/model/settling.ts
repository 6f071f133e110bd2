import type * as wire from "../../../src/gen/virtengine/settlement/v1/tx.ts";
import type { Bill } from "./billing.ts";
import { amountOf, coin, type Coins, higher, lower, minus, plus, SECOND } from "./coins.ts";
import { type Escrow, refuse, type Usage } from "./records.ts";
import { UsageRecords } from "./usage.ts";

// README, "A provider", "Not final", "Parts" and "Automatic settlement".

/** How many records have no more units than one settlement can count. */
function countableOf(usages: readonly Usage[]): number {
  let units = 0n;
  const end = usages.findIndex((usage) => (units += usage.units) >= 2n ** 64n);
  return end < 0 ? usages.length : end;
}

export class Settling extends UsageRecords {
  MsgSettleOrder({ sender, orderId, usageRecordIds, isFinal }: wire.MsgSettleOrder): void {
    const escrow = this.newest(orderId);
    this.only(sender, ...this.partiesOf(escrow));
    this.onlyActive(escrow);
    const most = this.params.maxRecordsPerSettlement;
    refuse([1506, usageRecordIds.length > most]);
    const mayTake = (usage: Usage) => sender !== escrow.recipient || this.isReady(usage);
    const named = usageRecordIds.map((id) => {
      const usage = this.find("usage", id, 1513);
      refuse([1512, usage.escrowSeq !== escrow.seq], [1515, usage.status !== "open"]);
      refuse([1535, usage.disputed], [1506, !mayTake(usage)]);
      return usage;
    });
    refuse([1506, countableOf(named) < named.length]);
    const all = this.openOf(escrow);
    const open = named.length > 0 ? all.filter((usage) => named.includes(usage)) : all;
    refuse([1535, open.length > 0 && open.every(({ disputed }) => disputed)]);
    const asked = open.filter((usage) => !usage.disputed && mayTake(usage));
    const isEnd = isFinal && open.length === all.length && escrow.openDisputes === 0;
    refuse([1506, isEnd && !open.slice(0, most).every(mayTake)]);
    if (this.settle(escrow, asked, isEnd).isLast)
      this.finish(escrow, "released", "final settlement");
  }

  /** Whether its provider may settle it. */
  isReady({ acknowledged, correctedAtNs, submittedAtNs }: Usage): boolean {
    const { autoSettleAfter, settlementPeriod } = this.params;
    const wait = (autoSettleAfter || settlementPeriod) * SECOND;
    return acknowledged || this.now >= (correctedAtNs || submittedAtNs) + wait;
  }

  /** @param isEnd whether its last part ends the escrow */
  settle(escrow: Escrow, asked: readonly Usage[], isEnd: boolean) {
    const part = asked.slice(0, this.params.maxRecordsPerSettlement);
    const available = minus(escrow.balance, escrow.reserved);
    const countable = part.slice(0, countableOf(part));
    const all = { covered: countable, stoppedAt: undefined, isMore: false };
    const { covered, stoppedAt, isMore } = isEnd ? all : this.covered(escrow, asked, available);
    const taken = isEnd ? covered : this.worthwhile(escrow, covered, available);
    const bill = this.bill(escrow, taken);
    const paid = this.paidOf(bill, available);
    refuse([1506, !isEnd && paid.net.length === 0]);
    const isLast = isEnd && covered.length === this.openOf(escrow).length;
    if (taken.length > 0) this.settleTaken(escrow, taken, { bill, ...paid }, isLast, stoppedAt);
    return { isLast, isMore };
  }

  /** Records until, per denom, the first that is not covered; in the end, or of the first part. */
  covered(escrow: Escrow, asked: readonly Usage[], available: Coins) {
    const most = this.params.maxRecordsPerSettlement;
    const spent: string[] = [];
    let taken: Usage[] = [];
    let stopped: Usage[] = [];
    let first: { covered: Usage[]; stoppedAt: Usage | undefined } | undefined;
    let isMore = false;
    const fits = (usage: Usage) => {
      const more = [...taken, usage];
      return more.length <= most && countableOf(more) === more.length;
    };
    for (const usage of asked) {
      const { denom } = usage;
      if (spent.includes(denom)) continue;
      if (!fits(usage)) {
        const kept = this.worthwhile(escrow, taken, available);
        const gone = taken.filter((each) => !kept.includes(each)).map((each) => each.denom);
        if (gone.length > 0) first ??= { covered: taken, stoppedAt: stopped[0] };
        taken = kept;
        stopped = stopped.filter((each) => !gone.includes(each.denom));
        isMore = true;
      }
      if (!fits(usage)) break;
      const { charge } = this.bill(escrow, [...taken, usage]);
      if (amountOf(charge, denom) <= amountOf(available, denom)) taken = [...taken, usage];
      else {
        stopped.push(usage);
        spent.push(denom);
      }
    }
    const isWorth = this.worthwhile(escrow, taken, available).length > 0;
    const last = { covered: taken, stoppedAt: stopped[0] };
    return { ...(isWorth ? last : (first ?? last)), isMore };
  }

  /** Without denoms that are below the minimum. */
  worthwhile(escrow: Escrow, taken: readonly Usage[], available: Coins): Usage[] {
    const { net } = this.paidOf(this.bill(escrow, taken), available);
    const minimum = BigInt(this.params.minSettlementAmount || 0) || 1n;
    return taken.filter(({ denom }) => amountOf(net, denom) >= minimum);
  }

  /** @param stoppedAt the first record that was not taken for want of coins */
  settleTaken(
    escrow: Escrow,
    taken: readonly Usage[],
    { bill, net: total, tax }: { bill: Bill; net: Coins; tax: Coins },
    isFinal: boolean,
    stoppedAt: Usage | undefined,
  ): void {
    const shares = this.sharesOf(total);
    const periodStart = taken.map((usage) => usage.periodStart).reduce(lower);
    const periodEnd = taken.map((usage) => usage.periodEnd).reduce(higher);
    const { billingEnabled } = this.params;
    const type = isFinal ? "final" : "usage_based";
    const counts = { units: bill.units, recordCount: taken.length, type, isFinal };
    const facts = { ...shares, tax, discount: plus(...bill.given), periodStart, periodEnd };
    const isPaid = plus(total, tax).length > 0;
    const settlement = isPaid ? this.addSettlement(escrow, { ...facts, ...counts }) : undefined;
    const settlementSeq = settlement?.seq ?? 0n;
    const of = { settlementSeq, periodStart, periodEnd, lineCount: taken.length };
    const invoice = billingEnabled ? this.issue(escrow, bill, total, tax, of) : undefined;
    const invoiceSeq = invoice?.seq ?? 0n;
    const short = this.closeUsage(taken, bill, { net: total, tax, settlementSeq, invoiceSeq });
    this.useFixed(escrow, bill);
    if (settlement === undefined && invoice === undefined) {
      for (const usage of taken) {
        this.emit("UsageUnpaid", usage, { totalCost: coin(usage.denom, usage.cost) });
      }
    }
    if (settlement === undefined) return;
    const to = billingEnabled ? "settlement" : escrow.recipient;
    this.moveShares("settlement_escrow", to, shares, tax);
    this.spend(escrow, total, tax);
    this.change(settlement, { invoiceSeq });
    this.reward(settlement, taken);
    const left = { records: taken.length, recordsRemaining: this.openOf(escrow).length };
    const names = { totalAmount: total, settlementType: type };
    const stop = (short ?? stoppedAt)?.id ?? "";
    this.emit("OrderSettled", settlement, { ...names, ...left, stoppedAt: stop });
    if (invoice === undefined || total.length === 0) return;
    const { seq: payoutSeq } = this.payOut(
      { settlementSeq, invoiceSeq, escrowSeq: escrow.seq },
      shares,
    );
    this.change(settlement, { payoutSeq });
  }

  autoSettle(escrow: Escrow): void {
    const { autoSettleEnabled } = this.params;
    const isDue = autoSettleEnabled && this.now >= escrow.autoSettleAtNs;
    if (escrow.status !== "active" || !isDue) return;
    const ready = this.openOf(escrow).filter((usage) => {
      const isFlagged = usage.anomalies.length > 0 && !usage.anomalyCleared && !usage.acknowledged;
      return !usage.disputed && !isFlagged && this.isReady(usage);
    });
    let isMore = false;
    this.attempt(() => {
      refuse([1518, this.isOver(escrow)]);
      isMore = this.settle(escrow, ready, false).isMore;
    });
    this.change(escrow, { autoSettleAtNs: isMore ? this.now : this.nextSettlement });
  }

  /** README, "Expiry": what is open is settled as a final settlement, in parts if need be. */
  expire(escrow: Escrow): void {
    const open = this.openOf(escrow);
    if (open.length > 0 && !this.settle(escrow, open, true).isLast) return;
    const { balance } = escrow;
    this.finish(escrow, "expired", "expired");
    this.emit("EscrowExpired", escrow, { balance });
  }
}
