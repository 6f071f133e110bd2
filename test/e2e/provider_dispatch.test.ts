import { beforeEach, describe, expect, it } from "vitest";
import type { DispatcherOptions } from "../../src/provider/dispatch/dispatch_options.ts";
import { OutboxDesk } from "../../src/provider/daemon/desk.ts";
import type { Dispatcher } from "../../src/provider/dispatch/dispatcher.ts";
import { onwardClock } from "../../src/provider/dispatch/onward_clock.ts";
import type { OutboxChange } from "../../src/provider/outbox/outbox.ts";
import type { LevelOutbox } from "../../src/provider/outbox/level_outbox.ts";
import { naturalKey, type OutboxRecord } from "../../src/provider/outbox/outbox_record.ts";
import { seededRandom } from "../crash/random.ts";
import { provider } from "../testkit/accounts.ts";
import { msg } from "../testkit/messages.ts";
import { PATIENCE_MS, until } from "../testkit/until.ts";
import { LIMITS, quickDispatcher, quickPool, runDry } from "./dispatch_run.ts";
import { dispatchStage } from "./dispatch_stage.ts";
import type { FlakyProxy, Mishap } from "./flaky_proxy.ts";
import { orderOf, sendFrom, type UsageNode, usageOnChain, usageRecord } from "./usage_node.ts";

const ORDERS = 60;
const PENDING = 2;

const stage = dispatchStage({ orders: ORDERS, pending: PENDING });
let node: UsageNode;
let proxy: FlakyProxy;
let outbox: LevelOutbox;
/** Every test has hours of its own. */
let hour = 0;

beforeEach(() => {
  hour += 1;
  ({ node, proxy, outbox } = stage);
});

function dispatcher(more: Partial<DispatcherOptions> = {}): Dispatcher {
  return quickDispatcher(outbox, quickPool(proxy.url, hour), hour, more);
}

function records(count: number, more: Partial<OutboxRecord> = {}): OutboxRecord[] {
  return Array.from({ length: count }, (_, order) => usageRecord(order, hour, more));
}

/** How often the chain has each period of these. */
async function timesOnChain(of: readonly OutboxRecord[]): Promise<number[]> {
  const counts = new Map<string, number>();
  for (const usage of await usageOnChain(node.client)) {
    counts.set(naturalKey(usage), (counts.get(naturalKey(usage)) ?? 0) + 1);
  }
  return of.map((record) => counts.get(naturalKey(record)) ?? 0);
}

async function stored(record: OutboxRecord): Promise<OutboxRecord | undefined> {
  return outbox.record(naturalKey(record));
}

