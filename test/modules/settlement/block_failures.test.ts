import { expect, test } from "vitest";
import type { Context } from "../../../src/baseapp/context.ts";
import { ChainError } from "../../../src/lib/errors.ts";
import { expireDisputes } from "../../../src/modules/settlement/block_disputes.ts";
import { advancePayouts } from "../../../src/modules/settlement/block_payouts.ts";
import { endBlock } from "../../../src/modules/settlement/block_work.ts";
import { readDispute } from "../../../src/modules/settlement/dispute_records.ts";
import { ErrInvalidEscrow } from "../../../src/modules/settlement/errors.ts";
import { markOverdueInvoices } from "../../../src/modules/settlement/invoice_due.ts";
import { CorrectionKeeper } from "../../../src/modules/settlement/keeper_correction.ts";
import { DisputeKeeper } from "../../../src/modules/settlement/keeper_dispute.ts";
import { PayoutKeeper } from "../../../src/modules/settlement/keeper_payout.ts";
import { RefundKeeper } from "../../../src/modules/settlement/keeper_refund.ts";
import { customer } from "../../testkit/accounts.ts";
import { type ChainOptions, openChain, type TestChain } from "../../testkit/chain.ts";
import { disputed } from "../../testkit/disputes.ts";
import { unpaidInvoice } from "../../testkit/invoices.ts";
import { type Machine, machineOf } from "../../testkit/machine.ts";
import { eventsOf } from "../../testkit/outcome.ts";
import { acknowledged, activeEscrow, recordedCosts, settled } from "../../testkit/orders.ts";
import { DAY } from "../../testkit/times.ts";

/**
 * RULES 32: each item of a block's own work is isolated. In each queue the first item fails after
 * it has written all that it writes; the second goes on, and the first waits longer each time.
 * Escrows that expire are in expiry.test.ts, automatic settlement is in auto_settle.test.ts.
 */

const ERROR = "broken on purpose: invalid escrow";
/** Every 2^n-th block after n failures. */
const DOUBLING = [1n, 2n, 4n, 8n, 16n, 32n];

function broken(): ChainError {
  return new ChainError(ErrInvalidEscrow, "broken on purpose");
}

/** Runs a block's work at heights 1 to 40; those at which it emitted the event. */
function heightsOf(machine: Machine, name: string, work: (ctx: Context) => void): bigint[] {
  const tried: bigint[] = [];
  for (let height = 1n; height <= 40n; height += 1n) {
    const before = eventsOf(machine, name).length;
    work({ ...machine.ctx, height });
    if (eventsOf(machine, name).length > before) tried.push(height);
  }
  return tried;
}

function checkInvariants(machine: Machine): void {
  for (const { invariants } of machine.modules.list) {
    for (const invariant of invariants) invariant.check(machine.ctx);
  }
}

/** Two orders, each settled for one record of its own. */
async function twoSettled(o: ChainOptions = {}): Promise<TestChain> {
  const chain = await openChain({ ...o, params: { min_settlement_amount: "0", ...o.params } });
  for (const [n, order] of ["order-1", "order-2"].entries()) {
    await activeEscrow(chain, "100000uve", { order, expiresIn: 200n * DAY });
    await acknowledged(chain, await recordedCosts(chain, [1000 * (n + 1)], { order }));
    await settled(chain, { order });
  }
  return chain;
}

test("RULES 32 a reward that cannot expire is put off, says why, and leaves the others to go on", async () => {
  const chain = await twoSettled();
  chain.skip(60n * DAY);
  const machine = await machineOf(chain);
  const { workers, ctx } = machine;
  const { records, rewards } = workers;
  const failing = Object.create(rewards) as typeof rewards;
  failing.distributeStaking = () => undefined;
  failing.expire = (inner, entry) => {
    rewards.expire(inner, entry);
    if (entry.seq === 1n) throw broken();
  };
  const tried = heightsOf(machine, "RewardExpiryFailed", (each) => {
    endBlock(each, { ...workers, rewards: failing });
  });
  expect(tried).toEqual(DOUBLING);
  const [first] = eventsOf(machine, "RewardExpiryFailed");
  expect(first).toMatchObject({ error: ERROR, attempts: "1" });
  expect(eventsOf(machine, "RewardsExpired")).toMatchObject([{ amount: "200uve" }]);
  const owed = () => records.claimable(ctx, first?.["address"] as string)?.claimable;
  expect(owed()).toEqual([{ denom: "uve", amount: "100" }]);
  checkInvariants(machine);
  // Whole again, it expires at its block.
  endBlock({ ...ctx, height: 64n }, workers);
  expect(owed()).toEqual([]);
  checkInvariants(machine);
});

