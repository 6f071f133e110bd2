import { Pause } from "../dispatch/pause.ts";
import { ProviderError } from "../errors.ts";
import type { Feed, FeedBatch, FeedRow } from "../feed/feed.ts";
import type { ProviderLog } from "../provider_log.ts";
import type { Outbox } from "../outbox/outbox.ts";
import type { UnitRounding } from "../units.ts";
import type { LeaseRef } from "../windows/closed_window.ts";
import type { Intake } from "./intake.ts";
import type { SourceLine } from "./source_book.ts";

/** One row of a meter whose clock is wrong would close the windows of its lease up to there. */
const AHEAD_SECONDS_MAX = 86_400;
/** Notes with where a feed was read to. */
const CURSORS = "feed/";
/** Notes with the leases of a feed: the end of their last row, unix seconds. */
const LEASES = "feed-lease/";

export interface IngestOptions {
  readonly name: string;
  /** Opens the feed where the one before was; undefined: at its beginning. */
  readonly open: (cursor: unknown, check: (row: FeedRow) => string | undefined) => Promise<Feed>;
  readonly log: ProviderLog;
  readonly intake: Intake;
  readonly outbox: Outbox;
  readonly line: SourceLine;
  readonly rounding: UnitRounding;
  readonly billsFootprint: boolean;
  /** Whether rows of a lease come in the order of time: one closes the windows before it. */
  readonly isOrdered: boolean;
  readonly intervalSeconds: bigint;
  readonly lateSeconds: number;
  readonly nowMs: () => number;
  readonly onRows: (rows: RowCounts) => void;
}

/** Rows of a batch: those that count, those with a fault, those that had been taken before. */
export interface RowCounts {
  readonly taken: number;
  readonly faulty: number;
  readonly repeated: number;
}

interface FeedLease extends LeaseRef {
  /** Unix seconds: the end of its last row. */
  endS: bigint;
  /** Unix milliseconds of its last row's coming. */
  cameMs: number;
}

/** Leases that feeds have opened, as the notes have them. `of`: "name/" of one feed, or all. */
export async function feedLeases(outbox: Outbox, of = ""): Promise<NotedLease[]> {
  const notes = await outbox.notes(LEASES + of);
  return [...notes].map(([key, text]) => {
    const [feed = "", ...names] = key.slice(LEASES.length).split("/");
    const [order = "", lease = ""] = names.map(decodeURIComponent);
    return { key, feed, order, lease, endS: BigInt(text) };
  });
}

interface NotedLease extends LeaseRef {
  /** Name of its note. */
  readonly key: string;
  readonly feed: string;
  /** Unix seconds: the end of its last row. */
  readonly endS: bigint;
}

/** Takes the rows of one feed, in batches: each is on the disk, with its place, before the next. */
export class Ingest {
  readonly #options: IngestOptions;
  readonly #leases = new Map<string, FeedLease>();

  constructor(options: IngestOptions) {
    this.#options = options;
  }

  /** Until the feed ends or the signal comes. */
  async run(signal: AbortSignal): Promise<void> {
    const { outbox, name, open, line, log } = this.#options;
    await this.#restore();
    const note = await outbox.note(CURSORS + name);
    const { cursor, isEnd } = JSON.parse(note ?? "{}") as { cursor?: unknown; isEnd?: boolean };
    if (isEnd === true) return line.ended();
    const feed = await open(cursor, (row) => this.#refusal(row));
    log.info("a feed is open", { feed: name, place: feed.name });
    const stopClosing = new AbortController();
    const closing = this.#closeLate(AbortSignal.any([signal, stopClosing.signal]));
    // Awaited below; until then nobody looks at it, and its failure must not end the process.
    closing.catch(() => undefined);
    try {
      for await (const batch of feed.batches(signal)) {
        await this.#take(batch);
        if (batch.isEnd) {
          line.ended();
          break;
        }
      }
    } finally {
      stopClosing.abort();
      await closing;
      await feed.close();
    }
  }

  async #restore(): Promise<void> {
    const { outbox, name, nowMs } = this.#options;
    for (const { key, order, lease, endS } of await feedLeases(outbox, `${name}/`)) {
      this.#leases.set(key, { order, lease, endS, cameMs: nowMs() });
    }
  }

