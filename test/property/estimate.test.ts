import fc from "fast-check";
import { expect, test } from "vitest";
import type { QueryEstimateSettlementResponse } from "../../src/gen/settled/settlement/v1/query.ts";
import { authority, customer, provider, stranger } from "../testkit/accounts.ts";
import { fixed, percentage, setDiscounts, setTax, taxTerms } from "../testkit/billing.ts";
import { openChain, type TestChain } from "../testkit/chain.ts";
import { text } from "../testkit/coins.ts";
import { disputed } from "../testkit/disputes.ts";
import { msg, ORDER } from "../testkit/messages.ts";
import { activeEscrow, recorded, settledOf } from "../testkit/orders.ts";
import { slot } from "../testkit/times.ts";
import { see } from "../testkit/views.ts";
import { runs, TIMEOUT } from "./runs.ts";

const ESTIMATE = "settled.settlement.v1.Query/EstimateSettlement";

const report = fc.record({
  cost: fc.integer({ min: 0, max: 900 }),
  units: fc.bigInt({ min: 1n, max: 5n }),
  denom: fc.constantFrom("uve", "uve", "uusd"),
  type: fc.constantFrom("cpu", "gpu", "memory", "network", "x"),
  /** Whether the customer has acknowledged it, or disputed it. */
  fate: fc.constantFrom("acknowledged", "acknowledged", "", "disputed"),
});

const order = fc.record({
  reports: fc.array(report, { minLength: 0, maxLength: 7 }),
  deposit: fc.constantFrom("2000uve,700uusd", "9000uve,9000uusd", "600uusd,900uve"),
  params: fc.record({
    min_settlement_amount: fc.constantFrom("0", "100", "1500"),
    payout_holdback_rate: fc.constantFrom("0", "0.1"),
    platform_fee_rate: fc.constantFrom("0.05", "0.033"),
  }),
  extended: fc.record({
    max_records_per_settlement: fc.constantFrom(2, 5, 1000),
    reward_epoch_mint_cap: fc.constantFrom("100", "1000000000"),
    billing_enabled: fc.constantFrom(true, true, false),
    final_remainder: fc.constantFrom("refund", "provider"),
  }),
  discount: fc.constantFrom("", "percentage", "fixed"),
  tax: fc.constantFrom("", "exclusive", "inclusive", "reverse_charge"),
  sender: fc.constantFrom(customer, provider, authority, stranger),
  isFinal: fc.boolean(),
  /** Which records are named; none: all. */
  named: fc.array(fc.nat({ max: 6 }), { maxLength: 4 }),
});

type Order = typeof order extends fc.Arbitrary<infer T> ? T : never;

async function prepared(o: Order): Promise<{ chain: TestChain; ids: string[] }> {
  const { params, extended } = o;
  const chain = await openChain({ params, extended });
  await activeEscrow(chain, o.deposit);
  if (o.discount !== "") {
    const discount = o.discount === "fixed" ? fixed("150uve") : percentage(1250);
    await chain.ok(setDiscounts([discount]));
  }
  if (o.tax !== "")
    await chain.ok(setTax(taxTerms(o.tax, ...(o.tax === "reverse_charge" ? [] : ["0.19"]))));
  const ids: string[] = [];
  for (const [n, { cost, denom, units, type }] of o.reports.entries()) {
    const price = `${cost}${denom}`;
    ids.push(await recorded(chain, { ...slot(n), units, type, price }));
  }
  for (const [n, { fate }] of o.reports.entries()) {
    const id = ids[n] as string;
    if (fate === "acknowledged") await chain.ok(msg.acknowledge(customer, id));
    if (fate === "disputed") await disputed(chain, id);
  }
  return { chain, ids };
}

/** A text that holds the block's time, which is a second later for what is executed. */
function untimed(text: string): string {
  return text.replace(/block time is [^:]*[0-9:.]+Z/, "block time is T");
}

