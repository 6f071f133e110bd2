import type { Client, TxInfo } from "../../client/client.ts";
import { RpcError } from "../../client/errors.ts";
import { ProviderError } from "../errors.ts";
import type { OutboxChange, SentTx } from "../outbox/outbox.ts";
import { naturalKey, type OutboxRecord } from "../outbox/outbox_record.ts";
import { NO_LOG, type ProviderLog } from "../provider_log.ts";
import { expectedSequence, hashOfTx, offerTx, type Refusal } from "../tx_facts.ts";
import { backOffMs, type Random } from "./back_off.ts";
import type { DispatcherOptions, DispatchState } from "./dispatch_options.ts";
import { Flight, type FlyingTx } from "./flight.ts";
import { isPast, lookFor, lookUp } from "./inquiry.ts";
import { DEFAULT_LIMITS, type DispatchLimits } from "./limits.ts";
import { IDLE_MS, LoadQueue } from "./load_queue.ts";
import { isOfNode } from "./node_error.ts";
import { Pause } from "./pause.ts";
import { pendingRecord, sentRecord } from "./record_steps.ts";
import { verdictOf } from "./refusal_table.ts";
import { troubleOf } from "./trouble.ts";
import {
  type Fate,
  type FateContext,
  fateInBlock,
  fateOfLookup,
  fateOfRefusal,
} from "./tx_fate.ts";
import { Turns } from "./turns.ts";
import { makeTx, type TxPlace } from "./tx_maker.ts";

