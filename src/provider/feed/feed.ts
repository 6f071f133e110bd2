import type { Metrics } from "../units.ts";
import type { LeaseRef } from "../windows/closed_window.ts";

/** What somebody else has metered: the usage of one lease in a span of time. */
export interface FeedRow extends LeaseRef {
  /** What tells it from all others of its feed; "" when only its place does. */
  readonly id: string;
  /** Unix seconds, [start, end). */
  readonly startS: bigint;
  readonly endS: bigint;
  readonly metrics: Metrics;
  /** "usage.ndjson:17" or the event's source and id: for errors. */
  readonly place: string;
}

/** What could not be read: it is told, and does not stop the rest. */
export interface FeedFault {
  readonly place: string;
  readonly reason: string;
}

/** Rows of a feed in their order, up to a bound of rows and bytes. */
export interface FeedBatch {
  readonly rows: readonly FeedRow[];
  readonly faults: readonly FeedFault[];
  /** Where to go on after this batch: JSON. */
  readonly cursor: unknown;
  /** Nothing comes after it. */
  readonly isEnd: boolean;
  /**
   * Ids of the rows, to be written with what the rows did, in one `outbox.write`: so that none is
   * taken twice. undefined: an old one that is forgotten.
   */
  readonly notes: ReadonlyMap<string, string | undefined>;
  /** Rows that had been taken before and were left out. */
  readonly duplicates: number;
  /** To be called when all of it is on the disk, or with why it is not: somebody may be waiting. */
  settled(error?: Error): void;
}

/** A source of rows. */
export interface Feed {
  /** Kind and place, for people: "ndjson /var/usage.ndjson". */
  readonly name: string;
  /** Until its end or the signal. The one before must be on the disk when the next is asked for. */
  batches(signal: AbortSignal): AsyncIterable<FeedBatch>;
  close(): Promise<void>;
}

/** What becomes of rows that carry an id: those taken before are left out. */
export interface RowFilter {
  /** Why a row is not taken: an unknown lease, a time far ahead; undefined: it is. */
  check?(row: FeedRow): string | undefined;
}
