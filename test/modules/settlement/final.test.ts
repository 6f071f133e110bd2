import { beforeEach, describe, expect, test } from "vitest";
import { customer, provider } from "../../testkit/accounts.ts";
import { openChain, type TestChain } from "../../testkit/chain.ts";
import { text } from "../../testkit/coins.ts";
import { msg, ORDER } from "../../testkit/messages.ts";
import { eventsOf, typedEvents } from "../../testkit/outcome.ts";
import {
  acknowledged,
  activeEscrow,
  recorded,
  recordedCosts,
  settled,
  settledOf,
} from "../../testkit/orders.ts";
import { see } from "../../testkit/views.ts";

const START = 1_000_000_000_000n;

let chain: TestChain;
beforeEach(async () => {
  chain = await openChain();
});

describe("R-003-45", () => {
  test("R-003-45 / D-8 a final settlement pays the usage and refunds the rest", async () => {
    await activeEscrow(chain, "1000uve");
    await recordedCosts(chain, [400]);
    const answer = await settled(chain, { final: true });
    expect(answer).toMatchObject({ totalAmount: "400uve", providerShare: "376uve" });
    expect(await see.settlement(chain, answer.settlementId)).toMatchObject({
      ...{ settlementType: "final", isFinal: true },
    });
    const escrow = await see.escrow(chain, "escrow-1");
    expect([escrow.state, text(escrow.balance), text(escrow.totalSettled)]).toEqual([
      ...["released", "", "400uve"],
    ]);
    expect(escrow.closureReason).toBe("final settlement");
    expect(await chain.balance(customer.address)).toBe(START - 400n);
    expect(await chain.balance(provider.address)).toBe(START + 376n);
    await chain.checkFullInvariants();
  });

  test("R-003-45 final_remainder = provider pays the rest to the provider, as deployed", async () => {
    chain = await openChain({ extended: { final_remainder: "provider" } });
    await activeEscrow(chain, "1000uve");
    await recordedCosts(chain, [400]);
    await settled(chain, { final: true });
    expect(await chain.balance(customer.address)).toBe(START - 1000n);
    expect(await chain.balance(provider.address)).toBe(START + 940n);
    const escrow = await see.escrow(chain, "escrow-1");
    expect([escrow.state, text(escrow.totalSettled)]).toEqual(["released", "1000uve"]);
    // The remainder is no usage: it earns no reward.
    expect(text((await see.claimable(chain, provider.address)).totalClaimable)).toBe("36uve");
    await chain.checkFullInvariants();
  });
});

describe("R-003-44", () => {
  test("R-003-44 as RULES 24 reads it: an escrow of 500 that owes 800 pays 500, and 300 are due", async () => {
    await activeEscrow(chain, "500uve");
    const [id = ""] = await recordedCosts(chain, [800]);
    await chain.refused(msg.settle(customer), 1506, "500uve", id, "800uve", "final settlement");
    const answer = await settled(chain, { final: true });
    expect(answer.totalAmount).toBe("500uve");
    const detail = await see.usageDetail(chain, id);
    expect([detail.status, text(detail.settledAmount)]).toEqual(["settled", "500uve"]);
    const [invoice] = await see.invoicesOf(chain, ORDER);
    expect(invoice).toMatchObject({ status: "partially_paid", paidAtNs: 0n });
    expect([invoice?.total, invoice?.amountPaid, invoice?.amountDue].map(text)).toEqual([
      ...["800uve", "500uve", "300uve"],
    ]);
    expect((await see.escrow(chain, "escrow-1")).state).toBe("released");
  });

  test("D-5 / D-19 / RULES 24 / RULES 33 the record that does not fit is paid in part, later ones nothing", async () => {
    await activeEscrow(chain, "1000uve,700uusd");
    const uve = await recordedCosts(chain, [600, 600, 100]);
    const uusd = await recordedCosts(chain, [200, 300], { denom: "uusd", from: 10 });
    await acknowledged(chain, [...uve, ...uusd]);
    const { totalAmount } = await settled(chain, { final: true });
    expect(totalAmount).toBe("500uusd,1000uve");
    const found = await Promise.all(
      [...uve, ...uusd].map(async (id) => {
        const { settledAmount, reward, status } = await see.usageDetail(chain, id);
        return [status, text(settledAmount), text(reward)];
      }),
    );
    expect(found).toEqual([
      ["settled", "600uve", "60uve"],
      ["settled", "400uve", "40uve"],
      ["settled", "", ""],
      // Only the bond denom is minted for rewards.
      ["settled", "200uusd", ""],
      ["settled", "300uusd", ""],
    ]);
    const [invoice] = await see.invoicesOf(chain, ORDER);
    expect([invoice?.total, invoice?.amountPaid, invoice?.amountDue].map(text)).toEqual([
      ...["500uusd,1300uve", "500uusd,1000uve", "300uve"],
    ]);
    expect(await chain.balance(customer.address, "uusd")).toBe(START - 500n);
    await chain.checkFullInvariants();
  });
});

