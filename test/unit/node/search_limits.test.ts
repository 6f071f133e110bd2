import { expect, test } from "vitest";
import { bytesOfKey, joinKeys, u64Key } from "../../../src/lib/key.ts";
import { encodePostings, tagPrefix } from "../../../src/node/block_keys.ts";
import type { BlockStore } from "../../../src/node/block_store.ts";
import { SearchTooWideError, searchTxs } from "../../../src/node/search.ts";
import { indexedTx } from "./indexed_tx.ts";

const PAGE = { page: 1, perPage: 1, descending: false };
/** Needs the events of every candidate. */
const WIDE = "note.day > 5";

/** A store of one block, with so many txs of one attribute that all have to be looked at. */
function wideStore(count: number): { store: BlockStore; reads: () => number } {
  let reads = 0;
  const tx = indexedTx(1n);
  const list = encodePostings(Array.from({ length: count }, (_, index) => index));
  const key = bytesOfKey(joinKeys(tagPrefix("tx", "note.day"), u64Key(1n)));
  const parts = {
    tip: { earliest: 1n, latest: 1n },
    async *range(): AsyncGenerator<[Uint8Array, Uint8Array]> {
      yield [key, list];
    },
    txAt: async () => {
      reads += 1;
      return tx;
    },
  };
  return { store: parts as unknown as BlockStore, reads: () => reads };
}

test("a search reads 100,000 candidates and no more", async () => {
  const enough = wideStore(100_000);
  expect(await searchTxs(enough.store, WIDE, PAGE)).toEqual({ txs: [], total: 0 });
  const wide = wideStore(100_001);
  await expect(searchTxs(wide.store, WIDE, PAGE)).rejects.toThrow(SearchTooWideError);
  expect(wide.reads()).toBe(100_000);
  // What the lists alone decide is counted without being read.
  const { total } = await searchTxs(wideStore(100_001).store, "note.day EXISTS", PAGE);
  expect(total).toBe(100_001);
});

test("a search lets others run, and ends when its signal says so", async () => {
  const { store, reads } = wideStore(90_000);
  const leaving = new AbortController();
  setImmediate(() => leaving.abort(new Error("gone")));
  await expect(searchTxs(store, WIDE, { ...PAGE, signal: leaving.signal })).rejects.toThrow("gone");
  expect(reads()).toBeLessThan(30_000);
});
