import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type MoneyReport, readMoney } from "../../src/provider/dispatch/money.ts";
import { Watcher } from "../../src/provider/dispatch/watcher.ts";
import { type LevelOutbox, openOutbox } from "../../src/provider/outbox/level_outbox.ts";
import { naturalKey, type OutboxRecord } from "../../src/provider/outbox/outbox_record.ts";
import { authority, customer, provider } from "../testkit/accounts.ts";
import { correct, withdraw } from "../testkit/corrections.ts";
import { disputeUsage, resolve } from "../testkit/disputes.ts";
import { msg } from "../testkit/messages.ts";
import { quickDispatcher, quickPool, runDry } from "./dispatch_run.ts";
import { type FlakyProxy, flakyProxy } from "./flaky_proxy.ts";
import {
  makeUsageHome,
  orderOf,
  removeHome,
  sendFrom,
  startUsageNode,
  type UsageNode,
  usageOnChain,
  usageRecord,
} from "./usage_node.ts";

let home: string;
let node: UsageNode;
let proxy: FlakyProxy;
let folder: string;
let outbox: LevelOutbox;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "settled-watch-"));
  const params = { payout_holdback_rate: "0.1", min_settlement_amount: "0" };
  const chain = { params, extended: { payout_delay: "1" } };
  await makeUsageHome(home, { orders: 12, chain });
  node = await startUsageNode(home, { minimumGasPrice: "0" });
  proxy = await flakyProxy(node.rpc);
});
afterAll(async () => {
  await proxy.close();
  await node.stop();
  await removeHome(home);
});
beforeEach(async () => {
  proxy.decide = () => "none";
  folder = await mkdtemp(join(tmpdir(), "settled-outbox-"));
  outbox = await openOutbox(join(folder, "a"));
});
afterEach(async () => {
  await outbox.close();
  await removeHome(folder);
});

function watcher(of: LevelOutbox, clearedHeight: () => bigint | undefined): Watcher {
  const now = () => Date.now();
  const pool = quickPool(proxy.url, 5);
  const address = provider.address;
  return new Watcher({ outbox: of, pool, provider: address, clearedHeight, now, pollMs: 20 });
}

