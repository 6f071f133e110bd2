import { beforeEach, describe, expect, test } from "vitest";
import { ChainError } from "../../../src/lib/errors.ts";
import { beginBlock, type BlockWorkers } from "../../../src/modules/settlement/block_work.ts";
import { ErrInvalidEscrow } from "../../../src/modules/settlement/errors.ts";
import type { TimeNs } from "../../../src/types/time.ts";
import { customer, customer2, provider } from "../../testkit/accounts.ts";
import { openChain, type TestChain } from "../../testkit/chain.ts";
import { text } from "../../testkit/coins.ts";
import { type Machine, machineOf } from "../../testkit/machine.ts";
import { msg, ORDER } from "../../testkit/messages.ts";
import { eventsOf, expectCode, typedEvents } from "../../testkit/outcome.ts";
import {
  activeEscrow,
  pendingEscrow,
  recorded,
  recordedCosts,
  settled,
} from "../../testkit/orders.ts";
import { DAY, GENESIS, HOUR, slot } from "../../testkit/times.ts";
import { see } from "../../testkit/views.ts";

const START = 1_000_000_000_000n;

let chain: TestChain;
beforeEach(async () => {
  chain = await openChain();
});

/** Time of expiry of an escrow that is created in the next block. */
function expiryAfter(seconds: bigint): TimeNs {
  return (chain.time + seconds * 1_000_000_000n) as TimeNs;
}

describe("R-003-47", () => {
  test("R-003-47 as RULES 14 reads it: strictly after expires_at, in BeginBlock", async () => {
    const expiry = expiryAfter(HOUR);
    const escrowId = await pendingEscrow(chain, "900uve", { expiresIn: HOUR });
    chain.time = expiry;
    await chain.block();
    expect((await see.escrow(chain, escrowId)).state).toBe("pending");
    chain.time = (expiry + 1n) as TimeNs;
    const block = await chain.block();
    expect(await see.escrow(chain, escrowId)).toMatchObject({
      ...{ state: "expired", balance: [], closureReason: "expired", closedAt: GENESIS + 1n + HOUR },
    });
    expect(await chain.balance(customer.address)).toBe(START);
    expect(eventsOf(block, "EscrowExpired")).toEqual([
      {
        escrow_id: escrowId,
        order_id: ORDER,
        balance: "900uve",
        expired_at: `${GENESIS + 1n + HOUR}`,
      },
    ]);
    const modes = block.events.map(({ attributes }) => attributes.at(-1)?.value);
    expect(new Set(modes)).toEqual(new Set(["BeginBlock"]));
  });

  test("D-6 / RULES 14 usage of an expired escrow is settled first, without a minimum", async () => {
    await activeEscrow(chain, "1000uve", { expiresIn: HOUR });
    const [id = ""] = await recordedCosts(chain, [400]);
    chain.skip(2n * HOUR);
    const block = await chain.block();
    expect(typedEvents(block)).toEqual([
      ...["InvoiceIssued", "PayoutCompleted", "RewardsDistributed", "OrderSettled"],
      "EscrowExpired",
    ]);
    expect(await chain.balance(provider.address)).toBe(START + 376n);
    expect(await chain.balance(customer.address)).toBe(START - 400n);
    const [settlement] = await see.settlementsOf(chain, ORDER);
    expect(settlement).toMatchObject({ settlementType: "final", isFinal: true });
    expect(settlement?.usageRecordIds).toEqual([id]);
    const escrow = await see.escrow(chain, "escrow-1");
    expect([escrow.state, text(escrow.totalSettled)]).toEqual(["expired", "400uve"]);
    expect(eventsOf(block, "EscrowExpired")).toMatchObject([{ balance: "600uve" }]);
    await chain.checkFullInvariants();
  });

  test("RULES 14 an expired escrow that owes more than it has leaves an amount due", async () => {
    await activeEscrow(chain, "1000uve", { expiresIn: HOUR });
    await recordedCosts(chain, [800, 700]);
    chain.skip(2n * HOUR);
    await chain.block();
    const [invoice] = await see.invoicesOf(chain, ORDER);
    expect([invoice?.status, text(invoice?.amountDue)]).toEqual(["partially_paid", "500uve"]);
    await chain.checkFullInvariants();
  });

  test("RULES 14 the rest goes to the depositor whatever final_remainder says", async () => {
    chain = await openChain({ extended: { final_remainder: "provider" } });
    await activeEscrow(chain, "1000uve", { expiresIn: HOUR });
    await recordedCosts(chain, [400]);
    chain.skip(2n * HOUR);
    await chain.block();
    expect(await chain.balance(customer.address)).toBe(START - 400n);
  });

  test("RULES 21 a disputed escrow does not expire", async () => {
    const escrowId = await activeEscrow(chain, "1000uve", { expiresIn: HOUR });
    await chain.ok(msg.dispute(customer, escrowId));
    chain.skip(400n * DAY);
    await chain.block();
    expect((await see.escrow(chain, escrowId)).state).toBe("disputed");
    await chain.ok(msg.release(customer, escrowId));
  });
});

