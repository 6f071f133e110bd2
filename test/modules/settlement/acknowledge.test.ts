import { beforeEach, expect, test } from "vitest";
import { authority, customer, customer2, provider, stranger } from "../../testkit/accounts.ts";
import { openChain, type TestChain } from "../../testkit/chain.ts";
import { msg, ORDER } from "../../testkit/messages.ts";
import { eventsOf } from "../../testkit/outcome.ts";
import { acknowledged, activeEscrow, recorded, settled } from "../../testkit/orders.ts";
import { slot } from "../../testkit/times.ts";
import { see } from "../../testkit/views.ts";

let chain: TestChain;
let id: string;
beforeEach(async () => {
  chain = await openChain();
  await activeEscrow(chain);
  id = await recorded(chain, { price: "2000uve" });
});

test("R-003-14 a record is not acknowledged until its customer does it", async () => {
  expect((await see.usage(chain, id)).customerAcknowledged).toBe(false);
  const signature = Uint8Array.of(7, 7);
  await chain.ok(msg.acknowledge(customer, id, signature));
  expect(await see.usage(chain, id)).toMatchObject({
    ...{ customerAcknowledged: true, customerSignature: signature },
  });
});

test("R-003-14 / RULES 20 nobody but the record's customer acknowledges", async () => {
  for (const signer of [provider, authority, stranger, customer2]) {
    await chain.refused(msg.acknowledge(signer, id), 1505, `customer ${customer.address}`);
  }
});

test("R-003-14 / RULES 20 a second acknowledgement succeeds and changes nothing", async () => {
  await acknowledged(chain, [id]);
  const before = await chain.books();
  const again = await chain.ok(msg.acknowledge(customer, id, Uint8Array.of(9)));
  expect(await chain.books()).toBe(before);
  expect(eventsOf(again, "UsageAcknowledged")).toEqual([]);
});

test("RULES 20 an acknowledgement emits its event once", async () => {
  const result = await chain.ok(msg.acknowledge(customer, id));
  const [event, ...others] = eventsOf(result, "UsageAcknowledged");
  expect(others).toEqual([]);
  expect(event).toMatchObject({ usage_id: id, customer: customer.address });
});

test("R-003-17 no acknowledgement after settlement", async () => {
  await settled(chain);
  await chain.refused(msg.acknowledge(customer, id), 1515, id);
});

test("no acknowledgement of a record that was written off", async () => {
  await chain.ok(msg.refund(provider, "escrow-1"));
  await chain.refused(msg.acknowledge(customer, id), 1515, id, "written off");
});

test("D-2 an acknowledged record stands once in the order's list and settles once", async () => {
  await recorded(chain, { ...slot(1), price: "500uve" });
  await acknowledged(chain, [id]);
  await acknowledged(chain, [id]);
  expect((await see.usageOf(chain, ORDER)).map(({ usageId }) => usageId)).toHaveLength(2);
  const { totalAmount } = await settled(chain);
  expect(totalAmount).toBe("2500uve");
});

test("an acknowledgement without a signature is refused with 6, without an id with 5", async () => {
  await chain.refused(msg.acknowledge(customer, id, new Uint8Array(0)), 6, "signature is empty");
  await chain.refused(msg.acknowledge(customer, id, new Uint8Array(257)), 6, "257 bytes");
  await chain.refused(msg.acknowledge(customer, ""), 5, "usage_id is empty");
});
