import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Ingest } from "../../../../src/provider/daemon/ingest.ts";
import { Intake } from "../../../../src/provider/daemon/intake.ts";
import { SourceBook } from "../../../../src/provider/daemon/source_book.ts";
import { UNPRICED_NOTES } from "../../../../src/provider/daemon/status.ts";
import { tapOutbox } from "../../../../src/provider/daemon/tapped_outbox.ts";
import type { Feed, FeedBatch, FeedRow } from "../../../../src/provider/feed/feed.ts";
import { openNdjsonFeed } from "../../../../src/provider/feed/ndjson_feed.ts";
import { type LevelOutbox, openOutbox } from "../../../../src/provider/outbox/level_outbox.ts";
import type { Outbox } from "../../../../src/provider/outbox/outbox.ts";
import { PriceBook } from "../../../../src/provider/price_book.ts";
import { NO_LOG } from "../../../../src/provider/provider_log.ts";
import { LEASE_NOTES } from "../../../../src/provider/windows/lease_note.ts";
import { WindowBook } from "../../../../src/provider/windows/window_book.ts";

const HOUR = 3600;
const START = 1_700_000_000 - (1_700_000_000 % HOUR);
const PRICES = { default: { cpu: "1500uve", memory: "2uve" } };

let folder: string;
let file: string;
let outbox: LevelOutbox;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "settled-intake-"));
  file = join(folder, "usage.ndjson");
  outbox = await openOutbox(join(folder, "outbox"));
});
afterEach(async () => {
  await outbox.close();
  await rm(folder, { recursive: true, force: true });
});

/** What a daemon has between a feed and the outbox, fresh after a start. */
async function parts(through: Outbox, stop: AbortController, prices: object = PRICES) {
  const book = new WindowBook({ intervalSeconds: BigInt(HOUR) });
  book.restore(await through.notes(LEASE_NOTES));
  const disk: string[] = [];
  const intake = new Intake({
    ...{ book, outbox: through, log: NO_LOG, nowMs: () => 5, signal: stop.signal },
    ...{ prices: PriceBook.parse(prices, "prices"), onRecords: () => undefined },
    onDisk: (fault) => void disk.push(fault),
  });
  return { book, intake, disk };
}

async function ingest(
  through: Outbox,
  stop: AbortController,
  more: { prices?: object; open?: (cursor: unknown) => Promise<Feed> } = {},
): Promise<string[]> {
  const { intake } = await parts(through, stop, more.prices);
  const sources = new SourceBook({ log: NO_LOG, nowMs: () => 5, onFault: () => undefined });
  const open = more.open ?? ((cursor: unknown) => smallBatches(cursor));
  await new Ingest({
    ...{ name: "fed", open, intake, outbox: through, line: sources.open("feed", "fed") },
    ...{ rounding: "carry", billsFootprint: true, isOrdered: true, log: NO_LOG },
    ...{
      intervalSeconds: BigInt(HOUR),
      lateSeconds: 300,
      nowMs: () => (START + 1000 * HOUR) * 1000,
    },
    onRows: () => undefined,
  }).run(stop.signal);
  return sources.faults().map(({ place, text }) => `${place}: ${text}`);
}

/** The file, seven rows to a batch: in one piece nothing could come in between. */
async function smallBatches(cursor: unknown): Promise<Feed> {
  const { skip = 0 } = (cursor ?? {}) as { skip?: number };
  const whole = await openNdjsonFeed({ file, follow: false }, undefined);
  async function* batches(signal: AbortSignal): AsyncGenerator<FeedBatch> {
    const all: FeedRow[] = [];
    for await (const batch of whole.batches(signal)) all.push(...batch.rows);
    for (let at = skip; ; at += 7) {
      const isEnd = at + 7 >= all.length;
      const rows = all.slice(at, at + 7);
      const rest = { faults: [], notes: new Map(), duplicates: 0, settled: () => undefined };
      yield { rows, cursor: { skip: at + rows.length }, isEnd, ...rest };
      if (isEnd) return;
    }
  }
  return { name: "small", batches, close: () => whole.close() };
}

