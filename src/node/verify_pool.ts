import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { Application, PreparedTx, SignatureClaim } from "../types/application.ts";
import type { Verifier } from "../types/crypto.ts";
import {
  BATCH_HEAD_BYTES,
  CLAIM_HEAD_BYTES,
  verifyingThread,
  type WorkerFiles,
} from "./verify_worker.ts";

/** Claims of one message: enough that sending it costs little of what verifying them does. */
const BATCH_CLAIMS_MAX = 64;
/** Bytes of one message, above which it takes no further claim. */
const BATCH_BYTES_MAX = 256 * 1024;
/**
 * Messages that a thread has at a time: enough to keep it busy while the main thread executes a
 * block and hands out nothing.
 */
const BATCHES_PER_THREAD = 32;
/** Claims that wait for a thread; those beyond are verified where they are used. */
const WAITING_CLAIMS_MAX = 16_384;
/** Buffers kept for the next messages. */
const SPARE_BUFFERS_MAX = 8;
const BUFFER_BYTES = 32 * 1024;
/** Threads that may die before the pool gives up: what kills them would go on doing so. */
const DEATHS_MAX = 4;

/** Verifies signatures in other threads. What it does not get to is left to whoever needs it. */
export interface VerifyPool {
  /** Threads that it may use; 0: none, and `verify` does nothing. */
  readonly threads: number;
  /**
   * Verifies claims and settles each. It may leave some unsettled (a thread died, too many wait):
   * those are verified where they are used. Resolves when nothing more will be settled; never
   * rejects.
   */
  verify(claims: readonly SignatureClaim[]): Promise<void>;
  /** Ends the threads; claims under way stay unsettled. */
  close(): Promise<void>;
}

/** For where one thread does everything. */
export const NO_POOL: VerifyPool = {
  threads: 0,
  verify: async () => undefined,
  close: async () => undefined,
};

/**
 * A pool whose threads start with the first claims. They do not keep the process alive.
 * @param setting number of threads, or "auto": one per core. With one core there are none.
 * @param verifier what the main thread verifies with: the threads use the same kind
 */
export function openVerifyPool(setting: number | "auto", verifier: Verifier): VerifyPool {
  const threads = setting === "auto" ? availableParallelism() : setting;
  if (threads < 2) return NO_POOL;
  return new WorkerPool(threads, startVerifier(verifier.name === "native"));
}

/**
 * Verifies the signatures of txs before they are executed, as far as the state before them knows
 * their signers. Replays call it with the next block while one is executed.
 */
export async function verifyAhead(
  app: Pick<Application, "claimsOf">,
  pool: VerifyPool,
  txs: readonly PreparedTx[],
): Promise<void> {
  if (pool.threads > 0) await pool.verify(txs.flatMap((tx) => app.claimsOf(tx)));
}

/** Starts verifying threads. @param isNative whether libsecp256k1 loads here */
export function startVerifier(isNative: boolean): () => Worker {
  const { resolve } = createRequire(import.meta.url);
  const workerData: WorkerFiles = {
    native: isNative ? resolve("secp256k1/bindings.js") : undefined,
    portable: resolve("@noble/curves/secp256k1.js"),
  };
  return () => new Worker(`(${verifyingThread.toString()})(require)`, { eval: true, workerData });
}

/** Claims that were handed in together. */
interface Group {
  left: number;
  readonly done: () => void;
}

interface Waiting {
  readonly claim: SignatureClaim;
  readonly group: Group;
}

interface Thread {
  readonly worker: Worker;
  /** In the order in which they were sent, which is that of the answers. */
  readonly sent: Waiting[][];
}

export class WorkerPool implements VerifyPool {
  readonly threads: number;
  readonly #start: () => Worker;
  readonly #running: Thread[] = [];
  readonly #spare: ArrayBuffer[] = [];
  #waiting: Waiting[] = [];
  /** Where the waiting begin: taking them off the front would move all others. */
  #first = 0;
  #deaths = 0;
  #isClosed = false;

  constructor(threads: number, start: () => Worker) {
    this.threads = threads;
    this.#start = start;
  }

