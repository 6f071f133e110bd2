import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { type MoneyReport, readMoney } from "../../src/provider/dispatch/money.ts";
import { Watcher } from "../../src/provider/dispatch/watcher.ts";
import { type LevelOutbox, openOutbox } from "../../src/provider/outbox/level_outbox.ts";
import { naturalKey, type OutboxRecord } from "../../src/provider/outbox/outbox_record.ts";
import { authority, customer, provider } from "../testkit/accounts.ts";
import { correct, withdraw } from "../testkit/corrections.ts";
import { disputeUsage, resolve } from "../testkit/disputes.ts";
import { msg } from "../testkit/messages.ts";
import { until } from "../testkit/until.ts";
import { quickDispatcher, quickPool, runDry } from "./dispatch_run.ts";
import { dispatchStage } from "./dispatch_stage.ts";
import type { FlakyProxy } from "./flaky_proxy.ts";
import { orderOf, sendFrom, type UsageNode, usageOnChain, usageRecord } from "./usage_node.ts";

const params = { payout_holdback_rate: "0.1", min_settlement_amount: "0" };
const stage = dispatchStage({ orders: 12, chain: { params, extended: { payout_delay: "1" } } });
let node: UsageNode;
let proxy: FlakyProxy;
let outbox: LevelOutbox;
beforeEach(() => {
  ({ node, proxy, outbox } = stage);
});

function watcher(
  of: LevelOutbox,
  clearedHeight: () => bigint | undefined,
  pool = quickPool(proxy.url, 5),
): Watcher {
  const now = () => Date.now();
  const address = provider.address;
  return new Watcher({ outbox: of, pool, provider: address, clearedHeight, now, pollMs: 20 });
}

/** Runs a watcher until `isDone`. */
async function watch(of: LevelOutbox, isDone: () => Promise<boolean>): Promise<void> {
  const subject = watcher(of, () => undefined);
  const stop = new AbortController();
  const running = subject.run(stop.signal);
  await until(isDone, "what the watcher must see");
  stop.abort();
  await running;
}

const followed = (of: LevelOutbox, height: bigint) => async () =>
  BigInt((await of.note("watch/height")) ?? "0") >= height;

/** The ids that the chain gives records, once it has all of them. */
async function idsOnChain(records: readonly OutboxRecord[]): Promise<string[]> {
  const keys = new Set(records.map(naturalKey));
  const seen = async () =>
    (await usageOnChain(node.client)).filter((each) => keys.has(naturalKey(each)));
  await until(async () => (await seen()).length === keys.size, "the records on the chain");
  return (await seen()).map(({ usageId }) => usageId);
}

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
  it("sees what becomes of records and of their money, and a late start sees the same", async () => {
    const before = await node.client.balance(provider.address, "uve");
    const units = { usageUnits: 1000n, cost: 1000n };
    const all = Array.from({ length: 8 }, (_, order) => usageRecord(order, 1, units));
    const more = Array.from({ length: 8 }, (_, order) => usageRecord(order, 2, units));
    await outbox.write({ records: [...all, ...more] });
    await runDry(quickDispatcher(outbox, quickPool(proxy.url, 3), 3));
    await watch(outbox, followed(outbox, 1n));
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
    await watch(outbox, followed(outbox, height + 1n));
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
    const late = await openOutbox(join(stage.folder, "b"));
    const asSent = [...all, ...more].map((each, at) => {
      const usageId = at < 8 ? (ids[at] as string) : "";
      return { ...each, state: "included" as const, usageId };
    });
    await late.write({ records: asSent });
    await watch(late, followed(late, height));
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
    const ids = await idsOnChain(records);
    const { height } = await sendFrom(
      node.client,
      ids.map((id) => msg.acknowledge(customer, id)),
    );
    // Blocks go on, and the watcher waits before the one with the records.
    await until(() => watching.state.latestHeight >= height, "the latest block");
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(watching.state.height ?? 0n).toBeLessThan(height);
    expect(outbox.counts()).toMatchObject({ sent: 6, acknowledged: 0 });
    proxy.decide = () => "none";
    await until(() => outbox.counts().acknowledged === 6, "six acknowledged records");
    stop.abort();
    await Promise.all(running);
    expect(outbox.counts()).toMatchObject({ acknowledged: 6, sent: 0 });
  });

  it("stays before a block whose tx was found while that is written down", async () => {
    const write = outbox.write.bind(outbox);
    let open = () => undefined as void;
    const gate = new Promise<void>((done) => {
      open = done;
    });
    let found: string | undefined;
    outbox.write = async (change) => {
      if (change.resolved !== undefined) {
        [found] = change.resolved;
        await gate;
      }
      await write(change);
    };
    const subject = quickDispatcher(outbox, quickPool(proxy.url, 8), 8);
    const stop = new AbortController();
    const running = subject.run(stop.signal);
    // It is found when the chain is a block on, with what the watcher must not miss.
    proxy.decide = (method) => (method === "tx" ? "lost" : "none");
    const records = [usageRecord(8, 7)];
    await outbox.write({ records });
    subject.wake();
    const ids = await idsOnChain(records);
    await sendFrom(
      node.client,
      ids.map((id) => msg.acknowledge(customer, id)),
    );
    proxy.decide = () => "none";
    await until(() => found !== undefined, "a tx that was found");
    const tx = await node.client.tx(found ?? "");
    expect(subject.clearedHeight).toBeLessThan(tx?.height ?? 0n);
    open();
    await until(() => subject.clearedHeight === undefined, "the end of the flight");
    expect(outbox.counts()).toMatchObject({ included: 1, sent: 0 });
    stop.abort();
    await running;
  });

  it("passes over nothing that is sent while it asks for the height", async () => {
    const records = [usageRecord(9, 6)];
    const subject = quickDispatcher(outbox, quickPool(proxy.url, 6), 6);
    const pool = quickPool(proxy.url, 7);
    const statusOf = pool.statusOf.bind(pool);
    let asked = 0;
    let gate: Promise<void> | undefined;
    pool.statusOf = async (client) => {
      asked += 1;
      await gate;
      return statusOf(client);
    };
    const stop = new AbortController();
    const watching = watcher(outbox, () => subject.clearedHeight, pool);
    const running = [subject.run(stop.signal), watching.run(stop.signal)];
    await until(() => watching.state.height !== undefined, "the first look");
    let open = () => undefined as void;
    gate = new Promise((done) => {
      open = done;
    });
    const before = asked;
    await until(() => asked > before, "a question for the height");
    // It is sent, included and acknowledged meanwhile, and nobody finds out.
    proxy.decide = (method) => (method === "tx" ? "lost" : "none");
    await outbox.write({ records });
    subject.wake();
    const ids = await idsOnChain(records);
    const acknowledge = ids.map((id) => msg.acknowledge(customer, id));
    const { height } = await sendFrom(node.client, acknowledge);
    open();
    await until(() => watching.state.latestHeight >= height, "the answer");
    proxy.decide = () => "none";
    await until(() => outbox.counts().acknowledged === 1, "the acknowledged record");
    stop.abort();
    await Promise.all(running);
  });
});