describe("sending the outbox", () => {
  it("puts all records on the chain, many in a tx, and knows their usage ids", async () => {
    const all = [...records(58), ...records(58, { usageType: "memory" })];
    await outbox.write({ records: all });
    const subject = dispatcher();
    expect(await runDry(subject)).toBe(true);
    expect(await timesOnChain(all)).toEqual(all.map(() => 1));
    expect(outbox.counts()).toMatchObject({ included: 116, pending: 0, sent: 0 });
    expect(await outbox.sentTxs()).toEqual([]);
    expect(subject.state).toMatchObject({ txsSent: 3, txsFailed: 0, trouble: "" });
    const usage = await usageOnChain(node.client);
    const [one] = all as [OutboxRecord];
    const onChain = usage.find((each) => naturalKey(each) === naturalKey(one));
    expect((await stored(one))?.usageId).toBe(onChain?.usageId);
  });

  it("waits for more records until the oldest is of age", async () => {
    const createdMs = Date.now();
    let sentMs = 0;
    proxy.decide = (method) => {
      if (method.startsWith("broadcast")) sentMs = Date.now();
      return "none";
    };
    await outbox.write({ records: records(3, { createdMs }) });
    const subject = dispatcher({ limits: { ...LIMITS, batchAgeMs: 400 } });
    const stop = new AbortController();
    const running = subject.run(stop.signal);
    await until(() => outbox.counts().included === 3, "three records on the chain");
    stop.abort();
    await running;
    expect(sentMs - createdMs).toBeGreaterThanOrEqual(400);
    expect(subject.state.txsSent).toBe(1);
  });

  it("parks what the chain refuses with its reason, and sends all others", async () => {
    const all = records(40);
    all[7] = { ...(all[7] as OutboxRecord), leaseId: "another" };
    all[30] = { ...(all[30] as OutboxRecord), denom: "uusd" };
    await outbox.write({ records: all });
    expect(await runDry(dispatcher())).toBe(true);
    expect(outbox.counts()).toMatchObject({ included: 38, refused: 2 });
    expect(await stored(all[7] as OutboxRecord)).toMatchObject({
      ...{ state: "refused", usageId: "" },
      reason: {
        codespace: "settlement",
        code: 1512,
        log: expect.stringMatching(/lease/) as string,
      },
    });
    expect((await stored(all[30] as OutboxRecord))?.reason?.log).toMatch(/denom uusd/);
  });

  it("leaves records of an escrow that is not active yet for later", async () => {
    const [waits, works] = [usageRecord(ORDERS - 1, hour), usageRecord(1, hour)];
    await outbox.write({ records: [waits, works] });
    const started = Date.now();
    expect(await runDry(dispatcher())).toBe(true);
    const later = await stored(waits);
    expect(later).toMatchObject({ state: "pending", reason: { code: 1519 } });
    expect(later?.notBeforeMs).toBeGreaterThan(started + 500);
    expect((await stored(works))?.state).toBe("included");
  });

  it("RULES 16 takes a repeat for included when it is the same, and refuses it when it differs", async () => {
    const all = records(10);
    await outbox.write({ records: all });
    await runDry(dispatcher());
    const ids = await Promise.all(all.map(async (each) => (await stored(each))?.usageId));
    // A daemon that lost its outbox, and metered one window differently.
    const again = all.map((each, at) => (at === 3 ? { ...each, usageUnits: 99n } : each));
    await outbox.write({ records: again });
    expect(await runDry(dispatcher())).toBe(true);
    expect(outbox.counts()).toMatchObject({ included: 9, refused: 1 });
    const found = await Promise.all(all.map(async (each) => (await stored(each))?.usageId));
    expect(found.filter((_, at) => at !== 3)).toEqual(ids.filter((_, at) => at !== 3));
    const reason = (await stored(all[3] as OutboxRecord))?.reason;
    expect(reason).toMatchObject({ code: 1514 });
    expect(reason?.log).toMatch(new RegExp(`${all[3]?.usageUnits} units.*99 units`));
    expect(await timesOnChain(all)).toEqual(all.map(() => 1));
  });

  it("goes on after somebody else used the account", async () => {
    await outbox.write({ records: records(5) });
    const subject = dispatcher();
    const stop = new AbortController();
    const running = subject.run(stop.signal);
    await subject.drain(Date.now() + PATIENCE_MS);
    const { orderId: order, leaseId: lease } = orderOf(9);
    await sendFrom(node.client, [msg.record(provider, { order, lease, start: 9n, end: 10n })]);
    const more = records(5, { usageType: "gpu" });
    await outbox.write({ records: more });
    expect(await subject.drain(Date.now() + PATIENCE_MS)).toBe(true);
    stop.abort();
    await running;
    expect(outbox.counts()).toMatchObject({ included: 10 });
  });
});

