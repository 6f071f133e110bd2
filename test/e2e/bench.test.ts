import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { compare, readBaseline, updateBaseline } from "../../bench/harness/baseline.ts";
import type { Figure, Sample } from "../../bench/harness/figure.ts";
import { reportOf } from "../../bench/harness/report.ts";
import { type Result, resultOf } from "../../bench/harness/result.ts";
import { sizesOf } from "../../bench/harness/sizes.ts";
import { median, percentile, spread } from "../../bench/harness/stats.ts";
import { tableOf } from "../../bench/harness/table.ts";
import { GROUPS } from "../../bench/groups.ts";
import { parseOptions } from "../../bench/options.ts";
import { runBench } from "../../bench/run.ts";
import { inRoot, read } from "../architecture/repository.ts";
import { Program } from "./node_process.ts";

const RATE: Figure = {
  ...{ name: "rate", unit: "tx/s", scale: "rate", better: "higher" },
  target: { of: "ratio", bound: 2 },
};
const TIME: Figure = { name: "time", unit: "us", scale: "microseconds", better: "lower" };
const homeRecords = 1000;

const samples = (limit: number, ...values: number[]): Sample[] =>
  values.map((value) => ({ value, limit }));
const rate = (...values: number[]): Result =>
  resultOf(RATE, samples(100, ...values), { homeRecords });

test("a tiny run measures, prints a table and gives a report", async () => {
  const names = ["verify_limit_tx_s", "batch_records_s", "settle_records_s", "node_tx_s"];
  const sizes = sizesOf("smoke");
  const results = await runBench({
    ...{ groups: GROUPS, sizes, only: names, folder: tmpdir(), inProcess: true },
    homes: async () => {
      throw new Error("none of these figures needs a home");
    },
    onGroup: () => undefined,
    onProgress: () => undefined,
  });
  const lines = tableOf(results).trimEnd().split("\n");
  expect(lines[0]).toMatch(/^figure +value +unit +ratio +target +spread +verdict$/);
  expect(lines.slice(2).map((line) => line.split(" ")[0])).toEqual(names);
  expect(lines.at(-1)).toContain("not measured: it needs a process of its own");
  const report = reportOf({ mode: "smoke", sizes, results, seconds: 1, load: 0 });
  const { figures } = JSON.parse(JSON.stringify(report)) as {
    figures: { name: string; value: number; ratio: number; samples: Sample[] }[];
  };
  const [limit, batch, settle] = figures as [
    ...{ value: number; ratio: number; samples: Sample[] }[],
  ];
  expect(limit?.value).toBeGreaterThan(100);
  for (const figure of [batch, settle]) {
    expect(figure?.samples).toHaveLength(sizes.repetitions);
    expect(figure?.value).toBeGreaterThan(100);
    const ratios = (figure?.samples ?? []).map(({ value, limit: beside }) => value / beside);
    expect(figure?.ratio).toBeCloseTo(median(ratios), 9);
  }
});

test("the table of the documents names every figure, and the baseline only such", () => {
  const names = GROUPS.flatMap(({ figures }) => figures.map(({ name }) => name));
  expect(new Set(names).size).toBe(names.length);
  const document = read("docs/performance.md");
  expect(names.filter((name) => !document.includes(`\`${name}\``))).toEqual([]);
  const baseline = readBaseline(inRoot("bench", "baseline.json"));
  const known = Object.values(baseline).flatMap((ratios) => Object.keys(ratios));
  expect(known.filter((name) => !names.includes(name))).toEqual([]);
});

test("a failed group is told, and the others go on", async () => {
  const broken = { name: "broken", figures: [RATE], run: () => Promise.reject(new Error("dead")) };
  const input = { sizes: sizesOf("smoke"), only: undefined, folder: tmpdir(), inProcess: true };
  const results = await runBench({
    ...{ ...input, groups: [broken, ...GROUPS.slice(0, 1)] },
    homes: () => Promise.reject(new Error("no homes")),
    onGroup: () => undefined,
    onProgress: () => undefined,
  });
  expect(results.map(({ verdict }) => verdict)).toEqual(["not measured: dead", ""]);
});

