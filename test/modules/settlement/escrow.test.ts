import { beforeEach, describe, expect, test } from "vitest";
import {
  authority,
  customer,
  customer2,
  provider,
  provider2,
  stranger,
} from "../../testkit/accounts.ts";
import { moduleAccount, openChain, type TestChain } from "../../testkit/chain.ts";
import { text } from "../../testkit/coins.ts";
import { msg, ORDER } from "../../testkit/messages.ts";
import { expectCode, responseOf } from "../../testkit/outcome.ts";
import {
  activeEscrow,
  pendingEscrow,
  recorded,
  recordedCosts,
  settled,
} from "../../testkit/orders.ts";
import { DAY, GENESIS, HOUR } from "../../testkit/times.ts";
import { see } from "../../testkit/views.ts";

const START = 1_000_000_000_000n;

let chain: TestChain;
beforeEach(async () => {
  chain = await openChain();
});

describe("creating an escrow", () => {
  test("takes the deposit from the depositor into the escrow account, pending", async () => {
    const result = await chain.ok(msg.create(customer, "700uve,30uusd", { expiresIn: 2n * HOUR }));
    const now = GENESIS + 1n;
    expect(responseOf(result)).toEqual({ escrowId: "escrow-1", createdAt: now });
    expect(await see.escrow(chain, "escrow-1")).toEqual({
      escrowId: "escrow-1",
      orderId: ORDER,
      leaseId: "",
      depositor: customer.address,
      recipient: "",
      amount: [
        { denom: "uusd", amount: "30" },
        { denom: "uve", amount: "700" },
      ],
      balance: [
        { denom: "uusd", amount: "30" },
        { denom: "uve", amount: "700" },
      ],
      state: "pending",
      conditions: [],
      createdAt: now,
      expiresAt: now + 2n * HOUR,
      activatedAt: 0n,
      closedAt: 0n,
      closureReason: "",
      totalSettled: [],
      settlementCount: 0,
      blockHeight: 1n,
    });
    expect(await chain.balance(customer.address)).toBe(START - 700n);
    expect(await chain.balances(moduleAccount("settlement_escrow"))).toBe("30uusd,700uve");
  });

  test.each([
    { expiresIn: HOUR - 1n, ok: false },
    { expiresIn: HOUR, ok: true },
    { expiresIn: 365n * DAY, ok: true },
    { expiresIn: 365n * DAY + 1n, ok: false },
  ])("takes a duration of $expiresIn seconds: $ok", async ({ expiresIn, ok }) => {
    const message = msg.create(customer, "10uve", { expiresIn });
    if (ok) await chain.ok(message);
    else await chain.refused(message, 1500, "3600 to 31536000", `found ${expiresIn}`);
  });

  test("refuses a deposit that the depositor does not have, naming have and need", async () => {
    const found = `${START}uve`;
    const needed = `${START + 1n}uve`;
    await chain.refused(msg.create(customer, needed), 1504, customer.address, found, needed);
    await chain.refused(msg.create(customer, "1uother"), 1504, "0uother");
  });

  test("refuses an order that has a live escrow, naming it and its state", async () => {
    await pendingEscrow(chain);
    await chain.refused(msg.create(customer, "5uve"), 1502, `"${ORDER}"`, "escrow-1", "pending");
    await chain.refused(msg.create(customer2, "5uve"), 1502, "escrow-1");
    await chain.ok(msg.activate(customer, "escrow-1", provider.address));
    await chain.refused(msg.create(customer, "5uve"), 1502, "escrow-1", "active");
    await chain.ok(msg.dispute(customer, "escrow-1"));
    await chain.refused(msg.create(customer, "5uve"), 1502, "escrow-1", "disputed");
  });

  test("keeps two orders apart whose ids are the same but for Unicode form or a length", async () => {
    const [composed, decomposed] = ["caf\u00e9", "cafe\u0301"];
    for (const order of [composed, decomposed, "a", "aa", "a/", "A"]) {
      await pendingEscrow(chain, "10uve", { order });
    }
    expect(await see.escrowsOf(chain, composed)).toHaveLength(1);
    expect(await see.escrowsOf(chain, "a")).toHaveLength(1);
  });
});

