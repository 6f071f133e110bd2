import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openCollector } from "../../../../src/provider/collect/open_collector.ts";
import { CLOCK_NOTE, endAbandoned } from "../../../../src/provider/daemon/abandoned.ts";
import { Intake } from "../../../../src/provider/daemon/intake.ts";
import { MeterLoop } from "../../../../src/provider/daemon/meter_loop.ts";
import { parseSettings, type ProviderSettings } from "../../../../src/provider/daemon/settings.ts";
import { SourceBook } from "../../../../src/provider/daemon/source_book.ts";
import { type LevelOutbox, openOutbox } from "../../../../src/provider/outbox/level_outbox.ts";
import { PriceBook } from "../../../../src/provider/price_book.ts";
import { NO_LOG } from "../../../../src/provider/provider_log.ts";
import type { ClosedWindow } from "../../../../src/provider/windows/closed_window.ts";
import { LEASE_NOTES } from "../../../../src/provider/windows/lease_note.ts";
import { MeterClock } from "../../../../src/provider/windows/meter_clock.ts";
import { WindowBook } from "../../../../src/provider/windows/window_book.ts";

const HELD_BYTES = 1_048_576n;
const TEN_SECONDS_MS = 10_000;

let folder: string;
let outbox: LevelOutbox;
/** The machine's clocks, ten times as fast: a window of a second takes a tenth. */
let clock: MeterClock;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "settled-meter-"));
  await mkdir(join(folder, "data"));
  await writeFile(join(folder, "data/file"), Buffer.alloc(Number(HELD_BYTES)));
  outbox = await openOutbox(join(folder, "outbox"));
  const fast = () => performance.now() * 10;
  clock = new MeterClock({ wallMs: () => 1_700_000_000_000 + fast(), steadyMs: fast });
});
afterEach(async () => {
  await outbox.close();
  await rm(folder, { recursive: true, force: true });
});

async function settingsOf(workloads: string, prices = "storage: 1uve, cpu: 1uve") {
  const least = `key: {name: a}\nprices: {default: {${prices}}}\ninterval_seconds: 1\n`;
  return parseSettings(`${least}workloads: ${workloads}\n`, join(folder, "provider.yaml"));
}

const DISK = "{kind: disk, path: data, count: apparent}";
const workload = (more = "") => `[{name: w, order: o, lease: l, collectors: [${DISK}]${more}}]`;

function restored(settings: ProviderSettings) {
  const book = new WindowBook({ intervalSeconds: 1n });
  const intake = new Intake({
    ...{ book, outbox, log: NO_LOG, nowMs: () => 5, signal: new AbortController().signal },
    prices: PriceBook.parse(settings.prices, "prices"),
    ...{ onRecords: () => undefined, onDisk: () => undefined },
  });
  return { book, intake };
}

/** A daemon's share in it, for some milliseconds or until the lease ends. */
async function meter(settings: ProviderSettings, ms: number): Promise<void> {
  const { book, intake } = restored(settings);
  book.restore(await outbox.notes(LEASE_NOTES));
  const sources = new SourceBook({ log: NO_LOG, nowMs: () => 5, onFault: () => undefined });
  const prices = PriceBook.parse(settings.prices, "prices");
  const now = () => {
    const moment = clock.now();
    intake.cursor(CLOCK_NOTE, moment.wallMs);
    return moment;
  };
  const [first] = settings.workloads;
  const loop = new MeterLoop(first as NonNullable<typeof first>, {
    ...{ intake, outbox, sources, clock: { now }, open: openCollector, prices },
    ...{ rounding: "floor", sampleSeconds: 0.02 },
  });
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), ms);
  await loop.run(stop.signal);
  clearTimeout(timer);
  await intake.flush();
}

const windows = (): Promise<ClosedWindow[]> => outbox.windows({ limit: 1000 });

function expectToTouch(list: readonly ClosedWindow[]): void {
  for (const [at, { start }] of list.entries()) {
    if (at > 0) expect(start).toBe(list[at - 1]?.end);
  }
}

describe("a workload that is metered", () => {
  it("closes windows that touch, also over a restart, and measures what it held", async () => {
    const settings = await settingsOf(workload());
    await meter(settings, 500);
    await sleep(150);
    await meter(settings, 500);
    const list = await windows();
    expect(list.length).toBeGreaterThan(8);
    expectToTouch(list);
    // The lease's first window began when nobody looked yet.
    const whole = list.filter(({ isPartial }, at) => at > 0 && !isPartial);
    expect(whole.length).toBeGreaterThan(3);
    for (const { metrics } of whole) {
      expect(Math.abs(Number(metrics.storageByteSeconds - HELD_BYTES))).toBeLessThan(10_000);
    }
    // Of the time away nothing is known: nothing is billed for it, and the windows say so.
    expect(list.some(({ faults }) => faults.length > 0)).toBe(true);
    const sum = list.reduce((all, { metrics }) => all + metrics.storageByteSeconds, 0n);
    expect(sum).toBeLessThan(BigInt(list.length) * HELD_BYTES - HELD_BYTES);
  });

  it("ends when its lease does, and does not begin again", async () => {
    const endS = Math.ceil((clock.now().wallMs + 3000) / 1000);
    const settings = await settingsOf(workload(`, end: "${endS}"`));
    await meter(settings, TEN_SECONDS_MS);
    const list = await windows();
    expect(list.at(-1)?.end).toBe(BigInt(endS));
    await meter(settings, TEN_SECONDS_MS);
    expect(await windows()).toHaveLength(list.length);
  });

  it("is not begun without the prices of what it tells, nor told twice", async () => {
    const unpriced = await settingsOf(workload(), "cpu: 1uve");
    await expect(meter(unpriced, 100)).rejects.toMatchObject({ code: "missing_price" });
    const twice = await settingsOf(
      `[{name: w, order: o, lease: l, collectors: [${DISK}, {kind: disk, path: outbox}]}]`,
    );
    await expect(meter(twice, 100)).rejects.toThrow(/expected one collector for storageByteSec/);
  });

  it("has its last window closed when the settings name it no more", async () => {
    await meter(await settingsOf(workload()), 250);
    const before = await windows();
    const settings = await settingsOf("[]");
    const { book, intake } = restored(settings);
    book.restore(await outbox.notes(LEASE_NOTES));
    await endAbandoned({ book, intake, outbox, settings, log: NO_LOG });
    const list = await windows();
    expect(list.length).toBeGreaterThanOrEqual(before.length);
    expectToTouch(list);
    expect(book.leases()).toEqual([]);
    const lastMs = Number(await outbox.note(CLOCK_NOTE));
    expect(Math.abs(Number(list.at(-1)?.end) * 1000 - lastMs)).toBeLessThanOrEqual(1000);
  });
});
