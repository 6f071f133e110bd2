import { describe, expect, test } from "vitest";
import type { MsgReleasePayoutResponse } from "../../../src/gen/settled/settlement/v1/tx.ts";
import { authority, customer, provider, stranger } from "../../testkit/accounts.ts";
import { moduleAccount, openChain, type TestChain } from "../../testkit/chain.ts";
import { msg } from "../../testkit/messages.ts";
import { eventsOf, responseOf, typedEvents } from "../../testkit/outcome.ts";
import { payoutMsg } from "../../testkit/payout_messages.ts";
import { lastPayout, ledgerOf, settledChain, treasuryOf } from "../../testkit/payouts.ts";
import { DAY, GENESIS, HOUR } from "../../testkit/times.ts";
import { see } from "../../testkit/views.ts";

const START = 1_000_000_000_000n;
const LATER = { extended: { payout_delay: "3600" } };
const HOLDBACK = { params: { payout_holdback_rate: "0.1" } };
const BOTH = { ...LATER, ...HOLDBACK };

const earned = async (chain: TestChain): Promise<bigint> =>
  (await chain.balance(provider.address)) - START;
const held = (chain: TestChain): Promise<string> => chain.balances(moduleAccount("settlement"));

/** What the customer has beyond what the escrow left. */
const given = async (chain: TestChain): Promise<bigint> =>
  (await chain.balance(customer.address)) - START + 100_000n;

describe("only the authority decides about payouts", () => {
  test("every message of anybody else is refused with 1505", async () => {
    const { chain, payout } = await settledChain([1000], LATER);
    for (const signer of [provider, customer, stranger]) {
      const { address } = signer;
      await chain.refused(payoutMsg.hold(signer, payout.payoutId), 1505, authority.address);
      await chain.refused(payoutMsg.release(signer, payout.payoutId), 1505, authority.address);
      await chain.refused(payoutMsg.refund(signer, payout.payoutId), 1505, authority.address);
      const withdraw = payoutMsg.withdraw(signer, "platform_fee", address, "1uve");
      await chain.refused(withdraw, 1505, authority.address);
    }
  });

  test("without an authority it is nobody", async () => {
    const { chain, payout } = await settledChain([1000], {
      extended: { payout_delay: "3600", authority: "" },
    });
    await chain.refused(payoutMsg.hold(authority, payout.payoutId), 1505, "this chain has none");
  });

  test("a message is checked before the state is asked", async () => {
    const chain = await openChain();
    await chain.refused(payoutMsg.hold(authority, ""), 1530, "payout_id is empty");
    await chain.refused(payoutMsg.hold(authority, "payout-1-1", ""), 1530, "reason is empty");
    await chain.refused(payoutMsg.refund(authority, "payout-1-1", "", ""), 1530, "reason is empty");
    await chain.refused(payoutMsg.refund(authority, "payout-1-1", "0uve"), 3, "not positive");
    await chain.refused(payoutMsg.withdraw(authority, "platform_fee", "x", "1uve"), 1, "recipient");
    const nothing = payoutMsg.withdraw(authority, "platform_fee", stranger.address, "");
    await chain.refused(nothing, 3, "amount is empty");
  });

  test("R-003-39 an unknown payout is refused with 1531", async () => {
    const { chain } = await settledChain([1000], LATER);
    for (const id of ["payout-1-1", "payout-x", `payout-${GENESIS + 4n}-2`]) {
      await chain.refused(payoutMsg.hold(authority, id), 1531, id);
      await chain.refused(payoutMsg.release(authority, id), 1531, id);
      await chain.refused(payoutMsg.refund(authority, id), 1531, id);
    }
  });
});

