import { toHex } from "../lib/bytes.ts";
import type { Event } from "../types/event.ts";
import {
  compositeAttributes,
  eventsMatch,
  type Reserved,
  reservedOfBlock,
  reservedOfTx,
  TAG_TX_HASH,
} from "./event_match.ts";
import type { NodeLog } from "./log.ts";
import { Slice } from "./pace.ts";
import { parseQuery, type Query } from "./query_language.ts";
import type { EventBusView, IndexedTx, NodeEvent, StoredBlock, StoredResults } from "./view.ts";

type Listener = Parameters<EventBusView["subscribe"]>[1];

interface Subscription {
  readonly query: Query;
  readonly listener: Listener;
  isOpen: boolean;
}

/** Subscriptions that are asked before the time is looked at. */
const ASKED_MAX = 64;

/**
 * Tells subscribers of blocks and txs that are on disk, in order: the txs of a block after the
 * block. Listeners are called one after another and must not take long. A thousand of them take
 * tens of milliseconds: after each slice of that whatever else waits in the process goes first. No
 * more than one block waits to be told.
 */
export class EventBus implements EventBusView {
  readonly #log: NodeLog;
  readonly #general = new Set<Subscription>();
  // Waiting for one tx is by far the most common subscription: it is found by hash, not by trying.
  readonly #byHash = new Map<string, Set<Subscription>>();
  /** What of the last block is still to be told; undefined when it has been. */
  #rest: Iterator<void, void> | undefined;

  constructor(log: NodeLog) {
    this.#log = log;
  }

  /** Number of subscriptions. */
  get size(): number {
    let size = this.#general.size;
    for (const waiting of this.#byHash.values()) size += waiting.size;
    return size;
  }

  subscribe(text: string, listener: Listener): () => void {
    const subscription = { query: parseQuery(text), listener, isOpen: true };
    const hash = hashOf(subscription.query);
    if (hash === undefined) {
      this.#general.add(subscription);
      return () => {
        subscription.isOpen = false;
        this.#general.delete(subscription);
      };
    }
    const waiting = this.#byHash.get(hash) ?? new Set();
    this.#byHash.set(hash, waiting.add(subscription));
    return () => {
      subscription.isOpen = false;
      waiting.delete(subscription);
      if (waiting.size === 0 && this.#byHash.get(hash) === waiting) this.#byHash.delete(hash);
    };
  }

  /**
   * Publishes a block and its txs: the first slice at once, what is longer in the next turns of the
   * event loop. Called after they are on disk.
   */
  publish(block: StoredBlock, results: StoredResults, txs: readonly IndexedTx[]): void {
    this.flush();
    if (this.#general.size === 0 && this.#byHash.size === 0) return;
    this.#rest = this.#tell(block, results, txs);
    this.#goOn();
  }

  /** Tells at once what of the last block has not been told yet. */
  flush(): void {
    const rest = this.#rest;
    this.#rest = undefined;
    while (rest?.next().done === false);
  }

  #goOn(): void {
    const rest = this.#rest;
    const slice = new Slice();
    while (!slice.isOver()) {
      if (rest?.next().done !== false) {
        this.#rest = undefined;
        return;
      }
    }
    setImmediate(() => {
      // Otherwise the next block has come, and told the rest of this one before it.
      if (this.#rest === rest) this.#goOn();
    });
  }

  /** Stops wherever a slice may end. */
  *#tell(
    block: StoredBlock,
    results: StoredResults,
    txs: readonly IndexedTx[],
  ): Generator<void, void> {
    const general = [...this.#general];
    const reserved = reservedOfBlock(block.header.height);
    yield* this.#emit(general, { kind: "NewBlock", block, results }, reserved, results.events);
    for (const tx of txs) {
      const waiting = this.#byHash.get(toHex(tx.hash).toUpperCase());
      const subscriptions = waiting === undefined ? general : [...general, ...waiting];
      const ofTx = reservedOfTx(tx.hash, tx.height);
      yield* this.#emit(subscriptions, { kind: "Tx", tx }, ofTx, tx.result.events);
      yield;
    }
  }

  *#emit(
    subscriptions: readonly Subscription[],
    event: NodeEvent,
    reserved: Reserved,
    events: readonly Event[],
  ): Generator<void, void> {
    let attributes: ReadonlyMap<string, readonly string[]> | undefined;
    let asked = 0;
    for (const { query, listener, isOpen } of subscriptions) {
      asked += 1;
      const isFor = isOpen && eventsMatch(query, reserved, events);
      if (isFor) {
        attributes ??= compositeAttributes(reserved, events);
        this.#call(listener, event, attributes);
      }
      if (isFor || asked % ASKED_MAX === 0) yield;
    }
  }

  #call(listener: Listener, ...[event, attributes]: Parameters<Listener>): void {
    try {
      listener(event, attributes);
    } catch (error) {
      // One subscriber's mistake must not keep the block from the others.
      this.#log.error("a subscriber failed", { error: String(error), kind: event.kind });
    }
  }
}

function hashOf(query: Query): string | undefined {
  for (const { tag, operator, operand } of query) {
    if (tag === TAG_TX_HASH && operator === "=" && operand?.kind === "text") return operand.text;
  }
  return undefined;
}