describe("exactly once, whatever happens on the way", () => {
  it("finds out what became of txs whose answers were lost, doubled, late or never sent", async () => {
    const draw = seededRandom(99);
    const mishaps: readonly Mishap[] = ["none", "lost", "mute", "twice", "slow"];
    proxy.decide = () => mishaps[draw(mishaps.length)] ?? "none";
    const all = [...records(58), ...records(58, { usageType: "network" })];
    await outbox.write({ records: all });
    expect(await runDry(dispatcher(), 50_000)).toBe(true);
    expect(outbox.counts()).toMatchObject({ included: 116 });
    expect(await timesOnChain(all)).toEqual(all.map(() => 1));
    expect(Math.min(proxy.counts.lost, proxy.counts.mute, proxy.counts.twice)).toBeGreaterThan(0);
  });

  it("takes up after a stop at any moment what was in flight", async () => {
    const all = [...records(58), ...records(58, { usageType: "storage" })];
    await outbox.write({ records: all });
    const limits = { ...LIMITS, recordsPerTx: 8 };
    let runs = 0;
    for (; outbox.counts().included < all.length && runs < 200; runs += 1) {
      // Answers of broadcasts are lost all through the first runs: all that is known is on disk.
      const mishap: Mishap = runs % 2 === 0 ? "mute" : "none";
      proxy.decide = (method) => (method === "broadcast_tx_sync" ? mishap : "none");
      // Longer ones where the machine gets nowhere in these.
      await runDry(dispatcher({ limits }), (5 + (runs % 10) * 20) * (1 + Math.floor(runs / 20)));
      outbox = await stage.reopen();
    }
    expect(runs).toBeGreaterThan(2);
    expect(outbox.counts()).toMatchObject({ included: all.length, sent: 0, pending: 0 });
    expect(await timesOnChain(all)).toEqual(all.map(() => 1));
  });

  it("asks for the periods when a node has no index of txs any more", async () => {
    const all = records(20);
    await outbox.write({ records: all });
    // The node never finds a tx, as when its index is pruned.
    const limits = { ...LIMITS, timeoutBlocks: 3n };
    const subject = dispatcher({ limits });
    proxy.decide = (method) => (method === "tx" ? "lost" : "none");
    const { lost } = proxy.counts;
    const stopHidden = new AbortController();
    const hidden = subject.run(stopHidden.signal);
    const isOnChain = async () => (await timesOnChain(all)).every((times) => times === 1);
    await until(isOnChain, "all records on the chain");
    await until(() => proxy.counts.lost > lost + 5, "questions for the tx");
    stopHidden.abort();
    await hidden;
    expect(outbox.counts()).toMatchObject({ included: 0, sent: 20 });
    // Before a run that can ask: another tx took its place, as far as it can tell.
    const [sent] = await outbox.sentTxs();
    const lostTx = { ...sent, hash: "00".repeat(32) } as NonNullable<typeof sent>;
    await outbox.write({ resolved: [sent?.hash ?? ""], sent: [lostTx] });
    proxy.decide = () => "none";
    expect(await runDry(dispatcher({ limits }))).toBe(true);
    expect(outbox.counts()).toMatchObject({ included: 20 });
    expect(await timesOnChain(all)).toEqual(all.map(() => 1));
  });

  it("sends again what a node has lost, though the clock was set back an hour", async () => {
    const all = records(3);
    await outbox.write({ records: all });
    let backMs = 0;
    const { lost } = proxy.counts;
    // The first answers are lost with their txs, and then the clock is set.
    proxy.decide = (method) => (method.startsWith("broadcast") ? "lost" : "none");
    const now = onwardClock({
      wallMs: () => Date.now() - backMs,
      steadyMs: () => performance.now(),
    });
    const subject = dispatcher({ now });
    const stop = new AbortController();
    const running = subject.run(stop.signal);
    await until(() => proxy.counts.lost > lost, "a tx that is lost");
    backMs = 3_600_000;
    proxy.decide = () => "none";
    expect(await subject.drain(now() + PATIENCE_MS)).toBe(true);
    stop.abort();
    await running;
    expect(await timesOnChain(all)).toEqual([1, 1, 1]);
  });

  it("never sends what a person has parked, however close the two were", async () => {
    const all = records(4);
    const [first] = all as [OutboxRecord];
    await outbox.write({ records: all });
    let parking: Promise<string> | undefined;
    // The tx is made, and not on the disk yet: now somebody parks a record of it.
    const tapped = Object.assign(Object.create(outbox) as LevelOutbox, {
      write: async (change: OutboxChange) => {
        if ((change.sent?.length ?? 0) > 0 && parking === undefined) {
          parking = desk.park(naturalKey(first), "waived").then(
            () => "parked",
            (error: { code: string }) => error.code,
          );
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
        return outbox.write(change);
      },
      ...{ sentTxs: () => outbox.sentTxs(), note: (name: string) => outbox.note(name) },
      notes: (prefix: string) => outbox.notes(prefix),
      ...{ record: (key: string) => outbox.record(key), counts: () => outbox.counts() },
      due: (...of: Parameters<LevelOutbox["due"]>) => outbox.due(...of),
    });
    const subject = dispatcher({ outbox: tapped });
    const desk = new OutboxDesk({
      ...{ outbox, nowMs: () => Date.now() },
      alone: (work) => subject.betweenTxs(work),
    });
    expect(await runDry(subject)).toBe(true);
    const [times] = await timesOnChain([first]);
    expect([await parking, times]).toEqual(["not_parkable", 1]);
    expect(await stored(first)).toMatchObject({ state: "included" });
  });
});
