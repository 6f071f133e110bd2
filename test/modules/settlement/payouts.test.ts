import { describe, expect, test } from "vitest";
import { type PayoutState, PayoutStatus } from "../../../src/gen/settled/settlement/v1/state.ts";
import { utf8 } from "../../../src/lib/bytes.ts";
import { balanceKey } from "../../../src/modules/bank/keys.ts";
import { PayoutKeeper } from "../../../src/modules/settlement/keeper_payout.ts";
import { mayBecome } from "../../../src/modules/settlement/payout_state.ts";
import { authority, customer, provider } from "../../testkit/accounts.ts";
import { moduleAccount, openChain, type TestChain } from "../../testkit/chain.ts";
import { text } from "../../testkit/coins.ts";
import { machineOf } from "../../testkit/machine.ts";
import { msg, ORDER } from "../../testkit/messages.ts";
import { eventsOf, responseOf, typedEvents } from "../../testkit/outcome.ts";
import { activeEscrow, recorded, recordedCosts, settled } from "../../testkit/orders.ts";
import { payoutMsg } from "../../testkit/payout_messages.ts";
import { chainPaying, lastPayout, ledgerOf, settledChain } from "../../testkit/payouts.ts";
import { DAY, GENESIS, HOUR, slot } from "../../testkit/times.ts";
import { see } from "../../testkit/views.ts";

const HOLDBACK = { payout_holdback_rate: "0.1" };
const START = 1_000_000_000_000n;

const earned = async (chain: TestChain, denom = "uve"): Promise<bigint> =>
  (await chain.balance(provider.address, denom)) - START;
const held = (chain: TestChain): Promise<string> => chain.balances(moduleAccount("settlement"));

