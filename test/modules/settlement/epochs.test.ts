import { expect, test } from "vitest";
import { provider } from "../../testkit/accounts.ts";
import { openChain, type TestChain } from "../../testkit/chain.ts";
import { eventsOf } from "../../testkit/outcome.ts";
import { updateParams } from "../../testkit/params.ts";

/** Empty blocks up to a height; tells at which heights which epochs had their staking reward. */
async function epochsTo(chain: TestChain, height: bigint): Promise<string[]> {
  const paid: string[] = [];
  while (chain.height < height) {
    for (const { epoch_number } of eventsOf(await chain.block(), "RewardsDistributed")) {
      paid.push(`${epoch_number} at ${chain.height}`);
    }
  }
  return paid;
}

async function setLength(chain: TestChain, blocks: string): Promise<void> {
  const update = await updateParams(chain, { params: { staking_reward_epoch_length: blocks } });
  await chain.ok(update);
}

test("R-003-54 RULES 35 one staking reward per epoch, whatever becomes of its length", async () => {
  const chain = await openChain({
    params: { staking_reward_epoch_length: "10" },
    extended: { reward_pool_address: provider.address },
  });
  expect(await epochsTo(chain, 21n)).toEqual(["0 at 10", "1 at 20"]);
  // From block 23 on: epoch 2 began at 20 and lasts to 40 now. Counted from 0 by twenties it would be
  // epoch 1, which had its reward at 20, that ends there.
  await setLength(chain, "20");
  expect(await epochsTo(chain, 61n)).toEqual(["2 at 40", "3 at 60"]);
  // Epoch 4 began at 60 and lasts to 65 now.
  await setLength(chain, "5");
  expect(await epochsTo(chain, 71n)).toEqual(["4 at 65", "5 at 70"]);
  // Epoch 6 began at 70. By twos it and epoch 7 are over when the new length comes at 75, and have
  // no reward.
  await epochsTo(chain, 73n);
  await setLength(chain, "2");
  expect(await epochsTo(chain, 79n)).toEqual(["8 at 76", "9 at 78"]);
  const exported = await chain.exported();
  expect(exported).toContain('"epoch_base":{"epoch":"6","height":"70"}');
  const imported = await chain.imported();
  expect(await imported.exported()).toBe(exported);
  expect(await epochsTo(imported, 82n)).toEqual(await epochsTo(chain, 82n));
  expect(imported.appHash).toBe(chain.appHash);
});

test("a change in the block that ends an epoch comes after its reward", async () => {
  const chain = await openChain({ params: { staking_reward_epoch_length: "10" } });
  await epochsTo(chain, 9n);
  const update = await updateParams(chain, { params: { staking_reward_epoch_length: "3" } });
  const block = await chain.block(await chain.tx([update]));
  expect(eventsOf(block, "RewardsDistributed")).toMatchObject([{ epoch_number: "0" }]);
  expect(await epochsTo(chain, 17n)).toEqual(["1 at 13", "2 at 16"]);
});

test("an epoch base before the chain is refused by its path", async () => {
  const chain = await openChain({ params: { staking_reward_epoch_length: "10" } });
  await setLength(chain, "5");
  await chain.block();
  const genesis = await chain.app.exportGenesis();
  const appState = structuredClone(genesis.appState) as Record<string, Record<string, unknown>>;
  Object.assign(appState["settlement"] ?? {}, { epoch_base: { epoch: "0", height: "-1" } });
  await expect(openChain({ genesis: { ...genesis, appState } })).rejects.toThrow(
    "settlement.epoch_base.height: ",
  );
});
