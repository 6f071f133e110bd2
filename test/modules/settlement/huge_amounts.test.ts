import { describe, expect, test } from "vitest";
import { divCeil } from "../../../src/lib/int.ts";
import {
  authority,
  customer,
  customer2,
  provider,
  provider2,
  stranger,
} from "../../testkit/accounts.ts";
import {
  type ChainOptions,
  moduleAccount,
  openChain,
  type TestChain,
} from "../../testkit/chain.ts";
import { text } from "../../testkit/coins.ts";
import { ceiling, correct, corrected } from "../../testkit/corrections.ts";
import { invoiceMsg } from "../../testkit/invoices.ts";
import { msg, ORDER, type Report } from "../../testkit/messages.ts";
import { eventsOf } from "../../testkit/outcome.ts";
import { acknowledged, activeEscrow, pendingEscrow, recorded } from "../../testkit/orders.ts";
import { payoutMsg } from "../../testkit/payout_messages.ts";
import { lastPayout } from "../../testkit/payouts.ts";
import { DAY, HOUR, slot } from "../../testkit/times.ts";
import { see } from "../../testkit/views.ts";

// 2^255 through every step that moves coins; settlements of it are in test/vectors. The whole supply
// is at most 2^256 − 1, so no two accounts can have so much.
const HUGE = 2n ** 255n;
const HALF = 2n ** 254n;
/** 5 % and 1 %, floored, and the rest. */
const PLATFORM = 2894802230932904885589274625217197696331749616641014100986439600197828240998n;
const VALIDATOR = 578960446186580977117854925043439539266349923328202820197287920039565648199n;
const NET = 54422281941538611849078362954083316691036892792851065098545064483719170930771n;

const NOBODY_ELSE = Object.fromEntries(
  [customer2, provider, provider2, stranger, authority].map(({ address }) => [address, ""]),
);

/** A chain on which the customer has 2^255 and nobody else anything. */
function openHuge(o: ChainOptions = {}): Promise<TestChain> {
  return openChain({
    ...o,
    funds: { ...NOBODY_ELSE, [customer.address]: `${HUGE}uve`, ...o.funds },
    params: { min_settlement_amount: "0", ...o.params },
    extended: { reward_epoch_mint_cap: `${HUGE}`, ...o.extended },
  });
}

/** Units and price whose floored product is a cost of 18 digits or more exactly. */
function costing(cost: bigint): Required<Pick<Report, "units" | "price">> {
  const units = 10n ** 17n;
  const atomics = divCeil(cost * 10n ** 18n, units).toString();
  return { units, price: `${atomics.slice(0, -18)}.${atomics.slice(-18)}uve` };
}

/** Nothing is broken, and an import is the same chain. */
async function holds(chain: TestChain): Promise<void> {
  await chain.checkFullInvariants();
  const again = await chain.imported();
  expect([again.appHash, await again.exported()]).toEqual([chain.appHash, await chain.exported()]);
}

