import { ProviderError } from "../errors.ts";
import { isWithdrawn } from "../dispatch/record_steps.ts";
import type { Outbox } from "../outbox/outbox.ts";
import {
  naturalKey,
  type OutboxRecord,
  RECORD_STATES,
  type RecordState,
} from "../outbox/outbox_record.ts";
import { type ExportRow, exportRow, type WindowRow, windowRow } from "./export_row.ts";
import { type LiveFacts, type StatusReport, statusOf } from "./status.ts";

/** The note with the share of the last reconciliation. */
export const SCORE_NOTE = "reconcile/score";
/** Rows of one page at most. */
export const PAGE_ROWS_MAX = 1000;

export interface RowsQuery {
  readonly state?: RecordState | undefined;
  readonly order?: string | undefined;
  /** Natural key: the page begins behind it. */
  readonly after?: string | undefined;
  /** Up to PAGE_ROWS_MAX. */
  readonly limit: number;
}

/**
 * Which records `retry` is for: one, or all refused and parked ones, of an order or of all, but for
 * those that the provider has withdrawn on the chain.
 */
export type RetryChoice = { readonly key: string } | { readonly order: string | undefined };

/** What the commands ask of the daemon's books, whether a daemon runs or not. */
export interface Desk {
  status(): Promise<StatusReport>;
  rows(query: RowsQuery): Promise<ExportRow[]>;
  /** Closed windows, from `after` on in the order of the outbox. */
  windows(query: Omit<RowsQuery, "state">): Promise<WindowRow[]>;
  /** How many records go to the chain again. @throws ProviderError `no_record`, `not_waiting` */
  retry(choice: RetryChoice): Promise<number>;
  /** Takes a record out of the queue. @throws ProviderError `no_record`, `not_parkable` */
  park(key: string, reason: string): Promise<ExportRow>;
  /** Keeps what the last reconciliation found equal: a share from 0 to 100. */
  noteScore(score: number): Promise<void>;
  close(): Promise<void>;
}

export interface DeskOptions {
  readonly outbox: Outbox;
  /** What only a running daemon knows; undefined: none runs. */
  readonly live?: (() => LiveFacts) | undefined;
  /** Told after records have become pending. */
  readonly wake?: (() => void) | undefined;
  /** Does work while nobody takes a pending record; undefined: nobody else is there. */
  readonly alone?: (<T>(work: () => Promise<T>) => Promise<T>) | undefined;
  readonly nowMs: () => number;
}

/** The desk over the outbox itself. */
export class OutboxDesk implements Desk {
  readonly #options: DeskOptions;

  constructor(options: DeskOptions) {
    this.#options = options;
  }

  async status(): Promise<StatusReport> {
    const { outbox, live, nowMs } = this.#options;
    return statusOf(outbox, live?.(), nowMs());
  }

  async rows({ state, order, after, limit }: RowsQuery): Promise<ExportRow[]> {
    const records = await this.#options.outbox.records({
      limit: Math.min(limit, PAGE_ROWS_MAX),
      ...(state === undefined ? {} : { state }),
      ...(order === undefined ? {} : { orderId: order }),
      ...(after === undefined ? {} : { after }),
    });
    return records.map(exportRow);
  }

  async windows({ order, after, limit }: Omit<RowsQuery, "state">): Promise<WindowRow[]> {
    const windows = await this.#options.outbox.windows({
      limit: Math.min(limit, PAGE_ROWS_MAX),
      ...(order === undefined ? {} : { order }),
      ...(after === undefined ? {} : { after }),
    });
    return windows.map(windowRow);
  }

  async retry(choice: RetryChoice): Promise<number> {
    const { alone = atOnce } = this.#options;
    const count =
      "key" in choice
        ? await alone(() => this.#retryOne(choice.key))
        : await this.#retryAll(choice);
    if (count > 0) this.#options.wake?.();
    return count;
  }

  /** In a pause of the dispatcher: a record that it has prepared already is not sent then. */
  park(key: string, text: string): Promise<ExportRow> {
    const { alone = atOnce } = this.#options;
    return alone(() => this.#park(key, text));
  }

  async #park(key: string, text: string): Promise<ExportRow> {
    const record = await this.#find(key);
    if (record.state !== "pending" && record.state !== "refused") {
      const rule = "only one that waits (pending) or was refused can be parked";
      throw new ProviderError("not_parkable", `record ${key} is ${record.state}: ${rule}`);
    }
    const reason = { codespace: "", code: 0, log: text };
    await this.#write([{ ...record, state: "parked", reason }]);
    return exportRow(await this.#find(key));
  }

  async noteScore(score: number): Promise<void> {
    await this.#options.outbox.write({ notes: new Map([[SCORE_NOTE, String(score)]]) });
  }

  async close(): Promise<void> {
    await this.#options.outbox.close();
  }

  async #find(key: string): Promise<OutboxRecord> {
    const record = await this.#options.outbox.record(key);
    if (record !== undefined) return record;
    const advice = "`settled provider windows` lists the keys";
    throw new ProviderError("no_record", `there is no record "${key}": ${advice}`);
  }

  async #retryOne(key: string): Promise<number> {
    const record = await this.#find(key);
    const { state, notBeforeMs } = record;
    const waits = state === "pending" && notBeforeMs > this.#options.nowMs();
    if (state !== "refused" && state !== "parked" && !waits) {
      const rule = "only one that was refused, is parked or waits for its next try goes again";
      throw new ProviderError("not_waiting", `record ${key} is ${state}: ${rule}`);
    }
    await this.#write([again(record)]);
    return 1;
  }

  async #retryAll({ order }: { readonly order: string | undefined }): Promise<number> {
    let count = 0;
    for (const state of ["refused", "parked"] as const) {
      // Onward by key: what is refused anew meanwhile is not sent a second time.
      for (let after: string | undefined; ; ) {
        const page = await this.#options.outbox.records({
          ...{ state, limit: PAGE_ROWS_MAX },
          ...(order === undefined ? {} : { orderId: order }),
          ...(after === undefined ? {} : { after }),
        });
        const last = page.at(-1);
        if (last === undefined) break;
        // What was taken back on the chain is billed again only by name.
        const records = page.filter((record) => !isWithdrawn(record)).map(again);
        await this.#write(records);
        count += records.length;
        after = naturalKey(last);
      }
    }
    return count;
  }

  #write(records: readonly OutboxRecord[]): Promise<void> {
    const changedMs = this.#options.nowMs();
    return this.#options.outbox.write({
      records: records.map((record) => ({ ...record, changedMs })),
    });
  }
}

const atOnce = <T>(work: () => Promise<T>): Promise<T> => work();

function again(record: OutboxRecord): OutboxRecord {
  return { ...record, state: "pending", notBeforeMs: 0, reason: undefined };
}

/** The state that a word names; undefined for another word. */
export function recordState(word: string): RecordState | undefined {
  return RECORD_STATES.find((state) => state === word);
}

/** All rows of a query, page by page. */
export async function* allRows(
  desk: Desk,
  query: Omit<RowsQuery, "after" | "limit">,
): AsyncGenerator<ExportRow> {
  let after: string | undefined;
  for (;;) {
    const page = await desk.rows({ ...query, after, limit: PAGE_ROWS_MAX });
    yield* page;
    if (page.length < PAGE_ROWS_MAX) return;
    after = page.at(-1)?.key;
  }
}
