import { type Pace, Slice, SLICE_MS } from "../node/pace.ts";

/** Time after which half of what a client has used is forgotten, in milliseconds. */
const HALF_LIFE_MS = 5000;
/**
 * What a client counts as having used before anything is known of it, in milliseconds: one that is
 * known to have used less needs no place.
 */
const UNKNOWN_MS = 100;
/** Differences below this do not change whose turn it is, in milliseconds. */
const EQUAL_MS = 10;
/** Calls that run at the same time, with a place and without, are not more than so many times those. */
const RUNNING_X = 16;
/** Calls of one client that wait for a place. */
const WAITING_MAX = 100;
/** Who has used most of all, and more than this of late, rests between slices, in milliseconds. */
const GREEDY_MS = 1000;
/** It rests after a slice for so many times as long as that was. */
const REST_X = 2;
/** The others must have used so much for that: who only looks in waits for little. */
const OTHERS_MS = 300;
/** Addresses of which it is remembered what they have used. */
const ADDRESSES_MAX = 10_000;

/** Whose call it is, a connection: see `HeavyQueue`. */
export interface Client {
  readonly remoteAddress?: string | undefined;
}

/** Too many calls of a client wait for their turn. */
export class TurnsError extends Error {
  constructor(max: number) {
    super(`${max} heavy calls of this client wait for their turn: wait for their answers first`);
    this.name = "TurnsError";
  }
}

/** What a client has taken of the node. */
class Usage {
  waiting = 0;
  readonly #all: Everybody | undefined;
  #usedMs: number | undefined;
  #at = 0;

  constructor(all?: Everybody) {
    this.#all = all;
  }

  /** @param now in milliseconds, as all times here */
  costMs(now: number): number {
    return this.#leftMs(now) ?? UNKNOWN_MS;
  }

  add(tookMs: number, now: number): void {
    this.#usedMs = (this.#leftMs(now) ?? 0) + tookMs;
    this.#at = now;
    this.#all?.addOf(this, tookMs, now);
  }

  #leftMs(now: number): number | undefined {
    return this.#usedMs && this.#usedMs * 2 ** ((this.#at - now) / HALF_LIFE_MS);
  }
}

/** What all clients have taken together. */
class Everybody extends Usage {
  /** Who has used most of late: all forget equally fast, so that only use can change it. */
  most: Usage | undefined;

  addOf(usage: Usage, tookMs: number, now: number): void {
    this.add(tookMs, now);
    if (this.most === undefined || usage.costMs(now) > this.most.costMs(now)) this.most = usage;
  }
}

interface Waiting {
  readonly usage: Usage;
  readonly enter: () => void;
}

interface Paused {
  readonly usage: Usage;
  readonly signal: AbortSignal;
  readonly resume: () => void;
  readonly leave: (reason: Error) => void;
}

/**
 * Where the long work of all doors takes turns, by client: a client is a remote address (of IPv6 its
 * first 64 bits), but on this machine's own address, which every local program and proxy has, a
 * connection.
 *
 * A client has one heavy call running at a time. Who is known to have used little of late runs it at
 * once. The others wait for one of a few places, and of them the one goes first whose client has used
 * least, and among equals the one that came first. A client who has used less than any of those that
 * have a place gets one beside them, so that nobody waits for the end of others' long calls.
 *
 * Work with a place begins with a pause, and it, and light work that turns out long, pauses after
 * each slice. In one turn of the event loop they go on for a slice in all, again that of the client
 * first who has used least: a short call of anybody else waits for two slices at most, however much
 * work there is. Who has used most of all rests between its slices while the others want much too:
 * it has a third of the thread at most, so that they find it free. Its short calls wait for their
 * turn too.
 */
export class HeavyQueue {
  readonly #max: number;
  readonly #waitingMax: number;
  readonly #waiting = new Set<Waiting>();
  readonly #paused = new Set<Paused>();
  readonly #all = new Everybody();
  readonly #usages = new WeakMap<Client, Usage>();
  readonly #ofAddresses = new Map<string, Usage>();
  /** Clients whose call runs. */
  readonly #running = new Set<Usage>();
  /** Those of them that have a place. */
  readonly #placed = new Set<Usage>();
  /** Whether a slice runs, or comes with the next turn of the event loop. */
  #isResuming = false;
  /** Until when who has used most of all rests, in milliseconds, and what ends it. */
  #restsUntil = 0;
  #rest: NodeJS.Timeout | undefined;