describe("RULES 10", () => {
  test("RULES 10 / D-1 only the depositor or the authority activates an escrow", async () => {
    const escrowId = await pendingEscrow(chain);
    for (const signer of [provider, stranger, customer2]) {
      const message = msg.activate(signer, escrowId, signer.address);
      await chain.refused(message, 1505, "expected depositor or authority", signer.address);
    }
    await chain.ok(msg.activate(customer, escrowId, provider.address));
    const other = await pendingEscrow(chain, "5uve", { order: "order-2" });
    await chain.ok(msg.activate(authority, other, provider.address));
  });

  test("RULES 10 the recipient must not be the depositor", async () => {
    const escrowId = await pendingEscrow(chain);
    const message = msg.activate(customer, escrowId, customer.address);
    await chain.refused(message, 1503, "recipient must not be the depositor");
  });

  test("the depositor's address in capital letters is the depositor too", async () => {
    const escrowId = await pendingEscrow(chain);
    const message = msg.activate(customer, escrowId, customer.address.toUpperCase());
    await chain.refused(message, 1503, "recipient must not be the depositor");
  });

  test("a recipient in capital letters is stored in the usual form and is paid", async () => {
    const escrowId = await pendingEscrow(chain, "100uve");
    await chain.ok(msg.activate(customer, escrowId, provider.address.toUpperCase()));
    expect((await see.escrow(chain, escrowId)).recipient).toBe(provider.address);
    await chain.ok(msg.release(customer, escrowId));
    expect(await chain.balance(provider.address)).toBe(START + 94n);
  });

  test.each([
    ...["settlement_escrow", "settlement", "settlement_platform_fee", "settlement_validator_fee"],
    ...["rewards", "reward_pool", "fee_collector"],
  ])("the module account %s cannot be a recipient", async (name) => {
    const escrowId = await pendingEscrow(chain, "100uve");
    const message = msg.activate(customer, escrowId, moduleAccount(name));
    await chain.refused(message, 1521, moduleAccount(name), "module account");
  });
});

describe("RULES 11", () => {
  test("RULES 11 a new escrow follows a terminal one; EscrowsByOrder lists all, oldest first", async () => {
    const first = await pendingEscrow(chain, "10uve");
    await chain.ok(msg.refund(customer, first));
    const second = await activeEscrow(chain, "20uve", { depositor: customer2 });
    const listed = await see.escrowsOf(chain, ORDER);
    expect(listed.map(({ escrowId, state }) => [escrowId, state])).toEqual([
      [first, "refunded"],
      [second, "active"],
    ]);
  });

  test("RULES 11 messages by order id mean the newest escrow, whose depositor is the customer", async () => {
    await chain.ok(msg.refund(customer, await pendingEscrow(chain, "10uve")));
    await activeEscrow(chain, "5000uve", { depositor: customer2, recipient: provider2 });
    await chain.refused(msg.record(provider), 1505, `recipient ${provider2.address}`);
    const id = await recorded(chain, { price: "2000uve" }, provider2);
    expect((await see.usage(chain, id)).customer).toBe(customer2.address);
    await chain.refused(msg.acknowledge(customer, id), 1505);
    await chain.refused(msg.settle(customer), 1505, "expected depositor, recipient or authority");
    await settled(chain, { signer: customer2 });
  });

  test("RULES 11 usage is settled only from the escrow that it was recorded under", async () => {
    await activeEscrow(chain, "5000uve");
    const [settledId = ""] = await recordedCosts(chain, [1500]);
    await settled(chain, { final: true });
    await activeEscrow(chain, "5000uve");
    await chain.refused(msg.settle(customer, { ids: [settledId] }), 1512, settledId, "escrow-1");
  });

  test("RULES 11 coverage and natural keys of an order outlive its escrow", async () => {
    await activeEscrow(chain, "5000uve");
    const id = await recorded(chain, { price: "1500uve" });
    await settled(chain, { final: true });
    await activeEscrow(chain, "5000uve");
    await chain.refused(msg.record(provider, { price: "1500uve" }), 1514, id, "identical");
  });

  test("RULES 11 a disputed escrow answers 1523 and any other inactive one 1519", async () => {
    const escrowId = await pendingEscrow(chain);
    await chain.refused(msg.record(provider), 1519, "expected active, found pending");
    await chain.refused(msg.settle(customer), 1519, "found pending");
    await chain.ok(msg.activate(customer, escrowId, provider.address));
    await chain.ok(msg.dispute(customer, escrowId));
    await chain.refused(msg.record(provider), 1523, escrowId, "resolve the dispute first");
    await chain.refused(msg.settle(customer), 1523, escrowId);
    await chain.ok(msg.refund(customer, escrowId));
    await chain.refused(msg.record(provider), 1519, "found refunded");
    await chain.refused(msg.settle(customer), 1519, "found refunded");
  });
});