/** Runs a watcher until `isDone`. */
async function watch(of: LevelOutbox, isDone: () => Promise<boolean>): Promise<void> {
  const subject = watcher(of, () => undefined);
  const stop = new AbortController();
  const running = subject.run(stop.signal);
  const end = Date.now() + 15_000;
  while (!(await isDone())) {
    if (Date.now() > end) throw new Error(`not seen in time: ${JSON.stringify(of.counts())}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  stop.abort();
  await running;
}

const until = (of: LevelOutbox, height: bigint) => async () =>
  BigInt((await of.note("watch/height")) ?? "0") >= height;

async function idOf(record: OutboxRecord): Promise<string> {
  return (await outbox.record(naturalKey(record)))?.usageId ?? "";
}

/** What is known of a record, but for the times of the changes. */
async function known(of: LevelOutbox, record: OutboxRecord) {
  const found = await of.record(naturalKey(record));
  const { state, usageId, usageUnits, unitPrice, cost } = found as OutboxRecord;
  return { state, usageId, usageUnits, unitPrice, cost };
}

const withoutHeight = ({ height: _, ...money }: MoneyReport) => money;

describe("following the chain", () => {
  it("sees what becomes of records and of their money, and a late start sees the same", {
    timeout: 60_000,
  }, async () => {
    const before = await node.client.balance(provider.address, "uve");
    const units = { usageUnits: 1000n, cost: 1000n };
    const all = Array.from({ length: 8 }, (_, order) => usageRecord(order, 1, units));
    const more = Array.from({ length: 8 }, (_, order) => usageRecord(order, 2, units));
    await outbox.write({ records: [...all, ...more] });
    await runDry(quickDispatcher(outbox, quickPool(proxy.url, 3), 3));
    await watch(outbox, until(outbox, 1n));
    const ids = await Promise.all(all.map(idOf));
    const [acked, settled, corrected, withdrawn, disputed, amended] = ids as [
      ...[string, string, string, string, string, string],
    ];
    const { client } = node;
    const good = [acked, settled, disputed, amended];
    await sendFrom(
      client,
      good.map((id) => msg.acknowledge(customer, id)),
    );
    await sendFrom(client, [correct(corrected, { units: 7n, price: "2uve" }), withdraw(withdrawn)]);
    await sendFrom(client, [msg.settle(customer, { order: orderOf(1).orderId, ids: [settled] })]);
    await sendFrom(client, [disputeUsage(disputed), disputeUsage(amended)]);
    // Two of all disputes of this chain, in order.
    await sendFrom(client, [resolve("dispute-2", { units: 3n }, authority)]);
    const { height } = await sendFrom(client, [
      msg.settle(customer, { order: orderOf(7).orderId, final: true }),
    ]);
    await watch(outbox, until(outbox, height + 1n));
    expect(await Promise.all(all.map((each) => known(outbox, each)))).toMatchObject([
      { state: "acknowledged" },
      { state: "settled", usageId: settled },
      { state: "included", usageUnits: 7n, unitPrice: 2n * 10n ** 18n, cost: 14n },
      { state: "parked", usageId: "" },
      { state: "acknowledged" },
      { usageUnits: 3n, cost: 3n },
      { state: "included" },
      { state: "settled" },
    ]);
    expect((await known(outbox, all[2] as OutboxRecord)).usageId).not.toBe(corrected);
    expect(await known(outbox, more[7] as OutboxRecord)).toMatchObject({ state: "settled" });

    // Payouts come a second after their settlements; the next blocks bring them.
    const paid = async () => {
      await sendFrom(client, [msg.send(customer, authority.address, "1uve")]);
      return (
        (await readMoney(outbox)).paid !== "" && (await readMoney(outbox)).payouts.length === 0
      );
    };
    await watch(outbox, paid);
    const money = await readMoney(outbox);
    const gained = (await client.balance(provider.address, "uve")) - before;
    expect(money.paid).toBe(`${gained}uve`);
    expect(gained).toBeGreaterThan(0n);
    expect(money.settled).toBe("3000uve");
    expect(money.disputes).toMatchObject([{ usageId: disputed, reason: "the job had ended" }]);

    // An outbox that has not followed the blocks: it asks for records and payouts instead.
    const late = await openOutbox(join(folder, "b"));
    const asSent = [...all, ...more].map((each, at) => {
      const usageId = at < 8 ? (ids[at] as string) : "";
      return { ...each, state: "included" as const, usageId };
    });
    await late.write({ records: asSent });
    await watch(late, until(late, height));
    for (const [at, record] of all.entries()) {
      expect(await known(late, record), `record ${at}`).toEqual(await known(outbox, record));
    }
    expect(withoutHeight(await readMoney(late))).toEqual(withoutHeight(money));
    await late.close();
  });

  it("goes no further than the outbox knows, so that nothing is missed", async () => {
    const records = Array.from({ length: 6 }, (_, order) => usageRecord(order, 5));
    await outbox.write({ records });
    // The chain takes the txs, and nobody finds out.
    proxy.decide = (method) => (method === "tx" ? "lost" : "none");
    const subject = quickDispatcher(outbox, quickPool(proxy.url, 4), 4);
    const stop = new AbortController();
    const watching = watcher(outbox, () => subject.clearedHeight);
    const running = [subject.run(stop.signal), watching.run(stop.signal)];
    const seen = async () => {
      const usage = await usageOnChain(node.client);
      return usage.filter((each) => records.some((one) => naturalKey(one) === naturalKey(each)));
    };
    while ((await seen()).length < 6) await new Promise((resolve) => setTimeout(resolve, 20));
    const ids = (await seen()).map(({ usageId }) => usageId);
    const { height } = await sendFrom(
      node.client,
      ids.map((id) => msg.acknowledge(customer, id)),
    );
    // Blocks go on, and the watcher waits before the one with the records.
    while (watching.state.latestHeight < height) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(watching.state.height ?? 0n).toBeLessThan(height);
    expect(outbox.counts()).toMatchObject({ sent: 6, acknowledged: 0 });
    proxy.decide = () => "none";
    const end = Date.now() + 10_000;
    while (outbox.counts().acknowledged < 6 && Date.now() < end) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    stop.abort();
    await Promise.all(running);
    expect(outbox.counts()).toMatchObject({ acknowledged: 6, sent: 0 });
  });
});