describe("RULES 25", () => {
  test("RULES 25 with nothing to settle it refunds, releases and answers empty", async () => {
    await activeEscrow(chain, "10000uve");
    const result = await chain.ok(msg.settle(provider, { final: true }));
    expect(settledOf(result)).toMatchObject({
      ...{ settlementId: "", totalAmount: "", providerShare: "", platformFee: "" },
    });
    const totals = await see.totals(chain);
    expect(totals).toMatchObject({ settlements: 0n, invoices: 0n, payouts: 0n, distributions: 0n });
    expect(await chain.balance(customer.address)).toBe(START);
    expect((await see.escrow(chain, "escrow-1")).state).toBe("released");
    expect(eventsOf(result, "OrderSettled")).toEqual([]);
  });

  test("D-23 an escrow that ends always says so with an event", async () => {
    await activeEscrow(chain, "10000uve");
    const empty = await chain.ok(msg.settle(provider, { final: true }));
    expect(typedEvents(empty)).toContain("EscrowReleased");
    await activeEscrow(chain, "10000uve");
    await recordedCosts(chain, [4000]);
    const result = await chain.ok(msg.settle(customer, { final: true }));
    expect(eventsOf(result, "EscrowReleased")).toEqual([
      {
        escrow_id: "escrow-2",
        order_id: ORDER,
        recipient: provider.address,
        amount: "",
        reason: "final settlement",
        released_at: expect.stringMatching(/^[0-9]+$/),
      },
    ]);
  });

  test("RULES 25 records that cost nothing settle for 0, and no settlement is written", async () => {
    await activeEscrow(chain, "10000uve");
    const id = await recorded(chain, { price: "0uve" });
    await chain.refused(msg.settle(customer), 1506, "cost 0");
    expect(await settled(chain, { final: true })).toMatchObject({ settlementId: "" });
    const detail = await see.usageDetail(chain, id);
    expect([detail.status, text(detail.settledAmount)]).toEqual(["settled", ""]);
    expect(await chain.balance(customer.address)).toBe(START);
    await chain.checkFullInvariants();
  });

  test("RULES 25 with an empty balance everything becomes due on an invoice without settlement", async () => {
    await activeEscrow(chain, "1000uve");
    await recordedCosts(chain, [1000]);
    await settled(chain);
    const late = await recordedCosts(chain, [300, 200], { from: 5 });
    await chain.refused(msg.settle(customer), 1506, "the balance 0");
    const answer = await settled(chain, { final: true });
    expect(answer).toMatchObject({ settlementId: "", totalAmount: "" });
    const [, invoice] = await see.invoicesOf(chain, ORDER);
    expect(invoice).toMatchObject({ settlementId: "", status: "pending", lineCount: 2 });
    expect([invoice?.total, invoice?.amountPaid, invoice?.amountDue].map(text)).toEqual([
      ...["500uve", "", "500uve"],
    ]);
    for (const id of late) {
      const detail = await see.usageDetail(chain, id);
      expect([detail.status, detail.usageRecord?.settled]).toEqual(["settled", true]);
      expect(detail.invoiceId).toBe(invoice?.invoiceId);
    }
    expect((await see.settlementsOf(chain, ORDER)).length).toBe(1);
    expect((await see.escrow(chain, "escrow-1")).state).toBe("released");
    await chain.checkFullInvariants();
  });

  test("a final settlement of named records leaves the escrow open for the others", async () => {
    await activeEscrow(chain, "10000uve");
    const [first = ""] = await recordedCosts(chain, [1000, 200]);
    const { settlementId } = await settled(chain, { ids: [first], final: true });
    expect(await see.settlement(chain, settlementId)).toMatchObject({ isFinal: false });
    expect((await see.escrow(chain, "escrow-1")).state).toBe("active");
    await settled(chain, { final: true });
    expect((await see.escrow(chain, "escrow-1")).state).toBe("released");
  });
});

test("RULES 27 named records that leave others open have no final settlement's privileges", async () => {
  await activeEscrow(chain, "10000uve");
  const [first = ""] = await recordedCosts(chain, [19, 1000]);
  // One by one, 19uve would pay no fee at all: the floor of 5 % is 0.
  await expect(settled(chain, { ids: [first], final: true })).rejects.toThrow("below minimum");
  const { totalAmount, platformFee } = await settled(chain, { final: true });
  expect([totalAmount, platformFee]).toEqual(["1019uve", "50uve"]);
});

test("final of 10000 without usage pays nobody a fee (upstream took 500 and 100)", async () => {
  await activeEscrow(chain, "10000uve");
  await settled(chain, { final: true });
  const { platformFees, validatorFees } = await see.totals(chain);
  expect([platformFees, validatorFees]).toEqual([[], []]);
});
