import type { Client, TxInfo } from "../../client/client.ts";
import { isOfDisk } from "../errors.ts";
import type { OutboxChange, SentTx } from "../outbox/outbox.ts";
import { naturalKey, type OutboxRecord } from "../outbox/outbox_record.ts";
import { NO_LOG, type ProviderLog } from "../provider_log.ts";
import { expectedSequence, hashOfTx, offerTx, type Refusal } from "../tx_facts.ts";
import { backOffMs, type Random } from "./back_off.ts";
import type { DispatcherOptions, DispatchState } from "./dispatch_options.ts";
import { factsOf, Flight, type FlyingTx, FRESH, isUsedLong } from "./flight.ts";
import { isKnown, isPast, lookFor, lookUp } from "./inquiry.ts";
import { DEFAULT_LIMITS, type DispatchLimits } from "./limits.ts";
import { IDLE_MS, LoadQueue, type NextLoad } from "./load_queue.ts";
import { isOfNode, isTooLarge } from "./node_error.ts";
import { NodeSilence } from "./node_silence.ts";
import { OrderHolds } from "./order_holds.ts";
import { Pause } from "./pause.ts";
import { sentRecord } from "./record_steps.ts";
import { verdictOf } from "./refusal_table.ts";
import { Rehearsal } from "./rehearsal.ts";
import { SendingPause } from "./sending_pause.ts";
import { takeUp } from "./take_up.ts";
import {
  type Fate,
  type FateContext,
  fateAgain,
  fateInBlock,
  fateOfLookup,
  fateOfRefusal,
} from "./tx_fate.ts";
import { Turns } from "./turns.ts";
import { makeTx, type TxPlace } from "./tx_maker.ts";
import { TxPlaces } from "./tx_places.ts";

const DRAIN_POLL_MS = 25;
const DISK_BACK_OFF = { minMs: 1000, maxMs: 5000 };

/**
 * Sends the outbox's pending records, many in a tx and several txs at a time, and finds out what
 * became of each tx. Whatever is sent is in the outbox first, so that after any crash the txs of
 * before are known; and what became of one is asked of the chain, never guessed: it is in a block,
 * or the chain is past it and is asked for the very periods. A period that was sent twice all the
 * same is refused by the chain, which has the final word on what is a repeat.
 */
