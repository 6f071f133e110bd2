import type { OutboxRecord } from "../outbox/outbox_record.ts";
import type { SentTx } from "../outbox/outbox.ts";

/** A tx in flight with its records, in the order of its messages. */
export interface FlyingTx {
  readonly sent: SentTx;
  readonly records: readonly OutboxRecord[];
  /** Factor on the gas limit. */
  readonly gasFactor: bigint;
  /** It is known to be in no block up to this one. */
  absentHeight: bigint;
  /** Whether a node has it, as far as is known. */
  isTaken: boolean;
  /** Times that it was offered without being taken, in a row. */
  refusals: number;
  /** Before which it is not offered again. */
  offerNotBeforeMs: number;
  /** When its sequence was first seen to be used, while no block was known to have it. */
  used: { readonly height: bigint; readonly ms: number } | undefined;
}

/** What nobody knows yet of a tx in flight. */
export const FRESH = { isTaken: false, refusals: 0, offerNotBeforeMs: 0, used: undefined } as const;

/** Whether its sequence was seen to be used a block ago, or before a time. */
export function isUsedLong({ used }: FlyingTx, height: bigint, beforeMs: number): boolean {
  return used !== undefined && (height > used.height + 1n || used.ms < beforeMs);
}

/** For logs. */
export function factsOf({ sent, records }: FlyingTx) {
  return { hash: sent.hash, sequence: sent.sequence, records: records.length };
}

/** Txs whose fate is open, by sequence. A later one can be in no block before an earlier one is. */
export class Flight {
  readonly #txs: FlyingTx[] = [];

  get size(): number {
    return this.#txs.length;
  }

  get txs(): readonly FlyingTx[] {
    return this.#txs;
  }

  get oldest(): FlyingTx | undefined {
    return this.#txs[0];
  }

  get newest(): FlyingTx | undefined {
    return this.#txs.at(-1);
  }

  /** The first that has to be offered to a node. */
  get firstUntaken(): FlyingTx | undefined {
    return this.#txs.find(({ isTaken }) => !isTaken);
  }

  add(tx: FlyingTx): void {
    this.#txs.push(tx);
  }

  /** What is in flight is read from the disk again. */
  clear(): void {
    this.#txs.length = 0;
  }

  has(tx: FlyingTx): boolean {
    return this.#txs.includes(tx);
  }

  remove(tx: FlyingTx): void {
    const at = this.#txs.indexOf(tx);
    if (at >= 0) this.#txs.splice(at, 1);
  }

  /** A tx and those that can only come after it. */
  from(tx: FlyingTx): FlyingTx[] {
    return this.#txs.slice(this.#txs.indexOf(tx));
  }

  /** All have to be offered again: no node may have them any more. */
  offerAgain(nowMs: number): void {
    for (const tx of this.#txs) {
      tx.isTaken = false;
      if (tx.offerNotBeforeMs < nowMs) tx.offerNotBeforeMs = nowMs;
    }
  }

  /** No tx in flight is in a block up to this height; undefined: there is none in flight. */
  get clearedHeight(): bigint | undefined {
    return this.oldest?.absentHeight;
  }
}
