import { test } from "vitest";
import { GENESIS_TIME } from "../testkit/times.ts";
import { expectAgreed } from "./agreed.ts";
import { after, authority, depositor, dispute, idAt, report, resolve } from "./steps.ts";
import { SETTING, setTax, settle } from "./steps.ts";

// Blocks that module and model once disagreed about.

test("RULES 25 a final settlement of records that cost nothing issues an invoice of nothing, paid", async () => {
  const blocks = after([[report("l", 0, 1n, 0n)]], [[settle(true)]]);
  await expectAgreed(blocks);
});

test("RULES 24 the event of a final settlement names the record that was paid in part", async () => {
  const price = 8000n * 10n ** 18n;
  const blocks = after([[report("l", 0, 1n, price), report("l", 1, 1n, price)]], [[settle(true)]]);
  await expectAgreed(blocks);
});

test("RULES 15 a price has at most 78 digits of 10^-18, a cost at most 256 bits", async () => {
  const most = 10n ** 78n - 1n;
  const blocks = after(
    [[report("l", 0, 1n, most + 1n)]],
    [[report("l", 0, 2n ** 64n - 1n, most)]],
    [[report("l", 0, 1n, most)]],
  );
  await expectAgreed(blocks, [5, 1512]);
});

test("README, errors: a bad address among the signers of a release condition is an invalid address", async () => {
  const created = after().slice(0, 1);
  const bad = { type: "signature", requiredSigners: ["ve1bad"], satisfied: false, satisfiedAt: 0n };
  const rest = { unlockAfter: 0n, signatureThreshold: 0, minUsageUnits: 0n };
  const conditions = [{ ...bad, ...rest, requiredVerificationScore: 0 }];
  const value = { sender: depositor, escrowId: "escrow-1", conditions };
  const timeNs = GENESIS_TIME + 2_000_000_000n;
  const blocks = [...created, { timeNs, txs: [[{ type: "MsgSetReleaseConditions", value }]] }];
  await expectAgreed(blocks, [1]);
});

test("RULES 21 a record that was closed without billing and payment cannot be disputed, and nothing halts", async () => {
  const extended = { ...SETTING.extended, billing_enabled: false };
  const disputed = dispute(idAt("usage", 3));
  const blocks = after([[report("l", 0, 1n, 0n)]], [[settle(true)]], [[disputed]]);
  await expectAgreed(blocks, [1515], { extended });
});

test("RULES 21 a dispute of a record that was billed nothing, with a tax within prices, is decided and nothing halts", async () => {
  const blocks = after(
    [[setTax(authority, "inclusive", ["0.19"])]],
    [[report("l", 0, 1n, 0n)]],
    [[settle(true)]],
    [[dispute(idAt("usage", 4))]],
    [[resolve(authority, 1, "accepted")]],
  );
  await expectAgreed(blocks);
});
