import { EMPTY_BYTES } from "../lib/bytes.ts";
import { bytesOfKey, joinKeys, type Key, u48Key, u64Key } from "../lib/key.ts";
import type { BatchOp } from "../types/application.ts";
import type { Event } from "../types/event.ts";
import {
  encodePostings,
  type IndexOf,
  tagPrefix,
  txHashKey,
  valuePrefix,
  valuesPrefix,
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
  const heightKey = u64Key(height);
  for (const { hash, index, result } of txs) {
    const place = bytesOfKey(joinKeys(heightKey, u48Key(index)));
    ops.push({ key: txHashKey(hash), value: place });
    // Every tx has a height: this list is what a search without attributes walks.
    ofTxs.addTag(TAG_TX_HEIGHT, index);
    ofTxs.addEvents(result.events, index);
  }
  const ofBlock = new PostingLists("block");
  ofBlock.addEvents(blockEvents, 0);
  ofTxs.pushOps(ops, heightKey);
  ofBlock.pushOps(ops, heightKey);
  return ops;
}

/** What one block's items say about one tag. Numbers of items rise. */
class TagLists {
  readonly #of: IndexOf;
  readonly #tag: string;
  readonly #items: number[] = [];
  readonly #byValue = new Map<string, number[]>();
  // Records of one tx mostly say the same again: that is noticed before anything is looked up.
  #lastItem = -1;
  #lastValue = "";

  constructor(of: IndexOf, tag: string) {
    this.#of = of;
    this.#tag = tag;
  }

  addItem(index: number): void {
    if (this.#items[this.#items.length - 1] !== index) this.#items.push(index);
  }

  add(value: string, index: number): void {
    if (index === this.#lastItem && value === this.#lastValue) return;
    this.#lastItem = index;
    this.#lastValue = value;
    this.addItem(index);
    const list = this.#byValue.get(value);
    if (list === undefined) this.#byValue.set(value, [index]);
    else if (list[list.length - 1] !== index) list.push(index);
  }

  pushOps(ops: BatchOp[], suffix: Key): void {
    ops.push(this.#op(tagPrefix(this.#of, this.#tag), suffix, this.#items));
    const values = valuesPrefix(this.#of, this.#tag);
    for (const [value, indexes] of this.#byValue) {
      ops.push(this.#op(valuePrefix(values, value), suffix, indexes));
    }
  }

  #op(prefix: Key, suffix: Key, indexes: readonly number[]): BatchOp {
    const value = this.#of === "block" ? EMPTY_BYTES : encodePostings(indexes);
    return { key: joinKeys(prefix, suffix), value };
  }
}

/** Collects which items of one block have which attribute. */
class PostingLists {
  readonly #of: IndexOf;
  /** By type of event and key of attribute, and so without putting the tag together each time. */
  readonly #byType = new Map<string, Map<string, TagLists>>();
  readonly #tags = new Map<string, TagLists>();

  constructor(of: IndexOf) {
    this.#of = of;
  }

  addTag(tag: string, index: number): void {
    this.#listsOf(tag).addItem(index);
  }

  addEvents(events: readonly Event[], index: number): void {
    for (const { type, attributes } of events) {
      let byKey = this.#byType.get(type);
      if (byKey === undefined) {
        byKey = new Map();
        this.#byType.set(type, byKey);
      }
      for (const { key, value, index: isIndexed } of attributes) {
        if (!isIndexed || key === "") continue;
        let lists = byKey.get(key);
        if (lists === undefined) {
          lists = this.#listsOf(`${type}.${key}`);
          byKey.set(key, lists);
        }
        lists.add(value, index);
      }
    }
  }

  #listsOf(tag: string): TagLists {
    const found = this.#tags.get(tag) ?? new TagLists(this.#of, tag);
    this.#tags.set(tag, found);
    return found;
  }

  pushOps(ops: BatchOp[], suffix: Key): void {
    for (const lists of this.#tags.values()) lists.pushOps(ops, suffix);
  }
}
