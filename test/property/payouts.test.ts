import fc from "fast-check";
import { expect, test } from "vitest";
import { authority, customer, provider } from "../testkit/accounts.ts";
import { moduleAccount, openChain, type TestChain } from "../testkit/chain.ts";
import { type TestMessage, msg } from "../testkit/messages.ts";
import { activeEscrow, recordedCosts } from "../testkit/orders.ts";
import { payoutMsg } from "../testkit/payout_messages.ts";
import { payoutIds } from "../testkit/payouts.ts";
import { see } from "../testkit/views.ts";
import { runs, TIMEOUT } from "./runs.ts";

const ORDERS = ["a", "b", "c"];
/** What each of the cast has at genesis. */
const START = 1_000_000_000_000n;

const order = fc.nat(ORDERS.length - 1).map((n) => ORDERS[n] as string);
// Few, so that the same one is held, refunded and released.
const anyPayout = fc.nat(2);
const part = fc.oneof(fc.constant(0), fc.nat(400));
const operation = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("settle"), order, cost: fc.nat(3000) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("hold"), at: anyPayout }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("release"), at: anyPayout }) },
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant("refund"), at: anyPayout, cost: part }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("dispute"), order }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("decide"), order }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("wait"), cost: fc.nat(2000) }) },
);
type Operation = { kind: string; order?: string; at?: number; cost?: number };

const world = fc.record({
  holdback: fc.constantFrom("0.0", "0.1", "0.5", "0.94", "0.333333333333333333"),
  delay: fc.constantFrom("0", "60", "900"),
  window: fc.constantFrom("0", "30", "1200"),
});

/** The message of an operation; undefined for one that needs a payout when there is none. */
async function messageOf(chain: TestChain, each: Operation): Promise<TestMessage | undefined> {
  const ids = await payoutIds(chain);
  const payoutId = ids[(each.at ?? 0) % (ids.length || 1)] ?? "payout-1-1";
  if (each.kind === "settle") return msg.settle(customer, { order: each.order ?? "" });
  if (each.kind === "hold") return payoutMsg.hold(authority, payoutId);
  if (each.kind === "release") return payoutMsg.release(authority, payoutId);
  if (each.kind === "refund") {
    return payoutMsg.refund(authority, payoutId, each.cost === 0 ? "" : `${each.cost}uve`);
  }
  const [escrow] = await see.escrowsOf(chain, each.order ?? "");
  if (each.kind === "dispute") return msg.dispute(customer, escrow?.escrowId ?? "");
  if (each.kind === "decide") return msg.refund(authority, escrow?.escrowId ?? "");
  return undefined;
}

/** Successful messages by kind. */
type Done = Record<string, number>;

/** Usage that the next settlement of the order takes, while its escrow is active. */
async function record(chain: TestChain, each: Operation, from: number): Promise<void> {
  const { order: of = "", cost = 0 } = each;
  const [escrow] = await see.escrowsOf(chain, of);
  if (each.kind !== "settle" || cost === 0 || escrow?.state !== "active") return;
  await recordedCosts(chain, [cost], { order: of, from });
}

/** Refusals are a part of it; the machine asks its invariants after every block. */
async function live(chain: TestChain, operations: readonly Operation[], done: Done): Promise<void> {
  for (const each of ORDERS) await activeEscrow(chain, "50000uve", { order: each });
  for (const [index, each] of operations.entries()) {
    if (each.kind === "wait") chain.skip(BigInt(each.cost ?? 0));
    await record(chain, each, index);
    const message = await messageOf(chain, each);
    if (message === undefined) {
      await chain.block();
      continue;
    }
    const { code } = await chain.deliver(message);
    if (code === 0) done[each.kind] = (done[each.kind] ?? 0) + 1;
  }
}

/** What the parties, the fee accounts and the accounts between them have together. */
async function sumOf(chain: TestChain): Promise<bigint> {
  const names = ["settlement", "settlement_escrow"];
  const fees = ["settlement_platform_fee", "settlement_validator_fee"];
  const modules = [...names, ...fees].map(moduleAccount);
  let sum = 0n;
  for (const address of [customer.address, provider.address, ...modules]) {
    sum += await chain.balance(address);
  }
  return sum;
}

test(
  "payouts that are held, released, refunded and disputed in any order keep every coin",
  async () => {
    const done: Done = {};
    const histories = fc.array(operation, { minLength: 10, maxLength: 40 });
    const property = fc.asyncProperty(world, histories, async (facts, operations) => {
      const { holdback, delay, window } = facts;
      const chain = await openChain({
        params: {
          ...{ min_settlement_amount: "0", usage_reward_rate_bps: 0 },
          ...{ payout_holdback_rate: holdback, dispute_window_duration: window },
        },
        extended: { payout_delay: delay },
      });
      await live(chain, operations, done);
      expect(await sumOf(chain)).toBe(2n * START);
      await chain.checkFullInvariants();
      expect((await chain.imported()).appHash).toBe(chain.appHash);
    });
    await fc.assert(property, runs(30));
    // The random histories reach what they are for.
    for (const kind of ["settle", "hold", "release", "refund", "dispute", "decide"]) {
      expect([kind, (done[kind] ?? 0) > 0]).toEqual([kind, true]);
    }
  },
  TIMEOUT,
);