describe("RULES 28 holdback", () => {
  test.each<[total: bigint, rate: string, holdback: string, net: string]>([
    // R-003-50: 1000 − 50 − 10 − 100.
    [1000n, "0.1", "100uve", "840uve"],
    // Platform 49.95, validator 9.99, holdback 99.9: all floored, the dust is the provider's.
    [999n, "0.1", "99uve", "842uve"],
    [1n, "0.1", "", "1uve"],
    [9n, "0.1", "", "9uve"],
    [10n, "0.1", "1uve", "9uve"],
    [19n, "0.1", "1uve", "18uve"],
    // 5 % + 1 % + 94 %: nothing but dust is left to pay at once.
    [1000n, "0.94", "940uve", ""],
    [101n, "0.94", "94uve", "1uve"],
    [1000n, "0.0", "", "940uve"],
    [1000n, "", "", "940uve"],
    [3n, "0.333333333333333333", "", "3uve"],
    [4n, "0.333333333333333333", "1uve", "3uve"],
  ])("R-003-50 of %s at %s: %s held, %s paid", async (total, rate, holdback, net) => {
    const { chain, payout } = await settledChain([total], {
      params: { payout_holdback_rate: rate },
    });
    expect([text(payout.holdbackAmount), text(payout.netAmount)]).toEqual([holdback, net]);
    expect(payout.state).toBe("completed");
    expect(`${await earned(chain)}uve`).toBe(net === "" ? "0uve" : net);
    expect(await held(chain)).toBe(holdback);
    await chain.checkFullInvariants();
  });

  test("RULES 28 each denom has its own: 100uve and 50uusd", async () => {
    const chain = await openChain({ params: { ...HOLDBACK, min_settlement_amount: "0" } });
    await activeEscrow(chain, "10000uve,10000uusd");
    await recorded(chain, { price: "1000uve" });
    await recorded(chain, { ...slot(1), price: "505uusd" });
    await settled(chain);
    const payout = await lastPayout(chain);
    expect(text(payout.holdbackAmount)).toBe("50uusd,100uve");
    // 505 − 25 − 5 − 50.
    expect(text(payout.netAmount)).toBe("425uusd,840uve");
    expect(await held(chain)).toBe("50uusd,100uve");
  });

  test("D-11 it is released when the dispute window is over, not a nanosecond earlier", async () => {
    const { chain, payout } = await settledChain([1000], { params: HOLDBACK });
    const settledAt = chain.time - 1_000_000_000n;
    chain.time = (settledAt + 7n * DAY * 1_000_000_000n - 1n) as typeof chain.time;
    await chain.block();
    expect([await held(chain), await earned(chain)]).toEqual(["100uve", 840n]);
    chain.time = (settledAt + 7n * DAY * 1_000_000_000n) as typeof chain.time;
    const block = await chain.block();
    expect(eventsOf(block, "HoldbackReleased")).toEqual([
      {
        ...{ payout_id: payout.payoutId, provider: provider.address, amount: "100uve" },
        released_at: `${GENESIS + 4n + 7n * DAY}`,
      },
    ]);
    expect([await held(chain), await earned(chain)]).toEqual(["", 940n]);
    expect((await ledgerOf(chain, payout.payoutId)).at(-1)).toBe(
      "4 holdback_released completed>completed 100uve",
    );
    await chain.block();
    expect(await earned(chain)).toBe(940n);
    await chain.checkFullInvariants();
  });

  test("RULES 7 what is written stays: another window moves no holdback that there is", async () => {
    const { chain } = await settledChain([1000], {
      params: { ...HOLDBACK, dispute_window_duration: "3600" },
    });
    chain.skip(HOUR - 2n);
    await chain.block();
    expect(await held(chain)).toBe("100uve");
    chain.skip(1n);
    await chain.block();
    expect(await held(chain)).toBe("");
  });

  test("D-20 a window of 0 gives the holdback back at the end of the same block", async () => {
    const { chain } = await settledChain([1000], {
      params: { ...HOLDBACK, dispute_window_duration: "0" },
    });
    expect([await held(chain), await earned(chain)]).toEqual(["", 940n]);
  });

  test("RULES 13 a release and billing without payouts hold nothing back", async () => {
    const chain = await openChain({ params: HOLDBACK, extended: { billing_enabled: false } });
    const escrowId = await activeEscrow(chain);
    await recordedCosts(chain, [1000]);
    await settled(chain);
    await chain.ok(msg.release(customer, escrowId, "1000uve"));
    expect([await held(chain), await earned(chain)]).toEqual(["", 1880n]);
  });
});

