import { describe, expect, it } from "vitest";
import { Tally } from "../../../src/provider/tally.ts";

const report = {
  ...{ orderId: "o", leaseId: "l", usageType: "gpu", usageUnits: 3n, denom: "uve" },
  ...{ periodStart: 0n, periodEnd: 1n, unitPrice: 1n, cost: 9_007_199_254_740_993n },
};

describe("the summary of a replay", () => {
  it("has exactly the documented fields, amounts per denom as exact texts", () => {
    const tally = new Tally();
    tally.record(report);
    tally.addSettled("5uusd,7uve");
    tally.addSettled("");
    tally.addClaimed("1uve");
    const coins = (amount: bigint) => [{ denom: "uve", amount }];
    // One was claimed, eight are there, two of which were there before.
    tally.countRewards({ before: coins(2n), after: coins(8n) });
    expect(tally.summary({ jobs: 1, skipped: 2, windows: 3, seconds: 0.5 })).toEqual({
      ...{ jobs: 1, skipped: 2, windows: 3, records: 1, refused: 0, txs: 0, orders: 0 },
      units: { cpu: 0, memory: 0, storage: 0, gpu: 3, network: 0 },
      cost: { uve: "9007199254740993" },
      settled: { uusd: "5", uve: "7" },
      rewards: { uve: "7" },
      claimed: { uve: "1" },
      seconds: 0.5,
    });
  });

  it("tells each reason for refusals once, with how often and an example", () => {
    const tally = new Tally();
    tally.refuse("record a", { codespace: "settlement", code: 1512, log: "overlap" });
    tally.refuse("record b", { codespace: "settlement", code: 1512, log: "overlap too" });
    tally.refuse("claim", { codespace: "sdk", code: 4, log: "unauthorized" });
    expect(tally.refused).toBe(3);
    expect(tally.reasons()).toEqual([
      "2 × settlement/1512: record a: overlap",
      "1 × sdk/4: claim: unauthorized",
    ]);
  });
});
