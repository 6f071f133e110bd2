import { bytesOfKey, type Key, keyOfBytes, prefixEnd } from "../lib/key.ts";
import type { CheckpointFile } from "../types/application.ts";
import { loadCommitment } from "./checkpoint.ts";
import { Commitment } from "./commitment.ts";
import { DB_STATE } from "./db.ts";
import { decodeEntry, FROM_BYTES, heightAt } from "./entry.ts";
import { requireLayout } from "./layout.ts";
import { EARLIEST_KEY, type Store, stateKey, VERSION_KEY } from "./store.ts";
import { decodeVersion } from "./version.ts";

/** Keys between two reports of progress, and between two rounds of hashing. */
const KEYS_PER_REPORT = 16_384;

export interface LoadOptions {
  /** Where the commitment may have been saved. */
  readonly checkpoint?: CheckpointFile | undefined;
  /** Called now and then while the commitment is rebuilt from the state, and why it has to be. */
  readonly onRebuild?:
    | ((progress: { readonly keys: number; readonly why: string }) => void)
    | undefined;
}

/**
 * Loads the committed state of the database, if it holds one, and then makes what stands on it.
 * @throws ChainError store/3 for a state of another layout; InvariantError when the contents do not
 * hash to the recorded app hash.
 */
export async function loadStore<T>(
  store: Store,
  make: () => T,
  options: LoadOptions = {},
): Promise<T> {
  const { db } = store;
  const stored = await db.get(bytesOfKey(VERSION_KEY));
  if (stored === undefined) return make();
  requireLayout(db);
  const version = decodeVersion(stored);
  for (const prefix of store.iterablePrefixes) {
    for await (const [key, value] of db.range(stateRange(prefix, prefixEnd(prefix)))) {
      store.loadIterable(keyOfBytes(key.subarray(DB_STATE.length)), decodeEntry(value));
    }
  }
  const { checkpoint, onRebuild } = options;
  const saved =
    checkpoint === undefined
      ? "no checkpoint is kept"
      : await loadCommitment(store, version, checkpoint);
  const commitment =
    typeof saved === "string"
      ? await rebuild(store, (keys) => onRebuild?.({ keys, why: saved }))
      : saved.commitment;
  const unsavedChanges = typeof saved === "string" ? commitment.pairCount : saved.changes;
  const earliest = await db.get(bytesOfKey(EARLIEST_KEY));
  store.loaded({
    ...{ version, commitment, unsavedChanges },
    earliest: earliest === undefined ? 0 : heightAt(earliest, 0),
  });
  return make();
}

/** The commitment of the state on disk, from every committed key of it. */
async function rebuild(store: Store, report: (keys: number) => void): Promise<Commitment> {
  const commitment = new Commitment(store.depth, store.hasher);
  let keys = 0;
  report(keys);
  const committed = stateRange("" as Key, "\x80" as Key);
  for await (const [key, value] of store.db.range(committed)) {
    // Of a text a part costs less than of bytes; the height behind the value is not asked for.
    const text = keyOfBytes(key).slice(DB_STATE.length) as Key;
    commitment.update(text, value.subarray(0, value.length - FROM_BYTES));
    keys += 1;
    if (keys % KEYS_PER_REPORT !== 0) continue;
    commitment.appHash();
    report(keys);
  }
  return commitment;
}

function stateRange(from: Key, to: Key | undefined): { gte: Uint8Array; lt: Uint8Array } {
  return { gte: stateKey(from), lt: to === undefined ? bytesOfKey("T" as Key) : stateKey(to) };
}
