import { beforeEach, expect, test } from "vitest";
import { bytesOfKey, type Key } from "../../../src/lib/key.ts";
import { verifyProof } from "../../../src/lib/verify_proof.ts";
import { nodeCrypto } from "../../../src/node/crypto_native.ts";
import { openMemoryDb } from "../../../src/store/leveldb.ts";
import { commitStaged, proofsAt, proverOf } from "../../../src/store/reader.ts";
import { dropHistory } from "../../../src/store/prune.ts";
import { Store } from "../../../src/store/store.ts";
import type { TimeNs } from "../../../src/types/time.ts";

const KEYS = 2000;
const FIRST = "\x01000" as Key;

let store: Store;
let appHashes: Uint8Array[];

beforeEach(async () => {
  const { hasher } = nodeCrypto();
  store = new Store({ db: await openMemoryDb(), iterablePrefixes: [], depth: 10, hasher });
  appHashes = [];
  for (let height = 0; height < 3; height += 1) await block(KEYS);
});

/** A block that changes so many keys. */
async function block(keys: number): Promise<void> {
  const height = appHashes.length;
  const overlay = store.overlay();
  for (let index = 0; index < keys; index += 1) {
    overlay.set(`\x01${index.toString().padStart(3, "0")}` as Key, valueAt(height));
  }
  appHashes.push(store.stage(overlay, { height: BigInt(height), time: BigInt(height) as TimeNs }));
  await commitStaged(store, []);
}

function valueAt(height: number): Uint8Array {
  return Uint8Array.of(height + 1);
}

function holds(height: number, proof: Uint8Array | undefined): boolean {
  const root = appHashes[height] as Uint8Array;
  return verifyProof(root, bytesOfKey(FIRST), valueAt(height), proof as Uint8Array);
}

test("a proof of an older height is made in steps, between which blocks go on", async () => {
  const snapshot = store.db.snapshot();
  const steps = store.proofSteps(snapshot, 0n, [FIRST]);
  let taken = 0;
  for (;;) {
    const step = steps.next();
    if (step.done === true) {
      expect(step.value.map((proof) => holds(0, proof))).toEqual([true]);
      break;
    }
    taken += 1;
    if (taken % 4 === 0) await block(100);
  }
  // 4,000 changes, 256 at a time.
  expect(taken).toBe(15);
  expect(appHashes).toHaveLength(6);
  await snapshot.close();
  const [latest] = await proofsAt(store, 5n, [FIRST]);
  expect(holds(5, latest)).toBe(true);
});

test("proofs are made one after the other, and so many wait at most", async () => {
  const prove = proverOf(store);
  const asked = Array.from({ length: 70 }, async (_, index) => prove(BigInt(index % 3), [FIRST]));
  const answers = await Promise.allSettled(asked);
  const refused = answers.filter(({ status }) => status === "rejected");
  expect(refused).toHaveLength(6);
  for (const [index, answer] of answers.entries()) {
    if (answer.status === "fulfilled") expect(holds(index % 3, answer.value[0])).toBe(true);
    else expect(String(answer.reason)).toContain("too many proofs are waiting");
  }
  // A failed one is no obstacle for those behind it.
  await expect(prove(9n, [FIRST])).rejects.toThrow("blocks have been taken back");
  expect(holds(1, (await prove(1n, [FIRST]))[0])).toBe(true);
});

test("a height that was pruned while its proof waited is refused by name", async () => {
  await dropHistory(store.db, 1);
  const refusal = "height 0 was pruned before it could be proved: 1 is the lowest kept";
  await expect(proofsAt(store, 0n, [FIRST])).rejects.toThrow(refusal);
  expect(holds(1, (await proofsAt(store, 1n, [FIRST]))[0])).toBe(true);
});
