import { expect, it } from "vitest";
import { EMPTY_BYTES } from "../../../src/lib/bytes.ts";
import type { Key } from "../../../src/lib/key.ts";
import { ITERABLE_ENTRIES_MAX, type ReadKv } from "../../../src/store/kv.ts";
import { Overlay } from "../../../src/store/overlay.ts";

const PREFIX = "\x01\x01";
const key = (text: string) => `${PREFIX}${text}` as Key;

/** A state whose walked prefix holds one entry less than it may. */
const almostFull: ReadKv = {
  get: (each) => (each === key("there") ? EMPTY_BYTES : undefined),
  has: (each) => each === key("there"),
  isIterable: (each) => each.startsWith(PREFIX),
  countUnder: () => ITERABLE_ENTRIES_MAX - 1,
  iterate: () => [],
};

it("a full prefix refuses one more entry, in parts of an overlay too, and takes changes and one after a deletion", () => {
  const block = new Overlay(almostFull);
  block.begin();
  const tx = block;
  tx.set(key("a"), EMPTY_BYTES);
  tx.set(key("a"), Uint8Array.of(1));
  tx.set(key("there"), Uint8Array.of(1));
  expect(() => tx.set(key("b"), EMPTY_BYTES)).toThrow(
    "1000000 entries under 0x0101: too much open work",
  );
  expect(tx.has(key("b"))).toBe(false);
  tx.delete(key("there"));
  tx.set(key("b"), EMPTY_BYTES);
  block.keep();
  expect(block.countUnder(PREFIX)).toBe(ITERABLE_ENTRIES_MAX);
  expect(() => block.set(key("c"), EMPTY_BYTES)).toThrow("too much open work");
});