describe("RULES 14 bounds", () => {
  test("RULES 14 at most 100 escrows a block, by (expires_at, id)", async () => {
    const late = msg.create(customer, "1uve", { order: "late", expiresIn: HOUR + 1n });
    const others = Array.from({ length: 120 }, (_, n) => {
      return msg.create(customer, "1uve", { order: `order-${n}`, expiresIn: HOUR });
    });
    await chain.ok(late, ...others);
    chain.skip(2n * HOUR);
    await chain.block();
    const pending = await see.escrowsIn(chain, "pending");
    expect(pending).toHaveLength(21);
    expect(pending.at(0)).toBe("escrow-1");
    expect(pending.at(1)).toBe("escrow-102");
    await chain.block();
    expect(await see.escrowsIn(chain, "pending")).toEqual([]);
  });

  test("RULES 14 at most 1,000 records a block: a longer list goes on in the next", async () => {
    await activeEscrow(chain, "100000uve", { expiresIn: HOUR });
    for (let batch = 0; batch < 11; batch += 1) {
      const messages = Array.from({ length: 100 }, (_, n) => {
        return msg.record(provider, { ...slot(100 * batch + n, 10n), price: "2uve" });
      });
      await chain.ok(...messages);
    }
    chain.skip(2n * HOUR);
    await chain.block();
    const [first] = await see.settlementsOf(chain, ORDER);
    expect([first?.isFinal, text(first?.totalAmount)]).toEqual([false, "2000uve"]);
    expect((await see.escrow(chain, "escrow-1")).state).toBe("active");
    // Meanwhile every message finds out that the escrow has expired.
    await chain.block();
    const settlements = await see.settlementsOf(chain, ORDER);
    expect(settlements.map(({ isFinal, settlementType }) => [isFinal, settlementType])).toEqual([
      [false, "usage_based"],
      [true, "final"],
    ]);
    expect((await see.escrow(chain, "escrow-1")).state).toBe("expired");
    await chain.checkFullInvariants();
  });

  test("RULES 26 a settlement of expiry takes no more records than any other", async () => {
    chain = await openChain({ extended: { max_records_per_settlement: 2 } });
    await activeEscrow(chain, "1000uve", { expiresIn: HOUR });
    await recordedCosts(chain, [10, 20, 30]);
    chain.skip(2n * HOUR);
    await chain.block();
    const [first] = await see.settlementsOf(chain, ORDER);
    expect(first?.usageRecordIds).toHaveLength(2);
    await chain.block();
    expect((await see.escrow(chain, "escrow-1")).state).toBe("expired");
  });
});

