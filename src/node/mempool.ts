import { keyOfBytes } from "../lib/key.ts";
import type { Application, PreparedTx, SignatureClaim } from "../types/application.ts";
import type { TxResult } from "../types/tx.ts";
import { MempoolError } from "./errors.ts";
import { LruSet } from "./lru_set.ts";
import type { NodeMetrics } from "./metrics.ts";
import type { VerifyPool } from "./verify_pool.ts";
import type { MempoolView } from "./view.ts";

/** Hashes of txs seen, so that one that comes twice is checked once (CometBFT's cache_size). */
export const SEEN_TXS_MAX = 10_000;

/** Txs that are checked in one go; the event loop runs between two. */
const ARRIVALS_MAX = 64;
/** Fewer txs than these are verified at once: sending them to another thread takes as long. */
const POOL_TXS_MIN = 4;

export interface MempoolLimits {
  readonly txsMax: number;
  /** Sum over the waiting txs. */
  readonly bytesMax: number;
  /** One tx. */
  readonly txBytesMax: number;
  /** Gas of a block: a tx that wants more could never be in one. Negative: no limit. */
  readonly blockGasMax: bigint;
}

/** A tx that waits for its block, or for that block to be on disk. */
export interface WaitingTx {
  /** Its hash as a text of one character per byte. */
  readonly key: string;
  readonly tx: PreparedTx;
  readonly gasWanted: bigint;
}

interface Entry extends WaitingTx {
  /** It is in a block that is not on disk yet. */
  isInBlock: boolean;
}

/** A tx that has not been checked yet, and who waits for the result. */
interface Arrival {
  readonly tx: PreparedTx;
  readonly key: string;
  readonly resolve: (result: TxResult) => void;
  readonly reject: (error: unknown) => void;
}

interface MempoolParts {
  readonly limits: MempoolLimits;
  readonly app: Pick<Application, "prepareTx" | "claimsOf" | "checkTx">;
  readonly pool: VerifyPool;
  readonly metrics?: NodeMetrics | undefined;
  /** Called after txs were queued. */
  readonly onAdded: () => void;
}

/**
 * Txs that wait for a block, first in, first out. A tx leaves only when its block is on disk, or
 * when it fails the check that follows each block. What arrives in one turn of the event loop is
 * verified together; the checks themselves run in order of arrival.
 */
export class Mempool implements MempoolView {
  readonly #parts: MempoolParts;
  // By hash, in order of arrival. Those that are in a block come first.
  readonly #waiting = new Map<string, Entry>();
  readonly #seen = new LruSet(SEEN_TXS_MAX);
  #bytes = 0;
  #inBlock = 0;
  #arrivals: Arrival[] = [];
  /** Txs that have arrived and are not checked yet, with their bytes. */
  #unchecked = { txs: 0, bytes: 0 };
  /** Ends when all that arrived before has been checked. */
  #line: Promise<void> | undefined;
  #closed: Error | undefined;

  constructor(parts: MempoolParts) {
    this.#parts = parts;
  }

  get count(): number {
    return this.#waiting.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Txs that no block has taken yet. */
  get countForBlock(): number {
    return this.#waiting.size - this.#inBlock;
  }

  waiting(limit: number): readonly Uint8Array[] {
    const txs: Uint8Array[] = [];
    for (const { tx } of this.#waiting.values()) {
      if (txs.length >= limit) break;
      txs.push(tx.bytes);
    }
    return txs;
  }

  check(tx: Uint8Array): TxResult {
    this.#assertOpen();
    return this.#parts.app.checkTx(tx, "probe");
  }

  add(bytes: Uint8Array): Promise<TxResult> {
    const { metrics } = this.#parts;
    return metrics === undefined ? this.#add(bytes) : this.#addCounted(bytes, metrics);
  }

  async #addCounted(bytes: Uint8Array, metrics: NodeMetrics): Promise<TxResult> {
    try {
      const result = await this.#add(bytes);
      if (result.code === 0) metrics.txAdded(bytes.length);
      else metrics.txRefused("check");
      return result;
    } catch (error) {
      metrics.txRefused(error instanceof MempoolError ? error.kind : "fault");
      throw error;
    }
  }

