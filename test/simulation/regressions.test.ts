import { expect, test } from "vitest";
import { provider } from "../testkit/accounts.ts";
import { GENESIS_TIME, slot } from "../testkit/times.ts";
import { asSource, type ConcreteBlock, runBlocks, runPlan } from "./compare.ts";
import type { Model } from "./model.ts";
import { planOf } from "./operations.ts";
import { PARTIES } from "./parties.ts";
import { shrink } from "./shrink.ts";

// Blocks that module and model once disagreed about, as `npm run simulate` prints them.

const SETTING = { params: {}, extended: { auto_settle_enabled: false }, pool: 0n };
const [depositor = ""] = PARTIES.map(({ address }) => address);
const recipient = provider.address;

function report(leaseId: string, start: number, units: bigint, price: bigint) {
  const { start: periodStart, end: periodEnd } = slot(start);
  const unitPrice = { denom: "uve", amount: `${price}` };
  const usage = { orderId: "o", leaseId, usageUnits: units, usageType: "cpu", unitPrice };
  const value = { sender: recipient, ...usage, periodStart, periodEnd };
  return { type: "MsgRecordUsage", value: { ...value, signature: Uint8Array.of(1) } };
}

/** An active escrow of 10,000uve, and then these blocks a second apart each. */
function after(...blocks: ConcreteBlock["txs"][]): ConcreteBlock[] {
  const amount = [{ denom: "uve", amount: "10000" }];
  const created = { sender: depositor, orderId: "o", amount, expiresIn: 3600n };
  const activated = { sender: depositor, escrowId: "escrow-1", leaseId: "l", recipient };
  const all: ConcreteBlock["txs"][] = [
    [[{ type: "MsgCreateEscrow", value: created }]],
    [[{ type: "MsgActivateEscrow", value: activated }]],
    ...blocks,
  ];
  return all.map((txs, at) => ({ timeNs: GENESIS_TIME + BigInt(at + 1) * 1_000_000_000n, txs }));
}

function settle(isFinal: boolean) {
  const value = { sender: depositor, orderId: "o", usageRecordIds: [], isFinal };
  return { type: "MsgSettleOrder", value };
}

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
  const usageId = `usage-${(GENESIS_TIME + 3_000_000_000n) / 1_000_000_000n}-1`;
  const facts = { usageId, reason: "why", evidenceHash: new Uint8Array(0) };
  const dispute = { type: "MsgDisputeUsage", value: { sender: depositor, ...facts } };
  const blocks = after([[report("l", 0, 1n, 0n)]], [[settle(true)]], [[dispute]]);
  expect(await runBlocks({ ...SETTING, extended }, blocks)).toBeUndefined();
});

test("RULES 21 a dispute of a record that was billed nothing, with a tax within prices, is decided and nothing halts", async () => {
  const authority = PARTIES.find(({ name }) => name === "authority")?.address ?? "";
  const rates = [{ name: "VAT", rate: "0.19", compound: false }];
  const tax = { mode: "inclusive", jurisdiction: "", rates, customerTaxId: "" };
  const setTax = { type: "MsgSetTax", value: { sender: authority, orderId: "o", tax } };
  const usageId = `usage-${(GENESIS_TIME + 4_000_000_000n) / 1_000_000_000n}-1`;
  const dispute = { sender: depositor, usageId, reason: "why", evidenceHash: new Uint8Array(0) };
  const decision = { disputeId: "dispute-1", resolution: "accepted", usageUnits: 0n };
  const resolve = { sender: authority, ...decision, unitPrice: undefined };
  const blocks = after(
    [[setTax]],
    [[report("l", 0, 1n, 0n)]],
    [[settle(true)]],
    [[{ type: "MsgDisputeUsage", value: dispute }]],
    [[{ type: "MsgResolveDispute", value: resolve }]],
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
