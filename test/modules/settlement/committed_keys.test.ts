import { expect, test } from "vitest";
import { bytesOfKey, type Key } from "../../../src/lib/key.ts";
import { openChain, type TestChain } from "../../testkit/chain.ts";
import { activeEscrow, acknowledged, recordedCosts, settled } from "../../testkit/orders.ts";

/** Keys that the app hash covers. */
async function committedKeys(chain: TestChain): Promise<number> {
  const range = { gte: bytesOfKey("S" as Key), lt: bytesOfKey("S\x80" as Key) };
  let count = 0;
  for await (const _entry of chain.db.range(range)) count += 1;
  return count;
}

/** Committed keys that so many records of one settlement cost, all its papers included. */
async function keysOfSettled(records: number): Promise<number> {
  const chain = await openChain();
  await activeEscrow(chain, "10000000uve");
  const before = await committedKeys(chain);
  const costs = new Array<number>(records).fill(1000);
  const ids = await recordedCosts(chain, costs);
  await acknowledged(chain, ids);
  await settled(chain);
  return (await committedKeys(chain)) - before;
}

test("a settled usage record costs at most 3 committed keys", async () => {
  const [few, many] = [await keysOfSettled(10), await keysOfSettled(90)];
  expect(many - few).toBeGreaterThanOrEqual(80);
  expect(many - few).toBeLessThanOrEqual(3 * 80);
});
