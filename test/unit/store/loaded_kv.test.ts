import { describe, expect, test } from "vitest";
import type { Key } from "../../../src/lib/key.ts";
import { LoadedKv } from "../../../src/store/loaded_kv.ts";
import { Overlay } from "../../../src/store/overlay.ts";

const key = (text: string): Key => text as Key;
const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
const NOTHING = { keys: [], ranges: [] };

describe("LoadedKv", () => {
  test("notes each key that it lacks once, and answers it as absent", () => {
    const kv = new LoadedKv([]);
    expect([kv.get(key("b")), kv.has(key("a")), kv.get(key("b"))]).toEqual([
      ...[undefined, false, undefined],
    ]);
    expect(kv.takeLacking()).toEqual({ keys: ["a", "b"], ranges: [] });
    expect(kv.takeLacking()).toEqual(NOTHING);
  });

  test("what is loaded is there, absent keys too", () => {
    const kv = new LoadedKv([]);
    kv.load(key("a"), bytes(1));
    kv.load(key("b"), undefined);
    expect([kv.get(key("a")), kv.get(key("b")), kv.isLoaded(key("b"))]).toEqual([
      ...[bytes(1), undefined, true],
    ]);
    expect([kv.takeLacking(), kv.size]).toEqual([NOTHING, 2]);
  });

  test("a walk needs its whole range, and an overlay's writes do not reach it", () => {
    const kv = new LoadedKv([key("pp")]);
    expect([...kv.iterate(key("ppx"))]).toEqual([]);
    expect(kv.takeLacking()).toEqual({ keys: [], ranges: ["ppx"] });
    kv.loadRange(key("ppx"), [[key("ppx1"), bytes(1)]]);
    const overlay = new Overlay(kv);
    overlay.set(key("ppx0"), bytes(0));
    expect([...overlay.iterate(key("ppx"))]).toEqual([
      ["ppx0", bytes(0)],
      ["ppx1", bytes(1)],
    ]);
    expect([...kv.iterate(key("ppx"))]).toEqual([["ppx1", bytes(1)]]);
    expect([kv.isIterable(key("ppz")), kv.isIterable(key("qq")), kv.countUnder()]).toEqual([
      ...[true, false, 0],
    ]);
  });
});
