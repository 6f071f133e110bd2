import { expect, test } from "vitest";
import { u48Key, type Key } from "../../../src/lib/key.ts";
import { nodeCrypto } from "../../../src/node/crypto_native.ts";
import { CheckpointSaver } from "../../../src/store/checkpoint.ts";
import { openMemoryDb } from "../../../src/store/leveldb.ts";
import { loadStore } from "../../../src/store/load.ts";
import { loadCheckpoint } from "../../../src/store/load_checkpoint.ts";
import { Store } from "../../../src/store/store.ts";
import type { CheckpointFile } from "../../../src/types/application.ts";
import type { TimeNs } from "../../../src/types/time.ts";

const { hasher } = nodeCrypto();
const DEPTH = 6;
const turn = async () => new Promise((resolve) => setTimeout(resolve, 1));

/** A file in memory that takes its time, and what was on disk each time it was replaced. */
class SlowFile implements CheckpointFile {
  content: Uint8Array[] | undefined;
  writes = 0;
  readonly #atEnd: (content: Uint8Array[]) => void;

  constructor(atEnd: (content: Uint8Array[]) => void) {
    this.#atEnd = atEnd;
  }

  async read() {
    const { content } = this;
    if (content === undefined) return undefined;
    return (async function* () {
      yield* content;
    })();
  }

  async write(pieces: AsyncIterable<Uint8Array>): Promise<void> {
    const content: Uint8Array[] = [];
    for await (const piece of pieces) {
      content.push(piece.slice());
      await turn();
    }
    this.#atEnd(content);
    this.content = content;
    this.writes += 1;
  }
}

test("checkpoints are saved while blocks go on, each of one block that is on disk, and the last at the end", async () => {
  const db = await openMemoryDb();
  const store = new Store({ db, iterablePrefixes: [], depth: DEPTH, hasher });
  const appHashes: Uint8Array[] = [];
  const file = new SlowFile((content) => {
    const loaded = loadCheckpoint(content, { depth: DEPTH, hasher });
    if ("fault" in loaded) throw new Error(loaded.fault);
    expect(loaded.height).toBeLessThanOrEqual(store.version?.height ?? -1n);
    expect(loaded.appHash).toEqual(appHashes[Number(loaded.height)]);
  });
  const saver = new CheckpointSaver(store, file, 20);
  let under: Promise<void> = Promise.resolve();
  for (let height = 0; height < 60; height += 1) {
    const overlay = store.overlay();
    for (let n = 0; n < 8; n += 1) {
      overlay.set(`\x01\x01${u48Key((height * 5 + n) % 97)}` as Key, Uint8Array.of(height, n));
    }
    const at = { height: BigInt(height), time: BigInt(height) as TimeNs };
    appHashes.push(store.stage(overlay, at));
    await under;
    const batch = db.batch();
    store.writeInto(batch);
    under = turn()
      .then(async () => batch.write({ sync: false }))
      .then(() => store.written());
    saver.blockUnderWay(under);
  }
  await under;
  expect(file.writes).toBeGreaterThan(2);
  await saver.close();
  const again = new Store({ db, iterablePrefixes: [], depth: DEPTH, hasher });
  let rebuilt = false;
  const load = { checkpoint: file, onRebuild: () => (rebuilt = true) };
  await loadStore(again, () => undefined, load);
  expect(rebuilt).toBe(false);
  expect(again.version?.height).toBe(59n);
});