  async verify(claims: readonly SignatureClaim[]): Promise<void> {
    if (claims.length === 0) return;
    await new Promise<void>((resolve) => {
      const group = { left: claims.length, done: resolve };
      for (const claim of claims) this.#take({ claim, group });
      this.#send();
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const ended = this.#running.map(async ({ worker }) => worker.terminate());
    for (const thread of [...this.#running]) this.#drop(thread);
    await Promise.all(ended);
  }

  #take(waiting: Waiting): void {
    const { signature, publicKey } = waiting.claim;
    if (signature.length !== 64 || publicKey.length !== 33) {
      waiting.claim.settle(false);
      leave(waiting);
    } else if (this.#waiting.length - this.#first >= WAITING_CLAIMS_MAX) {
      leave(waiting);
    } else {
      this.#waiting.push(waiting);
    }
  }

  /** Gives every thread what it may have, the idlest first. */
  #send(): void {
    while (this.#first < this.#waiting.length) {
      const thread = this.#freeThread();
      if (thread === undefined) return;
      const batch = this.#nextBatch();
      const message = pack(batch, this.#spare);
      // A thread that has work keeps the process alive, so that whoever waits gets an answer.
      if (thread.sent.length === 0) thread.worker.ref();
      thread.sent.push(batch);
      thread.worker.postMessage(message, [message]);
    }
  }

  #freeThread(): Thread | undefined {
    let free: Thread | undefined;
    for (const thread of this.#running) {
      if (thread.sent.length < (free?.sent.length ?? BATCHES_PER_THREAD)) free = thread;
    }
    if (free?.sent.length === 0 || this.#running.length >= this.threads) return free;
    return this.#startThread() ?? free;
  }

  #startThread(): Thread | undefined {
    if (this.#isClosed || this.#deaths >= DEATHS_MAX) {
      if (this.#running.length === 0) this.#giveUp();
      return undefined;
    }
    const thread: Thread = { worker: this.#start(), sent: [] };
    thread.worker.unref();
    thread.worker.on("message", (answer: ArrayBuffer) => this.#answered(thread, answer));
    thread.worker.on("error", () => this.#died(thread));
    thread.worker.on("exit", () => this.#died(thread));
    this.#running.push(thread);
    return thread;
  }

  #nextBatch(): Waiting[] {
    const batch: Waiting[] = [];
    let bytes = 0;
    while (batch.length < BATCH_CLAIMS_MAX && bytes < BATCH_BYTES_MAX) {
      const waiting = this.#waiting[this.#first];
      if (waiting === undefined) break;
      this.#first += 1;
      bytes += waiting.claim.signBytes.length;
      batch.push(waiting);
    }
    if (this.#first * 2 > this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#first);
      this.#first = 0;
    }
    return batch;
  }

  #answered(thread: Thread, answer: ArrayBuffer): void {
    const batch = thread.sent.shift();
    // Of a thread that has been given up: nobody waits for its answer.
    if (batch === undefined) return;
    const verdicts = new Uint8Array(answer, BATCH_HEAD_BYTES, batch.length);
    for (const [index, waiting] of batch.entries()) {
      waiting.claim.settle(verdicts[index] === 1);
      leave(waiting);
    }
    if (answer.byteLength === BUFFER_BYTES && this.#spare.length < SPARE_BUFFERS_MAX) {
      this.#spare.push(answer);
    }
    this.#send();
    if (thread.sent.length === 0) thread.worker.unref();
  }

  #died(thread: Thread): void {
    if (!this.#running.includes(thread)) return;
    this.#deaths += 1;
    this.#drop(thread);
    this.#send();
  }

  /** Its claims are left to whoever needs them: the thread's end may be their doing. */
  #drop(thread: Thread): void {
    this.#running.splice(this.#running.indexOf(thread), 1);
    for (const waiting of thread.sent.splice(0).flat()) leave(waiting);
    if (this.#isClosed && this.#running.length === 0) this.#giveUp();
  }

  #giveUp(): void {
    const waiting = this.#waiting.slice(this.#first);
    this.#waiting = [];
    this.#first = 0;
    for (const each of waiting) leave(each);
  }
}

function leave({ group }: Waiting): void {
  group.left -= 1;
  if (group.left === 0) group.done();
}

/** The message of a batch: see src/node/verify_worker.ts. */
function pack(batch: readonly Waiting[], spare: ArrayBuffer[]): ArrayBuffer {
  let size = BATCH_HEAD_BYTES + batch.length;
  for (const { claim } of batch) size += CLAIM_HEAD_BYTES + claim.signBytes.length;
  const buffer =
    size <= BUFFER_BYTES ? (spare.pop() ?? new ArrayBuffer(BUFFER_BYTES)) : new ArrayBuffer(size);
  const bytes = new Uint8Array(buffer);
  const view = new DataView(buffer);
  view.setUint32(0, batch.length, true);
  let at = BATCH_HEAD_BYTES + batch.length;
  for (const { claim } of batch) {
    const { signBytes, signature, publicKey } = claim;
    view.setUint32(at, signBytes.length, true);
    bytes.set(signature, at + 4);
    bytes.set(publicKey, at + 4 + 64);
    bytes.set(signBytes, at + CLAIM_HEAD_BYTES);
    at += CLAIM_HEAD_BYTES + signBytes.length;
  }
  return buffer;
}
