import type { Hasher } from "../types/crypto.ts";
import { keyOfBytes } from "../lib/key.ts";
import type { TxResult } from "../types/tx.ts";
import { MempoolError } from "./errors.ts";
import { LruSet } from "./lru_set.ts";
import type { MempoolView } from "./view.ts";

/** Hashes of txs seen, so that one that comes twice is checked once (CometBFT's cache_size). */
export const SEEN_TXS_MAX = 10_000;

export interface MempoolLimits {
  readonly txsMax: number;
  /** Sum over the waiting txs. */
  readonly bytesMax: number;
  /** One tx. */
  readonly txBytesMax: number;
  /** Gas of a block: a tx that wants more could never be in one. Negative: no limit. */
  readonly blockGasMax: bigint;
}

/** A tx that waits for its block. */
export interface WaitingTx {
  readonly tx: Uint8Array;
  /** sha256, 32 bytes. */
  readonly hash: Uint8Array;
  readonly gasWanted: bigint;
}

/**
 * Txs that wait for a block, first in, first out. A tx leaves only when its block is on disk, or
 * when it fails the check that follows each block.
 */
export class Mempool implements MempoolView {
  readonly #limits: MempoolLimits;
  readonly #checkTx: (tx: Uint8Array, kind: "new" | "recheck" | "probe") => TxResult;
  readonly #hasher: Hasher;
  readonly #onAdded: () => void;
  // By hash, in order of arrival.
  readonly #waiting = new Map<string, WaitingTx>();
  readonly #seen = new LruSet(SEEN_TXS_MAX);
  #bytes = 0;
  #closed: Error | undefined;

  constructor(input: {
    limits: MempoolLimits;
    checkTx: (tx: Uint8Array, kind: "new" | "recheck" | "probe") => TxResult;
    hasher: Hasher;
    /** Called after a tx was queued. */
    onAdded: () => void;
  }) {
    this.#limits = input.limits;
    this.#checkTx = input.checkTx;
    this.#hasher = input.hasher;
    this.#onAdded = input.onAdded;
  }

  get count(): number {
    return this.#waiting.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  waiting(limit: number): readonly Uint8Array[] {
    const txs: Uint8Array[] = [];
    for (const { tx } of this.#waiting.values()) {
      if (txs.length >= limit) break;
      txs.push(tx);
    }
    return txs;
  }

  check(tx: Uint8Array): TxResult {
    this.#assertOpen();
    return this.#checkTx(tx, "probe");
  }

  add(tx: Uint8Array): TxResult {
    this.#assertOpen();
    this.#assertRoom(tx.length);
    const hash = this.#hasher.sha256(tx);
    const key = keyOfBytes(hash);
    if (!this.#seen.add(key) || this.#waiting.has(key)) {
      throw new MempoolError("in-cache", "tx already exists in cache");
    }
    const result = this.#checked(tx, key, "new");
    if (result.code !== 0) return result;
    const { blockGasMax } = this.#limits;
    if (blockGasMax >= 0n && result.gasWanted > blockGasMax) {
      this.#seen.delete(key);
      const message = `gas wanted ${result.gasWanted} is greater than max gas ${blockGasMax}`;
      throw new MempoolError("gas", message);
    }
    // A copy: the caller's buffer may be part of a larger one, or be used again.
    const { gasWanted } = result;
    this.#waiting.set(key, { tx: Uint8Array.from(tx), hash, gasWanted });
    this.#bytes += tx.length;
    this.#onAdded();
    return result;
  }

  /**
   * The txs of the next block in order, up to the first that does not fit. They stay queued.
   * @param bytesMax of the block's data, encoded
   * @param gasMax sum of the gas wanted; negative: no limit
   */
  reap(bytesMax: number, gasMax: bigint): WaitingTx[] {
    const txs: WaitingTx[] = [];
    let bytes = 0;
    let gas = 0n;
    for (const waiting of this.#waiting.values()) {
      bytes += encodedLength(waiting.tx.length);
      gas += waiting.gasWanted;
      if (bytes > bytesMax || (gasMax >= 0n && gas > gasMax)) break;
      txs.push(waiting);
    }
    return txs;
  }

  /**
   * Takes out the txs of a block that is on disk, and checks what is left against the new state.
   * Those that succeeded stay among the seen; those that failed may come again.
   */
  update(txs: readonly WaitingTx[], results: readonly TxResult[]): void {
    for (const [index, { hash }] of txs.entries()) {
      const key = keyOfBytes(hash);
      if (results[index]?.code === 0) this.#seen.add(key);
      else this.#seen.delete(key);
      this.#remove(key);
    }
    for (const [key, { tx }] of [...this.#waiting]) {
      if (this.#checked(tx, key, "recheck").code !== 0) this.#remove(key);
    }
  }

  /** Takes nothing more, because of `error`. */
  close(error: Error): void {
    this.#closed = error;
  }

  /** Checks a tx; one that fails or breaks the check may come again. */
  #checked(tx: Uint8Array, key: string, kind: "new" | "recheck"): TxResult {
    let result: TxResult | undefined;
    try {
      result = this.#checkTx(tx, kind);
      return result;
    } finally {
      if (result?.code !== 0) this.#seen.delete(key);
    }
  }

  #remove(key: string): void {
    const entry = this.#waiting.get(key);
    if (entry === undefined) return;
    this.#waiting.delete(key);
    this.#bytes -= entry.tx.length;
  }

  #assertOpen(): void {
    if (this.#closed !== undefined) throw new MempoolError("halted", this.#closed.message);
  }

  #assertRoom(txBytes: number): void {
    const { txsMax, bytesMax, txBytesMax } = this.#limits;
    if (this.count >= txsMax || this.#bytes + txBytes > bytesMax) {
      throw new MempoolError(
        "full",
        `mempool is full: number of txs ${this.count} (max: ${txsMax}), ` +
          `total txs bytes ${this.#bytes} (max: ${bytesMax})`,
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
