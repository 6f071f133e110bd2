import type { Event } from "../../../src/types/event.ts";
import type { IndexedTx } from "../../../src/node/view.ts";

/** A tx of one byte that went well, as the first of its block. */
export function indexedTx(height: bigint, events: readonly Event[] = []): IndexedTx {
  const texts = { codespace: "", log: "", info: "" };
  const result = { code: 0, ...texts, data: new Uint8Array(0), gasWanted: 0n, gasUsed: 0n };
  const tx = { hash: new Uint8Array(32), height, index: 0, tx: new Uint8Array(1) };
  return { ...tx, result: { ...result, events } };
}
