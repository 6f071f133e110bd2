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
import { parseQuery, type Query } from "./query_language.ts";
import type { EventBusView, IndexedTx, NodeEvent, StoredBlock, StoredResults } from "./view.ts";

type Listener = Parameters<EventBusView["subscribe"]>[1];

interface Subscription {
  readonly query: Query;
  readonly listener: Listener;
}

/**
 * Tells subscribers of blocks and txs that are on disk, in order: the txs of a block after the
 * block. Listeners are called one after another and must not take long.
 */
export class EventBus implements EventBusView {
  readonly #log: NodeLog;
  readonly #general = new Set<Subscription>();
  // Waiting for one tx is by far the most common subscription: it is found by hash, not by trying.
  readonly #byHash = new Map<string, Set<Subscription>>();

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
    const subscription = { query: parseQuery(text), listener };
    const hash = hashOf(subscription.query);
    if (hash === undefined) {
      this.#general.add(subscription);
      return () => void this.#general.delete(subscription);
    }
    const waiting = this.#byHash.get(hash) ?? new Set();
    this.#byHash.set(hash, waiting.add(subscription));
    return () => {
      waiting.delete(subscription);
      if (waiting.size === 0 && this.#byHash.get(hash) === waiting) this.#byHash.delete(hash);
    };
  }

  /** Publishes a block and its txs. Called after they are on disk. */
  publish(block: StoredBlock, results: StoredResults, txs: readonly IndexedTx[]): void {
    const reserved = reservedOfBlock(block.header.height);
    this.#emit([...this.#general], { kind: "NewBlock", block, results }, reserved, results.events);
    if (this.#general.size === 0 && this.#byHash.size === 0) return;
    for (const tx of txs) {
      const txReserved = reservedOfTx(tx.hash, tx.height);
      const waiting = this.#byHash.get(toHex(tx.hash).toUpperCase()) ?? [];
      const listeners = [...this.#general, ...waiting];
      this.#emit(listeners, { kind: "Tx", tx }, txReserved, tx.result.events);
    }
  }

  #emit(
    subscriptions: readonly Subscription[],
    event: NodeEvent,
    reserved: Reserved,
    events: readonly Event[],
  ): void {
    let attributes: ReadonlyMap<string, readonly string[]> | undefined;
    for (const { query, listener } of subscriptions) {
      if (!eventsMatch(query, reserved, events)) continue;
      attributes ??= compositeAttributes(reserved, events);
      try {
        listener(event, attributes);
      } catch (error) {
        // One subscriber's mistake must not keep the block from the others.
        this.#log.error("a subscriber failed", { error: String(error), kind: event.kind });
      }
    }
  }
}

function hashOf(query: Query): string | undefined {
  for (const { tag, operator, operand } of query) {
    if (tag === TAG_TX_HASH && operator === "=" && operand?.kind === "text") return operand.text;
  }
  return undefined;
}