  async #take(batch: FeedBatch): Promise<void> {
    const { intake, name, line, onRows } = this.#options;
    let taken = 0;
    const faults = [...batch.faults];
    for (const row of batch.rows) {
      const fault = this.#takeRow(row);
      if (fault === undefined) taken += 1;
      else faults.push({ place: row.place, reason: fault });
    }
    for (const { place, reason } of faults) line.tell(place, reason);
    if (batch.isEnd) this.#endLeases();
    intake.cursor(CURSORS + name, { cursor: batch.cursor, isEnd: batch.isEnd });
    for (const [note, text] of batch.notes) intake.note(note, text);
    line.read(taken);
    onRows({ taken, faulty: faults.length, repeated: batch.duplicates });
    await intake.flush().then(
      () => batch.settled(),
      (error: Error) => {
        batch.settled(error);
        throw error;
      },
    );
  }

  /** Why a row cannot count; undefined: it can, and the windows of its lease are open. */
  #refusal({ order, lease, startS, endS }: FeedRow): string | undefined {
    const { intake, rounding, billsFootprint, nowMs } = this.#options;
    if (Number(endS) - nowMs() / 1000 > AHEAD_SECONDS_MAX) {
      return `"end" is ${endS}, more than a day ahead of this machine's clock: not counted`;
    }
    if (intake.open({ order, lease, rounding, billsFootprint, startS })) return undefined;
    return `lease ${lease} of order ${order} has ended before: not counted`;
  }

  /** undefined: it counts; else why it does not. */
  #takeRow(row: FeedRow): string | undefined {
    const { intake, isOrdered, name, nowMs } = this.#options;
    const ref = { order: row.order, lease: row.lease };
    const refusal = this.#refusal(row);
    if (refusal !== undefined) return refusal;
    if (isOrdered) intake.close(row.startS, ref);
    const [startMs, endMs] = [Number(row.startS) * 1000, Number(row.endS) * 1000];
    try {
      const { metrics } = row;
      intake.add(ref, { startMs, endMs, metrics, isContinuous: true, faults: [] });
    } catch (error) {
      if (error instanceof ProviderError) return error.message;
      throw error;
    }
    const key = `${LEASES}${name}/${[row.order, row.lease].map(encodeURIComponent).join("/")}`;
    const known = this.#leases.get(key);
    const endS = known !== undefined && known.endS > row.endS ? known.endS : row.endS;
    this.#leases.set(key, { ...ref, endS, cameMs: nowMs() });
    if (endS !== known?.endS) intake.note(key, endS.toString());
    return undefined;
  }

  /** A file that has ended tells no more of its leases: they end with their last rows. */
  #endLeases(): void {
    const { intake } = this.#options;
    for (const [key, { order, lease, endS }] of this.#leases) {
      intake.end({ order, lease }, endS);
      intake.note(key, undefined);
    }
    this.#leases.clear();
  }

  /**
   * Closes windows for which no more rows are waited: those that ended `lateSeconds` before the end
   * of the lease's newest row and, when none has come for as long, that of the newest row itself.
   */
  async #closeLate(signal: AbortSignal): Promise<void> {
    const { lateSeconds, nowMs, intake, intervalSeconds } = this.#options;
    const pause = new Pause();
    while (!signal.aborted) {
      await pause.wait(1000, signal);
      if (signal.aborted) return;
      const now = nowMs();
      const lateS = BigInt(Math.floor(now / 1000) - lateSeconds);
      let closed = 0;
      for (const { order, lease, endS, cameMs } of this.#leases.values()) {
        const isSilent = now - cameMs >= lateSeconds * 1000;
        const lastEnd = endS + ((intervalSeconds - (endS % intervalSeconds)) % intervalSeconds);
        const dueS = isSilent ? lastEnd : endS - BigInt(lateSeconds);
        closed += intake.close(lateS < dueS ? lateS : dueS, { order, lease });
      }
      if (closed > 0) await intake.flush();
    }
  }
}
