import { describe, expect, test } from "vitest";
import { DecodedCache } from "../../../src/baseapp/decoded_cache.ts";
import { OrderState } from "../../../src/gen/settled/settlement/v1/state.ts";
import type { Key } from "../../../src/lib/key.ts";
import { Memo } from "../../../src/lib/memo.ts";
import { Overlay } from "../../../src/store/overlay.ts";
import { machineOf } from "../../testkit/machine.ts";
import { openChain } from "../../testkit/chain.ts";

const KEY = "\x7f\x01order" as Key;
const OTHER = "\x7f\x01other" as Key;
const order = (escrowSeq: bigint): OrderState => ({
  escrowSeq,
  escrowCount: 1,
  priceCeilings: 0,
  hasBillingTerms: false,
});

async function setUp(countMax = 10) {
  const { overlay } = await machineOf(await openChain());
  return { overlay, cache: new DecodedCache(OrderState, countMax) };
}

describe("a cache of decoded records", () => {
  test("gives what was written, and what is stored after the bytes were replaced", async () => {
    const { overlay, cache } = await setUp();
    expect(cache.read(overlay, KEY)).toBeUndefined();
    cache.create(overlay, KEY, order(1n));
    expect(cache.read(overlay, KEY)).toEqual(order(1n));
    overlay.set(KEY, OrderState.encode(order(2n)).finish());
    expect(cache.read(overlay, KEY)).toEqual(order(2n));
    cache.write(overlay, KEY, order(3n));
    expect(OrderState.decode(overlay.get(KEY) as Uint8Array)).toEqual(order(3n));
    overlay.delete(KEY);
    expect(cache.read(overlay, KEY)).toBeUndefined();
  });

  test("does not show what an overlay held that was dropped", async () => {
    const { overlay, cache } = await setUp();
    cache.write(overlay, KEY, order(1n));
    const dropped = new Overlay(overlay);
    cache.write(dropped, KEY, order(9n));
    cache.write(dropped, OTHER, order(9n));
    expect(cache.read(dropped, KEY)).toEqual(order(9n));
    expect(cache.read(overlay, KEY)).toEqual(order(1n));
    expect(cache.read(overlay, OTHER)).toBeUndefined();
  });

  test("does not decode again while the bytes are the same ones", async () => {
    const { overlay, cache } = await setUp();
    overlay.set(KEY, OrderState.encode(order(1n)).finish());
    expect(cache.read(overlay, KEY)).toBe(cache.read(overlay, KEY));
  });

  test("holds at most so many, and answers the same when it has forgotten", async () => {
    const { overlay, cache } = await setUp(2);
    const keys = ["a", "b", "c", "d", "e"].map((name) => `\x7f\x01${name}` as Key);
    keys.forEach((key, index) => cache.create(overlay, key, order(BigInt(index))));
    expect(keys.map((key) => cache.read(overlay, key)?.escrowSeq)).toEqual([0n, 1n, 2n, 3n, 4n]);
  });
});

test("a memo forgets everything when it is full", () => {
  const memo = new Memo<number>(2);
  memo.set("a", 1);
  memo.set("b", 2);
  expect([memo.get("a"), memo.get("b")]).toEqual([1, 2]);
  memo.set("c", 3);
  expect([memo.get("a"), memo.get("b"), memo.get("c")]).toEqual([undefined, undefined, 3]);
});
