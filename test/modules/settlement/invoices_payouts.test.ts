import { beforeEach, expect, test } from "vitest";
import type { Invoice } from "../../../src/gen/settled/settlement/v1/query.ts";
import { NS_PER_SECOND } from "../../../src/types/time.ts";
import { customer, provider, provider2 } from "../../testkit/accounts.ts";
import { openChain, type TestChain } from "../../testkit/chain.ts";
import { text } from "../../testkit/coins.ts";
import { LEASE, msg, ORDER } from "../../testkit/messages.ts";
import { activeEscrow, recorded, recordedCosts, settled } from "../../testkit/orders.ts";
import { DAY, GENESIS, slot } from "../../testkit/times.ts";
import { see } from "../../testkit/views.ts";

let chain: TestChain;
beforeEach(async () => {
  chain = await openChain();
});

test("R-003-19 the invoice has a line for every record, and dates in nanoseconds", async () => {
  await activeEscrow(chain, "10000uve,10000uusd");
  const cpu = await recorded(chain, { units: 3n, price: "400.5uve", type: "Compute" });
  const ram = await recorded(chain, { ...slot(1), units: 2n, price: "600uusd", type: "memory" });
  const other = await recorded(chain, { ...slot(2), units: 1n, price: "5uve", type: "licence" });
  const { settlementId } = await settled(chain);
  const [listed] = await see.invoicesOf(chain, ORDER);
  const invoice = await see.invoice(chain, listed?.invoiceId ?? "");
  const issued = (GENESIS + 6n) * NS_PER_SECOND;
  expect(invoice).toEqual({
    invoiceId: `invoice-${GENESIS + 6n}-1`,
    invoiceNumber: "INV-000001",
    settlementId,
    escrowId: "escrow-1",
    orderId: ORDER,
    leaseId: LEASE,
    provider: provider.address,
    customer: customer.address,
    status: "paid",
    total: [
      { denom: "uusd", amount: "1200" },
      { denom: "uve", amount: "1206" },
    ],
    amountPaid: [
      { denom: "uusd", amount: "1200" },
      { denom: "uve", amount: "1206" },
    ],
    amountDue: [],
    issuedAtNs: issued,
    dueAtNs: issued + 7n * DAY * NS_PER_SECOND,
    paidAtNs: issued,
    periodStart: slot(0).start,
    periodEnd: slot(2).end,
    lineCount: 3,
    lines: expect.any(Array),
    blockHeight: 6n,
    credited: [],
    voidReason: "",
    overdueAtNs: 0n,
    ledgerCount: 1,
    ledgerHash: expect.any(Uint8Array),
    subtotal: invoice.total,
    discounts: [],
    tax: [],
    taxPaid: [],
    taxTerms: undefined,
    taxNote: "",
    paramsVersion: 1n,
  } satisfies Invoice);
  const lines = invoice.lines.map((line) => [
    ...[line.usageId, line.usageType, line.quantity, line.unit, text(line.amount)],
    text(line.settledAmount),
  ]);
  expect(lines).toEqual([
    [cpu, "cpu", 3n, "core-hour", "1201uve", "1201uve"],
    [ram, "memory", 2n, "gb-hour", "1200uusd", "1200uusd"],
    [other, "licence", 1n, "unit", "5uve", "5uve"],
  ]);
  expect(invoice.lines[0]?.unitPrice).toEqual({ denom: "uve", amount: "400500000000000000000" });
});

test("D-17 invoices of one provider are numbered without gaps, across orders and blocks", async () => {
  for (const order of ["a", "b", "c"]) {
    await activeEscrow(chain, "100000uve", { order, lease: "l" });
    await recordedCosts(chain, [2000], { order, lease: "l" });
  }
  await activeEscrow(chain, "100000uve", { order: "d", recipient: provider2 });
  await recorded(chain, { order: "d", price: "2000uve" }, provider2);
  // Two invoices in one block, ids and numbers apart.
  await chain.ok(msg.settle(customer, { order: "b" }), msg.settle(customer, { order: "a" }));
  await chain.deliver(msg.settle(provider, { order: "c" }));
  await settled(chain, { order: "c" });
  await settled(chain, { order: "d" });
  const found = await Promise.all(
    ["a", "b", "c", "d"].map(async (order) => (await see.invoicesOf(chain, order))[0]),
  );
  expect(found.map((each) => each?.invoiceNumber)).toEqual([
    ...["INV-000002", "INV-000001", "INV-000003", "INV-000001"],
  ]);
  expect(new Set(found.map((each) => each?.invoiceId)).size).toBe(4);
});

test("R-003-22 the payout record says what was paid, and why, once", async () => {
  await activeEscrow(chain);
  await recordedCosts(chain, [1000]);
  const { settlementId } = await settled(chain);
  const [invoice] = await see.invoicesOf(chain, ORDER);
  const payoutId = `payout-${GENESIS + 4n}-1`;
  expect(await see.payout(chain, payoutId)).toEqual({
    payoutId,
    fiatConversionId: "",
    invoiceId: invoice?.invoiceId,
    settlementId,
    escrowId: "escrow-1",
    orderId: ORDER,
    leaseId: LEASE,
    provider: provider.address,
    customer: customer.address,
    grossAmount: [{ denom: "uve", amount: "1000" }],
    platformFee: [{ denom: "uve", amount: "50" }],
    validatorFee: [{ denom: "uve", amount: "10" }],
    holdbackAmount: [],
    netAmount: [{ denom: "uve", amount: "940" }],
    state: "completed",
    disputeId: "",
    holdReason: "",
    idempotencyKey: `payout-${invoice?.invoiceId}-${settlementId}`,
    executionAttempts: 1,
    lastAttemptAt: GENESIS + 4n,
    lastError: "",
    // Of the tx, to be looked up; the deployed module made up a text.
    txHash: expect.stringMatching(/^[0-9A-F]{64}$/) as string,
    createdAt: GENESIS + 4n,
    processedAt: GENESIS + 4n,
    completedAt: GENESIS + 4n,
    blockHeight: 4n,
  });
});

test("R-003-39 a payout is found by id; an unknown one is NotFound with 1531", async () => {
  const answer = await chain.ask("virtengine.settlement.v1.Query/Payout", {
    payoutId: "payout-1-1",
  });
  expect(answer).toMatchObject({ code: 22, codespace: "sdk" });
  expect(answer.log).toContain("rpc error: code = NotFound desc = payout not found");
  expect(answer.log).toContain("settlement/1531");
});

test("R-003-39 payouts of a provider are sorted by id", async () => {
  await activeEscrow(chain, "1000000uve");
  for (let n = 0; n < 11; n += 1) {
    await recordedCosts(chain, [1000], { from: n });
    await settled(chain);
  }
  const ids = (await see.payoutsOf(chain, provider.address)).map(({ payoutId }) => payoutId);
  expect(ids).toHaveLength(11);
  expect(ids).toEqual([...ids].sort());
  expect(await see.payoutsOf(chain, provider2.address)).toEqual([]);
});

test("RULES 32 the payout is paid in the settlement: the module account stays empty", async () => {
  await activeEscrow(chain);
  await recordedCosts(chain, [1000]);
  await settled(chain);
  const path = "settled.bank.v1.Query/JournalEntries";
  const payoutId = `payout-${GENESIS + 4n}-1`;
  const { entries } = await chain.query<{
    entries: { kind: string; postings: { destination: string; amount: string }[] }[];
  }>(path, { reference: payoutId });
  expect(
    entries.map(({ kind, postings }) => [kind, postings[0]?.destination, postings[0]?.amount]),
  ).toEqual([["payout", provider.address, "940"]]);
});