describe("RULES 32 / D-26 isolation", () => {
  /** Settlements of escrows up to one fail after they have written all that they write. */
  function failing(
    machine: Machine,
    escrowSeq: bigint,
    onTried?: (records: number) => void,
  ): BlockWorkers {
    const { settlements } = machine.workers;
    const failingSettlements = Object.create(settlements) as typeof settlements;
    failingSettlements.settle = (ctx, plan) => {
      const outcome = settlements.settle(ctx, plan);
      onTried?.(plan.allocation.taken.length);
      if (plan.escrow.seq <= escrowSeq) throw new ChainError(ErrInvalidEscrow, "broken on purpose");
      return outcome;
    };
    return { ...machine.workers, settlements: failingSettlements };
  }

  test("D-26 an expiry that fails moves nothing, says why, and does not stop the others", async () => {
    await activeEscrow(chain, "10000uve", { expiresIn: HOUR });
    await recordedCosts(chain, [1000]);
    await activeEscrow(chain, "77uve", { order: "order-2", expiresIn: HOUR });
    await recordedCosts(chain, [50], { order: "order-2" });
    chain.skip(2n * HOUR);
    const machine = await machineOf(chain);
    beginBlock(machine.ctx, failing(machine, 1n));
    expect(eventsOf(machine, "EscrowExpiryFailed")).toEqual([
      { escrow_id: "escrow-1", error: "broken on purpose: invalid escrow", attempts: "1" },
    ]);
    expect(eventsOf(machine, "EscrowExpired")).toMatchObject([{ escrow_id: "escrow-2" }]);
    expect(eventsOf(machine, "OrderSettled")).toMatchObject([{ escrow_id: "escrow-2" }]);
    const { records } = machine.workers;
    expect(records.escrow(machine.ctx, 1n)).toMatchObject({
      ...{ balance: [{ denom: "uve", amount: "10000" }], expiryAttempts: 1 },
    });
    expect(records.usage(machine.ctx, 1n)?.settledAmount).toBe("");
    expect(machine.bank.balance(machine.ctx, customer.address, "uve")).toBe(START - 10_050n);
    for (const { invariants } of machine.modules.list) {
      for (const invariant of invariants) invariant.check(machine.ctx);
    }
  });

  test("RULES 14 one that fails is tried again at every second, fourth, eighth block", async () => {
    await activeEscrow(chain, "10000uve", { expiresIn: HOUR });
    await recordedCosts(chain, [1000]);
    chain.skip(2n * HOUR);
    const machine = await machineOf(chain);
    const workers = failing(machine, 1n);
    const tried: bigint[] = [];
    for (let height = 1n; height <= 64n; height += 1n) {
      const before = machine.events.length;
      beginBlock({ ...machine.ctx, height }, workers);
      if (machine.events.length > before) tried.push(height);
    }
    expect(tried).toEqual([1n, 2n, 4n, 8n, 16n, 32n, 64n]);
    // Whole again, it ends the escrow.
    beginBlock({ ...machine.ctx, height: 1024n }, machine.workers);
    expect(machine.workers.records.escrow(machine.ctx, 1n)?.balance).toEqual([]);
  });

  test("RULES 14 what fails is of the block's 1,000 records too", async () => {
    const orders = [1, 2, 3, 4].map((n) => `order-${n}`);
    for (const order of orders) {
      await activeEscrow(chain, "9999uve", { order, expiresIn: HOUR });
      for (let batch = 0; batch < 4; batch += 1) {
        const messages = Array.from({ length: 100 }, (_, n) => {
          return msg.record(provider, { ...slot(100 * batch + n, 10n), order, price: "2uve" });
        });
        await chain.ok(...messages);
      }
    }
    chain.skip(2n * HOUR);
    const machine = await machineOf(chain);
    const tried: number[] = [];
    const workers = failing(machine, 4n, (count) => tried.push(count));
    beginBlock(machine.ctx, workers);
    // 400, 400, and the 200 that are left of 1,000: the fourth escrow waits for the next block.
    expect(tried).toEqual([400, 400, 200]);
    expect(eventsOf(machine, "EscrowExpiryFailed").map((event) => event["escrow_id"])).toEqual([
      ...["escrow-1", "escrow-2", "escrow-3"],
    ]);
    beginBlock({ ...machine.ctx, height: 7n }, workers);
    expect(tried.slice(3)).toEqual([400]);
  });

  test("R-003-41 a reward that would take the supply too high does not fail the settlement", async () => {
    const supply = 2n ** 256n - 1n - 5n * START - 50n;
    chain = await openChain({
      funds: {
        [provider.address]: `${supply}uve`,
      },
      extended: { reward_epoch_mint_cap: `${2n ** 255n}` },
    });
    await activeEscrow(chain, "10000uve");
    await recordedCosts(chain, [1000]);
    const result = await chain.ok(msg.settle(customer));
    expect(eventsOf(result, "RewardSkipped")).toHaveLength(1);
    expect(eventsOf(result, "OrderSettled")).toHaveLength(1);
  });
});

test("RULES 14 after expiry the order takes a new escrow", async () => {
  await activeEscrow(chain, "1000uve", { expiresIn: HOUR });
  const id = await recorded(chain, { price: "100uve" });
  chain.skip(2n * HOUR);
  await chain.block();
  await activeEscrow(chain, "2000uve", { depositor: customer2 });
  expectCode(await chain.deliver(msg.acknowledge(customer, id)), 1515);
  await settled(chain, { signer: customer2, final: true });
});
