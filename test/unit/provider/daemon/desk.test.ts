import { once } from "node:events";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Control, openControl } from "../../../../src/provider/daemon/control.ts";
import { allRows, OutboxDesk } from "../../../../src/provider/daemon/desk.ts";
import { RemoteDesk } from "../../../../src/provider/daemon/remote_desk.ts";
import type { LiveFacts } from "../../../../src/provider/daemon/status.ts";
import { vitals } from "../../../../src/provider/daemon/vitals.ts";
import { withdrawnRecord } from "../../../../src/provider/dispatch/record_steps.ts";
import { type LevelOutbox, openOutbox } from "../../../../src/provider/outbox/level_outbox.ts";
import { naturalKey, type OutboxRecord } from "../../../../src/provider/outbox/outbox_record.ts";
import { closedWindow, outboxRecord } from "../outbox/records.ts";

let folder: string;
let path: string;
let outbox: LevelOutbox;
let control: Control;
let remote: RemoteDesk;
let woken = 0;

const REASON = { codespace: "settlement", code: 1518, log: "the escrow has expired" };

function desk(): OutboxDesk {
  return new OutboxDesk({ outbox, nowMs: () => 60_001, wake: () => void (woken += 1) });
}

beforeEach(async () => {
  woken = 0;
  folder = await mkdtemp(join(tmpdir(), "settled-desk-"));
  path = join(folder, "control.sock");
  outbox = await openOutbox(join(folder, "outbox"));
  control = await openControl(path, desk());
  remote = new RemoteDesk(path);
});
afterEach(async () => {
  await control.close();
  await outbox.close();
  await rm(folder, { recursive: true, force: true });
});

async function collected<T>(rows: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const row of rows) all.push(row);
  return all;
}

async function given(...records: OutboxRecord[]): Promise<string[]> {
  await outbox.write({ records, windows: [closedWindow(1, 1), closedWindow(1, 2)] });
  return records.map(naturalKey);
}

describe("the desk, asked through the socket of a running daemon", () => {
  it("answers as the desk itself does, page by page", async () => {
    await given(
      ...Array.from({ length: 1200 }, (_, hour) => outboxRecord(hour % 3, hour)),
      outboxRecord(7, 1, { state: "refused", reason: REASON, usageUnits: 2n ** 64n - 1n }),
    );
    const rows = await collected(allRows(remote, {}));
    expect(rows).toEqual(await collected(allRows(desk(), {})));
    expect(rows).toHaveLength(1201);
    expect(new Set(rows.map(({ key }) => key)).size).toBe(1201);
    const [refused] = await remote.rows({ state: "refused", limit: 10 });
    expect(refused).toMatchObject({
      ...{ order: "order-7", units: "18446744073709551615", unit_price: "1.500000000000000000" },
      reason: "settlement/1518: the escrow has expired",
    });
    expect(await remote.windows({ order: "order-1", limit: 1 })).toMatchObject([
      { order: "order-1", partial: true, faults: ["no cpu.stat"] },
    ]);
    const status = await remote.status();
    expect(status).toEqual(JSON.parse(JSON.stringify(await desk().status())));
    expect(status.amounts).toMatchObject([{ denom: "uve", metered: "18015", refused: "15" }]);
    expect(status.oldestPending?.ageSeconds).toBe(60);
    expect(status.stuck).toHaveLength(1);
  });

  it("sends refused and parked records again, one or all of an order, and wakes the daemon", async () => {
    const [first = ""] = await given(
      outboxRecord(1, 1, { state: "refused", reason: REASON }),
      outboxRecord(1, 2, { state: "parked", reason: REASON }),
      outboxRecord(2, 1, { state: "refused", reason: REASON }),
      outboxRecord(2, 2, { state: "pending", notBeforeMs: 1e12, attempts: 4 }),
    );
    expect(await remote.retry({ key: first })).toBe(1);
    expect(await outbox.record(first)).toMatchObject({ state: "pending", reason: undefined });
    expect(await remote.retry({ order: "order-1" })).toBe(1);
    expect(outbox.counts()).toMatchObject({ pending: 3, refused: 1, parked: 0 });
    expect(await remote.retry({ order: undefined })).toBe(1);
    expect(woken).toBe(3);
    const waits = naturalKey(outboxRecord(2, 2));
    expect(await remote.retry({ key: waits })).toBe(1);
    expect(await outbox.due(60_001, 10, new Set())).toHaveLength(4);
    await expect(remote.retry({ key: waits })).rejects.toThrow(
      /is pending: only one that was refu/,
    );
  });

  it("bills what was withdrawn on the chain again by its key only, not with all others", async () => {
    const withdrawn = withdrawnRecord(outboxRecord(1, 1), "metered twice", 1);
    const [key = ""] = await given(withdrawn, outboxRecord(1, 2, { state: "refused" }));
    expect(await remote.retry({ order: undefined })).toBe(1);
    expect(await remote.retry({ order: "order-1" })).toBe(0);
    expect(await outbox.record(key)).toMatchObject({ state: "parked" });
    expect(await remote.retry({ key })).toBe(1);
    expect(outbox.counts()).toMatchObject({ pending: 2, parked: 0 });
  });

  it("keeps the share that a reconciliation found equal", async () => {
    await remote.noteScore(97);
    expect((await vitals(outbox, {} as LiveFacts, 60_001)).reconciliationScore).toBe(97);
    const pendingSince = async () =>
      (await vitals(outbox, {} as LiveFacts, 90_000)).oldestPendingSeconds;
    expect(await pendingSince()).toBe(0);
    // In flight and in no block: it waits as much as what was never sent.
    await outbox.write({ records: [outboxRecord(1, 1, { state: "sent", createdMs: 60_000 })] });
    expect(await pendingSince()).toBe(30);
    await expect(remote.noteScore(101)).rejects.toMatchObject({ code: "bad_score" });
  });

  it("parks what waits, with its reason, and nothing that is on the chain", async () => {
    const [pending = "", included = ""] = await given(
      outboxRecord(1, 1),
      outboxRecord(1, 2, { state: "included", usageId: "usage-1" }),
    );
    expect(await remote.park(pending, "waived, ticket 7")).toMatchObject({
      ...{ state: "parked", reason: "waived, ticket 7" },
    });
    await expect(remote.park(included, "x")).rejects.toMatchObject({ code: "not_parkable" });
    await expect(remote.park("no/such", "x")).rejects.toMatchObject({ code: "no_record" });
  });
});

describe("the socket of a daemon", () => {
  it("is its owner's only, and tells a second daemon who runs", async () => {
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    await expect(openControl(path, desk())).rejects.toMatchObject({ code: "already_running" });
  });

  it("replaces one that a killed daemon left, and a plain file", async () => {
    const stale = join(folder, "stale.sock");
    await writeFile(stale, "");
    const second = await openControl(stale, desk());
    expect(await new RemoteDesk(stale).status()).toMatchObject({ counts: { pending: 0 } });
    await second.close();
  });

  it("takes one that hangs for one that runs", async () => {
    const hung = join(folder, "hung.sock");
    const server = createServer((socket) => void sockets.push(socket)).listen(hung);
    const sockets: Socket[] = [];
    await once(server, "listening");
    await expect(openControl(hung, desk())).rejects.toThrow(/a daemon runs for this home/);
    for (const socket of sockets) socket.destroy();
    server.close();
  });

  it("has a path that the system takes, or says which rule it breaks", async () => {
    const long = join(folder, "x".repeat(120));
    await expect(openControl(long, desk())).rejects.toThrow(/at most 107 bytes/);
  });
});