  async #add(bytes: Uint8Array): Promise<TxResult> {
    this.#assertOpen();
    this.#assertRoom(bytes.length);
    // A copy: the caller's buffer may be part of a larger one, or be used again.
    const tx = this.#parts.app.prepareTx(new Uint8Array(bytes));
    const key = keyOfBytes(tx.hash);
    if (!this.#seen.add(key) || this.#waiting.has(key)) {
      throw new MempoolError("in-cache", "tx already exists in cache");
    }
    return new Promise((resolve, reject) => {
      this.#arrivals.push({ tx, key, resolve, reject });
      this.#unchecked.txs += 1;
      this.#unchecked.bytes += bytes.length;
      if (this.#arrivals.length === 1) setImmediate(() => this.#takeArrivals());
      else if (this.#arrivals.length === ARRIVALS_MAX) this.#takeArrivals();
    });
  }

  /**
   * The txs of the next block in order, up to the first that does not fit. They stay, marked, until
   * `blockWritten`.
   * @param bytesMax of the block's data, encoded
   * @param gasMax sum of the gas wanted; negative: no limit
   */
  reap(bytesMax: number, gasMax: bigint): WaitingTx[] {
    const txs: WaitingTx[] = [];
    let bytes = 0;
    let gas = 0n;
    for (const entry of this.#waiting.values()) {
      if (entry.isInBlock) continue;
      bytes += encodedLength(entry.tx.bytes.length);
      gas += entry.gasWanted;
      if (bytes > bytesMax || (gasMax >= 0n && gas > gasMax)) break;
      entry.isInBlock = true;
      this.#inBlock += 1;
      txs.push(entry);
    }
    return txs;
  }

  /**
   * Checks what no block has taken, against the state after the last executed block; a tx that
   * fails goes, and may come again. Every tx is checked: one whose signer no tx of the block
   * concerned can fail all the same (its timeout height, its fee at other params), and its sequence
   * and fee have to be in the new check state for those that come after it.
   */
  recheck(): void {
    for (const [key, entry] of [...this.#waiting]) {
      if (!entry.isInBlock && this.#checked(entry.tx, key, "recheck").code !== 0) this.#remove(key);
    }
  }

  /**
   * Takes out the txs of a block that is on disk. Those that succeeded stay among the seen; those
   * that failed may come again.
   */
  blockWritten(txs: readonly WaitingTx[], results: readonly TxResult[]): void {
    for (const [index, { key }] of txs.entries()) {
      if (results[index]?.code === 0) this.#seen.add(key);
      else this.#seen.delete(key);
      this.#remove(key);
    }
  }

  /** Takes nothing more, because of `error`. */
  close(error: Error): void {
    this.#closed = error;
  }

  /** Has the arrivals verified, in other threads when that pays, and checked when it is their turn. */
  #takeArrivals(): void {
    const arrivals = this.#arrivals;
    if (arrivals.length === 0) return;
    this.#arrivals = [];
    const { pool } = this.#parts;
    const isAlone = this.#line === undefined;
    if (isAlone && (pool.threads === 0 || arrivals.length < POOL_TXS_MIN)) {
      this.#checkAll(arrivals);
      return;
    }
    const verified = pool.verify(this.#claimsOf(arrivals));
    const before = this.#line ?? Promise.resolve();
    const line = before.then(async () => verified).then(() => this.#checkAll(arrivals));
    this.#line = line;
    void line.then(() => {
      if (this.#line === line) this.#line = undefined;
    });
  }

  #claimsOf(arrivals: readonly Arrival[]): SignatureClaim[] {
    const claims: SignatureClaim[] = [];
    for (const { tx } of arrivals) {
      try {
        for (const claim of this.#parts.app.claimsOf(tx)) claims.push(claim);
      } catch {
        // What is wrong with it shows again, to the right caller, when it is checked.
      }
    }
    return claims;
  }

  /** Never throws: each failure goes to whoever sent the tx. */
  #checkAll(arrivals: readonly Arrival[]): void {
    let added = 0;
    for (const { tx, key, resolve, reject } of arrivals) {
      this.#unchecked.txs -= 1;
      this.#unchecked.bytes -= tx.bytes.length;
      try {
        const result = this.#checkNew(tx, key);
        if (result.code === 0) added += 1;
        resolve(result);
      } catch (error) {
        this.#seen.delete(key);
        reject(error);
      }
    }
    if (added > 0) this.#parts.onAdded();
  }

  #checkNew(tx: PreparedTx, key: string): TxResult {
    this.#assertOpen();
    const result = this.#checked(tx, key, "new");
    if (result.code !== 0) return result;
    const { gasWanted } = result;
    const { blockGasMax } = this.#parts.limits;
    if (blockGasMax >= 0n && gasWanted > blockGasMax) {
      const message = `gas wanted ${gasWanted} is greater than max gas ${blockGasMax}`;
      throw new MempoolError("gas", message);
    }
    this.#waiting.set(key, { key, tx, gasWanted, isInBlock: false });
    this.#bytes += tx.bytes.length;
    return result;
  }

  /** Checks a tx; one that fails or breaks the check may come again. */
  #checked(tx: PreparedTx, key: string, kind: "new" | "recheck"): TxResult {
    let result: TxResult | undefined;
    try {
      result = this.#parts.app.checkTx(tx, kind);
      return result;
    } finally {
      if (result?.code !== 0) this.#seen.delete(key);
    }
  }

  #remove(key: string): void {
    const entry = this.#waiting.get(key);
    if (entry === undefined) return;
    this.#waiting.delete(key);
    this.#bytes -= entry.tx.bytes.length;
    if (entry.isInBlock) this.#inBlock -= 1;
  }

  #assertOpen(): void {
    if (this.#closed !== undefined) throw new MempoolError("halted", this.#closed.message);
  }

  #assertRoom(txBytes: number): void {
    const { txsMax, bytesMax, txBytesMax } = this.#parts.limits;
    const count = this.count + this.#unchecked.txs;
    const bytes = this.#bytes + this.#unchecked.bytes;
    if (count >= txsMax || bytes + txBytes > bytesMax) {
      throw new MempoolError(
        "full",
        `mempool is full: number of txs ${count} (max: ${txsMax}), ` +
          `total txs bytes ${bytes} (max: ${bytesMax})`,
      );
    }
    if (txBytes > txBytesMax) {
      const message = `Tx too large. Max size is ${txBytesMax}, but got ${txBytes}`;
      throw new MempoolError("too-large", message);
    }
  }
}

/** Bytes of a tx as an item of the block's data: tag, length and content. */
function encodedLength(length: number): number {
  let lengthBytes = 1;
  for (let rest = length >>> 7; rest > 0; rest >>>= 7) lengthBytes += 1;
  return 1 + lengthBytes + length;
}