describe("settlement.md 8.1 hold, release, refund of a payout that is not paid", () => {
  test("a held payout is not paid when its time comes, but when it is released: at once", async () => {
    const { chain, payout } = await settledChain([1000], LATER);
    const { payoutId } = payout;
    const result = await chain.ok(payoutMsg.hold(authority, payoutId, "odd usage"));
    expect(eventsOf(result, "PayoutHeld")).toEqual([
      { payout_id: payoutId, dispute_id: "", reason: "odd usage", held_at: `${GENESIS + 5n}` },
    ]);
    expect(await see.payout(chain, payoutId)).toMatchObject({
      ...{ state: "held", holdReason: "odd usage" },
    });
    await chain.refused(payoutMsg.hold(authority, payoutId), 1534, "is held: odd usage");
    chain.skip(2n * HOUR);
    await chain.block();
    expect([await held(chain), await earned(chain)]).toEqual(["940uve", 0n]);
    const released = await chain.ok(payoutMsg.release(authority, payoutId));
    expect(responseOf<MsgReleasePayoutResponse>(released)).toEqual({
      ...{ paidAmount: "940uve", state: "completed" },
    });
    expect(typedEvents(released)).toEqual(["PayoutReleased", "PayoutCompleted"]);
    expect(await ledgerOf(chain, payoutId)).toEqual([
      "1 created >pending 940uve",
      "2 held pending>held 940uve",
      "3 released held>pending 940uve",
      "4 processing pending>processing 940uve",
      "5 completed processing>completed 940uve",
    ]);
    expect([await held(chain), await earned(chain)]).toEqual(["", 940n]);
    expect(await see.payout(chain, payoutId)).toMatchObject({ holdReason: "" });
    await chain.checkFullInvariants();
  });

  test("one that waits can be paid before its time, once", async () => {
    const { chain, payout } = await settledChain([1000], LATER);
    const released = await chain.ok(payoutMsg.release(authority, payout.payoutId));
    expect(responseOf(released)).toEqual({ paidAmount: "940uve", state: "completed" });
    await chain.refused(
      payoutMsg.release(authority, payout.payoutId),
      1503,
      "completed to released",
    );
    chain.skip(HOUR);
    await chain.block();
    expect(await earned(chain)).toBe(940n);
    await chain.checkFullInvariants();
  });

  test("a refund needs a hold, gives the net back and no fee", async () => {
    const { chain, payout } = await settledChain([1000], LATER);
    const { payoutId } = payout;
    await chain.refused(payoutMsg.refund(authority, payoutId), 1503, "hold it first");
    await chain.ok(payoutMsg.hold(authority, payoutId));
    const result = await chain.ok(payoutMsg.refund(authority, payoutId, "", "no service"));
    expect(responseOf(result)).toEqual({ refundedAmount: "940uve" });
    expect(eventsOf(result, "PayoutRefunded")).toEqual([
      {
        ...{ payout_id: payoutId, customer: customer.address, amount: "940uve" },
        ...{ reason: "no service", refunded_at: `${GENESIS + 7n}` },
      },
    ]);
    expect([await held(chain), await given(chain), await earned(chain)]).toEqual(["", 940n, 0n]);
    expect(await treasuryOf(chain, "platform_fee")).toEqual(["50uve", "50uve", ""]);
    expect((await see.payout(chain, payoutId)).state).toBe("refunded");
    for (const message of [
      payoutMsg.hold(authority, payoutId),
      payoutMsg.release(authority, payoutId),
      payoutMsg.refund(authority, payoutId),
    ]) {
      await chain.refused(message, 1503, "refunded to");
    }
    chain.skip(8n * DAY);
    await chain.block();
    expect(await earned(chain)).toBe(0n);
    await chain.checkFullInvariants();
  });

  // Holdback 100, net 840: a refund takes the holdback first.
  test.each<[refunds: string[], paid: string, left: string]>([
    [["60uve"], "840uve", "40uve"],
    [["100uve"], "840uve", ""],
    [["101uve"], "839uve", ""],
    [["60uve", "40uve", "839uve"], "1uve", ""],
  ])(
    "a part: %s back, then %s to the provider, %s still held back",
    async (refunds, paid, left) => {
      const { chain, payout } = await settledChain([1000], BOTH);
      const { payoutId } = payout;
      await chain.ok(payoutMsg.hold(authority, payoutId));
      for (const amount of refunds) await chain.ok(payoutMsg.refund(authority, payoutId, amount));
      expect((await see.payout(chain, payoutId)).state).toBe("held");
      await chain.checkFullInvariants();
      const released = await chain.ok(payoutMsg.release(authority, payoutId));
      expect(responseOf(released)).toEqual({ paidAmount: paid, state: "completed" });
      expect(await held(chain)).toBe(left);
      chain.skip(8n * DAY);
      await chain.block();
      expect(await held(chain)).toBe("");
      expect((await earned(chain)) + (await given(chain))).toBe(940n);
      await chain.checkFullInvariants();
    },
  );

  test("1504 more than is held is refused with both amounts; all of it ends the payout", async () => {
    const { chain, payout } = await settledChain([1000], BOTH);
    const { payoutId } = payout;
    await chain.ok(payoutMsg.hold(authority, payoutId));
    await chain.refused(payoutMsg.refund(authority, payoutId, "941uve"), 1504, "940uve", "941uve");
    await chain.refused(payoutMsg.refund(authority, payoutId, "1uusd"), 1504, "940uve", "1uusd");
    await chain.ok(payoutMsg.refund(authority, payoutId, "940uve"));
    expect((await see.payout(chain, payoutId)).state).toBe("refunded");
    expect([await held(chain), await given(chain)]).toEqual(["", 940n]);
    await chain.checkFullInvariants();
  });
});