  /**
   * @param max calls that run at the same time, at least 1
   * @param waitingMax calls of one client that wait
   */
  constructor(max: number, waitingMax = WAITING_MAX) {
    this.#max = max;
    this.#waitingMax = waitingMax;
  }

  /**
   * Runs a call when it is its turn. One whose client leaves before is never run.
   * @param client whose call it is; calls without one are of a client each
   * @throws TurnsError; the reason of `signal` when the client left first; whatever the call throws
   */
  async run<T>(
    work: (pace: Pace) => T | Promise<T>,
    signal: AbortSignal,
    client?: Client,
  ): Promise<T> {
    signal.throwIfAborted();
    const usage = this.#usageOf(client);
    if (usage.waiting >= this.#waitingMax) throw new TurnsError(this.#waitingMax);
    await this.#place(usage, signal);
    const pace = new Turns(this.#pause, usage, signal);
    try {
      // One short call after the other would be a long one without a pause.
      if (this.#placed.has(usage)) await pace.pause();
      signal.throwIfAborted();
      return await work(pace);
    } finally {
      pace.end();
      this.#running.delete(usage);
      this.#placed.delete(usage);
      this.#admit();
    }
  }

  /** For a call that needs no place, because it is mostly short: long ones take turns all the same. */
  pace(signal: AbortSignal, client?: Client): Pace {
    return new Turns(this.#pause, this.#usageOf(client), signal);
  }

  /**
   * Runs a call that needs no place, because it is mostly short: at once, and with no promise where
   * `work` gives none; but those of who has used most of all when it is their turn.
   * @throws whatever the call throws; its promise rejects with the reason of `signal` when the
   * client leaves before
   */
  short<T>(
    work: (pace: Pace) => T | Promise<T>,
    signal: AbortSignal,
    client?: Client,
  ): T | Promise<T> {
    const usage = this.#usageOf(client);
    const pace = new Turns(this.#pause, usage, signal);
    const run = () => {
      try {
        return work(pace);
      } finally {
        pace.end();
      }
    };
    return this.#rests(usage, performance.now()) ? pace.pause().then(run) : run();
  }

  /** Whether somebody rests between its slices: it has used most of all, and the others much too. */
  #rests(usage: Usage, now: number): boolean {
    const isMost = this.#all.most === usage && usage.costMs(now) >= GREEDY_MS;
    return isMost && this.#all.costMs(now) - usage.costMs(now) >= OTHERS_MS;
  }

  #usageOf(client: Client | undefined): Usage {
    if (client === undefined) return new Usage(this.#all);
    const known = this.#usages.get(client);
    if (known !== undefined) return known;
    const address = addressOf(client);
    const usage = address === undefined ? new Usage(this.#all) : this.#usageOfAddress(address);
    this.#usages.set(client, usage);
    return usage;
  }

  #usageOfAddress(address: string): Usage {
    const usage = this.#ofAddresses.get(address) ?? new Usage(this.#all);
    // The one that was seen last is forgotten last.
    this.#ofAddresses.delete(address);
    this.#ofAddresses.set(address, usage);
    if (this.#ofAddresses.size > ADDRESSES_MAX) {
      const [oldest] = this.#ofAddresses.keys();
      if (oldest !== undefined) this.#ofAddresses.delete(oldest);
    }
    return usage;
  }

  async #place(usage: Usage, signal: AbortSignal): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      const end = () => {
        usage.waiting -= 1;
        this.#waiting.delete(waiting);
        signal.removeEventListener("abort", leave);
      };
      const leave = () => {
        end();
        reject(signal.reason as Error);
      };
      const enter = () => {
        end();
        this.#running.add(usage);
        if (roughly(usage.costMs(performance.now())) >= UNKNOWN_MS) this.#placed.add(usage);
        resolve();
      };
      const waiting = { usage, enter };
      usage.waiting += 1;
      this.#waiting.add(waiting);
      signal.addEventListener("abort", leave, { once: true });
      this.#admit();
    });
  }