describe("RULES 12", () => {
  test("RULES 12 / D-8 the depositor cannot take the money back while usage is open", async () => {
    const escrowId = await activeEscrow(chain);
    const id = await recorded(chain, { price: "100uve" });
    await chain.refused(msg.refund(customer, escrowId), 1517, id, "settle the order first");
    expect((await see.escrow(chain, escrowId)).state).toBe("active");
  });

  test.each([
    { name: "recipient", signer: provider },
    { name: "authority", signer: authority },
  ])("RULES 12 the $name refunds and writes open records off", async ({ signer }) => {
    const escrowId = await activeEscrow(chain);
    const ids = await recordedCosts(chain, [100, 200]);
    const result = await chain.ok(msg.refund(signer, escrowId));
    expect(responseOf(result)).toMatchObject({ refundedAmount: "10000uve" });
    for (const id of ids) {
      const detail = await see.usageDetail(chain, id);
      expect([detail.status, detail.usageRecord?.settled]).toEqual(["written_off", false]);
    }
    expect(await chain.balance(customer.address)).toBe(START);
    await chain.checkFullInvariants();
  });

  test("RULES 12 a refund is a settlement record of type refund that counts in no total", async () => {
    const escrowId = await activeEscrow(chain, "900uve");
    await chain.ok(msg.refund(customer, escrowId));
    const [refund, ...others] = await see.settlementsOf(chain, ORDER);
    expect(others).toEqual([]);
    expect(refund).toMatchObject({
      settlementType: "refund",
      isFinal: true,
      provider: customer.address,
      totalAmount: [{ denom: "uve", amount: "900" }],
      platformFee: [],
      validatorFee: [],
      usageRecordIds: [],
    });
    const escrow = await see.escrow(chain, escrowId);
    expect(escrow).toMatchObject({ totalSettled: [], settlementCount: 0, balance: [] });
    const totals = await see.totals(chain);
    expect([totals.settled, totals.rewards, totals.escrowed]).toEqual([[], [], []]);
  });

  test("RULES 12 nobody else refunds, and a refund has a reason", async () => {
    const escrowId = await activeEscrow(chain);
    await chain.refused(msg.refund(stranger, escrowId), 1505, "depositor, recipient or authority");
    await chain.refused(msg.refund(customer, escrowId, ""), 2, "reason is empty");
  });

  test("D-6 the query by state never shows an escrow under two states", async () => {
    const escrowId = await pendingEscrow(chain);
    const states = ["pending", "active", "released", "refunded", "disputed", "expired"];
    const where = async () => {
      const lists = await Promise.all(states.map((state) => see.escrowsIn(chain, state)));
      return states.filter((_, index) => lists[index]?.includes(escrowId));
    };
    expect(await where()).toEqual(["pending"]);
    await chain.ok(msg.activate(customer, escrowId, provider.address));
    expect(await where()).toEqual(["active"]);
    await chain.ok(msg.dispute(provider, escrowId));
    expect(await where()).toEqual(["disputed"]);
    await chain.ok(msg.refund(provider, escrowId));
    expect(await where()).toEqual(["refunded"]);
  });
});

