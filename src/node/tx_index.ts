import { EMPTY_BYTES } from "../lib/bytes.ts";
import { bytesOfKey, joinKeys, type Key, u48Key, u64Key } from "../lib/key.ts";
import type { BatchOp } from "../types/application.ts";
import type { Event } from "../types/event.ts";
import {
  attributePrefix,
  encodePostings,
  type IndexOf,
  tagPrefix,
  txHashKey,
} from "./block_keys.ts";
import { TAG_TX_HEIGHT } from "./event_match.ts";
import type { IndexedTx } from "./view.ts";

/** Where a tx is in the chain. */
export interface TxPlace {
  readonly height: bigint;
  readonly index: number;
}

/** Index entries of a block: by tx hash, and by indexed attribute of its txs and its own events. */
export function indexOps(
  height: bigint,
  txs: readonly IndexedTx[],
  blockEvents: readonly Event[],
): BatchOp[] {
  const ops: BatchOp[] = [];
  const ofTxs = new PostingLists("tx");
  for (const { hash, index, result } of txs) {
    const place = bytesOfKey(joinKeys(u64Key(height), u48Key(index)));
    ops.push({ key: txHashKey(hash), value: place });
    // Every tx has a height: this list is what a search without attributes walks.
    ofTxs.addTag(TAG_TX_HEIGHT, index);
    ofTxs.addEvents(result.events, index);
  }
  const ofBlock = new PostingLists("block");
  ofBlock.addEvents(blockEvents, 0);
  return [...ops, ...ofTxs.ops(height), ...ofBlock.ops(height)];
}

/** Collects which items of one block have which attribute. */
class PostingLists {
  readonly #of: IndexOf;
  // By key prefix, without the height; the numbers rise.
  readonly #lists = new Map<string, number[]>();

  constructor(of: IndexOf) {
    this.#of = of;
  }

  addTag(tag: string, index: number): void {
    this.#add(tagPrefix(this.#of, tag), index);
  }

  addEvents(events: readonly Event[], index: number): void {
    for (const { type, attributes } of events) {
      for (const attribute of attributes) {
        if (!attribute.index || attribute.key === "") continue;
        const tag = `${type}.${attribute.key}`;
        this.addTag(tag, index);
        this.#add(attributePrefix(this.#of, tag, attribute.value), index);
      }
    }
  }

  #add(prefix: Key, index: number): void {
    const list = this.#lists.get(prefix);
    if (list === undefined) this.#lists.set(prefix, [index]);
    else if (list[list.length - 1] !== index) list.push(index);
  }

  ops(height: bigint): BatchOp[] {
    const suffix = u64Key(height);
    return [...this.#lists].map(([prefix, indexes]) => ({
      key: prefix + suffix,
      value: this.#of === "block" ? EMPTY_BYTES : encodePostings(indexes),
    }));
  }
}
