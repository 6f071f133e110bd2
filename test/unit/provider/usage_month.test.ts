import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import process from "node:process";
import { describe, expect, it } from "vitest";
import { linesOf } from "../../../src/provider/lines.ts";
import { readMetrics } from "../../../src/provider/metrics_ndjson.ts";
import { planReplay } from "../../../src/provider/plan.ts";
import { DEFAULT_PRICES_FILE, PriceBook } from "../../../src/provider/price_book.ts";
import { RESOURCES, rawUsage } from "../../../src/provider/units.ts";
import { noCounts } from "../../../src/provider/window.ts";
import { all } from "./collect.ts";

const FILE = "examples/usage-month.ndjson";
const node = (...args: string[]) => execFileSync(process.execPath, args, { encoding: "utf8" });
const make = (...args: string[]) => node("scripts/make_usage_month.mjs", ...args);

describe("the example month", () => {
  it("is what its generator makes, byte for byte, and another seed makes another one", () => {
    expect(make("--out", "-")).toBe(readFileSync(FILE, "utf8"));
    expect(make("--out", "-", "--seed", "32")).not.toBe(readFileSync(FILE, "utf8"));
    expect(make("--help")).toMatch(/--seed N/);
  });

  it("is 31 days of jobs that use every resource, with idle windows among them", async () => {
    const counts = noCounts();
    const windows = await all(readMetrics(linesOf(FILE), { limit: undefined }, counts));
    expect(counts.jobs).toBe(62);
    expect(counts.lastInstant).toBe(31n * 86_400n);
    expect(windows[0]?.start).toBeLessThan(86_400n);
    for (const resource of RESOURCES) {
      expect(windows.some(({ metrics }) => rawUsage(metrics)[resource] > 0n)).toBe(true);
    }
    const idle = windows.filter(({ metrics }) => Object.values(metrics).every((raw) => raw === 0n));
    expect(idle.length).toBeGreaterThan(20);
  });

  it("comes to the same counts by the independent checker", async () => {
    const prices = await PriceBook.read(DEFAULT_PRICES_FILE);
    for (const unitRounding of ["floor", "carry"] as const) {
      const counts = noCounts();
      const windows = readMetrics(linesOf(FILE), { limit: undefined }, counts);
      const options = { prices, unitRounding, withOrders: true };
      const { records, cost, ...plan } = await planReplay(windows, counts, options);
      const flags = ["--file", FILE, "--format", "metrics", "--unit-rounding", unitRounding];
      const text = node("scripts/check_replay.mjs", ...flags, "--node", "none", "-o", "json");
      expect(JSON.parse(text)).toMatchObject({
        ...{ jobs: 62, skipped: 0, windows: plan.windows, records, cost: String(cost.get("uve")) },
      });
    }
  });
});
