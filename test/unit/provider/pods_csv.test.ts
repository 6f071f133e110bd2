import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { linesOf } from "../../../src/provider/lines.ts";
import { planReplay } from "../../../src/provider/plan.ts";
import { readPods } from "../../../src/provider/pods_csv.ts";
import { DEFAULT_PRICES_FILE, PriceBook } from "../../../src/provider/price_book.ts";
import { noCounts } from "../../../src/provider/window.ts";
import { all, lines } from "./collect.ts";

const HEADER =
  "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,scheduled_time";
const POD_A = "a,12000,16384,1,460,,LS,Running,0,7300,100";
const POD_B = "b,8000,1024,8,1000,V100M32,LS,Failed,50,3650,50";
const NEVER = "n,1000,1024,0,0,,LS,Pending,10,20,";

async function read(rows: readonly string[], options: { window?: bigint; limit?: number } = {}) {
  const counts = noCounts();
  const { window = 3600n, limit } = options;
  const source = readPods(
    lines([HEADER, ...rows].join("\n")),
    { windowSeconds: window, limit },
    counts,
  );
  return { windows: await all(source), counts };
}

describe("pods of a cluster trace", () => {
  it("cuts a pod's life into windows from its schedule, the last one short", async () => {
    const { windows, counts } = await read([POD_A]);
    expect(windows.map(({ start, end }) => [start, end])).toEqual([
      [100n, 3700n],
      [3700n, 7300n],
    ]);
    expect(windows[0]).toMatchObject({ job: "a", order: "pod/a", lease: "lease/a", line: 2 });
    expect(counts).toEqual({ jobs: 1, skipped: 0, lastInstant: 7300n });
    const short = await read([POD_A], { window: 5000n });
    expect(short.windows.map(({ start, end }) => end - start)).toEqual([5000n, 2200n]);
  });

  it("R-003-02 turns what a pod holds into metrics of its own, per pod and window", async () => {
    const { windows } = await read([POD_A, POD_B]);
    const [a, , b] = windows.map(({ metrics }) => metrics);
    expect(a?.cpuMilliseconds).toBe(12_000n * 3600n);
    expect(a?.memoryByteSeconds).toBe(16_384n * 1_048_576n * 3600n);
    // One card: its share in thousandths, floored. Several: whole cards.
    expect(a?.gpuSeconds).toBe((3600n * 460n) / 1000n);
    expect(b?.gpuSeconds).toBe(8n * 3600n);
    expect([a?.storageByteSeconds, a?.networkBytesIn, a?.networkBytesOut]).toEqual([0n, 0n, 0n]);
  });

  it("counts pods that never ran as skipped, and stops taking pods at the limit", async () => {
    const idle = "z,1,1,0,0,,LS,Failed,5,5,5";
    const { windows, counts } = await read([NEVER, POD_A, idle]);
    expect(counts).toEqual({ jobs: 1, skipped: 2, lastInstant: 7300n });
    expect(windows).toHaveLength(2);
    const limited = await read([NEVER, POD_B, POD_A, idle], { limit: 1 });
    expect(limited.windows.map(({ job }) => job)).toEqual(["b"]);
    expect(limited.counts).toEqual({ jobs: 1, skipped: 1, lastInstant: 7300n });
  });

  const broken: [string, string, RegExp][] = [
    ["too few fields", "a,1,2", /line 2: expected 11 fields as in the header, found 3/],
    ["a word for a number", POD_A.replace("12000", "many"), /line 2: cpu_milli is not a whole/],
    ["a negative number", POD_A.replace("16384", "-1"), /line 2: memory_mib is not a whole/],
    ["a fraction", POD_A.replace("7300", "7300.5"), /line 2: deletion_time is not a whole/],
    ["a number above 63 bits", POD_A.replace("12000", "9223372036854775808"), /above 2\^63-1/],
    ["an end before the start", POD_A.replace("7300", "99"), /deletion_time 99 is before/],
    ["no end", POD_A.replace("7300", ""), /line 2: deletion_time is not a whole number: ""/],
    ["no name", POD_A.slice(1), /line 2: the pod has no name/],
    ["quotes", `"${POD_A}"`, /line 2: quoted fields/],
    ["an empty line", `\n${POD_A}`, /line 2: expected 11 fields as in the header, found 1/],
    ["a name twice", `${POD_A}\n${POD_A}`, /line 3: pod "a" was already on line 2/],
    ["a metric above 63 bits", POD_A.replace("12000", "9223372036854775"), /cpuMilliseconds of a/],
  ];
  it.each(broken)("refuses %s, naming the line", async (_what, row, message) => {
    await expect(read([row])).rejects.toThrow(message);
  });

  it("refuses a file without the columns, or without anything", async () => {
    const counts = noCounts();
    const options = { windowSeconds: 3600n, limit: undefined };
    await expect(all(readPods(lines("name,cpu_milli"), options, counts))).rejects.toThrow(
      /line 1: the header has no column "memory_mib"/,
    );
    const nothing = (async function* (): AsyncGenerator<string> {})();
    await expect(all(readPods(nothing, options, counts))).rejects.toThrow(/the file is empty/);
  });

  const trace = "../shared/data/openb_pod_list_default.csv";
  it.skipIf(!existsSync(trace))(
    "reads the whole production trace: 8,152 rows, 7,255 scheduled, 63,858 hourly windows (skipped where ../shared/data is absent)",
    async () => {
      const counts = noCounts();
      const windows = readPods(linesOf(trace), { windowSeconds: 3600n, limit: undefined }, counts);
      const prices = await PriceBook.read(DEFAULT_PRICES_FILE);
      const plan = await planReplay(windows, counts, {
        prices,
        unitRounding: "floor",
        withOrders: true,
      });
      expect(counts).toEqual({ jobs: 7255, skipped: 897, lastInstant: 12_902_960n });
      expect(plan.windows).toBe(63_858);
      expect(plan.orders.size).toBe(7255);
      expect(plan.records).toBe(161_456);
    },
  );
});
