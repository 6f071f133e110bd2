import { describe, expect, it } from "vitest";
import { type ReplayOptions, runReplay } from "../../../src/provider/replay.ts";
import { FakeChain, signer } from "./fake_chain.ts";

const io = { err: () => undefined, terminal: false };

function replay(changes: Partial<ReplayOptions>) {
  const options: ReplayOptions = {
    client: new FakeChain().client,
    provider: signer,
    customers: [],
    file: "examples/usage-month.ndjson",
    format: "metrics",
    windowSeconds: 3600,
    unitRounding: "floor",
    withOrders: false,
    escrowMargin: "1",
    ackShare: "1",
    ...changes,
  };
  return runReplay(options, io);
}

describe("options of a replay", () => {
  const broken: [string, Partial<ReplayOptions>, RegExp][] = [
    ["a window of 0 seconds", { windowSeconds: 0 }, /the window is 1 to 2678400 seconds/],
    ["a window above 31 days", { windowSeconds: 2_678_401 }, /the window is 1 to/],
    ["a limit of 0", { limit: 0 }, /the limit is a number of jobs from 1/],
    ["a margin of 0", { escrowMargin: "0" }, /escrow margin is a decimal above 0/],
    [
      "a margin of words",
      { escrowMargin: "more" },
      /escrow margin is a decimal above 0, not "more"/,
    ],
    ["a share above 1", { ackShare: "1.01" }, /share to acknowledge is a decimal from 0 to 1/],
    ["orders without a customer", { withOrders: true }, /orders need a customer's key/],
    [
      "a customer who is the provider",
      { withOrders: true, customers: [signer] },
      /pays themselves/,
    ],
    ["a file that is not there", { file: "/nowhere.ndjson" }, /cannot read \/nowhere.ndjson/],
    ["prices that are not there", { pricesFile: "/nowhere.json" }, /cannot read prices/],
    ["a file of the other format", { format: "pods" }, /line 1: /],
  ];
  it.each(broken)("refuses %s before anything is submitted", async (_what, changes, message) => {
    await expect(replay(changes)).rejects.toThrow(message);
  });
});
