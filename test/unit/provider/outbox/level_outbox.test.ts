import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ClassicLevel } from "classic-level";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type LevelOutbox, openOutbox } from "../../../../src/provider/outbox/level_outbox.ts";
import { windowCursor } from "../../../../src/provider/outbox/outbox_keys.ts";
import {
  naturalKey,
  type OutboxRecord,
  RECORD_STATES,
} from "../../../../src/provider/outbox/outbox_record.ts";
import { closedWindow, outboxRecord } from "./records.ts";

const NONE: ReadonlySet<string> = new Set();

let folder: string;
let outbox: LevelOutbox;

async function reopen(): Promise<void> {
  await outbox.close();
  outbox = await openOutbox(folder);
}

/** What the indexes say, against what the records say. */
async function countedStates(): Promise<Record<string, number>> {
  const counted: Record<string, number> = {};
  for (const state of RECORD_STATES) {
    counted[state] = (await outbox.records({ state, limit: 100_000 })).length;
  }
  return counted;
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "settled-outbox-"));
  outbox = await openOutbox(folder);
});
afterEach(async () => {
  await outbox.close();
  await rm(folder, { recursive: true, force: true });
});

describe("an outbox on disk", () => {
  it("gives back records, windows, txs and notes as they were, also after a restart", async () => {
    const record = outboxRecord(1, 1, {
      ...{ orderId: "a/b %", leaseId: "ä", usageUnits: 2n ** 64n - 1n, cost: 10n ** 60n },
      ...{ reason: { codespace: "settlement", code: 1512, log: 'an "odd" text' }, attempts: 3 },
    });
    const window = closedWindow(1, 1);
    const sent = {
      ...{ hash: "AB12", bytes: Uint8Array.of(0, 255, 7), sequence: 2n ** 60n },
      ...{ keys: [naturalKey(record)], timeoutHeight: 77n, sentMs: 5 },
    };
    const notes = new Map([
      ["cursor/a", "1"],
      ["cursor/b", "2"],
      ["other", "3"],
    ]);
    await outbox.write({ records: [record], windows: [window], sent: [sent], notes });
    await reopen();
    expect(await outbox.record(naturalKey(record))).toEqual(record);
    expect(await outbox.windows({ limit: 10 })).toEqual([window]);
    expect(await outbox.sentTxs()).toEqual([sent]);
    expect([...(await outbox.notes("cursor/"))]).toEqual([
      ["cursor/a", "1"],
      ["cursor/b", "2"],
    ]);
    expect(outbox.counts().pending).toBe(1);
    await outbox.write({ resolved: ["AB12"], notes: new Map([["other", undefined]]) });
    expect([await outbox.sentTxs(), await outbox.note("other")]).toEqual([[], undefined]);
    expect(await outbox.sizeBytes()).toBeGreaterThan(100);
  });

  it("keeps counts and indexes with every change of state", async () => {
    const all = Array.from({ length: 60 }, (_, at) => outboxRecord(at % 6, at));
    await outbox.write({ records: all });
    const change = (from: number, to: number, more: Partial<OutboxRecord>) =>
      outbox.write({ records: all.slice(from, to).map((record) => ({ ...record, ...more })) });
    // Side by side: they share a batch.
    await Promise.all([change(0, 20, { state: "sent" }), change(20, 30, { state: "parked" })]);
    await change(0, 10, { state: "included", usageId: "usage-0" });
    await change(20, 22, { state: "pending", notBeforeMs: 9 });
    const expected = { pending: 32, sent: 10, included: 10, parked: 8, refused: 0 };
    expect(outbox.counts()).toMatchObject(expected);
    expect(await countedStates()).toEqual(outbox.counts());
    await reopen();
    expect(outbox.counts()).toMatchObject(expected);
    expect(await countedStates()).toEqual(outbox.counts());
  });

  it("finds a record by its usage id, also after a correction gave it another", async () => {
    const record = outboxRecord(1, 1, { state: "included", usageId: "usage-7" });
    await outbox.write({ records: [record] });
    expect(await outbox.byUsageId("usage-7")).toEqual(record);
    await outbox.write({ records: [{ ...record, usageId: "usage-8" }] });
    expect(await outbox.byUsageId("usage-7")).toBeUndefined();
    expect((await outbox.byUsageId("usage-8"))?.usageId).toBe("usage-8");
  });

  it("pages by natural key, of one order or one state", async () => {
    const all = [1, 2, 10].flatMap((order) =>
      Array.from({ length: 5 }, (_, hour) => {
        return outboxRecord(order, hour, hour === 2 ? { state: "refused" } : {});
      }),
    );
    await outbox.write({ records: all });
    const seen: string[] = [];
    for (let after: string | undefined; ; ) {
      const page = await outbox.records({ limit: 4, ...(after === undefined ? {} : { after }) });
      seen.push(...page.map(naturalKey));
      if (page.length < 4) break;
      after = seen.at(-1);
    }
    expect(seen).toEqual(all.map(naturalKey).sort());
    const ofOne = await outbox.records({ orderId: "order-1", limit: 100 });
    expect(ofOne.map(({ orderId }) => orderId)).toEqual(Array(5).fill("order-1"));
    const after = naturalKey(ofOne[3] as OutboxRecord);
    expect(await outbox.records({ orderId: "order-1", after, limit: 100 })).toHaveLength(1);
    // A place before the order's own: the page begins with the order.
    const early = { orderId: "order-2", after, limit: 100 };
    expect(await outbox.records(early)).toHaveLength(5);
    const refused = await outbox.records({ state: "refused", orderId: "order-2", limit: 9 });
    expect(refused.map(naturalKey)).toEqual([naturalKey(all[7] as OutboxRecord)]);
  });

  it("pages windows of an order, and of all by time, either way", async () => {
    const all = [3, 1, 2].flatMap((order) => [2, 0, 1].map((hour) => closedWindow(order, hour)));
    await outbox.write({ windows: all });
    const places = async (query: Parameters<LevelOutbox["windows"]>[0]) => {
      const found = await outbox.windows(query);
      return found.map(({ order, start }) => `${order}@${(start - 1_700_000_000n) / 3600n}`);
    };
    expect(await places({ limit: 4 })).toEqual([
      "order-1@0",
      "order-2@0",
      "order-3@0",
      "order-1@1",
    ]);
    expect(await places({ limit: 2, isNewestFirst: true })).toEqual(["order-3@2", "order-2@2"]);
    expect(await places({ order: "order-2", limit: 9, isNewestFirst: true })).toEqual([
      ...["order-2@2", "order-2@1", "order-2@0"],
    ]);
    const after = windowCursor(closedWindow(2, 1));
    expect(await places({ limit: 2, after })).toEqual(["order-3@1", "order-1@2"]);
    expect(await places({ limit: 2, after, isNewestFirst: true })).toEqual([
      ...["order-1@1", "order-3@0"],
    ]);
    expect(await places({ order: "order-2", limit: 9, after })).toEqual(["order-2@2"]);
  });
});