describe("D-20 payout_delay", () => {
  test("RULES 32 a payout waits until its time, at the end of the block", async () => {
    const { chain, payout } = await settledChain([1000], { extended: { payout_delay: "3600" } });
    expect(payout).toMatchObject({ state: "pending", executionAttempts: 0, completedAt: 0n });
    expect([payout.txHash, payout.lastAttemptAt]).toEqual(["", 0n]);
    expect([await held(chain), await earned(chain)]).toEqual(["940uve", 0n]);
    chain.skip(HOUR - 2n);
    await chain.block();
    expect(await earned(chain)).toBe(0n);
    const block = await chain.block();
    expect(typedEvents(block)).toEqual(["PayoutCompleted"]);
    expect(await see.payout(chain, payout.payoutId)).toMatchObject({
      ...{ state: "completed", executionAttempts: 1, txHash: "" },
      completedAt: GENESIS + 4n + HOUR,
    });
    expect([await held(chain), await earned(chain)]).toEqual(["", 940n]);
    await chain.checkFullInvariants();
  });

  test("RULES 32 the settlement tells that it waits; without delay it is paid as ever", async () => {
    const chain = await openChain({ extended: { payout_delay: "60" } });
    await activeEscrow(chain);
    await recordedCosts(chain, [1000]);
    const result = await chain.ok(msg.settle(customer));
    expect(typedEvents(result)).toEqual([
      ...["InvoiceIssued", "PayoutPending", "RewardsDistributed", "OrderSettled"],
    ]);
    expect(eventsOf(result, "PayoutPending")).toEqual([
      {
        payout_id: `payout-${GENESIS + 4n}-1`,
        settlement_id: `settle-${GENESIS + 4n}-1`,
        ...{ net_amount: "940uve", due_at: `${GENESIS + 64n}` },
      },
    ]);
  });

  test("RULES 32 at most 100 payouts a block; what is not due is not looked at", async () => {
    const chain = await openChain({
      params: { min_settlement_amount: "0" },
      extended: { payout_delay: "3600" },
    });
    await activeEscrow(chain, "1000000uve");
    for (let n = 0; n < 11; n += 1) {
      await recordedCosts(chain, new Array<number>(10).fill(100), { from: n * 10 });
      const ids = (await see.usageOf(chain, ORDER)).slice(-10).map(({ usageId }) => usageId);
      await chain.ok(...ids.map((id) => msg.settle(customer, { ids: [id] })));
    }
    const paidBy = async (): Promise<number> => {
      const { events } = await chain.block();
      return eventsOf({ events }, "PayoutCompleted").length;
    };
    expect(await paidBy()).toBe(0);
    chain.skip(HOUR);
    expect([await paidBy(), await paidBy(), await paidBy()]).toEqual([100, 10, 0]);
    await chain.checkFullInvariants();
  });

  test("D-20 a dispute of the escrow keeps its payouts and holdbacks from moving", async () => {
    const { chain, payout } = await settledChain([1000], {
      params: { ...HOLDBACK, dispute_window_duration: "3600" },
      extended: { payout_delay: "600" },
    });
    await chain.ok(msg.dispute(customer, "escrow-1"));
    chain.skip(600n);
    const waits = await chain.block();
    expect(eventsOf(waits, "PayoutPostponed")).toEqual([
      {
        ...{ payout_id: payout.payoutId, escrow_id: "escrow-1" },
        // As long again as the dispute has lasted, 601 s.
        until: `${GENESIS + 6n + 600n + 601n}`,
      },
    ]);
    expect([await held(chain), await earned(chain)]).toEqual(["940uve", 0n]);
    await chain.refused(
      payoutMsg.release(authority, payout.payoutId),
      1535,
      "escrow-1 is disputed",
    );
    await chain.ok(msg.refund(authority, "escrow-1", "decided"));
    chain.skip(601n);
    await chain.block();
    expect([await held(chain), await earned(chain)]).toEqual(["100uve", 840n]);
    chain.skip(HOUR);
    await chain.block();
    expect([await held(chain), await earned(chain)]).toEqual(["", 940n]);
    await chain.checkFullInvariants();
  });

  test("D-20 a holdback waits for the end of a dispute, too", async () => {
    const { chain, payout } = await settledChain([1000], {
      params: { ...HOLDBACK, dispute_window_duration: "60" },
    });
    await chain.ok(msg.dispute(customer, "escrow-1"));
    chain.skip(60n);
    expect(typedEvents(await chain.block())).toEqual(["PayoutPostponed"]);
    expect(await held(chain)).toBe("100uve");
    await chain.ok(payoutMsg.hold(authority, payout.payoutId));
    await chain.refused(payoutMsg.refund(authority, payout.payoutId), 1535, "disputed");
    expect(await held(chain)).toBe("100uve");
  });
});

