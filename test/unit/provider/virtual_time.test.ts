import { describe, expect, it } from "vitest";
import { BlocksByHand } from "../../../src/provider/blocks_by_hand.ts";
import { planReplay } from "../../../src/provider/plan.ts";
import { PriceBook } from "../../../src/provider/price_book.ts";
import { RunBook } from "../../../src/provider/replay_stages.ts";
import { NO_METRICS } from "../../../src/provider/units.ts";
import { stepsOf } from "../../../src/provider/virtual_time.ts";
import { DEC_ONE } from "../../../src/types/dec.ts";
import { type MeteredWindow, noCounts } from "../../../src/provider/window.ts";

const prices = PriceBook.parse({ denom: "uve", prices: { cpu: "1" } }, "test");

function window(job: string, start: number, end: number): MeteredWindow {
  const metrics = { ...NO_METRICS, cpuMilliseconds: 3_600_000n };
  const ids = { job, order: `order/${job}`, lease: `lease/${job}`, line: 1 };
  return { ...ids, start: BigInt(start), end: BigInt(end), metrics };
}

describe("steps of virtual time", () => {
  it("open an order before it starts, record at each end, settle after the last", async () => {
    const windows = [
      window("a", 0, 10),
      window("b", 15, 30),
      window("a", 10, 20),
      window("c", 40, 41),
    ];
    async function* source() {
      yield* windows;
    }
    const options = { prices, unitRounding: "floor", withOrders: true } as const;
    const plan = await planReplay(source(), noCounts(), options);
    const run = { plan, epoch: 1000n, ackShare: DEC_ONE, customers: [] };
    const steps = await stepsOf(source(), new RunBook({ ...run, ...options }), 20n);
    const shown = steps.map(({ from, to, starts, reports, ends }) => ({
      span: [from, to],
      starts: starts.map((order) => order.plan.job),
      reports: reports.map(({ report }) => `${report.orderId} ${report.periodEnd}`),
      ends: ends.map((order) => order.plan.job),
    }));
    expect(shown).toEqual([
      {
        span: [0n, 20n],
        starts: ["a", "b"],
        reports: ["order/a 1010", "order/a 1020"],
        ends: ["a"],
      },
      { span: [20n, 40n], starts: [], reports: ["order/b 1030"], ends: ["b"] },
      { span: [40n, 60n], starts: ["c"], reports: ["order/c 1041"], ends: ["c"] },
    ]);
  });
});

describe("blocks by hand", () => {
  it("make one block for all who post at the same time", async () => {
    let [made, posted] = [0, 0];
    const blocks = new BlocksByHand(async () => {
      made += 1;
    });
    const post = async (ms: number) => {
      await new Promise((resolve) => setTimeout(resolve, ms));
      posted += 1;
    };
    await Promise.all([blocks.after(() => post(1)), blocks.after(() => post(10))]);
    expect([made, posted]).toEqual([1, 2]);
    await blocks.after(() => post(0));
    expect(made).toBe(2);
  });

  it("tell everyone who waits when a block cannot be made, and go on after a failed post", async () => {
    const blocks = new BlocksByHand(() => Promise.reject(new Error("no block")));
    await expect(blocks.after(async () => {})).rejects.toThrow("no block");
    const failing = blocks.after(() => Promise.reject(new Error("no post")));
    await expect(failing).rejects.toThrow("no post");
  });
});