describe("what is due", () => {
  const due = async (nowMs: number, limit = 100, except = NONE) =>
    (await outbox.due(nowMs, limit, except)).map(naturalKey);
  const record = (order: number, hour: number, notBeforeMs = 0) =>
    outboxRecord(order, hour, { notBeforeMs });

  it("is pending, its time has come, and the oldest period is first", async () => {
    const late = record(1, 9);
    const waits = record(2, 1, 500);
    const early = record(3, 2);
    const parked = { ...record(4, 0), state: "parked" as const };
    await outbox.write({ records: [late, waits, early, parked] });
    expect(await due(499)).toEqual([early, late].map(naturalKey));
    expect(await due(500)).toEqual([waits, early, late].map(naturalKey));
    expect(await due(500, 2)).toEqual([waits, early].map(naturalKey));
    expect(await due(500, 2, new Set([naturalKey(waits)]))).toEqual([early, late].map(naturalKey));
  });

  it("leaves nothing behind that is queued before, or while, the queue is read", async () => {
    const hours = Array.from({ length: 400 }, (_, at) => (at * 37) % 400);
    const sent = new Set<string>();
    let isWriting = true;
    const write = async () => {
      for (const hour of hours) await outbox.write({ records: [record(hour % 7, hour)] });
      isWriting = false;
    };
    const read = async () => {
      for (;;) {
        const isLast = !isWriting;
        const found = await outbox.due(1, 5, NONE);
        for (const each of found) sent.add(naturalKey(each));
        await outbox.write({ records: found.map((each) => ({ ...each, state: "sent" as const })) });
        if (isLast && found.length === 0) return;
      }
    };
    await Promise.all([write(), read()]);
    expect(sent.size).toBe(400);
    expect(outbox.counts()).toMatchObject({ pending: 0, sent: 400 });
    // What comes back to the queue stands before all that was sent.
    await outbox.write({ records: [record(0, 0)] });
    expect(await due(1)).toEqual([naturalKey(record(0, 0))]);
  });
});

