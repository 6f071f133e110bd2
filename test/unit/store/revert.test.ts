import { expect, test } from "vitest";
import { customer, stranger } from "../../testkit/accounts.ts";
import { openChain } from "../../testkit/chain.ts";
import { msg } from "../../testkit/messages.ts";
import { activeEscrow, recordedCosts } from "../../testkit/orders.ts";
import { dumpOf } from "../../crash/dump.ts";

test("a running app goes back to a height and on from there, as if nothing had been", async () => {
  const chain = await openChain();
  await activeEscrow(chain);
  const { height, appHash } = chain;
  const before = await dumpOf(chain.db);
  await recordedCosts(chain, [10, 20, 30]);
  await chain.ok(msg.send(customer, stranger.address, "5uve"));
  const later = { height: chain.height, appHash: chain.appHash };
  const payment = await chain.tx([msg.send(customer, stranger.address, "7uve")]);
  expect(chain.app.checkTx(payment).code).toBe(0);
  await chain.app.revertTo(height, [{ key: "Bnote", value: Uint8Array.of(1) }]);
  expect(chain.appHash).toBe(appHash);
  const note = { key: "Bnote", value: "\x01" };
  const rows = [...before, note].sort((a, b) => (a.key < b.key ? -1 : 1));
  expect(await dumpOf(chain.db)).toEqual(rows);
  // The check state has gone back with it: that sequence is too high again.
  expect(chain.app.checkTx(payment)).toMatchObject({ codespace: "sdk", code: 32 });
  await chain.app.checkFullInvariants();
  // The same blocks give the same states.
  for (const { height: at, time, txs } of chain.blocks.filter((ran) => ran.height > height)) {
    chain.app.finalizeBlock({ height: at, time, txs, proposer: new Uint8Array(20) });
    await chain.app.commit([]);
  }
  expect({ height: chain.app.info().height, appHash: chain.appHash }).toEqual(later);
});

test("heights that are not there are refused, and nothing changes", async () => {
  const chain = await openChain();
  await chain.blocksTo(5n);
  const before = await dumpOf(chain.db);
  await expect(chain.app.revertTo(6n)).rejects.toThrow(
    "cannot go back to height 6: the latest is 5",
  );
  await expect(chain.app.revertTo(-1n)).rejects.toThrow("the lowest height kept is 0");
  expect(await dumpOf(chain.db)).toEqual(before);
  await chain.app.revertTo(5n);
  expect(await dumpOf(chain.db)).toEqual(before);
  await chain.app.revertTo(0n);
  expect(chain.app.info().height).toBe(0n);
});
