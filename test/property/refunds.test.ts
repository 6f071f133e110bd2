import fc from "fast-check";
import { expect, test } from "vitest";
import { authority, customer, provider, stranger } from "../testkit/accounts.ts";
import { setTax, taxTerms } from "../testkit/billing.ts";
import { moduleAccount, openChain, type TestChain } from "../testkit/chain.ts";
import { invoiceMsg } from "../testkit/invoices.ts";
import { type TestMessage, msg } from "../testkit/messages.ts";
import { activeEscrow, recordedCosts } from "../testkit/orders.ts";
import { payoutMsg } from "../testkit/payout_messages.ts";
import { payoutIds } from "../testkit/payouts.ts";
import { refundMsg, seeRefund } from "../testkit/refunds.ts";
import { see } from "../testkit/views.ts";
import { runs, TIMEOUT } from "./runs.ts";

/** What the provider has at genesis: little, so that it cannot always pay. */
const FUNDS = 100n;

// Few, so that the same one is refunded again.
const at = fc.nat(3);
const cost = fc.nat(2000);
const part = fc.oneof(fc.constant(0), fc.nat(700));
const kinds = {
  settle: 5,
  refund: 8,
  refundAll: 2,
  hold: 5,
  release: 2,
  refundPayout: 3,
  credit: 3,
  spend: 3,
  withdraw: 2,
  payReceivable: 4,
  claim: 2,
  dispute: 1,
  wait: 2,
} as const;
type Kind = keyof typeof kinds;
const operation = fc.oneof(
  ...Object.entries(kinds).map(([kind, weight]) => {
    return { weight, arbitrary: fc.record({ kind: fc.constant(kind as Kind), at, cost, part }) };
  }),
);
type Operation = { kind: Kind; at: number; cost: number; part: number };

const world = fc.record({
  holdback: fc.constantFrom("0.0", "0.1", "0.94", "0.333333333333333333"),
  delay: fc.constantFrom("0", "900", "9000"),
  window: fc.constantFrom("0", "1200", "9000"),
  billing: fc.constantFrom(true, true, true, true, false),
  funding: fc.constantFrom("mint", "pool"),
  expiry: fc.constantFrom("0", "1200"),
  tax: fc.constantFrom(undefined, "exclusive", "inclusive"),
});

const pick = (ids: readonly string[], n: number, none: string): string =>
  ids[n % (ids.length || 1)] ?? none;

/** The message of an operation; undefined for one that is none. */
async function messageOf(chain: TestChain, each: Operation): Promise<TestMessage | undefined> {
  const settlements = await see.settlementsOf(chain, "order-1");
  const settlement = pick(
    settlements.map(({ settlementId }) => settlementId),
    each.at,
    "settle-1-1",
  );
  const payout = pick(await payoutIds(chain), each.at, "payout-1-1");
  const amount = each.part === 0 ? "" : `${each.part}uve`;
  switch (each.kind) {
    case "settle":
      return msg.settle(customer);
    case "refund":
      return refundMsg.refund(settlement, amount);
    case "refundAll":
      return refundMsg.refund(settlement);
    case "hold":
      return payoutMsg.hold(authority, payout);
    case "release":
      return payoutMsg.release(authority, payout);
    case "refundPayout":
      return payoutMsg.refund(authority, payout, amount);
    case "credit": {
      const invoices = await see.invoicesOf(chain, "order-1");
      const ids = invoices.map(({ invoiceId }) => invoiceId);
      const back = `${(each.part % 50) + 1}uve`;
      return invoiceMsg.credit(provider, pick(ids, each.at, "invoice-1-1"), back);
    }
    case "spend": {
      const all = await chain.balance(provider.address);
      return msg.send(provider, stranger.address, `${all === 0n ? 1n : all}uve`);
    }
    case "withdraw":
      return withdrawal(each, amount || "5uve");
    case "payReceivable": {
      const receivables = await seeRefund.receivables(chain, { openOnly: true });
      const ids = receivables.map(({ receivableId }) => receivableId);
      return refundMsg.pay(stranger, pick(ids, each.at, "receivable-1-1"), amount);
    }
    case "claim":
      return msg.claim(provider);
    case "dispute":
      return each.part > 350 ? msg.dispute(customer, "escrow-1") : undefined;
    case "wait":
      return undefined;
  }
}

