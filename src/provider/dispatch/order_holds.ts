import type { Outbox } from "../outbox/outbox.ts";
import { naturalKey, type OutboxRecord } from "../outbox/outbox_record.ts";
import type { ProviderLog } from "../provider_log.ts";
import { backOffMs } from "./back_off.ts";
import { pendingRecord } from "./record_steps.ts";
import type { FateContext, RecordRefusal } from "./tx_fate.ts";

/** Notes of orders that wait. */
const HOLD_NOTES = "hold/";
/** Records of an order that are put off at once; further ones are, when their turn comes. */
const RECORDS_MAX = 5000;
const REASON_MAX = 500;

/** Why the records of an order wait, and until when. */
export interface OrderHold {
  /** Unix milliseconds of the first refusal, and of the next try. */
  readonly sinceMs: number;
  readonly untilMs: number;
  /** Times in a row that the chain would take none. */
  readonly failures: number;
  readonly reason: string;
}

function holdNote(orderId: string): string {
  return HOLD_NOTES + encodeURIComponent(orderId);
}

/** Orders that wait, by id. */
export async function readHolds(outbox: Outbox): Promise<Map<string, OrderHold>> {
  const notes = await outbox.notes(HOLD_NOTES);
  return new Map(
    [...notes].map(([name, text]) => [
      decodeURIComponent(name.slice(HOLD_NOTES.length)),
      JSON.parse(text) as OrderHold,
    ]),
  );
}

/**
 * Orders of which the chain takes no record yet, because they have no escrow or one that is not
 * active: all their records wait together, longer each time, and hold nobody else up.
 */
export class OrderHolds {
  readonly #outbox: Outbox;
  readonly #log: ProviderLog;
  #holds = new Map<string, OrderHold>();

  constructor(outbox: Outbox, log: ProviderLog) {
    this.#outbox = outbox;
    this.#log = log;
  }

  /** Takes up those of the run before that still have records. */
  async restore(): Promise<void> {
    this.#holds = await readHolds(this.#outbox);
    const notes = new Map<string, undefined>();
    for (const orderId of this.#holds.keys()) {
      const waiting = await this.#outbox.records({ state: "pending", orderId, limit: 1 });
      if (waiting.length === 0) notes.set(holdNote(orderId), undefined);
    }
    if (notes.size === 0) return;
    await this.#outbox.write({ notes });
    this.#holds = await readHolds(this.#outbox);
  }

  /**
   * Holds the order that a refusal is about, if it is about one and only for now.
   * @param judged records that the refusal has changed
   * @returns them and, put off, all pending ones of the order; and the note to write with them
   */
  async hold(
    refused: RecordRefusal | undefined,
    { nowMs, retry, random }: FateContext,
    judged: readonly OutboxRecord[],
  ): Promise<{ records: readonly OutboxRecord[]; notes: Map<string, string> }> {
    const orderId = refused?.orderId;
    if (refused === undefined || orderId === undefined || !refused.isForNow) {
      return { records: judged, notes: new Map() };
    }
    const before = this.#holds.get(orderId);
    const failures = (before?.failures ?? 0) + 1;
    const untilMs = nowMs + backOffMs(failures, retry, random);
    const { codespace, code, log } = refused.refusal;
    const reason = `${codespace}/${code}: ${log}`.slice(0, REASON_MAX);
    const hold = { sinceMs: before?.sinceMs ?? nowMs, untilMs, failures, reason };
    this.#holds.set(orderId, hold);
    this.#log.warn("an order waits: the chain takes none of its records", { orderId, ...hold });
    const known = new Set(judged.map(naturalKey));
    const all = await this.#outbox.records({ state: "pending", orderId, limit: RECORDS_MAX });
    const others = all.filter((record) => !known.has(naturalKey(record)));
    const records = [...judged, ...others].map((record) => {
      const isOfOrder = record.orderId === orderId && record.state === "pending";
      return isOfOrder ? pendingRecord(record, nowMs, untilMs, refused.refusal) : record;
    });
    return { records, notes: new Map([[holdNote(orderId), JSON.stringify(hold)]]) };
  }

  /** Notes of the holds that end because the chain took records, or refused them for good. */
  release(records: readonly OutboxRecord[]): Map<string, undefined> {
    const notes = new Map<string, undefined>();
    if (this.#holds.size === 0) return notes;
    for (const { orderId, state } of records) {
      if (state === "pending" || state === "sent" || !this.#holds.delete(orderId)) continue;
      notes.set(holdNote(orderId), undefined);
    }
    return notes;
  }
}
