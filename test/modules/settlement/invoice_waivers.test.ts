import { beforeEach, describe, expect, test } from "vitest";
import type { TxResult } from "../../../src/types/tx.ts";
import { authority, customer, provider } from "../../testkit/accounts.ts";
import { openChain, type TestChain } from "../../testkit/chain.ts";
import { disputed, resolve, type Wish } from "../../testkit/disputes.ts";
import { msg, ORDER } from "../../testkit/messages.ts";
import { activeEscrow, recordedCosts, settled } from "../../testkit/orders.ts";
import { eventsOf, typedEvents } from "../../testkit/outcome.ts";
import { DAY } from "../../testkit/times.ts";
import { see } from "../../testkit/views.ts";

let chain: TestChain;
beforeEach(async () => {
  chain = await openChain({ params: { min_settlement_amount: "0" } });
});

const usageId = async (at = 0): Promise<string> =>
  (await see.usageOf(chain, ORDER))[at]?.usageId ?? "";

/** A record of 1000 of which nothing was paid, and its invoice: the escrow was empty before it. */
async function wholeUnpaid(): Promise<{ id: string; invoiceId: string }> {
  await activeEscrow(chain, "700uve");
  await recordedCosts(chain, [700]);
  await settled(chain);
  const [id = ""] = await recordedCosts(chain, [1000], { from: 1 });
  await settled(chain, { final: true });
  return { id, invoiceId: (await see.invoicesOf(chain, ORDER)).at(-1)?.invoiceId ?? "" };
}

/** The authority decides so about a record; what the decision answered. */
async function decided(id: string, wish: Wish): Promise<TxResult> {
  return chain.ok(resolve(await disputed(chain, id), wish, authority));
}

describe("InvoiceWaived tells what a dispute takes off an invoice, and what the invoice is then", () => {
  test("an overdue one of which nothing was paid is cancelled", async () => {
    const { id, invoiceId } = await wholeUnpaid();
    chain.skip(6n * DAY);
    const disputeId = await disputed(chain, id);
    chain.skip(2n * DAY);
    expect(eventsOf(await chain.block(), "InvoiceOverdue")).toHaveLength(1);
    const result = await chain.ok(resolve(disputeId, "accepted", authority));
    expect(typedEvents(result)).toEqual(["InvoiceWaived", "DisputeResolved"]);
    expect(eventsOf(result, "InvoiceWaived")).toEqual([
      {
        ...{ invoice_id: invoiceId, order_id: ORDER, dispute_id: disputeId },
        ...{ amount: "1000uve", status: "cancelled" },
      },
    ]);
    const waived = result.events.find(({ type }) => type.endsWith("EventInvoiceWaived"));
    expect(waived?.attributes).toContainEqual(
      expect.objectContaining({ key: "msg_index", value: "0" }),
    );
  });

  test.each<[name: string, wish: Wish, amount: string, status: string]>([
    ["all that is due: paid", "accepted", "4000uve", "paid"],
    ["a part of it: partially paid", { units: 1n, price: "3000uve" }, "2000uve", "partially_paid"],
  ])("%s", async (_, wish, amount, status) => {
    await activeEscrow(chain, "3000uve", { expiresIn: 90n * DAY });
    await recordedCosts(chain, [2000, 5000]);
    await settled(chain, { final: true });
    const result = await decided(await usageId(1), wish);
    expect(eventsOf(result, "InvoiceWaived")).toMatchObject([{ amount, status }]);
    const [invoice] = await see.invoicesOf(chain, ORDER);
    expect(invoice?.status).toBe(status);
  });

  test("by a decision of the parties, too", async () => {
    const disputeId = await disputed(chain, (await wholeUnpaid()).id);
    const proposed = await chain.ok(resolve(disputeId, "accepted", customer));
    expect(eventsOf(proposed, "InvoiceWaived")).toEqual([]);
    const agreed = await chain.ok(resolve(disputeId, "accepted", provider));
    expect(eventsOf(agreed, "InvoiceWaived")).toMatchObject([{ status: "cancelled" }]);
  });

  test("nothing is told where nothing is waived: rejected, open or paid", async () => {
    await activeEscrow(chain, "9000uve", { expiresIn: 90n * DAY });
    await recordedCosts(chain, [1000, 2000, 3000]);
    await chain.ok(msg.settle(customer, { ids: [await usageId(0), await usageId(1)] }));
    for (const [at, wish] of [
      [0, "rejected"],
      [1, "accepted"],
      [2, "accepted"],
    ] as const) {
      const result = await decided(await usageId(at), wish);
      expect(eventsOf(result, "InvoiceWaived")).toEqual([]);
      expect(eventsOf(result, "DisputeResolved")).toHaveLength(1);
    }
  });
});
