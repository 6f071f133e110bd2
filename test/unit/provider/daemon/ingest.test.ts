import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { Ingest } from "../../../../src/provider/daemon/ingest.ts";
import { Intake } from "../../../../src/provider/daemon/intake.ts";
import { SourceBook } from "../../../../src/provider/daemon/source_book.ts";
import { openNdjsonFeed } from "../../../../src/provider/feed/ndjson_feed.ts";
import { type LevelOutbox, openOutbox } from "../../../../src/provider/outbox/level_outbox.ts";
import { PriceBook } from "../../../../src/provider/price_book.ts";
import { NO_LOG } from "../../../../src/provider/provider_log.ts";
import { WindowBook } from "../../../../src/provider/windows/window_book.ts";
import { line } from "../feed/rows.ts";

const NOW_S = 1_700_000_000;

let folder: string;
let outbox: LevelOutbox;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "settled-ingest-"));
  outbox = await openOutbox(join(folder, "outbox"));
});
afterEach(async () => {
  await outbox.close();
  await rm(folder, { recursive: true, force: true });
});

/** A daemon's share in a file of rows that ends. */
async function ingest(text: string): Promise<string[]> {
  const file = join(folder, "usage.ndjson");
  await writeFile(file, text);
  const nowMs = () => NOW_S * 1000;
  const book = new WindowBook({ intervalSeconds: 3600n });
  const prices = PriceBook.parse({ default: { cpu: "1uve" } }, "prices");
  const signal = new AbortController().signal;
  const nothing = () => undefined;
  const intake = new Intake({
    ...{ book, prices, outbox, log: NO_LOG, nowMs, signal, onRecords: nothing, onDisk: nothing },
  });
  const sources = new SourceBook({ log: NO_LOG, nowMs, onFault: nothing });
  await new Ingest({
    ...{ name: "f", log: NO_LOG, intake, outbox, line: sources.open("feed", "f") },
    open: (cursor, check) => openNdjsonFeed({ file, follow: false }, cursor, { check }),
    ...{ rounding: "carry", billsFootprint: true, isOrdered: true, intervalSeconds: 3600n },
    ...{ lateSeconds: 300, nowMs, onRows: nothing },
  }).run(signal);
  return sources.faults().map(({ text: fault }) => fault);
}

it("leaves out a row from far ahead: it would take all later usage of its lease along", async () => {
  const hour = (at: number) => {
    const start = (Math.floor(NOW_S / 3600) - 4 + at) * 3600;
    return { start, end: start + 3600 };
  };
  const rows = [
    line(3_600_000, hour(0)),
    line(3_600_000, hour(9000)),
    line(7_200_000, hour(1)),
    line(3_600_000, hour(27)),
  ];
  expect(await ingest(rows.join(""))).toMatchObject(
    [/more than a day ahead of this machine/].map((text) => expect.stringMatching(text) as string),
  );
  const records = await outbox.records({ limit: 100 });
  const billed = records.map(({ periodEnd, usageUnits }) => [Number(periodEnd), usageUnits]);
  expect(billed.filter(([, units]) => units !== 1n)).toEqual([[hour(1).end, 2n]]);
  expect(billed.at(-1)).toEqual([hour(27).end, 1n]);
});