function row(order: number, start: number, seconds: number, cpu: number, memory: number): string {
  const zero = { storage_byte_seconds: 0, gpu_seconds: 0, network_bytes_in: 0 };
  return JSON.stringify({
    ...{ order: `order-${order}`, lease: `lease-${order}`, start, end: start + seconds },
    ...{ cpu_milliseconds: cpu, memory_byte_seconds: memory, ...zero, network_bytes_out: 0 },
  });
}

async function stateOf(kept: Outbox) {
  const records = await kept.records({ limit: 100_000 });
  const windows = await kept.windows({ limit: 100_000 });
  return { records, windows };
}

/** An outbox whose machine dies at its n-th write: before it is on the disk, or right after. */
function dying(at: number, isAfter: boolean, stop: AbortController): Outbox {
  let writes = 0;
  return {
    ...tapOutbox(outbox, () => undefined),
    write: async (change) => {
      writes += 1;
      if (writes !== at) return outbox.write(change);
      if (isAfter) await outbox.write(change);
      stop.abort(new Error("killed"));
      throw new Error("killed");
    },
  };
}

describe("what a feed tells", () => {
  it("comes to the same windows and records, whenever the daemon is killed", async () => {
    const random = fc.sample(fc.record({ cpu: fc.nat(8_000_000), memory: fc.nat(2 ** 42) }), {
      ...{ numRuns: 120, seed: 6 },
    });
    const rows = random.map(({ cpu, memory }, at) => {
      const [order, step] = [at % 3, Math.floor(at / 3)];
      return row(order, START + step * 1500 + order, 1500 - (step % 2), cpu, memory);
    });
    await writeFile(file, rows.map((text) => `${text}\n`).join(""));
    await ingest(outbox, new AbortController());
    const whole = await stateOf(outbox);
    expect(whole.windows.length).toBeGreaterThan(50);

    let kills = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.integer({ min: 1, max: 9 }), fc.boolean()), { maxLength: 6 }),
        async (deaths) => {
          await outbox.close();
          await rm(join(folder, "outbox"), { recursive: true });
          outbox = await openOutbox(join(folder, "outbox"));
          for (const [at, isAfter] of deaths) {
            const stop = new AbortController();
            await ingest(dying(at, isAfter, stop), stop).catch(() => (kills += 1));
          }
          await ingest(outbox, new AbortController());
          expect(await stateOf(outbox)).toEqual(whole);
        },
      ),
      { numRuns: 12, seed: 66 },
    );
    expect(kills).toBeGreaterThan(10);
  });

  it("ends its leases with the file, and names rows of a lease that has ended", async () => {
    const rows = [row(1, START, HOUR, 9_000_000, 0), row(1, START + HOUR, 600, 0, 0)];
    await writeFile(file, `${rows.join("\n")}\n`);
    await ingest(outbox, new AbortController());
    const { windows } = await stateOf(outbox);
    expect(windows.map(({ start, end }) => Number(end - start))).toEqual([HOUR, 600]);
    const late = join(folder, "late.ndjson");
    await writeFile(late, `${row(1, START, 60, 1, 1)}\n${row(2, START, HOUR, 1, 1)}\n`);
    await outbox.write({ notes: new Map([["feed/fed", undefined]]) });
    const open = (cursor: unknown) => openNdjsonFeed({ file: late, follow: false }, cursor);
    const faults = await ingest(outbox, new AbortController(), { open });
    expect(faults).toEqual([
      `feed fed ${late}:1: lease lease-1 of order order-1 has ended before: not counted`,
    ]);
    expect(await stateOf(outbox)).toMatchObject({ windows: { length: 3 } });
  });
});