async function compare(
  chain: TestChain,
  estimate: QueryEstimateSettlementResponse,
  settlementId: string,
): Promise<void> {
  const taken = estimate.records.filter(({ left }) => left === "");
  const details = [];
  for (const { usageId } of taken) details.push(await see.usageDetail(chain, usageId));
  expect(details.every(({ status }) => status === "settled")).toBe(true);
  for (const [n, { settledAmount, reward }] of details.entries()) {
    const line = taken[n];
    expect(text(line?.amount)).toBe(text(settledAmount));
    expect(line?.rewardFunded === true ? text(line.reward) : "").toBe(text(reward));
  }
  for (const { usageId, left } of estimate.records) {
    if (left !== "") expect((await see.usageDetail(chain, usageId)).status).toBe("open");
  }
  const escrow = await see.escrow(chain, estimate.escrowId);
  expect(escrow.state === "released").toBe(estimate.isFinal);
  if (settlementId === "") {
    expect(text(estimate.total)).toBe("");
  } else {
    const made = await see.settlement(chain, settlementId);
    expect(estimate.settlementType).toBe(made.settlementType);
    expect(taken.map(({ usageId }) => usageId)).toEqual(made.usageRecordIds);
    for (const [found, expected] of [
      [estimate.total, made.totalAmount],
      [estimate.platformFee, made.platformFee],
      [estimate.validatorFee, made.validatorFee],
      [estimate.providerShare, made.providerShare],
    ]) {
      expect(text(found)).toBe(text(expected));
    }
    const payout = (await see.payoutsOf(chain, provider.address)).at(-1);
    if (payout !== undefined) {
      expect(text(estimate.holdback)).toBe(text(payout.holdbackAmount));
      expect(text(estimate.net)).toBe(text(payout.netAmount));
    }
  }
  const invoice = (await see.invoicesOf(chain, ORDER)).at(-1);
  expect([text(estimate.invoiceTotal), text(estimate.invoiceDue)]).toEqual([
    text(invoice?.total),
    text(invoice?.amountDue),
  ]);
  if (invoice !== undefined) {
    const { discounts, taxPaid } = invoice;
    expect(text(estimate.discount)).toBe(text(discounts.flatMap(({ amount }) => amount)));
    expect(text(estimate.tax)).toBe(text(taxPaid));
  }
  if (!estimate.isFinal) expect(text(estimate.balanceAfter)).toBe(text(escrow.balance));
  expect(estimate.remaining).toBe(await openOf(chain));
  expect(text(estimate.rewards)).toBe(
    text((await see.claimable(chain, provider.address)).totalClaimable),
  );
}

async function openOf(chain: TestChain): Promise<bigint> {
  const path = "settled.settlement.v1.Query/Orders";
  const { orders } = await chain.query<{ orders: { openUsage: bigint }[] }>(path, {
    orderId: ORDER,
  });
  return orders[0]?.openUsage ?? -1n;
}

test(
  "an estimate is what the settlement then does, or why it is refused",
  async () => {
    let [made, refused] = [0, 0];
    const property = fc.asyncProperty(order, async (o) => {
      const { chain, ids } = await prepared(o);
      const named = o.named.flatMap((n) => ids[n] ?? []);
      const before = await chain.books();
      const estimate = await chain.query<QueryEstimateSettlementResponse>(ESTIMATE, {
        sender: o.sender.address,
        orderId: ORDER,
        usageRecordIds: named,
        isFinal: o.isFinal,
      });
      expect(await chain.books()).toBe(before);
      const settle = msg.settle(o.sender, { ids: named, final: o.isFinal });
      const result = await chain.deliver(settle);
      expect([estimate.codespace, estimate.code]).toEqual([result.codespace, result.code]);
      if (result.code === 0) {
        made += 1;
        await compare(chain, estimate, settledOf(result).settlementId);
        return;
      }
      refused += 1;
      expect(untimed(result.log)).toContain(untimed(estimate.error));
      expect(estimate.records.every(({ left }) => left !== "")).toBe(true);
    });
    await fc.assert(property, runs(150));
    expect(Math.min(made, refused)).toBeGreaterThan(5);
  },
  TIMEOUT,
);