test("RULES 32 a dispute that cannot end is put off, says why, and leaves the others to go on", async () => {
  const chain = await openChain({ extended: { auto_settle_enabled: false } });
  await activeEscrow(chain, "100000uve", { expiresIn: 200n * DAY });
  for (const id of await recordedCosts(chain, [1000, 2000])) await disputed(chain, id);
  chain.skip(30n * DAY);
  const machine = await machineOf(chain);
  const { records, usage } = machine.workers;
  const corrections = new CorrectionKeeper(records, usage);
  const refunds = new RefundKeeper(records, machine.bank, machine.accounts);
  const disputes = new DisputeKeeper(records, usage, { records, corrections, refunds });
  const failing = Object.create(disputes) as typeof disputes;
  failing.expire = (inner, seq) => {
    disputes.expire(inner, seq);
    if (seq === 1n) throw broken();
  };
  const work = (each: Context): void => expireDisputes(each, failing);
  expect(heightsOf(machine, "DisputeExpiryFailed", work)).toEqual(DOUBLING);
  expect(eventsOf(machine, "DisputeExpiryFailed")[1]).toMatchObject({
    ...{ dispute_id: "dispute-1", error: ERROR, attempts: "2" },
  });
  expect(eventsOf(machine, "DisputeExpired")).toMatchObject([{ dispute_id: "dispute-2" }]);
  expect(records.usage(machine.ctx, 1n)?.disputed).toBe(true);
  expireDisputes({ ...machine.ctx, height: 64n }, disputes);
  expect(records.usage(machine.ctx, 1n)?.disputed).toBe(false);
  expect(readDispute(machine.ctx, 1n)?.closedAtNs).toBe(machine.ctx.time);
  checkInvariants(machine);
});

test("RULES 32 an invoice that cannot be marked is put off, says why, and leaves the others to go on", async () => {
  const chain = await openChain();
  const invoices = [
    await unpaidInvoice(chain, 800),
    await unpaidInvoice(chain, 900, { order: "order-2" }),
  ];
  chain.skip(30n * DAY);
  const machine = await machineOf(chain);
  const { records } = machine.workers;
  const first = records.invoice(machine.ctx, 1n);
  const failing = Object.create(records) as typeof records;
  failing.invoice = (inner, seq) => records.invoice(inner, seq);
  failing.escrow = (inner, seq) => {
    if (seq === first?.escrowSeq) throw broken();
    return records.escrow(inner, seq);
  };
  const work = (each: Context): void => markOverdueInvoices(each, failing);
  expect(heightsOf(machine, "InvoiceOverdueFailed", work)).toEqual(DOUBLING);
  expect(eventsOf(machine, "InvoiceOverdueFailed")[0]).toEqual({
    ...{ invoice_id: invoices[0], error: ERROR, attempts: "1" },
  });
  expect(eventsOf(machine, "InvoiceOverdue")).toMatchObject([{ invoice_id: invoices[1] }]);
  expect(records.invoice(machine.ctx, 1n)).toEqual({ ...first, overdueAttempts: 6 });
  markOverdueInvoices({ ...machine.ctx, height: 64n }, records);
  expect(eventsOf(machine, "InvoiceOverdue")).toHaveLength(2);
  checkInvariants(machine);
});

test.each([
  ["a payout that waited", { extended: { payout_delay: "3600" } }, "PayoutCompleted"],
  ["a holdback", { params: { payout_holdback_rate: "0.1" } }, "HoldbackReleased"],
] as const)(
  "RULES 32 %s that no block can do is put off, says why, and leaves the others to go on",
  async (_, options, done) => {
    const chain = await twoSettled(options);
    chain.skip(30n * DAY);
    const machine = await machineOf(chain);
    const { records } = machine.workers;
    const payouts = new PayoutKeeper(records, machine.bank, machine.accounts);
    const failing = Object.create(payouts) as typeof payouts;
    failing.putOff = (inner, seq, failure) => payouts.putOff(inner, seq, failure);
    failing.advance = (inner, seq) => {
      payouts.advance(inner, seq);
      if (seq === 1n) throw broken();
    };
    const [before, attempts] = [
      records.payout(machine.ctx, 1n),
      done === "PayoutCompleted" ? 0 : 1,
    ];
    const tried = heightsOf(machine, "PayoutFailed", (each) => advancePayouts(each, failing));
    // 2^attempts blocks later each time; that of the net was the first attempt.
    const waits = tried.slice(1).map((height, index) => height - (tried[index] as bigint));
    expect(waits.slice(0, 3)).toEqual([2n, 4n, 8n].map((wait) => wait << BigInt(attempts)));
    expect(eventsOf(machine, "PayoutFailed")[0]).toMatchObject({
      ...{ error: ERROR, attempts: `${attempts + 1}`, next_attempt_height: `${tried[1]}` },
    });
    expect(eventsOf(machine, done)).toHaveLength(1);
    const after = records.payout(machine.ctx, 1n);
    expect([after?.status, after?.ledgerCount]).toEqual([before?.status, before?.ledgerCount]);
    checkInvariants(machine);
    advancePayouts({ ...machine.ctx, height: after?.nextAttemptHeight as bigint }, payouts);
    expect(eventsOf(machine, done)).toHaveLength(2);
    expect(records.payout(machine.ctx, 1n)?.nextAttemptHeight).toBe(0n);
    checkInvariants(machine);
  },
);

test("RULES 32 a staking reward that cannot be booked stops nothing", async () => {
  const chain = await twoSettled();
  chain.skip(60n * DAY);
  const machine = await machineOf(chain);
  const { rewards } = machine.workers;
  const failing = Object.create(rewards) as typeof rewards;
  failing.distributeStaking = () => {
    throw broken();
  };
  failing.expire = (inner, entry) => rewards.expire(inner, entry);
  endBlock(machine.ctx, { ...machine.workers, rewards: failing });
  expect(eventsOf(machine, "RewardsExpired")).toHaveLength(2);
  expect(machine.bank.balance(machine.ctx, machine.accounts.rewards, "uve")).toBe(0n);
  expect(machine.bank.balance(machine.ctx, customer.address, "uve")).toBeGreaterThan(0n);
});
