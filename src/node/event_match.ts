import { toHex } from "../lib/bytes.ts";
import type { Event } from "../types/event.ts";
import { type Query, valueMatches } from "./query_language.ts";

/**
 * Composite keys that the node itself gives a block or a tx; they belong to no event. Any of the
 * values matches; subscribers see the first.
 */
export type Reserved = ReadonlyMap<string, readonly string[]>;

export const TAG_EVENT = "tm.event";
export const TAG_TX_HASH = "tx.hash";
export const TAG_TX_HEIGHT = "tx.height";
export const TAG_BLOCK_HEIGHT = "block.height";

/**
 * Whether events meet a query. Conditions on one event type have to hold within one and the same
 * event; reserved keys are matched by themselves. Attributes that are not indexed do not count.
 */
export function eventsMatch(query: Query, reserved: Reserved, events: readonly Event[]): boolean {
  const byType = new Map<string, Query>();
  for (const condition of query) {
    const values = reserved.get(condition.tag);
    if (values !== undefined) {
      if (!values.some((value) => valueMatches(condition, value))) return false;
      continue;
    }
    const type = eventTypeOf(condition.tag);
    byType.set(type, [...(byType.get(type) ?? []), condition]);
  }
  for (const conditions of byType.values()) {
    if (!events.some((event) => eventMatches(conditions, event))) return false;
  }
  return true;
}

/** The event type of a tag: all before its last dot. */
export function eventTypeOf(tag: string): string {
  return tag.slice(0, tag.lastIndexOf("."));
}

function eventMatches(conditions: Query, { type, attributes }: Event): boolean {
  return conditions.every((condition) => {
    const { tag } = condition;
    if (!tag.startsWith(type) || tag[type.length] !== ".") return false;
    const key = tag.slice(type.length + 1);
    return attributes.some(
      (attribute) =>
        attribute.index && attribute.key === key && valueMatches(condition, attribute.value),
    );
  });
}

/** What the node itself says of a tx: "tm.event", "tx.hash" (upper-case hex) and "tx.height". */
export function reservedOfTx(hash: Uint8Array, height: bigint): Reserved {
  return new Map([
    [TAG_EVENT, ["Tx"]],
    [TAG_TX_HASH, [toHex(hash).toUpperCase()]],
    [TAG_TX_HEIGHT, [height.toString()]],
  ]);
}

// CometBFT publishes several events of one block; subscribers to any of them are told of the block.
const BLOCK_EVENTS = ["NewBlock", "NewBlockHeader", "NewBlockEvents"];

/** What the node itself says of a block: "tm.event" and "block.height". */
export function reservedOfBlock(height: bigint): Reserved {
  return new Map([
    [TAG_EVENT, BLOCK_EVENTS],
    [TAG_BLOCK_HEIGHT, [height.toString()]],
  ]);
}

/** What subscribers see: composite keys with all their values in order. */
export function compositeAttributes(
  reserved: Reserved,
  events: readonly Event[],
): Map<string, string[]> {
  const composite = new Map<string, string[]>();
  const add = (key: string, value: string) => {
    const values = composite.get(key);
    if (values === undefined) composite.set(key, [value]);
    else values.push(value);
  };
  for (const [key, values] of reserved) add(key, values[0] ?? "");
  for (const { type, attributes } of events) {
    for (const { key, value, index } of attributes) if (index) add(`${type}.${key}`, value);
  }
  return composite;
}
