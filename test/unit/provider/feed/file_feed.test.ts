import { appendFileSync, readFileSync, renameSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import type { Feed } from "../../../../src/provider/feed/feed.ts";
import { openNdjsonFeed } from "../../../../src/provider/feed/ndjson_feed.ts";
import { RowMemory } from "../../../../src/provider/feed/row_memory.ts";
import { folder, line, nothingSeen, outboxIn, readAll, see, type Seen } from "./rows.ts";

/** Times of files go by the kernel's ticks. */
const KERNEL_TICK_MS = 12;

let path: string;
let file: string;
beforeEach(() => {
  path = folder();
  file = join(path, "usage.ndjson");
});

const once = (cursor?: unknown): Promise<Feed> => openNdjsonFeed({ file, follow: false }, cursor);
const followed = (cursor?: unknown): Promise<Feed> =>
  openNdjsonFeed({ file, follow: true, pollMs: 5, movedMs: 100 }, cursor);

/** Follows until so many rows have come. */
async function follow(seen: Seen, count: number): Promise<void> {
  await readAll(await followed(seen.cursor), seen, ({ numbers }) => numbers.length >= count);
}

describe("an NDJSON file that ends", () => {
  it("gives all rows with their places, and ends; its last line needs no end", async () => {
    writeFileSync(file, `\u{feff}${line(1)}\n${line(2).replace("\n", "\r\n")}${line(3).trim()}`);
    const feed = await once();
    const places: string[] = [];
    const [signal, seen] = [new AbortController().signal, nothingSeen()];
    for await (const batch of feed.batches(signal)) {
      see(seen, batch);
      places.push(...batch.rows.map(({ place }) => place));
    }
    await feed.close();
    expect(seen).toMatchObject({ numbers: [1, 2, 3], faults: [], isEnd: true });
    expect(places).toEqual([1, 3, 4].map((at) => `${file}:${at}`));
    expect((await readAll(await once(seen.cursor))).numbers).toEqual([]);
    appendFileSync(file, `\n${line(4)}`);
    expect((await readAll(await once(seen.cursor))).numbers).toEqual([4]);
  });

  it("passes over what cannot be read, by line and reason", async () => {
    const bad = [
      "{",
      "[]",
      line(9, { start: 7200 }).trim(),
      line(9, { ram: 1 }).trim(),
      line(9, { gpu_seconds: -1 }).trim(),
      line(9, { order: "" }).trim(),
    ];
    writeFileSync(file, Buffer.concat([Buffer.from(`${line(1)}${bad.join("\n")}\n`)]));
    appendFileSync(file, Buffer.from([0xff, 0x0a]));
    appendFileSync(file, line(2));
    const { numbers, faults } = await readAll(await once());
    expect(numbers).toEqual([1, 2]);
    expect(faults).toEqual([
      `${file}:2: not JSON`,
      `${file}:3: not a JSON object`,
      `${file}:4: "end" is not after the start: 7200 to 7200`,
      `${file}:5: "ram" is not a field of usage`,
      `${file}:6: "gpu_seconds" is not an integer from 0 to 2^63-1: -1`,
      `${file}:7: "order" must be a text that is not empty`,
      `${file}:8: not UTF-8`,
    ]);
  });

  it("passes over a line of megabytes without keeping it, also when it is interrupted", async () => {
    writeFileSync(file, `${line(1)}${"x".repeat(3_000_000)}\n${line(2)}`);
    const long = `${file}:2: the line is longer than 1048576 bytes`;
    expect(await readAll(await once())).toMatchObject({ numbers: [1, 2], faults: [long] });
    const interrupted = await readAll(
      await once(),
      nothingSeen(),
      ({ faults }) => faults.length > 0,
    );
    expect(interrupted.numbers).toEqual([1]);
    const { numbers, faults } = await readAll(await once(interrupted.cursor), interrupted);
    expect({ numbers, faults }).toEqual({ numbers: [1, 2], faults: [long] });
    writeFileSync(file, "y".repeat(2_500_000));
    expect((await readAll(await once())).faults).toEqual([
      `${file}:1: the line is longer than 1048576 bytes`,
    ]);
  });

  it("comes in batches of bounded rows; each goes on where the one before ended", async () => {
    const count = 2500;
    writeFileSync(file, Array.from({ length: count }, (_, index) => line(index)).join(""));
    const seen = nothingSeen();
    let batches = 0;
    while (!seen.isEnd) {
      // A crash after every batch.
      const before = seen.numbers.length;
      await readAll(await once(seen.cursor), seen, () => true);
      expect(seen.numbers.length - before).toBeLessThanOrEqual(1000);
      batches += 1;
    }
    expect(seen.numbers).toEqual(Array.from({ length: count }, (_, index) => index));
    expect(batches).toBeGreaterThan(2);
  });

  it("is an error when there is none, and when the place kept is of something else", async () => {
    await expect(readAll(await once())).rejects.toThrow(/there is no such file/);
    const feed = await openNdjsonFeed({ file: path, follow: true }, undefined);
    await expect(readAll(feed)).rejects.toThrow(/it is not a regular file/);
    writeFileSync(file, line(1));
    await expect(readAll(await once({ offset: 5 }))).rejects.toThrow(
      /the place kept for it is not/,
    );
  });
});

describe("an NDJSON file that is followed", () => {
  it("waits for the file, for rows, and for the rest of a half line", async () => {
    const seen = nothingSeen();
    const reading = follow(seen, 3);
    await sleep(30);
    writeFileSync(file, line(1));
    await sleep(30);
    const [second, third] = [line(2), line(3)];
    appendFileSync(file, second.slice(0, 20));
    await sleep(60);
    expect(seen.numbers).toEqual([1]);
    appendFileSync(file, second.slice(20) + third);
    await reading;
    expect(seen).toMatchObject({ numbers: [1, 2, 3], faults: [], isEnd: false });
  });

  it("reads a file that was moved away to its end, then the new one", async () => {
    writeFileSync(file, line(1));
    const seen = nothingSeen();
    const reading = follow(seen, 3);
    await sleep(30);
    renameSync(file, `${file}.1`);
    writeFileSync(file, line(3));
    await sleep(30);
    // The writer still has the old one open; its last line never gets its end.
    appendFileSync(`${file}.1`, line(2).trim());
    await reading;
    expect(seen.numbers).toEqual([1, 2, 3]);
  });

  it("goes on in a file that is written anew with all of the old one and more", async () => {
    writeFileSync(file, line(1) + line(2));
    const seen = nothingSeen();
    const reading = follow(seen, 4);
    await sleep(50);
    writeFileSync(`${file}.new`, line(1) + line(2) + line(3) + line(4));
    renameSync(`${file}.new`, file);
    await reading;
    expect(seen).toMatchObject({ numbers: [1, 2, 3, 4], faults: [] });
  });

  it("notices while it follows that the file was truncated, even if it grew beyond its place", async () => {
    writeFileSync(file, line(1) + line(2));
    const seen = nothingSeen();
    const reading = follow(seen, 5);
    await expect.poll(() => seen.numbers).toEqual([1, 2]);
    writeFileSync(file, line(33) + line(4) + line(5));
    await reading;
    expect(seen.numbers).toEqual([1, 2, 33, 4, 5]);
    const offset = line(1).length + line(2).length;
    expect(seen.faults).toEqual([
      `${file}:2: truncated below byte ${offset}: read again from its start`,
    ]);
  });

  it("begins again when the file was truncated, and says what may be lost", async () => {
    writeFileSync(file, line(1) + line(2));
    const seen = nothingSeen();
    await follow(seen, 2);
    truncateSync(file, 0);
    writeFileSync(file, line(3), { flag: "r+" });
    await follow(seen, 3);
    // Grown beyond the place where it was read to: only its contents tell.
    truncateSync(file, 0);
    writeFileSync(file, line(44) + line(5) + line(6), { flag: "r+" });
    await follow(seen, 6);
    expect(seen.numbers).toEqual([1, 2, 3, 44, 5, 6]);
    expect(seen.faults).toHaveLength(2);
  });
});

describe("a file that was moved while nobody read", () => {
  it("is found by its inode beside the new one, and its successors are read in their order", async () => {
    writeFileSync(file, line(1) + line(2));
    const seen = nothingSeen();
    await follow(seen, 2);
    appendFileSync(file, line(3));
    renameSync(file, `${file}.2`);
    await sleep(KERNEL_TICK_MS);
    writeFileSync(`${file}.1`, line(4));
    await sleep(KERNEL_TICK_MS);
    writeFileSync(file, line(5));
    writeFileSync(`${file}.1.gz`, "not a line of it");
    await readAll(await once(seen.cursor), seen);
    expect(seen).toMatchObject({ numbers: [1, 2, 3, 4, 5], faults: [], isEnd: true });
  });

  it("is gone on with where it was read to when it is a copy with another inode", async () => {
    writeFileSync(file, line(1) + line(2));
    const seen = await readAll(await once());
    const moved = join(path, "elsewhere");
    renameSync(file, moved);
    writeFileSync(file, readFileSync(moved, "utf8") + line(3));
    await readAll(await once(seen.cursor), seen);
    expect(seen).toMatchObject({ numbers: [1, 2, 3], faults: [] });
  });

  it("is told to be gone when it is; the new one is read from its start", async () => {
    writeFileSync(file, line(1) + line(2));
    const seen = await readAll(await once());
    // Another file in its place that the same inode may be given to.
    const other = line(7) + line(8) + line(9);
    renameSync(file, join(path, "elsewhere"));
    writeFileSync(file, other);
    await readAll(await once(seen.cursor), seen);
    expect(seen.numbers).toEqual([1, 2, 7, 8, 9]);
    const rule = "the file that was read before is neither here nor beside it";
    const offset = line(1).length + line(2).length;
    expect(seen.faults).toEqual([
      `${file}:2: ${rule}: what it had after byte ${offset} is not known`,
    ]);
  });
});

describe("rows with an id", () => {
  it("are taken once, over restarts, by this feed's own ids", async () => {
    const outbox = await outboxIn(join(path, "outbox"));
    const read = async (cursor?: unknown) => {
      const memory = new RowMemory({ reader: outbox, feed: "meter", nowMs: () => 10_000_000 });
      const feed = await openNdjsonFeed({ file, follow: false }, cursor, { memory });
      const seen = nothingSeen();
      for await (const batch of feed.batches(new AbortController().signal)) {
        see(seen, batch);
        await outbox.write({ notes: batch.notes });
        batch.settled();
      }
      await feed.close();
      return seen;
    };
    writeFileSync(
      file,
      line(1, { id: "a" }) + line(2, { id: "b" }) + line(1, { id: "a" }) + line(3),
    );
    const first = await read();
    expect(first).toMatchObject({ numbers: [1, 2, 3], duplicates: 1, faults: [] });
    // The file is copied and truncated: its rows come again.
    const copy = readFileSync(file, "utf8");
    writeFileSync(file, copy + line(9, { id: "b" }));
    const again = await read();
    expect(again.numbers).toEqual([3]);
    expect(again.faults).toEqual([
      `${file}:5: a row with the id "b" and other contents was taken before: not counted`,
    ]);
  });

  it("are refused for a reason of the daemon's own", async () => {
    writeFileSync(file, line(1) + line(2, { lease: "other" }));
    const check = ({ lease }: { lease: string }) =>
      lease === "other" ? "unknown lease" : undefined;
    const feed = await openNdjsonFeed({ file, follow: false }, undefined, { check });
    expect(await readAll(feed)).toMatchObject({
      ...{ numbers: [1], faults: [`${file}:2: unknown lease`] },
    });
  });
});

describe("exactly once", () => {
  it("holds whatever is written, cut, moved and restarted, in any order", async () => {
    const step = fc.oneof(
      { weight: 5, arbitrary: fc.record({ kind: fc.constant("append"), rows: fc.nat(5) }) },
      { weight: 2, arbitrary: fc.constant({ kind: "half" as const }) },
      { weight: 2, arbitrary: fc.constant({ kind: "rotate" as const }) },
      { weight: 4, arbitrary: fc.constant({ kind: "read" as const }) },
    );
    let run = 0;
    const property = fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      run += 1;
      file = join(path, `run-${run}.ndjson`);
      writeFileSync(file, "");
      let [written, rotations, half] = [0, 0, ""];
      // Before the first look nobody knows which files came before this one.
      const seen = await readAll(await once());
      const append = () => {
        appendFileSync(file, `${half === "" ? line(written) : half}`);
        written += 1;
        half = "";
      };
      for (const each of steps) {
        if (each.kind === "append")
          for (let n = 0; n < (each as { rows: number }).rows; n += 1) append();
        else if (each.kind === "half" && half === "") {
          appendFileSync(file, line(written).slice(0, 10));
          half = line(written).slice(10);
        } else if (each.kind === "rotate" && half === "") {
          rotations += 1;
          renameSync(file, `${file}.${rotations}`);
          await sleep(KERNEL_TICK_MS);
          writeFileSync(file, "");
        } else if (each.kind === "read" && written > seen.numbers.length) {
          await follow(seen, written);
        }
      }
      if (half !== "") append();
      await readAll(await once(seen.cursor), seen);
      expect(seen.numbers).toEqual(Array.from({ length: written }, (_, index) => index));
      expect(seen.faults).toEqual([]);
    });
    await fc.assert(property, { numRuns: 15 });
  });
});