describe("RULES 13", () => {
  test("RULES 13 a release is a final settlement without usage: the same fees, no reward", async () => {
    const escrowId = await activeEscrow(chain, "1000uve,999uusd");
    const result = await chain.ok(msg.release(customer, escrowId));
    expect(responseOf(result)).toMatchObject({ releasedAmount: "999uusd,1000uve" });
    const [settlement] = await see.settlementsOf(chain, ORDER);
    expect(settlement).toMatchObject({
      settlementType: "final",
      isFinal: true,
      totalUsageUnits: 0n,
    });
    expect(text(settlement?.platformFee)).toBe("49uusd,50uve");
    expect(text(settlement?.validatorFee)).toBe("9uusd,10uve");
    expect(text(settlement?.providerShare)).toBe("941uusd,940uve");
    expect(await chain.balance(provider.address)).toBe(START + 940n);
    expect(await see.escrow(chain, escrowId)).toMatchObject({ state: "released", balance: [] });
    expect((await see.totals(chain)).distributions).toBe(0n);
    await chain.checkFullInvariants();
  });

  test("RULES 13 a part is released when an amount is given, and the escrow goes on", async () => {
    const escrowId = await activeEscrow(chain, "1000uve");
    await chain.ok(msg.release(customer, escrowId, "400uve"));
    const escrow = await see.escrow(chain, escrowId);
    expect([escrow.state, text(escrow.balance), escrow.settlementCount]).toEqual([
      ...["active", "600uve", 1],
    ]);
    const [settlement] = await see.settlementsOf(chain, ORDER);
    expect(settlement).toMatchObject({ settlementType: "periodic", isFinal: false });
    await chain.refused(msg.release(customer, escrowId, "601uve"), 1504, "600uve", "601uve");
    await chain.refused(msg.release(customer, escrowId, "1uusd"), 1504, "1uusd");
    await chain.ok(msg.release(authority, escrowId, "600uve"));
    expect((await see.escrow(chain, escrowId)).state).toBe("released");
  });

  test("RULES 13 a release waits for open usage, naming it", async () => {
    const escrowId = await activeEscrow(chain);
    const id = await recorded(chain);
    await chain.refused(msg.release(customer, escrowId), 1517, id);
    await chain.ok(msg.dispute(customer, escrowId));
    await chain.refused(msg.release(customer, escrowId), 1517, id);
  });

  test("RULES 13 release_fees = false gives the deployed behaviour: no fee", async () => {
    chain = await openChain({ extended: { release_fees: false } });
    const escrowId = await activeEscrow(chain, "1000uve");
    await chain.ok(msg.release(customer, escrowId));
    expect(await chain.balance(provider.address)).toBe(START + 1000n);
  });

  test("a dispute keeps reason and evidence, and its release pays the recipient", async () => {
    const escrowId = await activeEscrow(chain, "100uve");
    await chain.ok(msg.dispute(customer, escrowId, "cpu was throttled", "ticket 17"));
    expect(await see.escrow(chain, escrowId)).toMatchObject({
      ...{ state: "disputed", closureReason: "cpu was throttled" },
    });
    expect(await chain.exported()).toContain("ticket 17");
    await chain.ok(msg.release(customer, escrowId));
    expect(await chain.balance(provider.address)).toBe(START + 94n);
  });
});

test("messages by an unknown escrow or order say so with 1501", async () => {
  for (const id of ["escrow-7", "escrow-0", "escrow-01", "7", "usage-1-1", "escrow-1 "]) {
    await chain.refused(msg.activate(customer, id, provider.address), 1501, `"${id}"`);
    await chain.refused(msg.release(customer, id), 1501, `"${id}"`);
    await chain.refused(msg.refund(customer, id), 1501, `"${id}"`);
    await chain.refused(msg.dispute(customer, id), 1501, `"${id}"`);
  }
  await chain.refused(msg.record(provider, { order: "nope" }), 1501, '"nope"');
  await chain.refused(msg.settle(customer, { order: "nope" }), 1501, '"nope"');
});

test("several messages of one tx happen all or not at all", async () => {
  const before = await chain.books();
  const messages = [msg.create(customer, "5uve"), msg.create(customer, "6uve")];
  expectCode(await chain.deliver(...messages), 1502, "message index: 1");
  expect(await chain.books()).toBe(before);
});
