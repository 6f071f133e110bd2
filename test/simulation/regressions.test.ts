import { expect, test } from "vitest";
import { GENESIS_TIME } from "../testkit/times.ts";
import { asSource, runBlocks, runPlan } from "./compare.ts";
import type { Model } from "./model.ts";
import { planOf } from "./operations.ts";
import { shrink } from "./shrink.ts";
import { after, authority, depositor, dispute, idAt, report, resolve } from "./steps.ts";
import { SETTING, setTax, settle } from "./steps.ts";

// Blocks that module and model once disagreed about, as `npm run simulate` prints them.

test("RULES 25 a final settlement of records that cost nothing issues an invoice of nothing, paid", async () => {
  const blocks = after([[report("l", 0, 1n, 0n)]], [[settle(true)]]);
  expect(await runBlocks(SETTING, blocks)).toBeUndefined();
});

test("RULES 24 the event of a final settlement names the record that was paid in part", async () => {
  const price = 8000n * 10n ** 18n;
  const blocks = after([[report("l", 0, 1n, price), report("l", 1, 1n, price)]], [[settle(true)]]);
  expect(await runBlocks(SETTING, blocks)).toBeUndefined();
});

test("RULES 15 a price has at most 78 digits of 10^-18, a cost at most 256 bits", async () => {
  const most = 10n ** 78n - 1n;
  const blocks = after(
    [[report("l", 0, 1n, most + 1n)]],
    [[report("l", 0, 2n ** 64n - 1n, most)]],
    [[report("l", 0, 1n, most)]],
  );
  expect(await runBlocks(SETTING, blocks)).toBeUndefined();
});

test("README, errors: a bad address among the signers of a release condition is an invalid address", async () => {
  const created = after().slice(0, 1);
  const bad = { type: "signature", requiredSigners: ["ve1bad"], satisfied: false, satisfiedAt: 0n };
  const rest = { unlockAfter: 0n, signatureThreshold: 0, minUsageUnits: 0n };
  const conditions = [{ ...bad, ...rest, requiredVerificationScore: 0 }];
  const value = { sender: depositor, escrowId: "escrow-1", conditions };
  const timeNs = GENESIS_TIME + 2_000_000_000n;
  const blocks = [...created, { timeNs, txs: [[{ type: "MsgSetReleaseConditions", value }]] }];
  expect(await runBlocks(SETTING, blocks)).toBeUndefined();
});

test("RULES 21 a record that was closed without billing and payment cannot be disputed, and nothing halts", async () => {
  const extended = { ...SETTING.extended, billing_enabled: false };
  const disputed = dispute(idAt("usage", 3));
  const blocks = after([[report("l", 0, 1n, 0n)]], [[settle(true)]], [[disputed]]);
  expect(await runBlocks({ ...SETTING, extended }, blocks)).toBeUndefined();
});

test("RULES 21 a dispute of a record that was billed nothing, with a tax within prices, is decided and nothing halts", async () => {
  const blocks = after(
    [[setTax(authority, "inclusive", ["0.19"])]],
    [[report("l", 0, 1n, 0n)]],
    [[settle(true)]],
    [[dispute(idAt("usage", 4))]],
    [[resolve(authority, 1, "accepted")]],
  );
  expect(await runBlocks(SETTING, blocks)).toBeUndefined();
});

test("a model that reckons differently is noticed, and the disagreement is shrunk to a few blocks", async () => {
  const meddle = (model: Model): void => {
    const emit = model.emit.bind(model);
    model.emit = (name, facts, escrow) => {
      const wrong = name === "UsageRecorded" ? { usage_units: 0n } : {};
      emit(name, { ...facts, ...wrong }, escrow);
    };
  };
  const plan = planOf(1, 250);
  const found = await runPlan(plan, { meddle });
  if (found === undefined) return expect.fail("the model's other units were not noticed");
  const least = await shrink(plan, found, { meddle });
  expect(least.what).toContain("usage_units");
  expect(least.blocks.flatMap(({ txs }) => txs).length).toBeLessThan(8);
  expect(asSource(least)).toContain("MsgRecordUsage");
}, 60_000);
