import { equalBytes } from "../lib/bytes.ts";
import type { Key } from "../lib/key.ts";
import type { CheckpointFile } from "../types/application.ts";
import { Commitment } from "./commitment.ts";
import { decodeEntry } from "./entry.ts";
import { isDerivedKey } from "./kv.ts";
import { CheckpointLoader, type CheckpointResult } from "./load_checkpoint.ts";
import { type Store, stateKey } from "./store.ts";
import { hasChangeList, readChangeList } from "./undo.ts";
import type { Version } from "./version.ts";

/** Changed keys after which a checkpoint is due, unless the state has more keys than that. */
const CHANGES_MIN = 250_000;

/**
 * The commitment of a version, from the checkpoint and so many changed keys since; or why it has to
 * be rebuilt from the state.
 */
export async function loadCommitment(
  store: Store,
  version: Version,
  file: CheckpointFile,
): Promise<{ readonly commitment: Commitment; readonly changes: number } | string> {
  const loaded = await readCheckpoint(store, file);
  if (loaded === undefined) return "there is no checkpoint";
  if ("fault" in loaded) return `the checkpoint is refused: ${loaded.fault}, ${loaded.detail}`;
  const { commitment, height } = loaded;
  if (height > version.height) {
    return `the checkpoint is of height ${height}, the state of ${version.height}`;
  }
  const changed = new Set<Key>();
  for (let each = height + 1n; each <= version.height; each += 1n) {
    if (!hasChangeList(store.db, each)) {
      return `the checkpoint is of height ${height}, and the changes of ${each} are not kept`;
    }
    for (const { key } of readChangeList(store.db, each).keys) {
      if (!isDerivedKey(key)) changed.add(key);
    }
  }
  // Each key is set to what it is now: their order cannot be seen.
  for (const key of changed) {
    const stored = store.db.getSync(stateKey(key));
    commitment.update(key, stored === undefined ? undefined : decodeEntry(stored).value);
  }
  const same = equalBytes(commitment.appHash(), version.appHash);
  const changes = changed.size;
  return same
    ? { commitment, changes }
    : `the checkpoint of height ${height} gives another app hash`;
}

async function readCheckpoint(
  { depth, hasher }: Store,
  file: CheckpointFile,
): Promise<CheckpointResult | undefined> {
  const pieces = await file.read();
  if (pieces === undefined) return undefined;
  const loader = new CheckpointLoader({ depth, hasher });
  for await (const piece of pieces) if (!loader.push(piece)) break;
  return loader.finish();
}

/**
 * Saves the commitment when so much has changed that catching up at the next start would take as
 * long as loading it, and at the end. Blocks go on meanwhile.
 */
export class CheckpointSaver {
  readonly #store: Store;
  readonly #file: CheckpointFile;
  readonly #changesMin: number;
  /** Of the changes that the store counts, those that the file has. */
  #saved = 0;
  #saving: Promise<void> | undefined;

  constructor(store: Store, file: CheckpointFile, changesMin = CHANGES_MIN) {
    this.#store = store;
    this.#file = file;
    this.#changesMin = changesMin;
  }

  /**
   * To be called when the batch of the last executed block is under way, before the next block is
   * executed: `written` is when it is on disk, and no checkpoint may be ahead of the disk.
   */
  blockUnderWay(written: Promise<void>): void {
    const changes = this.#store.commitmentChanges - this.#saved;
    const { pairCount } = this.#store.commitment;
    const due = changes >= this.#changesMin && changes >= pairCount;
    if (due && this.#saving === undefined) this.#start(written);
  }

  /** Saves what is not yet saved; no block may be executed any more. */
  async close(): Promise<void> {
    await this.#saving;
    // After a failed write memory is ahead of the disk: what was saved before is better.
    if (this.#store.head !== this.#store.version) return;
    if (this.#store.commitmentChanges === this.#saved) return;
    this.#start(Promise.resolve());
    await this.#saving;
  }

  #start(written: Promise<void>): void {
    const { commitment, head, commitmentChanges } = this.#store;
    if (head === undefined || !(commitment instanceof Commitment)) return;
    this.#saved = commitmentChanges;
    const frames = commitment.serialize(head);
    // The contents are those of the moment at which the first frame is taken.
    const first = frames.next();
    const all = async function* (): AsyncGenerator<Uint8Array> {
      await written;
      if (first.done !== true) yield first.value;
      yield* frames;
    };
    this.#saving = this.#file.write(all()).finally(() => {
      // Of a file that could not be written there are frames left.
      frames.return();
      this.#saving = undefined;
    });
  }
}

export async function closeSaver(saver: CheckpointSaver | undefined): Promise<void> {
  await saver?.close();
}