describe("events that come in any order", () => {
  it("go into the window of their time, which closes when nothing more is waited for", async () => {
    const end = START + 2 * HOUR;
    const stop = new AbortController();
    const events: string[][] = [
      [row(1, START + HOUR, 60, 7_200_000, 0)],
      // Of the hour before, and it still counts there: the newest row is 60 s behind the hour.
      [row(1, START, HOUR, 3_600_000, 0)],
      [row(1, START + HOUR + 60, 600, 0, 0)],
    ];
    let closedMeanwhile = 0;
    async function* batches(): AsyncGenerator<FeedBatch> {
      for (const [at, texts] of events.entries()) {
        const one = join(folder, `${at}.ndjson`);
        await writeFile(one, `${texts.join("\n")}\n`);
        const part = await openNdjsonFeed({ file: one, follow: false }, undefined);
        for await (const batch of part.batches(stop.signal)) yield { ...batch, isEnd: false };
        await part.close();
        await new Promise((resolve) => setTimeout(resolve, 1200));
        closedMeanwhile = (await outbox.windows({ limit: 10 })).length;
        expect(closedMeanwhile).toBe(at < 2 ? 0 : 1);
      }
    }
    const feed: Feed = { name: "events", batches, close: () => Promise.resolve() };
    // The lease began with the hour, whichever event came first.
    const { book, intake } = await parts(outbox, stop);
    const ref = { order: "order-1", lease: "lease-1" };
    book.open({ ...ref, rounding: "carry", billsFootprint: true, startS: BigInt(START) });
    const sources = new SourceBook({ log: NO_LOG, nowMs: () => 5, onFault: () => undefined });
    await new Ingest({
      ...{ name: "ev", open: async () => feed, intake, outbox, line: sources.open("feed", "ev") },
      ...{ rounding: "carry", billsFootprint: true, isOrdered: false, log: NO_LOG },
      ...{ intervalSeconds: BigInt(HOUR), lateSeconds: 300, nowMs: () => end * 1000 },
      onRows: () => undefined,
    }).run(stop.signal);
    const [first] = await outbox.windows({ limit: 1 });
    expect(first).toMatchObject({ start: BigInt(START), late: [], isPartial: false });
    expect(first?.metrics.cpuMilliseconds).toBe(3_600_000n);
  });
});

describe("the intake", () => {
  it("keeps a window without a price until there is one: it is neither free nor lost", async () => {
    await writeFile(file, `${row(1, START, HOUR, 7_200_000, 2 ** 42)}\n`);
    const prices = { default: { memory: "2uve" } };
    await ingest(outbox, new AbortController(), { prices });
    expect(outbox.counts().pending).toBe(0);
    expect((await outbox.notes(UNPRICED_NOTES)).size).toBe(1);
    const { intake } = await parts(outbox, new AbortController(), prices);
    await intake.priceAgain();
    expect(outbox.counts().pending).toBe(0);
    const mended = await parts(outbox, new AbortController());
    await mended.intake.priceAgain();
    expect((await outbox.notes(UNPRICED_NOTES)).size).toBe(0);
    const { records } = await stateOf(outbox);
    expect(records.map(({ usageType, cost }) => `${usageType} ${cost}`)).toEqual([
      ...["cpu 3000", "memory 2"],
    ]);
    await mended.intake.priceAgain();
    expect(outbox.counts().pending).toBe(2);
  });

  it("writes again what the disk has refused, and says so while it does", async () => {
    let refusals = 1;
    const refusing: Outbox = {
      ...tapOutbox(outbox, () => undefined),
      write: (change) => {
        refusals -= 1;
        return refusals >= 0 ? Promise.reject(new Error("disk full")) : outbox.write(change);
      },
    };
    const { intake, disk } = await parts(refusing, new AbortController());
    intake.note("a", "1");
    const first = intake.flush();
    intake.note("b", "2");
    await Promise.all([first, intake.flush()]);
    expect(disk[0]).toBe("nothing can be written: disk full");
    expect(disk.at(-1)).toBe("");
    expect([await outbox.note("a"), await outbox.note("b")]).toEqual(["1", "2"]);
  });
});