test("medians, percentiles and spreads", () => {
  expect(median([5, 1, 3])).toBe(3);
  expect(median([4, 1, 3, 2])).toBe(2.5);
  expect(percentile([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 0.5)).toBe(5);
  expect(percentile([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 0.99)).toBe(10);
  expect(spread([100, 100, 100])).toBe(0);
  // One outlier of five says nothing.
  expect(spread([95, 100, 105, 100, 1000])).toBe(0.1);
  expect(spread([50, 100, 150, 80, 120])).toBeCloseTo(0.4);
});

test("ratios and verdicts", () => {
  expect(rate(200, 250, 220)).toMatchObject({ value: 220, ratio: 2.2, verdict: "ok" });
  expect(rate(150, 150, 150)).toMatchObject({ ratio: 1.5, verdict: "missed by 25 %" });
  expect(rate(100, 200, 300, 120, 280).isUnstable).toBe(true);
  const time = resultOf(TIME, samples(20_000, 50, 50), { homeRecords });
  expect(time.ratio).toBeCloseTo(1);
  const early = resultOf(RATE, samples(100, 200), { homeRecords, why: "Error: dead\n at x" });
  expect(early.verdict).toBe("ended early: dead");
});

describe("the baseline", () => {
  let folder: string;
  let path: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "settled-bench-test-"));
    path = join(folder, "baseline.json");
  });
  afterEach(async () => rm(folder, { recursive: true, force: true }));

  test("keeps the ratios of each mode", async () => {
    expect(readBaseline(path)).toEqual({});
    updateBaseline(path, "quick", [rate(100)]);
    updateBaseline(path, "full", [rate(300)]);
    // What is not worth comparing with leaves the baseline as it is.
    const unstable = updateBaseline(path, "full", [rate(10, 20, 30, 40, 50)]);
    expect(unstable).toEqual(["rate: unstable"]);
    expect(JSON.parse(await readFile(path, "utf8"))).toEqual({
      quick: { rate: 1 },
      full: { rate: 3 },
    });
  });

  test("finds what is 10 % worse, and says what it did not compare", () => {
    const none = { faults: [], notes: [] };
    expect(compare({ rate: 1 }, [rate(91)])).toEqual(none);
    expect(compare({ rate: 1 }, [rate(150)])).toEqual(none);
    expect(compare({ rate: 1 }, [rate(89)]).faults).toEqual([
      "rate: -11.0 % against the baseline (1 -> 0.8900)",
    ]);
    const slow = resultOf(TIME, samples(20_000, 56, 56), { homeRecords });
    expect(compare({ time: 1 }, [slow]).faults).toHaveLength(1);
    const unstable = compare({ rate: 1 }, [rate(10, 20, 30, 40, 50)]);
    expect(unstable.faults).toEqual([]);
    expect(unstable.notes[0]).toMatch(/not counted: unstable$/);
    const missing = resultOf(RATE, [], { homeRecords, why: "no disk" });
    expect(compare({ rate: 1 }, [missing]).notes).toEqual(["rate: not measured: no disk"]);
    expect(compare({}, [rate(1)]).notes).toEqual(["rate: not in the baseline"]);
    // How fast the machine is says nothing about the program.
    const limit = resultOf({ ...RATE, scale: "limit" }, samples(100, 100), { homeRecords });
    expect(compare({ rate: 1000 }, [limit])).toEqual(none);
  });
});

test("arguments", () => {
  const names = ["check_tx_s", "check_tx_one_account_s", "node_tx_s"];
  const options = parseOptions(["--quick", "--only=check,node_tx_s", "--json", "a.json"], names);
  expect(options).toMatchObject({ mode: "quick", only: names, json: "a.json", check: false });
  expect(() => parseOptions(["--only", "fast"], names)).toThrow("no figure is called fast");
  expect(() => parseOptions(["--fast"], names)).toThrow("unknown argument --fast");
  expect(() => parseOptions(["--records", "1500"], names)).toThrow("a multiple of 1,000");
});

test("the script tells how to use it", async () => {
  const program = new Program([inRoot("scripts/bench.mjs"), "--help"]);
  const { code } = await program.exited;
  expect(code).toBe(0);
  for (const flag of ["--quick", "--only", "--json", "--check", "--update-baseline"])
    expect(program.stdout).toContain(flag);
});
