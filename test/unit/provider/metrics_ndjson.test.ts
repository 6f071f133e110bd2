import { describe, expect, it } from "vitest";
import { readMetrics } from "../../../src/provider/metrics_ndjson.ts";
import { noCounts } from "../../../src/provider/window.ts";
import { all, lines } from "./collect.ts";

const GOOD = {
  job: "j",
  order: "o",
  lease: "l",
  start: 0,
  end: 3600,
  cpu_milliseconds: "9223372036854775807",
  memory_byte_seconds: 1,
  storage_byte_seconds: 2,
  gpu_seconds: 3,
  network_bytes_in: 4,
  network_bytes_out: "5",
};

async function read(text: string, limit?: number) {
  const counts = noCounts();
  const windows = await all(readMetrics(lines(text), { limit }, counts));
  return { windows, counts };
}

const line = (changes: object) => JSON.stringify({ ...GOOD, ...changes });

describe("metrics files", () => {
  it("R-003-02 reads one record per job and window, 64-bit integers exact in both forms", async () => {
    const long = line({}).replace(
      '"memory_byte_seconds":1',
      '"memory_byte_seconds":9007199254740993',
    );
    const { windows, counts } = await read(`${long}\n${line({ start: "3600", end: "7200" })}\n`);
    expect(windows).toHaveLength(2);
    expect(windows[0]).toEqual({
      job: "j",
      order: "o",
      lease: "l",
      start: 0n,
      end: 3600n,
      line: 1,
      metrics: {
        cpuMilliseconds: 9_223_372_036_854_775_807n,
        memoryByteSeconds: 9_007_199_254_740_993n,
        storageByteSeconds: 2n,
        gpuSeconds: 3n,
        networkBytesIn: 4n,
        networkBytesOut: 5n,
      },
    });
    expect(counts).toEqual({ jobs: 1, skipped: 0, lastInstant: 7200n });
  });

  it("keeps long digits inside texts as they are", async () => {
    const { windows } = await read(line({ job: 'a"12345678901234567890' }));
    expect(windows[0]?.job).toBe('a"12345678901234567890');
  });

  it("takes the windows of the first so many jobs, wherever they are", async () => {
    const jobs = ["a", "b", "a", "c"].map((job, at) =>
      line({ job, order: job, start: at * 10, end: at * 10 + 10 }),
    );
    const { windows, counts } = await read(jobs.join("\n"), 2);
    expect(windows.map(({ job }) => job)).toEqual(["a", "b", "a"]);
    expect(counts).toEqual({ jobs: 2, skipped: 0, lastInstant: 40n });
  });

  const broken: [string, string, RegExp][] = [
    ["text that is not JSON", "{", /line 1: not JSON/],
    ["something else than an object", "[1]", /line 1: not a JSON object/],
    ["an empty line", "", /line 1: not JSON/],
    ["an unknown field", line({ cpu: 1 }), /line 1: unknown field "cpu"/],
    ["a missing field", line({ gpu_seconds: undefined }), /line 1: field "gpu_seconds" is missing/],
    ["a fraction", line({ gpu_seconds: 1.5 }), /"gpu_seconds" is not an integer .*: 1.5/],
    ["a negative metric", line({ gpu_seconds: -1 }), /"gpu_seconds" is not an integer/],
    ["more than 63 bits", line({ end: "9223372036854775808" }), /"end" is not an integer/],
    ["null", line({ start: null }), /"start" is not an integer .*: null/],
    ["a number as an id", line({ order: 5 }), /"order" must be a text/],
    ["an empty id", line({ lease: "" }), /"lease" must be a text/],
    ["an id of 129 bytes", line({ lease: "x".repeat(129) }), /"lease" is longer than 128 bytes/],
    ["an end that is not after the start", line({ end: 0 }), /end 0 is not after start 0/],
  ];
  it.each(broken)("refuses %s, naming the line", async (_what, text, message) => {
    await expect(read(text)).rejects.toThrow(message);
  });

  it("names the line of a later fault", async () => {
    await expect(read(`${line({})}\n{"job":1}`)).rejects.toThrow(/^line 2: /);
  });
});