describe("R-003-50 a transfer that fails", () => {
  const unpayable = moduleAccount("fee_collector");

  test("R-003-50 it is tried again after 2, 4 and 8 blocks, then stays failed", async () => {
    const chain = await chainPaying(unpayable);
    const result = await chain.ok(msg.settle(customer));
    const first = chain.height;
    const payout = await lastPayout(chain, unpayable);
    const error = `a module account cannot be paid: ${unpayable}: payout execution failed`;
    expect(eventsOf(result, "PayoutFailed")).toEqual([
      {
        ...{ payout_id: payout.payoutId, error },
        ...{ failed_at: `${payout.createdAt}`, attempts: "1" },
        next_attempt_height: `${first + 2n}`,
      },
    ]);
    expect(payout).toMatchObject({ state: "failed", executionAttempts: 1 });
    expect(payout.lastError).toBe(error);
    expect(await held(chain)).toBe("940uve");
    const tried: bigint[] = [];
    while (chain.height < first + 40n) {
      if (eventsOf(await chain.block(), "PayoutFailed").length > 0)
        tried.push(chain.height - first);
    }
    expect(tried).toEqual([2n, 6n, 14n]);
    expect(await lastPayout(chain, unpayable)).toMatchObject({
      ...{ state: "failed", executionAttempts: 4 },
    });
    await chain.checkFullInvariants();
    // The authority may try again, and the attempt is the last one again.
    const again = await chain.ok(payoutMsg.release(authority, payout.payoutId));
    expect(responseOf(again)).toEqual({ paidAmount: "", state: "failed" });
    expect(await ledgerOf(chain, payout.payoutId)).toEqual([
      "1 created >pending 940uve",
      "2 processing pending>processing 940uve",
      "3 failed processing>failed",
      ...[4, 6, 8, 10].flatMap((n) => [
        `${n} processing failed>processing 940uve`,
        `${n + 1} failed processing>failed`,
      ]),
    ]);
    // What cannot be paid goes back to the customer.
    const before = await chain.balance(customer.address);
    await chain.ok(payoutMsg.hold(authority, payout.payoutId));
    await chain.ok(payoutMsg.refund(authority, payout.payoutId));
    expect((await chain.balance(customer.address)) - before).toBe(940n);
    expect(await held(chain)).toBe("");
    await chain.checkFullInvariants();
  });

  test.each([
    [1, [2n]],
    [0, [2n, 6n, 14n]],
  ])("R-003-50 max_payout_retries %i", async (max, expected) => {
    const chain = await chainPaying(unpayable, { params: { max_payout_retries: max } });
    await chain.ok(msg.settle(customer));
    const first = chain.height;
    const tried: bigint[] = [];
    while (chain.height < first + 20n) {
      if (eventsOf(await chain.block(), "PayoutFailed").length > 0)
        tried.push(chain.height - first);
    }
    expect(tried).toEqual(expected);
  });

  test("D-20 a failed payout does not undo its settlement, and one does not stop another", async () => {
    const chain = await chainPaying(unpayable);
    await activeEscrow(chain, "10000uve", { order: "order-2" });
    await recordedCosts(chain, [2000], { order: "order-2", from: 5 });
    const result = await chain.ok(msg.settle(customer), msg.settle(customer, { order: "order-2" }));
    expect(typedEvents(result)).toEqual([
      ...["InvoiceIssued", "PayoutFailed", "RewardsDistributed", "OrderSettled"],
      ...["InvoiceIssued", "PayoutCompleted", "RewardsDistributed", "OrderSettled"],
    ]);
    expect((await see.settlementsOf(chain, ORDER)).length).toBe(1);
    expect(await earned(chain)).toBe(1880n);
  });

  test("R-003-50 a bank that refuses: nothing moved, and a later attempt pays", async () => {
    const { chain } = await settledChain([1000], { extended: { payout_delay: "3600" } });
    const { ctx, overlay, workers, bank, accounts, events } = await machineOf(chain);
    const payouts = new PayoutKeeper(workers.records, bank, accounts);
    const read = (): PayoutState => workers.records.payout(ctx, 1n) as PayoutState;
    const key = balanceKey(accounts.settlement, "uve");
    overlay.set(key, utf8("939"));
    payouts.advance(ctx, 1n);
    expect(read()).toMatchObject({ status: PayoutStatus.PAYOUT_STATUS_FAILED, attempts: 1 });
    expect(read().lastError).toContain("939uve is smaller than 940uve");
    expect(bank.balance(ctx, provider.address, "uve")).toBe(START);
    overlay.set(key, utf8("940"));
    payouts.advance(ctx, 1n);
    expect(read()).toMatchObject({ status: PayoutStatus.PAYOUT_STATUS_COMPLETED, attempts: 2 });
    expect(read().lastError).toBe("");
    expect(bank.balance(ctx, provider.address, "uve")).toBe(START + 940n);
    expect(typedEvents({ events })).toEqual(["PayoutFailed", "PayoutCompleted"]);
  });
});

