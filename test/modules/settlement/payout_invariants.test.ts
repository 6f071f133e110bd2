import { beforeEach, describe, expect, test } from "vitest";
import {
  PayoutLedgerEntry,
  PayoutState,
  PayoutStatus,
} from "../../../src/gen/settled/settlement/v1/state.ts";
import { EMPTY_BYTES } from "../../../src/lib/bytes.ts";
import type { Key } from "../../../src/lib/key.ts";
import * as keys from "../../../src/modules/settlement/keys.ts";
import { queueKey, statusKey } from "../../../src/modules/settlement/payout_state.ts";
import { authority, customer } from "../../testkit/accounts.ts";
import { openChain, type TestChain } from "../../testkit/chain.ts";
import { type Machine, machineOf } from "../../testkit/machine.ts";
import { msg } from "../../testkit/messages.ts";
import { activeEscrow, recordedCosts, settled } from "../../testkit/orders.ts";
import { payoutMsg } from "../../testkit/payout_messages.ts";
import { chainPaying, payoutIds } from "../../testkit/payouts.ts";
import { moduleAccount } from "../../testkit/chain.ts";

type Json = Record<string, unknown>;

/** Payouts in every way of waiting: 1 refunded, 2 held, 3 pending with a holdback, 4 completed. */
async function lived(): Promise<TestChain> {
  const chain = await openChain({
    params: { payout_holdback_rate: "0.1" },
    extended: { payout_delay: "60" },
  });
  await activeEscrow(chain, "100000uve");
  for (let n = 0; n < 4; n += 1) {
    await recordedCosts(chain, [1000 + n], { from: n });
    await settled(chain);
  }
  const [first = "", second = "", , fourth = ""] = await payoutIds(chain);
  await chain.ok(payoutMsg.hold(authority, first), payoutMsg.hold(authority, second));
  await chain.ok(payoutMsg.refund(authority, first), payoutMsg.refund(authority, second, "7uve"));
  await chain.ok(payoutMsg.release(authority, fourth));
  await chain.ok(payoutMsg.withdraw(authority, "validator_fee", customer.address, "3uve"));
  return chain;
}

let chain: TestChain;
let machine: Machine;
beforeEach(async () => {
  chain = await lived();
  machine = await machineOf(chain);
});

/** Changes a value on disk, as of genesis; undefined deletes it. */
async function putOnDisk(key: Key, value: Uint8Array | undefined): Promise<void> {
  machine.overlay.set(key, value ?? EMPTY_BYTES);
  if (value === undefined) machine.overlay.delete(key);
  await machine.commit();
  // The chain's own store has the value of before in memory: what is on disk is what is checked.
}

function payout(seq: bigint): PayoutState {
  return machine.workers.records.payout(machine.ctx, seq) as PayoutState;
}

async function putPayout(seq: bigint, change: Partial<PayoutState>): Promise<void> {
  const changed = PayoutState.encode({ ...payout(seq), ...change }).finish();
  await putOnDisk(keys.recordKey(keys.PAYOUT_PREFIX, seq), changed);
}

const uve = (amount: string) => [{ denom: "uve", amount }];

describe("an amount of a payout that is one unit off breaks the invariant of its name", () => {
  test("unchanged, none is broken", async () => {
    await chain.checkFullInvariants();
    expect([1n, 2n, 3n, 4n].map((seq) => payout(seq).status)).toEqual([
      PayoutStatus.PAYOUT_STATUS_REFUNDED,
      PayoutStatus.PAYOUT_STATUS_HELD,
      PayoutStatus.PAYOUT_STATUS_PENDING,
      PayoutStatus.PAYOUT_STATUS_COMPLETED,
    ]);
  });

  test.each<[what: string, seq: bigint, change: Partial<PayoutState>, broken: string]>([
    ["the net", 3n, { net: uve("843") }, "I-10"],
    ["the holdback", 3n, { holdback: uve("101") }, "I-10"],
    ["the gross", 4n, { gross: uve("1004") }, "I-10"],
    ["the settlement", 4n, { settlementSeq: 3n }, "I-10"],
    ["what went back", 2n, { refunded: uve("8") }, "I-11"],
    ["what went back, all of it", 1n, { refunded: uve("939") }, "I-11"],
    ["what was released", 4n, { holdbackReleased: uve("1") }, "I-11"],
    ["the state", 3n, { status: PayoutStatus.PAYOUT_STATUS_FAILED }, "I-18"],
    ["the length of the ledger", 4n, { ledgerCount: 2 }, "I-18"],
    ["the time that it waits for", 3n, { dueAtNs: 1n }, "derived keys"],
    ["the holdback's time", 4n, { holdbackDueAtNs: 1n }, "derived keys"],
    ["the next attempt", 2n, { nextAttemptHeight: 1n }, "derived keys"],
  ])("%s", async (_, seq, change, broken) => {
    await putPayout(seq, change);
    await expect(chain.checkFullInvariants()).rejects.toThrow(broken);
  });

  test("I-18 an entry of a ledger that is missing, or says another state before", async () => {
    const key = keys.payoutLedgerKey(3n, 1);
    const entry = PayoutLedgerEntry.decode(machine.overlay.get(key) as Uint8Array);
    const changed = { ...entry, previousStatus: PayoutStatus.PAYOUT_STATUS_HELD };
    await putOnDisk(key, PayoutLedgerEntry.encode(changed).finish());
    await expect(chain.checkFullInvariants()).rejects.toThrow("I-18");
  });

  test("I-18 an entry that no payout counts", async () => {
    const entry = machine.overlay.get(keys.payoutLedgerKey(4n, 1)) as Uint8Array;
    await putOnDisk(keys.payoutLedgerKey(4n, 99), entry);
    await expect(chain.checkFullInvariants()).rejects.toThrow("I-18");
  });

  test("a queue entry that is missing is noticed, one too many as well", async () => {
    const key = queueKey(payout(3n)) as Key;
    await putOnDisk(key, undefined);
    await expect(chain.checkFullInvariants()).rejects.toThrow("derived keys");
  });

  test("a look-up by state that is missing is noticed", async () => {
    await putOnDisk(statusKey(payout(2n)) as Key, undefined);
    await expect(chain.checkFullInvariants()).rejects.toThrow("listed by state");
  });
});