  /** Lets in whoever may. The places are counted when they are given, so that nobody comes between. */
  #admit(): void {
    while (this.#running.size < this.#max * RUNNING_X) {
      const next = this.#next();
      if (next === undefined) return;
      next.enter();
    }
  }

  #next(): Waiting | undefined {
    const now = performance.now();
    let bestMs = this.#placed.size < this.#max ? Number.POSITIVE_INFINITY : this.#leastMs(now);
    let best: Waiting | undefined;
    for (const waiting of this.#waiting) {
      if (this.#running.has(waiting.usage)) continue;
      const costMs = roughly(waiting.usage.costMs(now));
      if (costMs >= bestMs) continue;
      best = waiting;
      bestMs = costMs;
    }
    return best;
  }

  /** Who has used less than this gets in although all places are taken. */
  #leastMs(now: number): number {
    let leastMs = Number.POSITIVE_INFINITY;
    for (const usage of this.#placed) leastMs = Math.min(leastMs, roughly(usage.costMs(now)));
    return Math.max(leastMs, UNKNOWN_MS);
  }

  readonly #pause = (paused: Paused): void => {
    this.#paused.add(paused);
    if (this.#isResuming) return;
    const now = performance.now();
    if (this.#rest === undefined || !this.#rests(paused.usage, now)) this.#schedule(paused, now);
  };

  #schedule({ usage }: Paused, now: number): void {
    clearTimeout(this.#rest);
    this.#rest = undefined;
    const restMs = this.#rests(usage, now) ? this.#restsUntil - now : 0;
    this.#isResuming = restMs <= 0;
    if (this.#isResuming) setImmediate(this.#resume);
    else this.#rest = setTimeout(this.#resume, Math.ceil(restMs));
  }

  /** Those that have paused go on for a slice; what has been sent meanwhile is read before the next. */
  readonly #resume = (): void => {
    const began = performance.now();
    this.#isResuming = true;
    this.#rest = undefined;
    const goOn = (next: Paused | undefined) => {
      this.#isResuming = next !== undefined;
      if (next === undefined) return;
      this.#paused.delete(next);
      next.resume();
      // Called when the work has paused again, ended, or waits for the disk: not before that.
      queueMicrotask(() => process.nextTick(after, next.usage));
    };
    const after = (worked: Usage) => {
      const now = performance.now();
      if (this.#rests(worked, now)) this.#restsUntil = now + REST_X * (now - began);
      const next = this.#nextPaused();
      const isOver = now - began >= SLICE_MS || now < this.#restsUntil;
      if (next !== undefined && isOver) this.#schedule(next, now);
      else goOn(next);
    };
    goOn(this.#nextPaused());
  };

  #nextPaused(): Paused | undefined {
    const now = performance.now();
    let best: Paused | undefined;
    let bestMs = 0;
    for (const paused of this.#paused) {
      const { usage, signal, leave } = paused;
      if (signal.aborted) {
        this.#paused.delete(paused);
        leave(signal.reason as Error);
        continue;
      }
      const costMs = roughly(usage.costMs(now));
      if (best !== undefined && costMs >= bestMs) continue;
      best = paused;
      bestMs = costMs;
    }
    return best;
  }
}

function roughly(costMs: number): number {
  return Math.floor(costMs / EQUAL_MS) * EQUAL_MS;
}

/** The slices of one call. */
class Turns implements Pace {
  readonly #pauseIn: (paused: Paused) => void;
  readonly #usage: Usage;
  readonly #signal: AbortSignal;
  readonly #slice = new Slice();

  constructor(pauseIn: (paused: Paused) => void, usage: Usage, signal: AbortSignal) {
    this.#pauseIn = pauseIn;
    this.#usage = usage;
    this.#signal = signal;
  }

  isDue(): boolean {
    return this.#slice.isOver();
  }

  async pause(): Promise<void> {
    this.end();
    await new Promise<void>((resume, leave) => {
      this.#pauseIn({ usage: this.#usage, signal: this.#signal, resume, leave });
    });
    this.#slice.next();
  }

  /** Counts what was used since the last pause. */
  end(): void {
    this.#slice.isOver();
    this.#usage.add(this.#slice.next(), performance.now());
  }
}

const LOOPBACK = /^(::1|(::ffff:)?127\.0\.0\.1)$/;

/** What the addresses of one client have in common; undefined where an address says nothing. */
function addressOf({ remoteAddress: address }: Client): string | undefined {
  if (address === undefined || LOOPBACK.test(address)) return undefined;
  const v4 = /^::ffff:([0-9.]+)$/.exec(address);
  if (v4 !== null) return v4[1];
  return address.includes(":") ? network64(address) : address;
}

/** The first four groups of an IPv6 address as Node writes it: one customer has all behind them. */
function network64(address: string): string {
  const [head = "", tail] = address.replace(/%.*$/, "").split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => "0");
  return [...left, ...(tail === undefined ? [] : zeros), ...right].slice(0, 4).join(":");
}