function withdrawal(each: Operation, amount: string): TestMessage {
  const account = each.at % 2 === 0 ? "platform_fee" : "tax";
  return payoutMsg.withdraw(authority, account, stranger.address, amount);
}

/** Successful messages by kind, and receivables that were booked. */
type Done = Record<string, number>;

/** Refusals are a part of it; the machine asks its invariants after every block. */
async function live(chain: TestChain, operations: readonly Operation[], done: Done): Promise<void> {
  for (const [index, each] of operations.entries()) {
    if (each.kind === "wait") chain.skip(BigInt(each.cost));
    const [escrow] = await see.escrowsOf(chain, "order-1");
    if (each.kind === "settle" && each.cost > 0 && escrow?.state === "active") {
      await recordedCosts(chain, [each.cost], { from: index });
    }
    const message = await messageOf(chain, each);
    if (message === undefined) {
      await chain.block();
      continue;
    }
    if (each.kind === "refundPayout") await hold(chain, each);
    const { code } = await chain.deliver(message);
    if (code === 0) done[each.kind] = (done[each.kind] ?? 0) + 1;
  }
  const { length } = await seeRefund.receivables(chain);
  done["receivables"] = (done["receivables"] ?? 0) + length;
}

/** A payout that is not held has no refund. */
async function hold(chain: TestChain, each: Operation): Promise<void> {
  const message = await messageOf(chain, { ...each, kind: "hold" });
  if (message !== undefined) await chain.deliver(message);
}

/** Refunds what is left of every settlement: then the parts went back or are owed exactly. */
async function refundEverything(chain: TestChain): Promise<void> {
  for (const { settlementId } of await see.settlementsOf(chain, "order-1")) {
    await chain.deliver(refundMsg.refund(settlementId));
  }
}

test(
  "RULES 31 refunds in any order keep every coin, and every sum that the records say",
  async () => {
    const done: Done = {};
    const histories = fc.array(operation, { minLength: 30, maxLength: 70 });
    const property = fc.asyncProperty(world, histories, async (facts, operations) => {
      const chain = await openChain({
        funds: { [provider.address]: `${FUNDS}uve` },
        params: {
          ...{ min_settlement_amount: "0", payout_holdback_rate: facts.holdback },
          ...{ dispute_window_duration: facts.window, reward_claim_expiry: facts.expiry },
        },
        extended: {
          ...{ payout_delay: facts.delay, billing_enabled: facts.billing },
          ...{ reward_funding: facts.funding, staking_reward_per_epoch: "0" },
        },
      });
      const credits = done["credit"] ?? 0;
      await chain.ok(msg.send(customer, moduleAccount("reward_pool"), "10000uve"));
      await activeEscrow(chain, "90000uve");
      if (facts.tax !== undefined) await chain.ok(setTax(taxTerms(facts.tax, "0.19", "+0.013")));
      await live(chain, operations, done);
      await chain.checkFullInvariants();
      expect((await chain.imported()).appHash).toBe(chain.appHash);
      await refundEverything(chain);
      await chain.checkFullInvariants();
      if ((done["credit"] ?? 0) > credits) return;
      // Whatever waited for the provider, or its coins, went back or is owed.
      expect(await chain.balances(moduleAccount("settlement"))).toBe("");
    });
    await fc.assert(property, runs(30));
    // The random histories reach what they are for.
    for (const kind of [...Object.keys(kinds), "receivables"]) {
      if (kind === "wait") continue;
      expect([kind, (done[kind] ?? 0) > 0]).toEqual([kind, true]);
    }
  },
  TIMEOUT,
);
