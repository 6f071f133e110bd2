import type * as own from "../../../src/gen/settled/settlement/v1/tx.ts";
import { Disputes } from "./disputes.ts";
import {
  by,
  isSame,
  countableOf,
  type Escrow,
  type Usage,
  type ModelEvent,
  type Message,
} from "./records.ts";
import * as rules from "./rules.ts";
import { SECOND, refuse, type Params } from "./rules.ts";

// The second model: params, and the work of blocks.

export class SecondModel extends Disputes {
  MsgUpdateParams({ authority, params, extendedParams }: own.MsgUpdateParams): void {
    refuse([1505, this.params.authority === "" || authority !== this.params.authority]);
    const known = Object.keys(this.params);
    const news = Object.entries({ ...params, ...extendedParams }).filter(([key]) =>
      known.includes(key),
    );
    const next = { ...(this.pending ?? this.params), ...Object.fromEntries(news) };
    refuse([
      1525,
      params?.fiatConversionEnabled === true || isSame(next, this.pending ?? this.params),
    ]);
    rules.checkParams(next, (address) => rules.isAddress(address) && this.canBePaid(address));
    const changes = rules.changesOf(this.params, next);
    this.change(this as { pending: Params | undefined }, { pending: next });
    this.emit("ParamsProposed", undefined, {
      authority,
      effectiveHeight: this.height + 1n,
      paramsVersion: this.version + 1n,
      ...changes,
    });
  }

  /** @returns what each message did, or the code that the tx is refused with */
  deliver(messages: readonly Message[]): readonly (readonly ModelEvent[])[] | number {
    const done: ModelEvent[][] = [];
    const code = this.attempt(() => {
      for (const { type, value } of messages) rules.checkAlone(type, value);
      for (const { type, value } of messages) {
        this.events = [];
        (this as unknown as Record<string, (value: object) => void>)[type]?.(value);
        done.push(this.events);
      }
    });
    this.undos = [];
    return code ?? done;
  }

  begin(timeNs: bigint): ModelEvent[] {
    [this.now, this.height, this.events] = [timeNs, this.height + 1n, []];
    if (this.pending !== undefined) this.changeParams(this.pending);
    const expired = this.tables.escrow
      .filter((escrow) => this.isOver(escrow))
      .sort(by("expiresAtNs"));
    for (const escrow of expired) this.attempt(() => this.expire(escrow));
    return this.events;
  }

  changeParams(params: Params): void {
    const { epoch: base, height } = this.epochBase;
    const { stakingRewardEpochLength: length } = this.params;
    const epoch = base + (this.height - 1n - height) / length;
    if (params.stakingRewardEpochLength !== this.params.stakingRewardEpochLength) {
      const start =
        this.epochBase.height +
        (epoch - this.epochBase.epoch) * this.params.stakingRewardEpochLength;
      this.epochBase = { epoch, height: start };
    }
    const changes = rules.changesOf(this.params, params);
    this.params = params;
    this.pending = undefined;
    this.version += 1n;
    this.emit("ParamsUpdated", undefined, { paramsVersion: this.version, ...changes });
  }

  /** README, "Expiry": what is open is settled as a final settlement, in parts if need be. */
  expire(escrow: Escrow): void {
    const open = this.openOf(escrow);
    if (open.length > 0 && !this.settle(escrow, open, true).isLast) return;
    const { balance } = escrow;
    this.finish(escrow, "expired", "expired");
    this.emit("EscrowExpired", escrow, { balance });
  }

  end(): ModelEvent[] {
    this.events = [];
    for (const dispute of [...this.tables.dispute].sort(by("expiresAtNs"))) {
      const isUndecided = ["open", "reviewing"].includes(dispute.status);
      if (!isUndecided || this.now < dispute.expiresAtNs) continue;
      const usage = this.tables.usage[Number(dispute.usageSeq) - 1] as Usage;
      this.endDispute(dispute, usage, { status: "expired" });
      this.freePayout(dispute, usage);
      this.emit("DisputeExpired", dispute, { usageId: usage.id });
    }
    for (const escrow of [...this.tables.escrow].sort(by("autoSettleAtNs")))
      this.autoSettle(escrow);
    for (const invoice of this.tables.invoice) {
      if (invoice.amountDue.length === 0 || invoice.overdueAtNs > 0n || this.now <= invoice.dueAtNs)
        continue;
      this.change(invoice, { status: "overdue", overdueAtNs: this.now });
      this.emit("InvoiceOverdue", invoice);
    }
    this.rewardStaking();
    for (const entry of this.tables.entry) this.expireEntry(entry);
    for (const payout of this.tables.payout) this.payWhenDue(payout);
    this.undos = [];
    return this.events;
  }

  /** README, "Automatic settlement". */
  autoSettle(escrow: Escrow): void {
    const { autoSettleEnabled, settlementPeriod } = this.params;
    if (escrow.status !== "active" || !autoSettleEnabled || this.now < escrow.autoSettleAtNs)
      return;
    const ready = this.openOf(escrow).filter((usage) => {
      const isFlagged = usage.anomalies.length > 0 && !usage.anomalyCleared && !usage.acknowledged;
      return !usage.disputed && !isFlagged && this.isReady(usage);
    });
    let isMore = false;
    this.attempt(() => {
      refuse([1518, this.isOver(escrow)]);
      isMore = this.settle(escrow, ready, false).isMore;
    });
    this.change(escrow, { autoSettleAtNs: this.now + (isMore ? 0n : settlementPeriod * SECOND) });
  }
}
