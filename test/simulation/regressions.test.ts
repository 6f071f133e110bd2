import { expect, test } from "vitest";
import { provider } from "../testkit/accounts.ts";
import { GENESIS_TIME, slot } from "../testkit/times.ts";
import { asSource, type ConcreteBlock, runBlocks, runPlan } from "./compare.ts";
import { PARTIES, planOf } from "./operations.ts";
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

test("a model that reckons differently is noticed, and the disagreement is shrunk to a few blocks", async () => {
  const modelParams = { platform_fee_rate: "0.051" };
  const plan = planOf(1, 250);
  const found = await runPlan(plan, { modelParams });
  if (found === undefined) return expect.fail("the model's other fee was not noticed");
  const least = await shrink(plan, found, { modelParams });
  expect(least.what).toContain("platform_fee");
  expect(least.blocks.flatMap(({ txs }) => txs).length).toBeLessThan(8);
  expect(asSource(least)).toContain("MsgRecordUsage");
}, 60_000);
