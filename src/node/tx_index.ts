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

  ops(suffix: Key): BatchOp[] {
    const op = (prefix: Key, indexes: readonly number[]): BatchOp => ({
      key: prefix + suffix,
      value: this.#of === "block" ? EMPTY_BYTES : encodePostings(indexes),
    });
    const ofTag = op(tagPrefix(this.#of, this.#tag), this.#items);
    const tag = this.#tag;
    const byValue = [...this.#byValue].map(([value, indexes]) =>
      op(attributePrefix(this.#of, tag, value), indexes),
    );
    return [ofTag, ...byValue];
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

  ops(height: bigint): BatchOp[] {
    const suffix = u64Key(height);
    return [...this.#tags.values()].flatMap((lists) => lists.ops(suffix));
  }
}
