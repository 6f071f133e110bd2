import { appendFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { openCsvFeed } from "../../../../src/provider/feed/csv_feed.ts";
import type { FeedRow } from "../../../../src/provider/feed/feed.ts";
import { folder, nothingSeen, readAll, see } from "./rows.ts";

const HEADER =
  "cpu_milliseconds,order,lease,start,end,memory_byte_seconds,storage_byte_seconds,gpu_seconds,network_bytes_in,network_bytes_out,id";

let file: string;
beforeEach(() => {
  file = join(folder(), "usage.csv");
});

const once = (cursor?: unknown) => openCsvFeed({ file, follow: false }, cursor);

describe("a CSV file", () => {
  it("has a header, quoted fields, and lines that end with CRLF or LF", async () => {
    const lines = [
      HEADER,
      `1,"order, ""one""",l,3600,1970-01-01T02:00:00Z,9223372036854775807,0,0,0,0,`,
      "2,o,l,7200,10800,0,0,0,0,0,row-2",
    ];
    writeFileSync(file, `${lines.join("\r\n")}\n\n`);
    const rows: FeedRow[] = [];
    const feed = await once();
    for await (const batch of feed.batches(new AbortController().signal)) rows.push(...batch.rows);
    await feed.close();
    expect(rows).toMatchObject([
      {
        ...{ order: 'order, "one"', startS: 3600n, endS: 7200n, id: "", place: `${file}:2` },
        metrics: { cpuMilliseconds: 1n, memoryByteSeconds: 9_223_372_036_854_775_807n },
      },
      { order: "o", id: "row-2", place: `${file}:3` },
    ]);
  });

  it("keeps its header with the place, and takes the new one's after rotation", async () => {
    writeFileSync(file, `${HEADER}\n1,o,l,0,1,0,0,0,0,0,\n`);
    const seen = nothingSeen();
    await readAll(await once(), seen);
    appendFileSync(file, "2,o,l,1,2,0,0,0,0,0,\n");
    await readAll(await once(seen.cursor), seen);
    const swapped = HEADER.replace("cpu_milliseconds,order", "order,cpu_milliseconds");
    writeFileSync(file, `${swapped}\no,3,l,2,3,0,0,0,0,0,\n`);
    await readAll(await once(seen.cursor), seen);
    expect(seen.numbers).toEqual([1, 2, 3]);
  });

  it("passes over rows that cannot be read, by line and reason", async () => {
    const bad = [
      "1,o,l,0,1,0,0,0,0",
      '"1,o,l,0,1,0,0,0,0,0,',
      "1.5,o,l,0,1,0,0,0,0,0,",
      ",o,l,0,1,0,0,0,0,0,",
      "1,o,l,0,1e3,0,0,0,0,0,",
    ];
    writeFileSync(file, `${HEADER}\n${bad.join("\n")}\n7,o,l,0,1,0,0,0,0,0,\n`);
    const { numbers, faults } = await readAll(await once());
    expect(numbers).toEqual([7]);
    expect(faults).toEqual([
      `${file}:2: expected 11 fields as in the header, found 9`,
      `${file}:3: a quoted field does not end on its line`,
      `${file}:4: "cpu_milliseconds" is not an integer from 0 to 2^63-1: "1.5"`,
      `${file}:5: "cpu_milliseconds" is missing`,
      `${file}:6: "end" must be unix seconds or a time like 2026-01-31T12:00:00Z, found "1e3"`,
    ]);
  });

  const headers: [string, string, RegExp][] = [
    ["without a column", HEADER.replace(",lease", ""), /:1: the header has no column lease$/],
    ["with an unknown one", `${HEADER},ram`, /unknown column "ram"/],
    ["with one twice", `${HEADER},id`, /the column "id" twice/],
  ];
  it.each(headers)("is refused as a whole for a header %s", async (_what, header, message) => {
    writeFileSync(file, `${header}\n1,o,l,0,1,0,0,0,0,0,\n`);
    const seen = nothingSeen();
    const feed = await once();
    const reading = async () => {
      for await (const batch of feed.batches(new AbortController().signal)) see(seen, batch);
    };
    await expect(reading()).rejects.toThrow(message);
    await feed.close();
    expect(seen.cursor).toBeUndefined();
  });
});
