/** Time after which half of what a client has used is forgotten, in milliseconds. */
const HALF_LIFE_MS = 5000;
/** What a client counts as having used before anything is known of it, in milliseconds. */
const UNKNOWN_MS = 100;
/** What a client may have used lately before it counts as busy, in milliseconds. */
const BUSY_MS = 200;
/** Differences below this do not change whose turn it is, in milliseconds. */
const EQUAL_MS = 10;
/** What a running call counts for, before it is known how long it takes. */
const RUNNING_MS = 50;
/** One of so many places is for the calls of busy clients. */
const BUSY_SHARE = 4;

/** What a client has taken of the node. */
class Usage {
  running = 0;
  #usedMs: number | undefined;
  #at = 0;

  /** @param now in milliseconds, as all times here */
  costMs(now: number): number {
    return (this.#leftMs(now) ?? UNKNOWN_MS) + this.running * RUNNING_MS;
  }

  add(tookMs: number, now: number): void {
    this.#usedMs = (this.#leftMs(now) ?? 0) + tookMs;
    this.#at = now;
  }

  #leftMs(now: number): number | undefined {
    return this.#usedMs && this.#usedMs * 2 ** ((this.#at - now) / HALF_LIFE_MS);
  }
}

interface Waiting {
  readonly usage: Usage;
  readonly enter: () => void;
}

/**
 * Lets a few calls run at the same time. Of those that wait, the one goes first whose client has
 * used least of late, and among equals the one that came first; clients that have used much share
 * one place in four. Those that are known to use little have as many places again for themselves, so
 * that whoever asks now and then does not wait behind the others' long calls.
 */
export class HeavyQueue {
  readonly #max: number;
  readonly #maxBusy: number;
  readonly #waiting = new Set<Waiting>();
  readonly #usages = new WeakMap<object, Usage>();
  #running = 0;
  #runningBusy = 0;

  /** @param max calls that run at the same time, at least 1 */
  constructor(max: number) {
    this.#max = max;
    this.#maxBusy = Math.max(1, Math.floor(max / BUSY_SHARE));
  }

  /**
   * Runs a call when it is its turn. One whose client leaves before is never run.
   * @param client whose call it is: a connection; calls without one are of a client each
   * @throws the reason of `signal` when the client left first; whatever the call throws
   */
  async run<T>(work: () => T | Promise<T>, signal: AbortSignal, client?: object): Promise<T> {
    signal.throwIfAborted();
    const usage = this.#usageOf(client);
    const isBusy = await this.#turn(usage, signal);
    const began = performance.now();
    usage.running += 1;
    try {
      signal.throwIfAborted();
      return await work();
    } finally {
      usage.running -= 1;
      const now = performance.now();
      // Those that run at the same time share the node: none is charged with the others' part.
      usage.add((now - began) / this.#running, now);
      this.#running -= 1;
      if (isBusy) this.#runningBusy -= 1;
      this.#admit();
    }
  }

  #usageOf(client: object | undefined): Usage {
    const known = client === undefined ? undefined : this.#usages.get(client);
    const usage = known ?? new Usage();
    if (client !== undefined) this.#usages.set(client, usage);
    return usage;
  }

  /** @returns whether the place that was given is one of those for busy clients */
  async #turn(usage: Usage, signal: AbortSignal): Promise<boolean> {
    return new Promise<boolean>((resolve, reject) => {
      const leave = () => {
        this.#waiting.delete(waiting);
        reject(signal.reason as Error);
      };
      const enter = () => {
        signal.removeEventListener("abort", leave);
        this.#waiting.delete(waiting);
        const isBusy = usage.costMs(performance.now()) > BUSY_MS;
        this.#running += 1;
        if (isBusy) this.#runningBusy += 1;
        resolve(isBusy);
      };
      const waiting = { usage, enter };
      this.#waiting.add(waiting);
      signal.addEventListener("abort", leave, { once: true });
      this.#admit();
    });
  }

  /** Lets in whoever may. The places are counted when they are given, so that nobody comes between. */
  #admit(): void {
    while (this.#running < 2 * this.#max) {
      const next = this.#next();
      if (next === undefined) return;
      next.enter();
    }
  }

  #next(): Waiting | undefined {
    const now = performance.now();
    const isFull = this.#running >= this.#max;
    let best: Waiting | undefined;
    let bestMs = 0;
    for (const waiting of this.#waiting) {
      const costMs = Math.floor(waiting.usage.costMs(now) / EQUAL_MS) * EQUAL_MS;
      if (costMs > BUSY_MS && this.#runningBusy >= this.#maxBusy) continue;
      if (isFull && costMs >= UNKNOWN_MS) continue;
      if (best !== undefined && costMs >= bestMs) continue;
      best = waiting;
      bestMs = costMs;
    }
    return best;
  }
}
