import { expect, test } from "vitest";
import { customer, provider } from "../../testkit/accounts.ts";
import { openChain, type TestChain } from "../../testkit/chain.ts";
import { correct, withdraw } from "../../testkit/corrections.ts";
import { msg } from "../../testkit/messages.ts";
import { eventsOf } from "../../testkit/outcome.ts";
import { acknowledged, activeEscrow, recorded, settled } from "../../testkit/orders.ts";
import { slot } from "../../testkit/times.ts";
import { see } from "../../testkit/views.ts";

/** What may have become of a record, and what an acknowledgement then answers. */
const MATRIX: readonly (readonly [
  state: string,
  reach: (chain: TestChain, id: string) => Promise<unknown>,
  text: string,
])[] = [
  ["settled", (chain) => settled(chain), "is settled"],
  ["settled finally", (chain) => settled(chain, { final: true }), "is settled"],
  [
    "billed by a final settlement that paid nothing of it",
    async (chain) => {
      await recorded(chain, { ...slot(1), price: "100000uve" });
      await settled(chain, { final: true });
    },
    "is settled",
  ],
  ["written off", (chain) => chain.ok(msg.refund(provider, "escrow-1")), "is written off"],
  ["superseded", (chain, id) => chain.ok(correct(id)), "was corrected: use usage-"],
  ["withdrawn", (chain, id) => chain.ok(withdraw(id)), "was withdrawn"],
];

test.each(MATRIX)(
  "RULES 20 a record that is %s is not acknowledged any more",
  async (_, reach, part) => {
    const chain = await openChain();
    await activeEscrow(chain);
    const id = await recorded(chain, { price: "2000uve" });
    await reach(chain, id);
    await chain.refused(msg.acknowledge(customer, id), 1515, id, part);
  },
);

test.each(MATRIX)(
  "RULES 20 nor is it when it was acknowledged before it was %s",
  async (_, reach, part) => {
    const chain = await openChain();
    await activeEscrow(chain);
    const id = await recorded(chain, { price: "2000uve" });
    await acknowledged(chain, [id]);
    await reach(chain, id);
    await chain.refused(msg.acknowledge(customer, id), 1515, id, part);
  },
);

test("RULES 20 in a disputed escrow an open record is acknowledged, once", async () => {
  const chain = await openChain();
  await activeEscrow(chain);
  const id = await recorded(chain);
  await chain.ok(msg.dispute(customer, "escrow-1"));
  const first = await chain.ok(msg.acknowledge(customer, id));
  expect(eventsOf(first, "UsageAcknowledged")).toHaveLength(1);
  const before = await chain.books();
  const again = await chain.ok(msg.acknowledge(customer, id, Uint8Array.of(9)));
  expect(eventsOf(again, "UsageAcknowledged")).toEqual([]);
  expect(await chain.books()).toBe(before);
});

test("RULES 20 the correction of an acknowledged record is acknowledged anew", async () => {
  const chain = await openChain();
  await activeEscrow(chain);
  const id = await recorded(chain);
  await acknowledged(chain, [id]);
  await chain.ok(correct(id));
  const newId = id.replace(/-1$/, "-2");
  expect((await see.usage(chain, newId)).customerAcknowledged).toBe(false);
  const result = await chain.ok(msg.acknowledge(customer, newId));
  expect(eventsOf(result, "UsageAcknowledged")).toMatchObject([{ usage_id: newId }]);
  // What the customer said of the old one stays in the history.
  expect((await see.usage(chain, id)).customerAcknowledged).toBe(true);
});
