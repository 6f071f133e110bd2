import type { ClosedWindow } from "../windows/closed_window.ts";
import type { OutboxRecord, RecordState } from "./outbox_record.ts";

/** A tx that was handed to a node and of which nothing is known yet. */
export interface SentTx {
  /** Upper-case hex. */
  readonly hash: string;
  readonly bytes: Uint8Array;
  readonly sequence: bigint;
  /** Natural keys of its records, in the order of its messages. */
  readonly keys: readonly string[];
  /** Last height at which a block may take it. */
  readonly timeoutHeight: bigint;
  readonly sentMs: number;
}

/** Everything that changes at once: all of it is on the disk when the call returns, or none. */
export interface OutboxChange {
  readonly windows?: readonly ClosedWindow[];
  /** New ones and changed ones. */
  readonly records?: readonly OutboxRecord[];
  readonly sent?: readonly SentTx[];
  /** Hashes of txs whose fate is known. */
  readonly resolved?: readonly string[];
  /** Small named texts (JSON) of the daemon: cursors, open windows, followed height; undefined removes. */
  readonly notes?: ReadonlyMap<string, string | undefined>;
}

/** What the daemon knows, on disk: windows, records, txs in flight, notes. */
export interface Outbox {
  /** One synced batch. */
  write(change: OutboxChange): Promise<void>;
  /** undefined: there is none. @param key naturalKey */
  record(key: string): Promise<OutboxRecord | undefined>;
  /** In the order of natural keys, after `after` (exclusive). */
  records(query: {
    readonly state?: RecordState;
    readonly orderId?: string;
    readonly after?: string;
    readonly limit: number;
  }): Promise<OutboxRecord[]>;
  /** Pending ones whose time has come, oldest period first; not those in `except`. */
  due(nowMs: number, limit: number, except: ReadonlySet<string>): Promise<OutboxRecord[]>;
  /** Records by state; kept up to date, so it costs nothing. */
  counts(): Readonly<Record<RecordState, number>>;
  /** Records by their usage id, for what the chain tells by id. */
  byUsageId(usageId: string): Promise<OutboxRecord | undefined>;
  sentTxs(): Promise<SentTx[]>;
  windows(query: {
    readonly order?: string;
    readonly after?: string;
    readonly limit: number;
    readonly isNewestFirst?: boolean;
  }): Promise<ClosedWindow[]>;
  note(name: string): Promise<string | undefined>;
  /** Those whose name starts so, by name. */
  notes(prefix: string): Promise<ReadonlyMap<string, string>>;
  /** Bytes on disk. */
  sizeBytes(): Promise<number>;
  close(): Promise<void>;
}
