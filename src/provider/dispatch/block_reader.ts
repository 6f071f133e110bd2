import { attributesOf } from "../../client/block_events.ts";
import type { Client, TxEvent } from "../../client/client.ts";
import { settlementById, usageById } from "../../client/usage_queries.ts";
import { type Dec, mulFloor } from "../../types/dec.ts";
import type { Outbox, OutboxChange } from "../outbox/outbox.ts";
import { naturalKey, type OutboxRecord, type RecordState } from "../outbox/outbox_record.ts";
import {
  disputeNote,
  type OpenDispute,
  type OpenPayout,
  orderNote,
  payoutNote,
  plus,
  readSums,
  type Sums,
  SUMS_NOTE,
} from "./money.ts";
import { stateOf, withdrawnRecord } from "./record_steps.ts";

const PREFIX = "virtengine.settlement.v1.Event";

type Attributes = Readonly<Record<string, string>>;

export interface BlockReaderParts {
  readonly outbox: Outbox;
  readonly client: Client;
  readonly provider: string;
  readonly nowMs: number;
}

/** How far a record is that is on the chain; it only goes on. */
const RANKS: Readonly<Partial<Record<RecordState, number>>> = {
  included: 0,
  acknowledged: 1,
  settled: 2,
};

/** Turns the events of blocks, in order, into one change of the outbox. */
export class BlockReader {
  readonly #parts: BlockReaderParts;
  readonly #records = new Map<string, OutboxRecord>();
  readonly #byUsageId = new Map<string, string>();
  readonly #notes = new Map<string, string | undefined>();
  /** The provider's settlements of these blocks, with their orders. */
  readonly #settlements = new Map<string, string>();

  constructor(parts: BlockReaderParts) {
    this.#parts = parts;
  }

  /** What the events so far have changed. */
  get change(): OutboxChange & { readonly records: readonly OutboxRecord[] } {
    return { records: [...this.#records.values()], notes: this.#notes };
  }

  note(name: string, text: string | undefined): void {
    this.#notes.set(name, text);
  }

  async read(events: readonly TxEvent[]): Promise<void> {
    for (const event of events) {
      if (!event.type.startsWith(PREFIX)) continue;
      const handle = this.#handlers[event.type.slice(PREFIX.length)];
      if (handle !== undefined) await handle(attributesOf(event));
    }
  }

  readonly #handlers: Readonly<Record<string, (values: Attributes) => Promise<void>>> = {
    UsageAcknowledged: (values) => this.#raise(values["usage_id"], "acknowledged"),
    UsageWrittenOff: (values) => this.#writtenOff(values),
    UsageUnpaid: (values) => this.#raise(values["usage_id"], "settled"),
    UsageCorrected: (values) => this.#corrected(values["corrects"], values["usage_id"]),
    UsageWithdrawn: (values) => this.#withdrawn(values),
    UsageDisputed: (values) => this.#disputed(values),
    DisputeResolved: (values) => this.#disputeEnded(values),
    DisputeExpired: (values) => this.#disputeEnded(values),
    OrderSettled: (values) => this.#orderSettled(values),
    SettlementRefunded: (values) => this.#refunded(values),
    PayoutPending: (values) => this.#payoutPending(values),
    PayoutHeld: (values) => this.#payoutState(values, "held", values["reason"]),
    PayoutReleased: (values) => this.#payoutState(values, "pending", ""),
    PayoutFailed: (values) => this.#payoutState(values, "failed", values["error"]),
    PayoutRefunded: (values) => this.#payoutGone(values),
    PayoutCompleted: (values) => this.#payoutCompleted(values),
    HoldbackReleased: (values) => this.#paid(values, "", values["amount"]),
  };

  async #record(usageId: string | undefined): Promise<OutboxRecord | undefined> {
    if (usageId === undefined || usageId === "") return undefined;
    const key = this.#byUsageId.get(usageId);
    if (key !== undefined) return this.#records.get(key);
    const record = await this.#parts.outbox.byUsageId(usageId);
    // It may have another id since.
    return record === undefined ? undefined : (this.#records.get(naturalKey(record)) ?? record);
  }

  #put(record: OutboxRecord): void {
    const key = naturalKey(record);
    this.#records.set(key, { ...record, changedMs: this.#parts.nowMs });
    this.#byUsageId.set(record.usageId, key);
  }