describe("2^255", () => {
  test("is sent, and back by a multi-send", async () => {
    const chain = await openHuge();
    await chain.ok(msg.send(customer, stranger.address, `${HUGE}uve`));
    const outputs = [[customer.address, `${HUGE - 1n}uve`]] as const;
    await chain.ok(msg.multiSend(stranger, [...outputs, [provider.address, "1uve"]], `${HUGE}uve`));
    expect(await chain.balance(customer.address)).toBe(HUGE - 1n);
    await holds(chain);
  });

  test("is released, in part and whole, with the fees of a settlement", async () => {
    const chain = await openHuge();
    const id = await activeEscrow(chain, `${HUGE}uve`);
    await chain.ok(msg.release(customer, id, `${HALF}uve`));
    await chain.ok(msg.release(customer, id));
    // Twice 5 % and 1 % of 2^254: each floor drops less than a unit.
    const platform = await chain.balance(moduleAccount("settlement_platform_fee"));
    const validator = await chain.balance(moduleAccount("settlement_validator_fee"));
    expect([PLATFORM - platform, VALIDATOR - validator]).toEqual([0n, 1n]);
    expect(await chain.balance(provider.address)).toBe(HUGE - platform - validator);
    await holds(chain);
  });

  test("is refunded, with open usage of so much written off", async () => {
    const chain = await openHuge();
    const id = await activeEscrow(chain, `${HUGE}uve`);
    await recorded(chain, costing(HUGE));
    const result = await chain.ok(msg.refund(provider, id));
    expect(eventsOf(result, "UsageWrittenOff")).toMatchObject([{ total_cost: `${HUGE}uve` }]);
    expect(await chain.balance(customer.address)).toBe(HUGE);
    await holds(chain);
  });

  test("is corrected to, below a price ceiling, and summed beyond 2^256 by queries", async () => {
    const chain = await openHuge();
    await activeEscrow(chain, `${HUGE}uve`);
    const { units, price } = costing(HUGE);
    await chain.ok(ceiling(price));
    const id = await corrected(chain, await recorded(chain, { units, price: "1uve" }), {
      units,
      price,
    });
    const more = correct(id, { units: 2n * units + 10n ** 17n, price });
    await chain.refused(more, 1512);
    for (const n of [1, 2]) await recorded(chain, { ...slot(n), units, price });
    const summary = await see.summary(chain, { orderId: ORDER });
    expect(text(summary.totalCost)).toBe(`${3n * HUGE}uve`);
    await holds(chain);
  });

  test("is settled by expiry, and its rewards expire", async () => {
    const chain = await openHuge({ params: { reward_claim_expiry: "100" } });
    await activeEscrow(chain, `${HUGE}uve`, { expiresIn: HOUR });
    await acknowledged(chain, [await recorded(chain, costing(HUGE))]);
    chain.skip(2n * HOUR);
    await chain.block();
    expect(await chain.balance(provider.address)).toBe(NET);
    expect(await chain.balance(moduleAccount("rewards"))).toBe(HUGE / 10n);
    chain.skip(100n);
    const block = await chain.block();
    expect(eventsOf(block, "RewardsExpired")).toMatchObject([{ amount: `${HUGE / 10n}uve` }]);
    expect(await chain.balance(moduleAccount("rewards"))).toBe(0n);
    await holds(chain);
  });

  test("is settled automatically", async () => {
    const chain = await openHuge();
    await activeEscrow(chain, `${HUGE}uve`);
    await acknowledged(chain, [await recorded(chain, costing(HUGE))]);
    chain.skip(DAY);
    await chain.block();
    expect(await chain.balance(provider.address)).toBe(NET);
    await holds(chain);
  });

  test("is due, paid by somebody else, and credited", async () => {
    const funds = { [customer.address]: `${HALF}uve`, [customer2.address]: `${HALF}uve` };
    const chain = await openHuge({ funds });
    await activeEscrow(chain, `${HALF}uve`);
    await recorded(chain, costing(HUGE));
    await chain.ok(msg.settle(customer, { final: true }));
    const [invoice] = await see.invoicesOf(chain, ORDER);
    const id = invoice?.invoiceId ?? "";
    expect([invoice?.total, invoice?.amountDue].map(text)).toEqual([`${HUGE}uve`, `${HALF}uve`]);
    await chain.refused(invoiceMsg.pay(customer2, id, `${HALF + 1n}uve`), 1522);
    await chain.ok(invoiceMsg.pay(customer2, id, `${HALF}uve`));
    expect((await see.invoice(chain, id)).status).toBe("paid");
    await chain.ok(invoiceMsg.credit(provider, id, `${HALF}uve`));
    expect(await chain.balance(customer.address)).toBe(HALF);
    await holds(chain);
  });

  test("waits as a payout, is held, refunded in part, released, and its fees withdrawn", async () => {
    const chain = await openHuge({
      params: { payout_holdback_rate: "0.94" },
      extended: { payout_delay: "3600" },
    });
    await activeEscrow(chain, `${HUGE}uve`);
    await recorded(chain, costing(HUGE));
    await chain.ok(msg.settle(customer, { final: true }));
    const { payoutId, holdbackAmount, netAmount } = await lastPayout(chain);
    // The parts that the floors drop, .4, .68 and .92, are the two units that are paid at once.
    expect([holdbackAmount, netAmount].map(text)).toEqual([`${NET - 2n}uve`, "2uve"]);
    await chain.ok(payoutMsg.hold(authority, payoutId));
    await chain.ok(payoutMsg.refund(authority, payoutId, `${HALF}uve`));
    expect(await chain.balance(customer.address)).toBe(HALF);
    await holds(chain);
    await chain.ok(payoutMsg.release(authority, payoutId));
    chain.skip(8n * DAY);
    await chain.block();
    expect(await chain.balance(provider.address)).toBe(NET - HALF);
    const { address } = stranger;
    await chain.ok(payoutMsg.withdraw(authority, "platform_fee", address, `${PLATFORM}uve`));
    await chain.ok(payoutMsg.withdraw(authority, "validator_fee", address, `${VALIDATOR}uve`));
    expect(await chain.balance(address)).toBe(PLATFORM + VALIDATOR);
    await holds(chain);
  });
});

describe("beyond what an amount can be", () => {
  test("an escrow of 2^256 is refused by the message, one above the balance by the state", async () => {
    const chain = await openHuge();
    await chain.refused(msg.create(customer, `${2n ** 256n}uve`), 3);
    await chain.refused(msg.create(customer, `${2n ** 256n - 1n}uve`), 1504, `${HUGE}uve`);
    await chain.refused(msg.create(customer, `${HUGE + 1n}uve`), 1504);
  });

  test("a price of 79 digits and a cost of 2^256 are refused, and nothing changes", async () => {
    const chain = await openHuge();
    await activeEscrow(chain, `${HUGE}uve`);
    await chain.refused(msg.record(provider, { price: `${10n ** 60n}uve` }), 5);
    const { units, price } = costing(HUGE);
    await chain.refused(msg.record(provider, { units: 2n * units, price }), 1512);
    await recorded(chain, { units: 2n * units - 1n, price });
    await holds(chain);
  });

  test("a reward that would take the supply too high is skipped, and the settlement stands", async () => {
    const funds = { [stranger.address]: `${HUGE - 1n}uve` };
    const chain = await openHuge({ funds });
    await activeEscrow(chain, `${HUGE}uve`);
    await recorded(chain, costing(HUGE));
    const result = await chain.ok(msg.settle(customer, { final: true }));
    expect(eventsOf(result, "RewardSkipped")).toHaveLength(1);
    expect(await chain.balance(provider.address)).toBe(NET);
    await holds(chain);
  });

  test("a pending escrow of all there is can be refunded", async () => {
    const chain = await openHuge();
    const id = await pendingEscrow(chain, `${HUGE}uve`);
    await chain.ok(msg.refund(customer, id));
    await holds(chain);
  });
});