test("1537 a customer who cannot be paid gets no refund; nothing changes", async () => {
  const { chain: before, payout } = await settledChain([1000], LATER);
  const genesis = await before.app.exportGenesis();
  const settlement = structuredClone(genesis.appState["settlement"]) as {
    escrows: { depositor: string }[];
  };
  // No escrow is of a module account but by a genesis.
  const depositor = moduleAccount("fee_collector");
  for (const escrow of settlement.escrows) escrow.depositor = depositor;
  const chain = await openChain({
    genesis: { ...genesis, appState: { ...genesis.appState, settlement } },
  });
  await chain.ok(payoutMsg.hold(authority, payout.payoutId));
  await chain.refused(payoutMsg.refund(authority, payout.payoutId), 1537, depositor);
  await chain.ok(payoutMsg.release(authority, payout.payoutId));
  expect(await earned(chain)).toBe(940n);
});

describe("D-20 the holdback of a payout that is paid", () => {
  test("it can be held beyond its time and released", async () => {
    const { chain, payout } = await settledChain([1000], HOLDBACK);
    const { payoutId } = payout;
    await chain.ok(payoutMsg.hold(authority, payoutId));
    await chain.refused(payoutMsg.hold(authority, payoutId), 1534, "is held");
    expect((await see.payout(chain, payoutId)).state).toBe("completed");
    chain.skip(8n * DAY);
    await chain.block();
    expect(await held(chain)).toBe("100uve");
    const released = await chain.ok(payoutMsg.release(authority, payoutId));
    expect(responseOf(released)).toEqual({ paidAmount: "100uve", state: "completed" });
    expect(typedEvents(released)).toEqual(["PayoutReleased", "HoldbackReleased"]);
    expect([await held(chain), await earned(chain)]).toEqual(["", 940n]);
    for (const message of [
      payoutMsg.hold(authority, payoutId),
      payoutMsg.release(authority, payoutId),
      payoutMsg.refund(authority, payoutId),
    ]) {
      await chain.refused(message, 1503, "completed to");
    }
    expect((await ledgerOf(chain, payoutId)).slice(3)).toEqual([
      "4 held completed>completed 100uve",
      "5 released completed>completed 100uve",
      "6 holdback_released completed>completed 100uve",
    ]);
    await chain.checkFullInvariants();
  });

  test("it can be released before its time, and not again at its time", async () => {
    const { chain, payout } = await settledChain([1000], HOLDBACK);
    const released = await chain.ok(payoutMsg.release(authority, payout.payoutId));
    expect(typedEvents(released)).toEqual(["HoldbackReleased"]);
    chain.skip(8n * DAY);
    expect(typedEvents(await chain.block())).toEqual([]);
    expect(await earned(chain)).toBe(940n);
  });

  test("a part of it goes back, the rest to the provider; then nothing is left", async () => {
    const { chain, payout } = await settledChain([1000], HOLDBACK);
    const { payoutId } = payout;
    await chain.refused(payoutMsg.refund(authority, payoutId), 1503, "hold it first");
    await chain.ok(payoutMsg.hold(authority, payoutId));
    await chain.refused(payoutMsg.refund(authority, payoutId, "101uve"), 1504, "holds 100uve");
    await chain.ok(payoutMsg.refund(authority, payoutId, "30uve"));
    expect([await held(chain), await given(chain)]).toEqual(["70uve", 30n]);
    await chain.checkFullInvariants();
    await chain.ok(payoutMsg.release(authority, payoutId));
    expect([await held(chain), await earned(chain)]).toEqual(["", 910n]);
    expect((await see.payout(chain, payoutId)).state).toBe("completed");
    await chain.checkFullInvariants();
  });

  test("all of it goes back: the payout stays completed, with nothing left to hold", async () => {
    const { chain, payout } = await settledChain([1000], HOLDBACK);
    const { payoutId } = payout;
    await chain.ok(payoutMsg.hold(authority, payoutId));
    await chain.ok(payoutMsg.refund(authority, payoutId));
    expect([await held(chain), await given(chain), await earned(chain)]).toEqual(["", 100n, 840n]);
    await chain.refused(payoutMsg.refund(authority, payoutId), 1503, "completed to refunded");
    chain.skip(8n * DAY);
    expect(typedEvents(await chain.block())).toEqual([]);
    await chain.checkFullInvariants();
  });
});