export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #limits: DispatchLimits;
  readonly #random: Random;
  readonly #log: ProviderLog;
  readonly #flight = new Flight();
  readonly #queue: LoadQueue;
  readonly #senderPause = new Pause();
  readonly #watchPause = new Pause();
  readonly #turns = new Turns();
  readonly #rehearsal = new Rehearsal();
  readonly #holds: OrderHolds;
  readonly #pause: SendingPause;
  readonly #places: TxPlaces;
  readonly #silence: NodeSilence;
  /** When a tx in flight was last taken or found. */
  #progressMs = 0;
  #askedMs = 0;
  #sent = 0;
  #failed = 0;
  #isResumed = false;
  #diskFault = "";

  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#queue = new LoadQueue(options.outbox, this.#limits, options.signer);
    this.#random = options.random ?? Math.random;
    this.#log = options.log ?? NO_LOG;
    this.#silence = new NodeSilence(this.#log);
    this.#holds = new OrderHolds(options.outbox, this.#log);
    const { signer, gasPrice, now, pool } = options;
    this.#places = new TxPlaces(pool, signer.address, this.#limits.timeoutBlocks);
    this.#pause = new SendingPause({
      ...{ address: signer.address, gasPrice, now, log: this.#log },
      ...{ bounds: this.#limits.retry, random: this.#random },
    });
  }

  get state(): DispatchState {
    const { txs } = this.#flight;
    return {
      txsInFlight: txs.length,
      oldestSentMs: this.#flight.oldest?.sent.sentMs,
      recordsInFlight: txs.reduce((sum, { records }) => sum + records.length, 0),
      pausedUntilMs: this.#pause.untilMs,
      trouble: this.#diskFault || this.#pause.trouble || this.#silence.text,
      txsSent: this.#sent,
      txsFailed: this.#failed,
    };
  }

  /**
   * Up to which block the outbox knows all records that are on the chain; undefined: every block.
   * Whoever follows blocks goes no further, or would see records of which the outbox knows nothing.
   */
  get clearedHeight(): bigint | undefined {
    return this.#isResumed ? this.#flight.clearedHeight : 0n;
  }

  /**
   * Runs until it is called off; txs in flight stay in the outbox for the next run. Where the disk
   * fails it begins anew from what is on it, as after a crash.
   * @throws ProviderError `wrong_chain`, `signer_changed`
   */
  async run(signal: AbortSignal): Promise<void> {
    for (let failures = 1; !signal.aborted; failures += 1) {
      try {
        await this.#resume();
        return await this.#work(signal);
      } catch (error) {
        if (!isOfDisk(error)) throw error;
        if (this.#isResumed) failures = 1;
        this.#isResumed = false;
        this.#diskFault = error.message;
        this.#log.error("sending waits for the disk", { reason: error.message });
        await this.#senderPause.wait(backOffMs(failures, DISK_BACK_OFF, this.#random), signal);
      }
    }
  }

  async #work(signal: AbortSignal): Promise<void> {
    const inner = new AbortController();
    const both = AbortSignal.any([signal, inner.signal]);
    const loops = [
      this.#repeat(() => this.#sendNext(), this.#senderPause, both),
      this.#repeat(() => this.#watchFlight(), this.#watchPause, both),
    ];
    try {
      await Promise.all(loops);
    } finally {
      inner.abort();
      await Promise.allSettled(loops);
    }
  }

  /** Looks for work at once: records were written. */
  wake(): void {
    this.#senderPause.wake();
  }

  /**
   * Does work while no record is taken for a tx: what it finds pending stays so until it returns.
   * @throws what the work throws
   */
  betweenTxs<T>(work: () => Promise<T>): Promise<T> {
    return this.#turns.take(work);
  }

  /**
   * Sends all that is due without waiting for more, until nothing is due or in flight any more.
   * @param deadlineMs when to give up, by the clock that was given as `now`
   * @returns whether nothing was left
   */
  async drain(deadlineMs: number): Promise<boolean> {
    this.#queue.isDraining = true;
    try {
      for (;;) {
        this.wake();
        if (await this.#isIdle()) return true;
        const left = deadlineMs - this.#options.now();
        if (left <= 0) return false;
        await new Promise((resolve) => setTimeout(resolve, Math.min(left, DRAIN_POLL_MS)));
      }
    } finally {
      this.#queue.isDraining = false;
    }
  }

  async #isIdle(): Promise<boolean> {
    if (!this.#isResumed || this.#flight.size > 0 || this.#queue.groups.size > 0) return false;
    const due = await this.#options.outbox.due(this.#options.now(), 1, new Set());
    return due.length === 0 && this.#flight.size === 0;
  }

  /** Takes up the txs that the run before left in flight. */
  async #resume(): Promise<void> {
    const { outbox, signer } = this.#options;
    this.#flight.clear();
    this.#queue.clear();
    this.#places.sequence = undefined;
    for (const tx of await takeUp(outbox, signer.address)) this.#flight.add(tx);
    await this.#holds.restore();
    const txs = this.#flight.size;
    if (txs > 0) this.#log.info("txs of the last run are in flight", { txs });
    this.#isResumed = true;
    this.#diskFault = "";
  }

  /** Runs a step again and again; it returns how long to wait before the next, 0: not at all. */
  async #repeat(step: () => Promise<number>, pause: Pause, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      let waitMs: number;
      try {
        waitMs = await step();
      } catch (error) {
        if (!isOfNode(error)) throw error;
        // The fate of what was sent is open: it stays in flight until the chain has told it.
        waitMs = this.#backOffMs(this.#silence.grow(error));
      }
      if (waitMs > 0) await pause.wait(waitMs, signal);
    }
  }

  async #call<T>(work: (client: Client) => Promise<T>): Promise<T> {
    const result = await this.#options.pool.call(work);
    this.#silence.end();
    return result;
  }

  // Sending.

  async #sendNext(): Promise<number> {
    const now = this.#options.now();
    if (this.#pause.untilMs > now) return Math.min(this.#pause.untilMs - now, IDLE_MS);
    const untaken = this.#flight.firstUntaken;
    if (untaken !== undefined) {
      if (untaken.offerNotBeforeMs > now) return Math.min(untaken.offerNotBeforeMs - now, IDLE_MS);
      // While the node looks at it, the next one is signed.
      const signing = this.#queue.prepare(now, this.#options.pool.chainId ?? "");
      const both = [this.#offer(untaken), signing];
      for (const each of await Promise.allSettled(both)) {
        if (each.status === "rejected") throw each.reason;
      }
      return 0;
    }
    const isFull = this.#flight.size >= this.#limits.txsInFlight;
    const mustEmpty = this.#places.sequence === undefined && this.#flight.size > 0;
    if (isFull || mustEmpty) return IDLE_MS;
    return this.#launch(now);
  }

  /** Makes the next tx and writes it down; how long to wait when there is none. */
  async #launch(now: number): Promise<number> {
    const place = await this.#place();
    if (place === undefined) return 0;
    return this.#turns.take(() => this.#launchAt(now, place));
  }

  async #launchAt(now: number, place: TxPlace): Promise<number> {
    const next = await this.#queue.next(now, place.chainId);
    if (typeof next === "number") return next;
    const { signer, gasPrice, outbox } = this.#options;
    const { load, gasFactor } = next;
    if (this.#rehearsal.isDue(load.records) && (await this.#wouldFail(next, place))) return 0;
    const bytes = makeTx(load, place, signer, { price: gasPrice, factor: gasFactor });
    const hash = hashOfTx(bytes);
    const nowMs = this.#options.now();
    const records = load.records.map((record) => sentRecord(record, hash, nowMs));
    const { sequence, timeoutHeight } = place;
    const keys = records.map(naturalKey);
    const sent: SentTx = { hash, bytes, sequence, keys, timeoutHeight, sentMs: nowMs };
    const absentHeight = timeoutHeight - this.#limits.timeoutBlocks;
    if (this.#flight.size === 0) this.#progressMs = nowMs;
    // In flight before it is on the disk: whoever follows blocks has to stop here from now on.
    const tx: FlyingTx = { ...FRESH, sent, records, gasFactor, absentHeight };
    this.#flight.add(tx);
    await outbox.write({ records, sent: [sent] });
    this.#places.sequence = sequence + 1n;
    this.#queue.sent(next);
    this.#options.onChange?.(records);
    return 0;
  }

  /** Asks a node about records that may be refused. true: one would be, and is taken out. */
  async #wouldFail(next: NextLoad, { sequence }: TxPlace): Promise<boolean> {
    const { load, gasFactor } = next;
    const { signer } = this.#options;
    const refusal = await this.#call((client) =>
      this.#rehearsal.ask(client, load, signer, this.#flight.oldest?.sent.sequence ?? sequence),
    );
    if (refusal === undefined) return false;
    const judged = fateOfRefusal({ records: load.records, gasFactor }, refusal, this.#context());
    const fate = judged === "look" ? await this.#lookUp(load.records) : judged;
    // Of what was asked about, the wait grows as of what was sent.
    const records = fate.records.map((record, at) => {
      const isJudged = record.reason !== load.records[at]?.reason;
      return isJudged ? { ...record, attempts: record.attempts + 1 } : record;
    });
    // No record is taken for a tx meanwhile: all of an order may be put off.
    const held = await this.#holds.hold(fate.refused, this.#context(), records);
    await this.#write({ ...fate, records: held.records }, { notes: held.notes });
    this.#queue.sent(next);
    return true;
  }

  /** undefined: nothing can be sent now. */
  async #place(): Promise<TxPlace | undefined> {
    const place = await this.#places.next(this.#flight.size === 0, (work) => this.#call(work));
    if (place !== undefined) return place;
    const { address } = this.#options.signer;
    const log = `account ${address} does not exist on the chain: fund it first`;
    this.#beginPause({ codespace: "sdk", code: 9, log });
    return undefined;
  }

  async #offer(tx: FlyingTx): Promise<void> {
    // Until the answer is there, nobody knows: an answer may be lost.
    const result = await this.#offered(tx);
    if (!this.#flight.has(tx)) return;
    if (result === "wait") return this.#offerLater(tx);
    if (result.code === 0) {
      tx.isTaken = true;
      tx.refusals = 0;
      this.#sent += 1;
      this.#progressMs = this.#options.now();
      this.#pause.end();
      this.#watchPause.wake();
      return;
    }
    await this.#refusedByNode(tx, result);
  }

  async #offered(tx: FlyingTx): Promise<Refusal | "wait"> {
    try {
      return await this.#call((client) => offerTx(client, tx.sent.bytes));
    } catch (error) {
      this.#offerLater(tx);
      if (!isTooLarge(error)) throw error;
      return { codespace: "sdk", code: 21, log: error.message };
    }
  }

  #offerLater(tx: FlyingTx): void {
    tx.refusals += 1;
    tx.offerNotBeforeMs = this.#options.now() + this.#backOffMs(tx.refusals);
  }

  #backOffMs(failures: number): number {
    const { pollMs: minMs, offerAgainMs: maxMs } = this.#limits;
    return backOffMs(failures, { minMs, maxMs }, this.#random);
  }

  /**
   * A node's check refused it. That proves nothing about other nodes, nor about an answer that was
   * lost before: as long as the tx could be in a block, the chain is asked.
   */
  async #refusedByNode(tx: FlyingTx, refusal: Refusal): Promise<void> {
    this.#offerLater(tx);
    const verdict = verdictOf(refusal, tx.records.length);
    const expected = expectedSequence(refusal.log);
    const isBehind =
      verdict === "sequence" && expected !== undefined && expected < tx.sent.sequence;
    if (isBehind && tx !== this.#flight.oldest) {
      // Those before it are gone from the mempool: all are offered again, in order.
      return this.#flight.offerAgain(tx.offerNotBeforeMs);
    }
    const isOpen = verdict === "sequence" ? !isBehind : verdict === "expired" || verdict === "room";
    if (isOpen) {
      // It may be in a block: whoever watches the flight asks at once.
      this.#askedMs = 0;
      return this.#watchPause.wake();
    }
    const { address } = this.#options.signer;
    if (await this.#call((client) => isKnown(client, tx, address))) return;
    if (this.#flight.has(tx)) await this.#recall(tx, refusal);
  }

  /** Takes back a tx that no block has, with those that can only come after it. */
  async #recall(tx: FlyingTx, refusal: Refusal): Promise<void> {
    const judged = fateOfRefusal(tx, refusal, this.#context());
    const isSequence = verdictOf(refusal, tx.records.length) === "sequence";
    const fate = judged === "look" || isSequence ? fateAgain(tx, this.#context()) : judged;
    const later = this.#flight.from(tx).slice(1);
    this.#log.warn("a node refused a tx", { ...factsOf(tx), ...refusal });
    for (const each of later) await this.#land(each, fateAgain(each, this.#context()));
    await this.#land(tx, fate);
    this.#places.sequence = isSequence || this.#flight.size === 0 ? undefined : tx.sent.sequence;
  }

  #beginPause(refusal: Refusal): void {
    this.#places.sequence = undefined;
    this.#pause.begin(refusal);
  }

  // Finding out.

  async #watchFlight(): Promise<number> {
    if (this.#flight.size === 0) return IDLE_MS;
    const txs = [...this.#flight.txs];
    const [first] = txs as [FlyingTx];
    const { found, past } = await this.#call(async (client) => {
      const sighting = await lookFor(this.#options.pool, client, txs);
      const { height } = sighting;
      if (sighting.found[0] !== undefined) return { found: sighting.found, past: undefined };
      const past = await this.#fateOfOldest(client, first, height);
      // The index of txs of some nodes is a block behind.
      const absent = height - 1n;
      if (past === undefined && absent > first.absentHeight) first.absentHeight = absent;
      return { found: sighting.found, past };
    });
    if (past !== undefined) {
      await this.#landPast(first, past);
      return 0;
    }
    if ((await this.#landFound(txs, found)) > 0) return 0;
    const now = this.#options.now();
    if (now - this.#progressMs > this.#limits.offerAgainMs) {
      this.#progressMs = now;
      this.#flight.offerAgain(now);
      this.#senderPause.wake();
    }
    return this.#limits.pollMs;
  }

  /** Lands the txs that are in blocks, up to the first that is in none. */
  async #landFound(
    txs: readonly FlyingTx[],
    found: readonly (TxInfo | undefined)[],
  ): Promise<number> {
    const landings: Promise<void>[] = [];
    for (const [at, info] of found.entries()) {
      const tx = txs[at] as FlyingTx;
      if (info === undefined || !this.#flight.has(tx)) break;
      const judged = fateInBlock(tx, info, this.#context());
      if (info.code !== 0) {
        this.#failed += 1;
        this.#rehearsal.doubt(undefined);
        const { code, log } = info;
        this.#log.warn("a tx failed in a block", { ...factsOf(tx), code, log });
      }
      const fate = judged === "look" ? await this.#lookUp(tx.records) : judged;
      landings.push(this.#land(tx, fate));
    }
    await Promise.all(landings);
    return landings.length;
  }

  /** undefined: it may still get into a block. Asked only now and then: most are soon in one. */
  async #fateOfOldest(
    client: Client,
    tx: FlyingTx,
    height: bigint,
  ): Promise<TxInfo | "gone" | undefined> {
    const now = this.#options.now();
    if (height < tx.sent.timeoutHeight && now - this.#askedMs < this.#limits.offerAgainMs / 4) {
      return undefined;
    }
    this.#askedMs = now;
    const past = await isPast(client, tx, height, this.#options.signer.address);
    if (past === undefined) return undefined;
    // A node may answer from a block that its index of txs does not have yet: it gets one more.
    if (past === "sequence" && !isUsedLong(tx, height, now - this.#limits.offerAgainMs)) {
      this.#askedMs = 0;
      tx.used ??= { height, ms: now };
      return undefined;
    }
    // It may have got into a block since it was asked for.
    return (await client.tx(tx.sent.hash)) ?? "gone";
  }

  async #landPast(tx: FlyingTx, past: TxInfo | "gone"): Promise<void> {
    if (past !== "gone") {
      await this.#landFound([tx], [past]);
      return;
    }
    const text = "a tx is in no block that the node knows, and can be in none any more";
    this.#log.warn(text, factsOf(tx));
    await this.#land(tx, await this.#lookUp(tx.records));
    this.#places.sequence = undefined;
  }

  async #lookUp(records: readonly OutboxRecord[]): Promise<Fate> {
    const found = await this.#call((client) => lookUp(client, records));
    return fateOfLookup({ records }, found, this.#context());
  }

  /** Writes down what became of a tx's records; then it flies no more. */
  async #land(tx: FlyingTx, fate: Fate): Promise<void> {
    await this.#write(fate, { resolved: [tx.sent.hash] });
    this.#flight.remove(tx);
    this.#progressMs = this.#options.now();
    if (fate.pause !== undefined) this.#beginPause(fate.pause);
    this.#senderPause.wake();
  }

  /** Writes down what became of records, and remembers what it says of their orders. */
  async #write(fate: Fate, more: Pick<OutboxChange, "resolved" | "notes">): Promise<void> {
    const { outbox, onChange } = this.#options;
    const { records, groups, refused } = fate;
    const notes = new Map([...this.#holds.release(records), ...(more.notes ?? [])]);
    // They are pending on the disk before anybody here goes on: nobody else is to take them.
    this.#queue.groups.reserve(groups);
    await outbox.write({ ...more, records, notes });
    this.#queue.groups.add(groups);
    this.#rehearsal.trust(records.filter(({ usageId }) => usageId !== ""));
    if (refused !== undefined) this.#rehearsal.doubt(refused.orderId);
    for (const record of records) {
      const facts = { key: naturalKey(record), ...record.reason };
      if (record.state === "refused") this.#log.error("the chain refuses a record", facts);
    }
    onChange?.(records);
  }

  #context(): FateContext {
    return { nowMs: this.#options.now(), retry: this.#limits.retry, random: this.#random };
  }
}
