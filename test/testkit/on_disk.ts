import { InvariantError } from "../../src/lib/assert.ts";
import { ChainError } from "../../src/lib/errors.ts";
import { bytesOfKey, type Key, keyOfBytes, prefixEnd } from "../../src/lib/key.ts";
import { openReader } from "../../src/store/reader.ts";
import type { TestChain } from "./chain.ts";
import type { Machine } from "./machine.ts";

/** Writes a value of the state behind the machine's back, as of genesis. */
export async function putOnDisk(chain: TestChain, key: string, value: Uint8Array): Promise<void> {
  const batch = chain.db.batch();
  batch.putVersioned(`S${key}`, value, 0);
  await batch.write({ sync: true });
}

/** Keys of the state that begin with a prefix, in order. */
export async function keysOnDisk(chain: TestChain, prefix: Key): Promise<Key[]> {
  const gte = bytesOfKey(`S${prefix}` as Key);
  const found: Key[] = [];
  for await (const [key] of chain.db.range({ gte, lt: bytesOfKey(`S${prefixEnd(prefix)}` as Key) }))
    found.push(keyOfBytes(key).slice(1) as Key);
  return found;
}

/** Names of all invariants over the whole state that do not hold of what is on disk. */
export async function brokenOnDisk(chain: TestChain, { modules, ctx }: Machine): Promise<string[]> {
  const snapshot = chain.db.snapshot();
  const broken: string[] = [];
  try {
    for (const { name, check } of modules.list.flatMap((module) => module.fullInvariants)) {
      try {
        await check(openReader(snapshot, 0n), ctx.chain);
      } catch (error) {
        // Amounts that cannot be subtracted are refused as everywhere.
        if (!(error instanceof InvariantError || error instanceof ChainError)) throw error;
        broken.push(name);
      }
    }
  } finally {
    await snapshot.close();
  }
  return broken;
}