describe("RULES 38 fees are withdrawn by the authority", () => {
  test("the coins move, the treasury tells what came and went", async () => {
    const { chain } = await settledChain([1000]);
    expect(await treasuryOf(chain, "platform_fee")).toEqual(["50uve", "50uve", ""]);
    const message = payoutMsg.withdraw(authority, "platform_fee", stranger.address, "20uve");
    const result = await chain.ok(message);
    expect(responseOf(result)).toEqual({ balance: "30uve" });
    expect(eventsOf(result, "FeesWithdrawn")).toEqual([
      {
        ...{ account: "platform_fee", recipient: stranger.address, amount: "20uve" },
        withdrawn_at: `${GENESIS + 5n}`,
      },
    ]);
    expect((await chain.balance(stranger.address)) - START).toBe(20n);
    expect(await treasuryOf(chain, "platform_fee")).toEqual(["30uve", "50uve", "20uve"]);
    await chain.ok(payoutMsg.withdraw(authority, "validator_fee", stranger.address, "10uve"));
    expect(await treasuryOf(chain, "validator_fee")).toEqual(["", "10uve", "10uve"]);
    const imported = await chain.imported();
    expect(await treasuryOf(imported, "platform_fee")).toEqual(["30uve", "50uve", "20uve"]);
    expect(imported.appHash).toBe(chain.appHash);
  });

  test("more than there is, another account, or a module account as recipient are refused", async () => {
    const { chain } = await settledChain([1000]);
    const withdraw = (account: string, recipient: string, amount: string) =>
      payoutMsg.withdraw(authority, account, recipient, amount);
    const { address } = stranger;
    await chain.refused(withdraw("platform_fee", address, "51uve"), 1504, "50uve", "51uve");
    await chain.refused(withdraw("platform_fee", address, "1uusd"), 1504, "asked for 1uusd");
    await chain.refused(withdraw("settlement", address, "1uve"), 1521, '"settlement"');
    for (const name of ["settlement", "rewards", "reward_pool", "fee_collector"]) {
      const recipient = moduleAccount(name);
      await chain.refused(withdraw("platform_fee", recipient, "1uve"), 1521, recipient);
    }
  });

  test("the treasury has every account of the module", async () => {
    const { chain } = await settledChain([1000], BOTH);
    expect(await treasuryOf(chain, "settlement")).toEqual(["940uve", "", ""]);
    expect(await treasuryOf(chain, "escrow")).toEqual(["99000uve", "", ""]);
    expect(await treasuryOf(chain, "rewards")).toEqual(["90uve", "", ""]);
    await chain.ok(msg.send(stranger, moduleAccount("reward_pool"), "7uusd"));
    expect(await treasuryOf(chain, "reward_pool")).toEqual(["7uusd", "", ""]);
    expect((await lastPayout(chain)).state).toBe("pending");
  });
});