const SIGNER_NOTE = "dispatch/signer";
const DRAIN_POLL_MS = 25;

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
  /** undefined: read from the chain once nothing is in flight. */
  #sequence: bigint | undefined;
  #accountNumber = 0n;
  #pausedUntilMs = 0;
  #pauses = 0;
  /** Calls in a row that no node answered, and why. */
  #silences = 0;
  #silence = "";
  /** Why nothing can be sent. */
  #trouble = "";
  /** When a tx in flight was last taken or found. */
  #progressMs = 0;
  #askedMs = 0;
  #sent = 0;
  #failed = 0;
  #isResumed = false;

  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#queue = new LoadQueue(options.outbox, this.#limits, options.signer);
    this.#random = options.random ?? Math.random;
    this.#log = options.log ?? NO_LOG;
  }

  get state(): DispatchState {
    const { txs } = this.#flight;
    return {
      txsInFlight: txs.length,
      oldestSentMs: this.#flight.oldest?.sent.sentMs,
      recordsInFlight: txs.reduce((sum, { records }) => sum + records.length, 0),
      pausedUntilMs: this.#pausedUntilMs > this.#options.now() ? this.#pausedUntilMs : 0,
      trouble: this.#trouble || this.#silence,
      txsSent: this.#sent,
      txsFailed: this.#failed,
    };
  }

  /**
   * Up to which block the outbox knows all records that are on the chain; undefined: every block.
   * Whoever follows blocks goes no further, or would see records of which the outbox knows nothing.
   */
  get clearedHeight(): bigint | undefined {
    if (!this.#isResumed) return 0n;
    return this.#flight.clearedHeight;
  }

  /**
   * Runs until it is called off; txs in flight stay in the outbox for the next run.
   * @throws ProviderError `wrong_chain`, `signer_changed`; whatever the outbox throws
   */
  async run(signal: AbortSignal): Promise<void> {
    await this.#resume();
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
    const sent = await outbox.sentTxs();
    const noted = await outbox.note(SIGNER_NOTE);
    if (sent.length > 0 && noted !== undefined && noted !== signer.address) {
      throw new ProviderError(
        "signer_changed",
        `${sent.length} txs of ${noted} are in flight, and the key is that of ${signer.address}: ` +
          "start once more with the key of before, and let it drain",
      );
    }
    await outbox.write({ notes: new Map([[SIGNER_NOTE, signer.address]]) });
    for (const tx of sent) {
      const records: OutboxRecord[] = [];
      for (const key of tx.keys) {
        const record = await outbox.record(key);
        if (record !== undefined) records.push(record);
      }
      this.#flight.add({ ...fresh, sent: tx, records, gasFactor: 1n, absentHeight: 0n });
    }
    if (sent.length > 0) this.#log.info("txs of the last run are in flight", { txs: sent.length });
    this.#isResumed = true;
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
        this.#silences += 1;
        this.#silence = error.message;
        if (this.#silences === 1) this.#log.warn("no answer", { error: error.message });
        const bounds = { minMs: this.#limits.pollMs, maxMs: this.#limits.offerAgainMs };
        waitMs = backOffMs(this.#silences, bounds, this.#random);
      }
      if (waitMs > 0) await pause.wait(waitMs, signal);
    }
  }

  async #call<T>(work: (client: Client) => Promise<T>): Promise<T> {
    const result = await this.#options.pool.call(work);
    if (this.#silences > 0) this.#log.info("a node answers again");
    this.#silences = 0;
    this.#silence = "";
    return result;
  }

  // Sending.

  async #sendNext(): Promise<number> {
    const now = this.#options.now();
    if (this.#pausedUntilMs > now) return Math.min(this.#pausedUntilMs - now, IDLE_MS);
    const untaken = this.#flight.firstUntaken;
    if (untaken !== undefined) {
      if (untaken.offerNotBeforeMs > now) return Math.min(untaken.offerNotBeforeMs - now, IDLE_MS);
      // While the node looks at it, the next one is signed.
      const chainId = this.#options.pool.chainId ?? "";
      const both = [this.#offer(untaken), this.#queue.prepare(now, chainId)];
      for (const each of await Promise.allSettled(both)) {
        if (each.status === "rejected") throw each.reason;
      }
      return 0;
    }
    const isFull = this.#flight.size >= this.#limits.txsInFlight;
    const mustEmpty = this.#sequence === undefined && this.#flight.size > 0;
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
    const tx: FlyingTx = { ...fresh, sent, records, gasFactor, absentHeight };
    this.#flight.add(tx);
    await outbox.write({ records, sent: [sent] });
    this.#sequence = sequence + 1n;
    this.#queue.sent(next);
    this.#options.onChange?.(records);
    return 0;
  }

  /** Sequence and last height of the next tx; undefined: nothing can be sent now. */
  async #place(): Promise<TxPlace | undefined> {
    const { pool, signer } = this.#options;
    const status =
      this.#flight.size === 0 || pool.height === 0n
        ? await this.#call((client) => pool.statusOf(client))
        : undefined;
    if (this.#sequence === undefined) {
      const account = await this.#call((client) => client.account(signer.address));
      if (account === undefined) {
        const log = `account ${signer.address} does not exist on the chain: fund it first`;
        this.#pause({ codespace: "sdk", code: 9, log });
        return undefined;
      }
      this.#accountNumber = account.accountNumber;
      this.#sequence = account.sequence;
    }
    const height = status === undefined ? pool.height : status.latestHeight;
    return {
      chainId: pool.chainId ?? "",
      accountNumber: this.#accountNumber,
      sequence: this.#sequence,
      timeoutHeight: height + this.#limits.timeoutBlocks,
    };
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
      this.#pauses = 0;
      this.#trouble = "";
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
      const isTooLarge =
        error instanceof RpcError && /Tx too large|greater than max gas/.test(error.message);
      if (!isTooLarge) throw error;
      return { codespace: "sdk", code: 21, log: error.message };
    }
  }

  #offerLater(tx: FlyingTx): void {
    tx.refusals += 1;
    const bounds = { minMs: this.#limits.pollMs, maxMs: this.#limits.offerAgainMs };
    tx.offerNotBeforeMs = this.#options.now() + backOffMs(tx.refusals, bounds, this.#random);
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
      this.#flight.offerAgain(tx.offerNotBeforeMs);
      return;
    }
    const isOpen = verdict === "sequence" ? !isBehind : verdict === "expired" || verdict === "room";
    if (isOpen) {
      // It may be in a block: whoever watches the flight asks at once.
      this.#askedMs = 0;
      this.#watchPause.wake();
      return;
    }
    const { signer } = this.#options;
    const isIn = await this.#call(async (client) => {
      const account = await client.account(signer.address);
      if (account !== undefined && account.sequence > tx.sent.sequence) return true;
      return (await client.tx(tx.sent.hash)) !== undefined;
    });
    if (isIn || !this.#flight.has(tx)) return;
    await this.#recall(tx, refusal);
  }

  /** Takes back a tx that no block has, with those that can only come after it. */
  async #recall(tx: FlyingTx, refusal: Refusal): Promise<void> {
    const judged = fateOfRefusal(tx, refusal, this.#context());
    const isSequence = verdictOf(refusal, tx.records.length) === "sequence";
    const fate = judged === "look" || isSequence ? this.#again(tx) : judged;
    const later = this.#flight.from(tx).slice(1);
    this.#log.warn("a node refused a tx", { ...factsOf(tx), ...refusal });
    for (const each of later) await this.#land(each, this.#again(each));
    await this.#land(tx, fate);
    this.#sequence = isSequence || this.#flight.size === 0 ? undefined : tx.sent.sequence;
  }

  #again(tx: FlyingTx): Fate {
    const nowMs = this.#options.now();
    return { records: tx.records.map((record) => pendingRecord(record, nowMs)), groups: [] };
  }

  #pause(refusal: Refusal): void {
    this.#sequence = undefined;
    // Txs that were in flight together fail together: that is one pause.
    if (this.#pausedUntilMs > this.#options.now()) return;
    this.#pauses += 1;
    const waitMs = backOffMs(this.#pauses, this.#limits.retry, this.#random);
    this.#pausedUntilMs = this.#options.now() + waitMs;
    this.#trouble = troubleOf(refusal, this.#options.signer.address, this.#options.gasPrice);
    this.#log.error("nothing can be sent", { why: this.#trouble, ...refusal, waitMs });
  }

  // Finding out.

  async #watchFlight(): Promise<number> {
    if (this.#flight.size === 0) return IDLE_MS;
    const { pool } = this.#options;
    const txs = [...this.#flight.txs];
    const [first] = txs as [FlyingTx];
    const { found, past } = await this.#call(async (client) => {
      const sighting = await lookFor(pool, client, txs);
      const oldest =
        sighting.found[0] === undefined
          ? await this.#fateOfOldest(client, first, sighting.height)
          : undefined;
      const isAbsent = oldest === undefined;
      if (isAbsent && sighting.height > first.absentHeight) first.absentHeight = sighting.height;
      return { found: sighting.found, past: oldest };
    });
    if (past !== undefined) {
      await this.#landPast(first, past);
      return 0;
    }
    const landed = await this.#landFound(txs, found);
    if (landed > 0) return 0;
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
        this.#log.warn("a tx failed in a block", {
          ...factsOf(tx),
          code: info.code,
          log: info.log,
        });
      }
      const fate = judged === "look" ? await this.#lookUp(tx) : judged;
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
    this.#log.warn(
      "a tx is in no block that the node knows, and can be in none any more",
      factsOf(tx),
    );
    await this.#land(tx, await this.#lookUp(tx));
    this.#sequence = undefined;
  }

  async #lookUp(tx: FlyingTx): Promise<Fate> {
    const found = await this.#call((client) => lookUp(client, tx.records));
    return fateOfLookup(tx, found, this.#context());
  }

  /** Writes down what became of a tx's records; then it flies no more. */
  async #land(tx: FlyingTx, fate: Fate): Promise<void> {
    const { outbox, onChange } = this.#options;
    const change: OutboxChange = { records: fate.records, resolved: [tx.sent.hash] };
    // They are pending on the disk before anybody here goes on: nobody else is to take them.
    this.#queue.groups.reserve(fate.groups);
    await outbox.write(change);
    this.#queue.groups.add(fate.groups);
    this.#flight.remove(tx);
    this.#progressMs = this.#options.now();
    for (const record of fate.records) {
      if (record.state === "refused") this.#tellRefused(record);
    }
    if (fate.pause !== undefined) this.#pause(fate.pause);
    onChange?.(fate.records);
    this.#senderPause.wake();
  }

  #tellRefused(record: OutboxRecord): void {
    const { codespace = "", code = 0, log = "" } = record.reason ?? {};
    this.#log.error("the chain refuses a record", {
      key: naturalKey(record),
      codespace,
      code,
      log,
    });
  }

  #context(): FateContext {
    return { nowMs: this.#options.now(), retry: this.#limits.retry, random: this.#random };
  }
}

function isUsedLong({ used }: FlyingTx, height: bigint, beforeMs: number): boolean {
  return used !== undefined && (height > used.height + 1n || used.ms < beforeMs);
}

const fresh = { isTaken: false, refusals: 0, offerNotBeforeMs: 0, used: undefined };

function factsOf({ sent, records }: FlyingTx) {
  return { hash: sent.hash, sequence: sent.sequence, records: records.length };
}