describe("D-15 payouts of a genesis", () => {
  test("D-15 export(import(x)) = x, and both chains go on alike", async () => {
    const imported = await chain.imported();
    expect(await imported.exported()).toBe(await chain.exported());
    expect(imported.appHash).toBe(chain.appHash);
    for (const each of [chain, imported]) {
      each.skip(60n);
      await each.block();
      each.skip(8n * 86_400n);
      await each.block();
    }
    expect(imported.appHash).toBe(chain.appHash);
    // What is held still: 1001 − 50 − 10 − 7.
    expect(await chain.balances(moduleAccount("settlement"))).toBe("934uve");
    await imported.checkFullInvariants();
  });

  test("D-15 failed payouts and their next attempt are imported", async () => {
    const failing = await chainPaying(moduleAccount("fee_collector"));
    await failing.ok(msg.settle(customer));
    const imported = await failing.imported();
    expect(await imported.exported()).toBe(await failing.exported());
    for (const each of [failing, imported]) await each.blocksTo(each.height + 20n);
    expect(imported.appHash).toBe(failing.appHash);
  });

  const refusedWith = async (change: (settlement: Record<string, Json[]>) => void) => {
    const genesis = await chain.app.exportGenesis();
    const appState = structuredClone(genesis.appState) as Record<string, Record<string, Json[]>>;
    change(appState["settlement"] as Record<string, Json[]>);
    const error = await openChain({ genesis: { ...genesis, appState } }).catch((e: unknown) => e);
    return error instanceof Error ? error.message : "the genesis was taken";
  };

  test.each<[what: string, change: (settlement: Record<string, Json[]>) => void, text: string]>([
    [
      "a net that does not add up",
      ({ payouts = [] }) => void ((payouts[2] as Json)["net"] = uve("1")),
      "settlement.payouts[2].gross: 1002uve, but platform_fee, validator_fee, holdback and net sum to",
    ],
    [
      "more released than was held back",
      ({ payouts = [] }) => void ((payouts[3] as Json)["holdback_released"] = uve("101")),
      "settlement.payouts[3]: 100uve is smaller than 101uve",
    ],
    [
      "an unknown escrow",
      ({ payouts = [] }) => void ((payouts[0] as Json)["escrow_seq"] = "9"),
      "settlement.payouts[0].escrow_seq: there is no escrow 9",
    ],
    [
      "no state",
      ({ payouts = [] }) => void ((payouts[0] as Json)["status"] = "PAYOUT_STATUS_UNSPECIFIED"),
      "settlement.payouts[0].status: expected 1 to 7",
    ],
    [
      "a ledger with a gap",
      ({ payout_ledger: ledger = [] }) => void ledger.splice(1, 1),
      "settlement.payouts[0].ledger_count: expected 3 entries, the ledger lacks number 2",
    ],
    [
      "an entry of no payout",
      ({ payout_ledger: ledger = [] }) => void ledger.push({ ...ledger[0], payout_seq: "77" }),
      "settlement.payout_ledger[10].payout_seq: there is no payout",
    ],
    [
      "an entry twice",
      ({ payout_ledger: ledger = [] }) => void ledger.push({ ...ledger[0] }),
      "1/1 appears twice",
    ],
    [
      "more to pay than the account holds",
      ({ payouts = [] }) => void ((payouts[1] as Json)["refunded"] = uve("6")),
      "settlement.payouts: sum to",
    ],
  ])("with %s is refused, naming it", async (_, change, text) => {
    expect(await refusedWith(change)).toContain(text);
  });
});
