import { writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, it } from "vitest";
import { openNdjsonFeed } from "../../../../src/provider/feed/ndjson_feed.ts";
import type { Outbox } from "../../../../src/provider/outbox/outbox.ts";
import { WindowBook } from "../../../../src/provider/windows/window_book.ts";
import { folder, line, outboxIn } from "./rows.ts";

const ROWS = 3000;
const LEASES = 7;
const CURSOR = "feed/usage";

/** Reads on where the disk says; dies before the write number `writes`. Returns whether it ended. */
async function live(outbox: Outbox, file: string, writes: number): Promise<boolean> {
  const book = new WindowBook({ intervalSeconds: 600n });
  book.restore(await outbox.notes("lease/"));
  const note = await outbox.note(CURSOR);
  const feed = await openNdjsonFeed({ file, follow: false }, note && JSON.parse(note));
  let left = writes;
  try {
    for await (const batch of feed.batches(new AbortController().signal)) {
      const windows = batch.rows.flatMap((row) => {
        const isOpen = book.open({ ...row, rounding: "carry", billsFootprint: true });
        expect(isOpen).toBe(true);
        const [startMs, endMs] = [Number(row.startS) * 1000, Number(row.endS) * 1000];
        const { metrics } = row;
        const closed = book.closeUntil(row.startS, row);
        book.add(row, { startMs, endMs, metrics, isContinuous: true, faults: [] });
        return closed;
      });
      if (batch.isEnd)
        for (const ref of book.leases()) windows.push(...book.end(ref, 60_100n).windows);
      if (left === 0) return false;
      left -= 1;
      const notes = new Map([
        ...book.takeChanges(),
        [CURSOR, JSON.stringify(batch.cursor)] as const,
      ]);
      await outbox.write({ windows, notes });
      batch.settled();
      if (batch.isEnd) return true;
    }
    return false;
  } finally {
    await feed.close();
  }
}

it("what a feed tells is in windows once, wherever the daemon dies", async () => {
  const path = folder();
  const file = join(path, "usage.ndjson");
  const lines = Array.from({ length: ROWS }, (_, index) => {
    const start = index * 20;
    return line(1 + index, { lease: `lease-${index % LEASES}`, start, end: start + 50 });
  });
  writeFileSync(file, lines.join(""));
  let run = 0;
  const property = fc.asyncProperty(fc.array(fc.nat(2), { maxLength: 6 }), async (deaths) => {
    run += 1;
    const outbox = await outboxIn(join(path, `outbox-${run}`));
    for (const writes of deaths) if (await live(outbox, file, writes)) break;
    await live(outbox, file, Number.POSITIVE_INFINITY);
    let [sum, units, footprints] = [0n, 0n, 0n];
    for (const window of await outbox.windows({ limit: 1_000_000 })) {
      sum += window.metrics.cpuMilliseconds;
      for (const each of window.units) units += each.units;
      if (!window.isPartial && window.metrics.cpuMilliseconds === 0n) footprints += 1n;
    }
    expect(sum).toBe(BigInt((ROWS * (ROWS + 1)) / 2));
    // 4,501,500 ms over seven leases: none has used a whole hour, none was idle while watched.
    expect([units, footprints]).toEqual([0n, 0n]);
  });
  await fc.assert(property, { numRuns: 5, examples: [[[]], [[0, 1, 0, 2]]] });
});