  async #raise(usageId: string | undefined, state: "acknowledged" | "settled"): Promise<void> {
    const record = await this.#record(usageId);
    const rank = record === undefined ? undefined : RANKS[record.state];
    if (record === undefined || rank === undefined || rank >= (RANKS[state] as number)) return;
    this.#put({ ...record, state });
  }

  async #writtenOff(values: Attributes): Promise<void> {
    const record = await this.#record(values["usage_id"]);
    if (record === undefined) return;
    const log = "written off: the escrow ended without it";
    this.#put({ ...record, state: "settled", reason: { codespace: "settlement", code: 0, log } });
  }

  /** The chain has another record in the place of one: other units, or another price. */
  async #corrected(from: string | undefined, to: string | undefined): Promise<void> {
    const record = await this.#record(from);
    if (record === undefined || to === undefined || to === "") return;
    const usage = await usageById(this.#parts.client, to);
    if (usage === undefined) return;
    const { usageId, usageUnits, unitPrice, denom } = usage;
    const cost = mulFloor(unitPrice as Dec, usageUnits);
    this.#put({ ...record, usageId, usageUnits, unitPrice, denom, cost, state: stateOf(usage) });
  }

  async #withdrawn(values: Attributes): Promise<void> {
    const record = await this.#record(values["usage_id"]);
    if (record === undefined) return;
    this.#put(withdrawnRecord(record, values["reason"] ?? "", this.#parts.nowMs));
  }

  async #disputed(values: Attributes): Promise<void> {
    const { usage_id: usageId = "", dispute_id: disputeId = "" } = values;
    const record = await this.#record(usageId);
    if (record === undefined) return;
    const { reason = "", expires_at: expiresAt = "" } = values;
    const dispute: OpenDispute = { usageId, orderId: record.orderId, reason, expiresAt };
    this.note(disputeNote(disputeId), JSON.stringify(dispute));
  }

  async #disputeEnded(values: Attributes): Promise<void> {
    const { dispute_id: disputeId = "", usage_id: usageId, amended_usage_id: amended } = values;
    if ((await this.#noted(disputeNote(disputeId))) === undefined) return;
    this.note(disputeNote(disputeId), undefined);
    await this.#corrected(usageId, amended);
  }

  async #orderSettled(values: Attributes): Promise<void> {
    const { settlement_id: settlementId = "", order_id: orderId = "", provider } = values;
    if (provider !== this.#parts.provider) return;
    this.#settlements.set(settlementId, orderId);
    const settlement = await settlementById(this.#parts.client, settlementId);
    for (const usageId of settlement?.usageRecordIds ?? []) await this.#raise(usageId, "settled");
    const { total_amount: settled = "", provider_share: share = "" } = values;
    await this.#add(orderId, { settled, share });
  }

  async #refunded(values: Attributes): Promise<void> {
    const { provider, order_id: orderId = "", amount: refunded = "" } = values;
    if (provider === this.#parts.provider) await this.#add(orderId, { refunded });
  }

  async #payoutPending(values: Attributes): Promise<void> {
    const { payout_id: payoutId = "", settlement_id: settlementId = "", net_amount: net } = values;
    const orderId = this.#settlements.get(settlementId);
    if (orderId === undefined) return;
    const payout = { orderId, settlementId, state: "pending", net: net ?? "", reason: "" };
    this.#putPayout(payoutId, payout);
  }

  async #payoutState(values: Attributes, state: string, reason = ""): Promise<void> {
    const { payout_id: payoutId = "" } = values;
    const known = await this.#noted(payoutNote(payoutId));
    if (known === undefined) return;
    this.#putPayout(payoutId, { ...(JSON.parse(known) as OpenPayout), state, reason });
  }

  #putPayout(payoutId: string, payout: OpenPayout): void {
    this.note(payoutNote(payoutId), JSON.stringify(payout));
  }

  async #payoutGone(values: Attributes): Promise<void> {
    const name = payoutNote(values["payout_id"] ?? "");
    if ((await this.#noted(name)) !== undefined) this.note(name, undefined);
  }

  async #payoutCompleted(values: Attributes): Promise<void> {
    const { payout_id: payoutId = "", settlement_id: settlementId = "", provider } = values;
    if (provider !== this.#parts.provider) return;
    const known = await this.#noted(payoutNote(payoutId));
    const orderId =
      known === undefined
        ? this.#settlements.get(settlementId)
        : (JSON.parse(known) as OpenPayout).orderId;
    if (known !== undefined) this.note(payoutNote(payoutId), undefined);
    await this.#paid(values, orderId ?? "", values["net_amount"]);
  }

  async #paid(values: Attributes, orderId: string, paid = ""): Promise<void> {
    if (values["provider"] === this.#parts.provider) await this.#add(orderId, { paid });
  }

  /** @param orderId empty: not known, it counts among the sums of all alone */
  async #add(orderId: string, more: Partial<Sums>): Promise<void> {
    const names = orderId === "" ? [SUMS_NOTE] : [SUMS_NOTE, orderNote(orderId)];
    for (const name of names) {
      const sums = readSums(await this.#noted(name));
      this.note(
        name,
        JSON.stringify({
          settled: plus(sums.settled, more.settled ?? ""),
          share: plus(sums.share, more.share ?? ""),
          paid: plus(sums.paid, more.paid ?? ""),
          refunded: plus(sums.refunded, more.refunded ?? ""),
        }),
      );
    }
  }

  async #noted(name: string): Promise<string | undefined> {
    return this.#notes.has(name) ? this.#notes.get(name) : this.#parts.outbox.note(name);
  }
}