describe("an outbox that cannot be opened", () => {
  it("says which process has it, and what to ask", async () => {
    const pid = new RegExp(`process ${process.pid} since .*settled provider status`);
    await expect(openOutbox(folder)).rejects.toMatchObject({
      ...{ code: "outbox_in_use", message: expect.stringMatching(pid) as string },
    });
  });

  it("refuses one of a later version, and leaves it closed", async () => {
    await outbox.close();
    const level = new ClassicLevel<string, string>(join(folder, "db"));
    await level.put("m/version", "2");
    await level.close();
    await expect(openOutbox(folder)).rejects.toMatchObject({ code: "newer_outbox" });
    await level.open();
    await level.put("m/version", "1");
    await level.close();
    outbox = await openOutbox(folder);
  });

  it("says so when the folder is none", async () => {
    const file = join(folder, "file");
    await writeFile(file, "");
    await expect(openOutbox(join(file, "x"))).rejects.toThrow();
  });
});

describe("pruning", () => {
  it("keeps a window whose record began before it, until the record is settled", async () => {
    const { periodStart: since } = outboxRecord(1, 0);
    const open = outboxRecord(1, 2, { state: "included", usageId: "usage-1", periodStart: since });
    const idle = { ...closedWindow(1, 1), units: [] };
    const last = closedWindow(1, 2);
    const window = { ...last, units: last.units.map((each) => ({ ...each, since })) };
    await outbox.write({ records: [open], windows: [idle, window] });
    expect(await outbox.windows({ limit: 9 })).toEqual([idle, window]);
    expect(await outbox.prune(Number.MAX_SAFE_INTEGER)).toEqual({ records: 0, windows: 1 });
    expect(await outbox.windows({ limit: 9 })).toEqual([window]);
    await outbox.write({ records: [{ ...open, state: "settled" }] });
    expect(await outbox.prune(Number.MAX_SAFE_INTEGER)).toEqual({ records: 1, windows: 1 });
  });

  it("forgets what was settled long ago, with its windows, and nothing else", async () => {
    const old = outboxRecord(1, 0, { state: "settled", usageId: "usage-1", changedMs: 10 });
    const young = outboxRecord(1, 1, { state: "settled", usageId: "usage-2", changedMs: 1e15 });
    const open = outboxRecord(1, 2, { state: "acknowledged", usageId: "usage-3", changedMs: 10 });
    const windows = [0, 1, 2, 3].map((hour) => closedWindow(1, hour));
    await outbox.write({ records: [old, young, open], windows });
    const beforeMs = Number(closedWindow(1, 2).end) * 1000 + 1000;
    expect(await outbox.prune(beforeMs)).toEqual({ records: 1, windows: 1 });
    expect(await outbox.record(naturalKey(old))).toBeUndefined();
    expect(await outbox.byUsageId("usage-1")).toBeUndefined();
    expect(await outbox.windows({ limit: 9 })).toEqual(windows.slice(1));
    expect(outbox.counts()).toMatchObject({ settled: 1, acknowledged: 1 });
    expect(await countedStates()).toEqual(outbox.counts());
  });
});
