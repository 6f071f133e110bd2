import { describe, expect, test } from "vitest";
import { MsgSetReleaseConditions } from "../../../src/gen/settled/settlement/v1/tx.ts";
import { ReleaseCondition } from "../../../src/gen/virtengine/settlement/v1/query.ts";
import {
  authority,
  customer,
  provider,
  stranger,
  type TestAccount,
} from "../../testkit/accounts.ts";
import { percentage, setDiscounts, setTax, taxTerms } from "../../testkit/billing.ts";
import { openChain, type TestChain } from "../../testkit/chain.ts";
import { msg, ORDER, type TestMessage } from "../../testkit/messages.ts";
import { expectCode } from "../../testkit/outcome.ts";
import { pendingEscrow, recorded, settled } from "../../testkit/orders.ts";
import { DAY, GENESIS, HOUR, slot } from "../../testkit/times.ts";
import { see } from "../../testkit/views.ts";

/**
 * Every message on an escrow in every state by every kind of sender: the code that it answers, or
 * the state that it leads to.
 */

const SENDERS: Record<string, TestAccount> = { customer, provider, authority, stranger };

type State =
  | "pending"
  | "active"
  | "active with open usage"
  | "disputed"
  | "disputed with open usage"
  | "released"
  | "refunded"
  | "expired"
  | "overdue pending"
  | "overdue active";

/** "active", "ok" (the state stays) or a code. */
type Cell = number | string;

const ESCROW = "escrow-1";

const MESSAGES: Record<string, (signer: TestAccount) => TestMessage> = {
  activate: (signer) => msg.activate(signer, ESCROW, provider.address),
  release: (signer) => msg.release(signer, ESCROW),
  refund: (signer) => msg.refund(signer, ESCROW),
  dispute: (signer) => msg.dispute(signer, ESCROW),
  record: (signer) => msg.record(signer, slot(5)),
  settle: (signer) => msg.settle(signer),
  "settle finally": (signer) => msg.settle(signer, { final: true }),
};

/** Cells in the order customer, provider, authority, stranger. */
const TABLE: Record<State, Record<string, [Cell, Cell, Cell, Cell]>> = {
  pending: {
    activate: ["active", 1505, "active", 1505],
    release: [1519, 1505, 1519, 1505],
    refund: ["refunded", 1505, "refunded", 1505],
    dispute: [1503, 1505, 1505, 1505],
    record: [1519, 1519, 1519, 1519],
    settle: [1519, 1505, 1519, 1505],
    "settle finally": [1519, 1505, 1519, 1505],
  },
  active: {
    activate: [1503, 1505, 1503, 1505],
    release: ["released", 1505, "released", 1505],
    refund: ["refunded", "refunded", "refunded", 1505],
    dispute: ["disputed", "disputed", 1505, 1505],
    record: [1505, "ok", 1505, 1505],
    settle: [1506, 1506, 1506, 1505],
    "settle finally": ["released", "released", "released", 1505],
  },
  "active with open usage": {
    activate: [1503, 1505, 1503, 1505],
    release: [1517, 1505, 1517, 1505],
    refund: [1517, "refunded", "refunded", 1505],
    dispute: ["disputed", "disputed", 1505, 1505],
    record: [1505, "ok", 1505, 1505],
    settle: ["ok", 1506, "ok", 1505],
    "settle finally": ["released", 1506, "released", 1505],
  },
  disputed: {
    activate: [1503, 1505, 1503, 1505],
    release: ["released", 1505, "released", 1505],
    refund: ["refunded", "refunded", "refunded", 1505],
    dispute: [1503, 1503, 1505, 1505],
    record: [1523, 1523, 1523, 1523],
    settle: [1523, 1523, 1523, 1505],
    "settle finally": [1523, 1523, 1523, 1505],
  },
  "disputed with open usage": {
    activate: [1503, 1505, 1503, 1505],
    release: [1517, 1505, 1517, 1505],
    refund: [1517, "refunded", "refunded", 1505],
    dispute: [1503, 1503, 1505, 1505],
    record: [1523, 1523, 1523, 1523],
    settle: [1523, 1523, 1523, 1505],
    "settle finally": [1523, 1523, 1523, 1505],
  },
  released: terminal(),
  refunded: terminal(),
  expired: terminal(),
  // Past its time, and not yet reached by BeginBlock: every message finds out itself (RULES 14).
  "overdue pending": {
    activate: [1518, 1505, 1518, 1505],
    release: [1518, 1505, 1518, 1505],
    refund: [1518, 1505, 1518, 1505],
    dispute: [1518, 1505, 1505, 1505],
    record: [1519, 1519, 1519, 1519],
    settle: [1519, 1505, 1519, 1505],
    "settle finally": [1519, 1505, 1519, 1505],
  },
  "overdue active": {
    activate: [1518, 1505, 1518, 1505],
    release: [1518, 1505, 1518, 1505],
    refund: [1518, 1518, 1518, 1505],
    dispute: [1518, 1518, 1505, 1505],
    record: [1518, 1518, 1518, 1518],
    settle: [1518, 1518, 1518, 1505],
    "settle finally": [1518, 1518, 1518, 1505],
  },
};

function terminal(): Record<string, [Cell, Cell, Cell, Cell]> {
  return {
    activate: [1503, 1505, 1503, 1505],
    release: [1519, 1505, 1519, 1505],
    refund: [1503, 1503, 1503, 1505],
    dispute: [1503, 1503, 1505, 1505],
    record: [1519, 1519, 1519, 1519],
    settle: [1519, 1519, 1519, 1505],
    "settle finally": [1519, 1519, 1519, 1505],
  };
}