test("RULES 32 a holdback that cannot be released is tried again, without a last time", async () => {
  const { chain } = await settledChain([1000], { params: HOLDBACK });
  const { ctx, overlay, workers, bank, accounts, events } = await machineOf(chain);
  const payouts = new PayoutKeeper(workers.records, bank, accounts);
  const read = (): PayoutState => workers.records.payout(ctx, 1n) as PayoutState;
  const key = balanceKey(accounts.settlement, "uve");
  overlay.set(key, utf8("99"));
  for (const [attempts, blocks] of [
    [2, 4n],
    [3, 8n],
    [4, 16n],
    [5, 32n],
  ] as const) {
    payouts.advance(ctx, 1n);
    expect(read()).toMatchObject({
      ...{ status: PayoutStatus.PAYOUT_STATUS_COMPLETED, attempts },
      nextAttemptHeight: ctx.height + blocks,
    });
  }
  overlay.set(key, utf8("100"));
  payouts.advance(ctx, 1n);
  expect(read()).toMatchObject({ holdbackDueAtNs: 0n, nextAttemptHeight: 0n, lastError: "" });
  expect(bank.balance(ctx, provider.address, "uve")).toBe(START + 940n);
  expect(typedEvents({ events }).at(-1)).toBe("HoldbackReleased");
});

test("R-003-51 a settlement has one payout: asked again, it answers that one and moves nothing", async () => {
  const { chain, payout } = await settledChain([1000]);
  const { ctx, workers, bank, accounts } = await machineOf(chain);
  const { records } = workers;
  const escrow = records.escrow(ctx, 1n);
  if (escrow === undefined) throw new Error("no escrow");
  const shares = { platformFee: [], validatorFee: [], providerShare: [] };
  const facts = { invoiceSeq: 1n, settlementSeq: 1n, escrow, gross: [], shares };
  const again = new PayoutKeeper(records, bank, accounts).open(ctx, { seq: 2n, ...facts });
  expect(again).toEqual(records.payout(ctx, 1n));
  expect(records.payout(ctx, 2n)).toBeUndefined();
  expect(bank.balance(ctx, provider.address, "uve")).toBe(START + 940n);
  expect(payout.idempotencyKey).toBe(`payout-${payout.invoiceId}-${payout.settlementId}`);
});

test("R-003-22 the record names the tx that paid it; the ledger numbers each step", async () => {
  const { chain, payout } = await settledChain([1000]);
  expect(payout.txHash).toMatch(/^[0-9A-F]{64}$/);
  expect(await ledgerOf(chain, payout.payoutId)).toEqual([
    "1 created >pending 940uve",
    "2 processing pending>processing 940uve",
    "3 completed processing>completed 940uve",
  ]);
});

test("settlement.md 8.1 the transitions of a payout", () => {
  const names = ["pending", "processing", "completed", "failed", "held", "refunded", "cancelled"];
  const allowed = names.map((from, index) => {
    const to = names.filter((_, other) => {
      return mayBecome((index + 1) as PayoutStatus, (other + 1) as PayoutStatus);
    });
    return `${from}: ${to.join(" ")}`;
  });
  expect(allowed).toEqual([
    "pending: processing held cancelled",
    "processing: completed failed held",
    "completed: ",
    // Added: a failed one can be held, to give it back.
    "failed: processing held",
    "held: pending processing refunded cancelled",
    "refunded: ",
    "cancelled: ",
  ]);
});
