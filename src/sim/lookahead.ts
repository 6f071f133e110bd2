import { type VerifyPool, verifyAhead } from "../node/verify_pool.ts";
import type { Application, PreparedTx } from "../types/application.ts";

/** Bounds of what is read before it is executed. */
const BLOCKS_MAX = 64;
const TXS_MAX = 4096;
const BYTES_MAX = 16 * 1024 * 1024;

/** A block that is about to be executed. */
export interface ReadyBlock<B> {
  readonly block: B;
  readonly txs: readonly PreparedTx[];
}

interface Waiting<B> extends ReadyBlock<B> {
  readonly bytes: number;
  /** Resolves when no more verdicts on its signatures will come. */
  readonly verified: Promise<void>;
}

/**
 * Reads blocks ahead of their execution, and has their signatures verified meanwhile, in other
 * threads. What is verified ahead never changes an outcome (`verifyAhead`).
 */
export async function* lookAhead<B extends { readonly txs: readonly Uint8Array[] }>(
  blocks: AsyncIterable<B>,
  app: Application,
  pool: VerifyPool,
): AsyncGenerator<ReadyBlock<B>> {
  const source = blocks[Symbol.asyncIterator]();
  const waiting: Waiting<B>[] = [];
  let [txs, bytes] = [0, 0];
  let failure: { readonly error: unknown } | undefined;
  let reading: Promise<IteratorResult<B> | undefined> | undefined;
  // What the source throws waits until the blocks before it have been executed.
  const read = (): void => {
    reading = source.next().catch((error: unknown) => {
      failure = { error };
      return undefined;
    });
  };
  const take = async (): Promise<void> => {
    const result = await reading;
    reading = undefined;
    if (result === undefined || result.done === true) return;
    read();
    const next = prepared(result.value, app, pool);
    waiting.push(next);
    txs += next.txs.length;
    bytes += next.bytes;
  };
  const isFull = (): boolean =>
    waiting.length >= BLOCKS_MAX || txs >= TXS_MAX || bytes >= BYTES_MAX;
  read();
  try {
    for (;;) {
      while (reading !== undefined && !isFull()) await take();
      const next = waiting.shift();
      if (next === undefined) break;
      txs -= next.txs.length;
      bytes -= next.bytes;
      await next.verified;
      yield next;
    }
    if (failure !== undefined) throw failure.error;
  } finally {
    await source.return?.();
  }
}

function prepared<B extends { readonly txs: readonly Uint8Array[] }>(
  block: B,
  app: Application,
  pool: VerifyPool,
): Waiting<B> {
  const txs = block.txs.map((tx) => app.prepareTx(tx));
  const bytes = block.txs.reduce((sum, tx) => sum + tx.length, 0);
  return { block, txs, bytes, verified: verifyAhead(app, pool, txs) };
}