async function chainIn(state: State): Promise<TestChain> {
  const chain = await openChain();
  if (state.startsWith("overdue")) return overdue(chain, state === "overdue active");
  await pendingEscrow(chain, "10000uve", { expiresIn: HOUR });
  if (state === "pending") return chain;
  await chain.ok(msg.activate(customer, ESCROW, provider.address));
  if (state.endsWith("open usage")) await recorded(chain, { price: "1500uve" });
  if (state.startsWith("disputed")) await chain.ok(msg.dispute(customer, ESCROW));
  if (state === "released") await settled(chain, { final: true });
  if (state === "refunded") await chain.ok(msg.refund(customer, ESCROW));
  if (state === "expired") {
    chain.skip(DAY);
    await chain.block();
  }
  const expected = state.split(" ")[0];
  expect((await see.escrow(chain, ESCROW)).state).toBe(expected);
  return chain;
}

/** What does not name the escrow alone, or is not of its life, in the order of the senders. */
const OVERDUE: Record<string, Record<string, [Cell, Cell, Cell, Cell]>> = {
  "overdue pending": {
    "set discounts": [1505, 1505, 1518, 1505],
    "set tax on top": [1518, 1505, 1518, 1505],
    "set conditions": [1518, 1505, 1505, 1505],
  },
  "overdue active": {
    "set discounts": [1505, 1518, 1518, 1505],
    "set tax on top": [1518, 1505, 1518, 1505],
    "set conditions": [1518, 1505, 1505, 1505],
    acknowledge: [1518, 1505, 1505, 1505],
  },
};

const ON_TERMS: Record<string, (signer: TestAccount, usageId: string) => TestMessage> = {
  "set discounts": (signer) => setDiscounts([percentage(10_000)], signer),
  "set tax on top": (signer) => setTax(taxTerms("exclusive", "0.1"), signer),
  "set conditions": (signer) => ({
    typeUrl: "/settled.settlement.v1.MsgSetReleaseConditions",
    value: MsgSetReleaseConditions.encode({
      ...{ sender: signer.address, escrowId: ESCROW },
      conditions: [ReleaseCondition.fromPartial({ type: "timelock", unlockAfter: GENESIS })],
    }).finish(),
    signer,
  }),
  acknowledge: (signer, usageId) => msg.acknowledge(signer, usageId),
};

/** A hundred other escrows stand before the one of interest in the queue of one block. */
async function overdue(chain: TestChain, active: boolean): Promise<TestChain> {
  await pendingEscrow(chain, "10000uve", { expiresIn: 2n * HOUR });
  if (active) await chain.ok(msg.activate(customer, ESCROW, provider.address));
  if (active) await recorded(chain, { price: "1500uve" });
  const others = Array.from({ length: 100 }, (_, index) => {
    return msg.create(customer, "1uve", { order: `other-${index}`, expiresIn: HOUR });
  });
  await chain.ok(...others);
  chain.skip(DAY);
  return chain;
}

describe.each(Object.keys(TABLE) as State[])("R-003-46 an escrow that is %s", (state) => {
  test.each(Object.keys(MESSAGES))("R-003-46 and the message %s", async (name) => {
    const cells = TABLE[state][name] as [Cell, Cell, Cell, Cell];
    const found: Cell[] = [];
    for (const sender of Object.values(SENDERS)) {
      // States that BeginBlock would change at once are made anew for every sender.
      const chain = await chainIn(state);
      const before = (await see.escrow(chain, ESCROW)).state;
      const message = (MESSAGES[name] as (signer: TestAccount) => TestMessage)(sender);
      const result = await chain.deliver(message);
      if (result.code !== 0) {
        expectCode(result, result.code);
        found.push(result.code);
        continue;
      }
      const after = (await see.escrow(chain, ESCROW)).state;
      found.push(after === before ? "ok" : after);
    }
    expect(found).toEqual(cells);
  });
});

describe.each(Object.entries(OVERDUE))("RULES 14 an escrow that is %s", (state, rows) => {
  test.each(Object.entries(rows))("RULES 14 and its terms: %s", async (name, cells) => {
    const found: Cell[] = [];
    for (const sender of Object.values(SENDERS)) {
      const chain = await chainIn(state as State);
      const [usage] = await see.usageOf(chain, ORDER);
      const message = ON_TERMS[name]?.(sender, usage?.usageId ?? "") as TestMessage;
      const result = await chain.deliver(message);
      expectCode(result, result.code);
      found.push(result.code);
    }
    expect(found).toEqual(cells);
  });
});

test("RULES 14 a discount on an overdue escrow does not change what its expiry pays", async () => {
  const chain = await chainIn("overdue active");
  const before = await chain.balance(provider.address);
  const late = setDiscounts([percentage(10_000)], authority);
  expectCode(await chain.deliver(late), 1518, ESCROW);
  await chain.block();
  expect((await see.escrow(chain, ESCROW)).state).toBe("expired");
  // 1500 less 75 and 15 of fees.
  expect((await chain.balance(provider.address)) - before).toBe(1410n);
  // Of an escrow that has ended, terms are those of the next one.
  await chain.ok(late);
});

test.each(["released", "refunded", "expired"] as const)(
  "R-003-46 nothing changes an escrow that is %s any more",
  async (state) => {
    const chain = await chainIn(state);
    const before = await see.escrow(chain, ESCROW);
    for (const make of Object.values(MESSAGES)) {
      for (const sender of Object.values(SENDERS)) await chain.deliver(make(sender));
    }
    chain.skip(400n * DAY);
    await chain.block();
    expect(await see.escrow(chain, ESCROW)).toEqual(before);
    expect((await see.escrowsOf(chain, ORDER)).length).toBe(1);
  },
);
