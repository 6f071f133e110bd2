import { beforeEach, describe, expect, test } from "vitest";
import * as state from "../../../src/gen/settled/settlement/v1/state.ts";
import { EMPTY_BYTES, utf8 } from "../../../src/lib/bytes.ts";
import { joinKeys, type Key } from "../../../src/lib/key.ts";
import type { JournalEntry } from "../../../src/gen/settled/bank/v1/state.ts";
import * as keys from "../../../src/modules/settlement/keys.ts";
import { authority, customer, provider, stranger } from "../../testkit/accounts.ts";
import { moduleAccount, openChain, type TestChain } from "../../testkit/chain.ts";
import { type Machine, machineOf } from "../../testkit/machine.ts";
import { msg } from "../../testkit/messages.ts";
import { activeEscrow, recordedCosts, settled } from "../../testkit/orders.ts";
import { payoutMsg } from "../../testkit/payout_messages.ts";
import { lastPayout } from "../../testkit/payouts.ts";
import { refunded, refundMsg, seeRefund } from "../../testkit/refunds.ts";
import { DAY } from "../../testkit/times.ts";
import { see } from "../../testkit/views.ts";

const START = 1_000_000_000_000n;

let chain: TestChain;
let machine: Machine;

/** Refunds of every kind: 1 of a pending payout in part, 2 whole, 3 and 4 of a paid one, with debts. */
beforeEach(async () => {
  chain = await openChain({
    params: { payout_holdback_rate: "0.1", min_settlement_amount: "0" },
    extended: { payout_delay: "60" },
  });
  await activeEscrow(chain, "100000uve");
  const ids: string[] = [];
  for (let n = 0; n < 3; n += 1) {
    await recordedCosts(chain, [1000 + n], { from: n });
    ids.push((await settled(chain)).settlementId);
  }
  const [first = "", second = "", third = ""] = ids;
  await refunded(chain, first, "333uve");
  await refunded(chain, second);
  await chain.ok(payoutMsg.release(authority, (await lastPayout(chain)).payoutId));
  await chain.ok(payoutMsg.withdraw(authority, "validator_fee", customer.address, "12uve"));
  await chain.ok(msg.send(provider, stranger.address, `${START}uve`));
  await refunded(chain, third, "600uve");
  await chain.ok(msg.send(provider, stranger.address, "300uve"));
  await refunded(chain, third, "401uve");
  const [net] = await seeRefund.receivables(chain, { debtor: provider.address });
  await chain.ok(refundMsg.pay(stranger, net?.receivableId ?? "", "5uve"));
  machine = await machineOf(chain);
});

const uve = (amount: string) => [{ denom: "uve", amount }];

describe("D-15 refunds and receivables of a genesis", () => {
  test("there are some of each kind, and none is broken", async () => {
    const receivables = await seeRefund.receivables(chain);
    expect(receivables.map(({ leg }) => leg)).toEqual(["validator_fee", "net"]);
    await chain.checkFullInvariants();
  });

  test("D-15 export(import(x)) = x, and both chains go on alike", async () => {
    const imported = await chain.imported();
    expect(await imported.exported()).toBe(await chain.exported());
    expect(imported.appHash).toBe(chain.appHash);
    await imported.checkFullInvariants();
    const [{ settlementId = "" } = {}] = await see.settlementsOf(chain, "order-1");
    for (const each of [chain, imported]) {
      await refunded(each, settlementId, "100uve");
      each.skip(8n * DAY);
      await each.block();
      await refunded(each, settlementId);
    }
    expect(imported.appHash).toBe(chain.appHash);
    await imported.checkFullInvariants();
  });

  type Change = (settlement: Record<string, Record<string, unknown>[]>) => void;

  /** Changes a field of the n-th record of a list; undefined deletes it. */
  const field =
    (list: string, at: number, name: string, value: unknown): Change =>
    (settlement) => {
      const record = settlement[list]?.[at] ?? {};
      if (value === undefined) delete record[name];
      else record[name] = value;
    };

  test.each<[what: string, change: Change, text: string]>([
    ["an amount", field("refunds", 0, "amount", uve("332")), "refunds[0]"],
    ["no settlement", field("refunds", 0, "settlement_seq", "77"), "refunds[0].settlement_seq"],
    ["no credit note", field("refunds", 0, "credit_note_seq", "7"), "refunds[0].credit_note_seq"],
    ["a refund too few", ({ refunds }) => void refunds?.pop(), "receivables[0].refund_seq"],
    ["what is owed", field("refunds", 2, "owed", uve("1")), "refunds[2]"],
    ["more paid than owed", field("receivables", 1, "paid", uve("5000")), "receivables[1]"],
    ["a receivable of no part", field("receivables", 1, "leg", undefined), "receivables[1]"],
    ["one of no refund", field("receivables", 1, "refund_seq", "9"), "receivables[1].refund_seq"],
    ["less taken of a payout", field("payouts", 0, "reversed_net", uve("1")), "payouts"],
  ])("%s that does not fit is refused", async (_, change, text) => {
    const genesis = await chain.app.exportGenesis();
    const appState = structuredClone(genesis.appState);
    change(appState["settlement"] as Parameters<Change>[0]);
    const error = await openChain({ genesis: { ...genesis, appState } }).catch((e: unknown) => e);
    expect(error instanceof Error ? error.message : "the genesis was taken").toContain(text);
  });
});

async function putOnDisk(key: Key, value: Uint8Array | undefined): Promise<void> {
  machine.overlay.set(key, value ?? EMPTY_BYTES);
  if (value === undefined) machine.overlay.delete(key);
  await machine.commit();
}

/** Changes records of a kind on disk. */
function changing<T>(
  prefix: Key,
  codec: { encode(message: T): { finish(): Uint8Array }; decode(bytes: Uint8Array): T },
) {
  return async (seq: bigint, change: (record: T) => Partial<T>): Promise<void> => {
    const key = keys.recordKey(prefix, seq);
    const record = codec.decode(machine.overlay.get(key) as Uint8Array);
    await putOnDisk(key, codec.encode({ ...record, ...change(record) }).finish());
  };
}

const changeRefund = changing(keys.REFUND_PREFIX, state.RefundState);
const changeSettlement = changing(keys.SETTLEMENT_PREFIX, state.SettlementState);
const changeReceivable = changing(keys.RECEIVABLE_PREFIX, state.ReceivableState);
const changePayout = changing(keys.PAYOUT_PREFIX, state.PayoutState);

const oneLess = (coins: readonly { denom: string; amount: string }[]) =>
  coins.map(({ denom, amount }) => ({ denom, amount: `${BigInt(amount) - 1n}` }));
const lessNet = (of: state.RefundedLegs | undefined): state.RefundedLegs => {
  return { ...(of as state.RefundedLegs), net: oneLess(of?.net ?? []) };
};

describe("a refund that is one unit off breaks the invariant of its name", () => {
  test.each<[what: string, change: () => Promise<void>, broken: string]>([
    ["its amount", () => changeRefund(1n, (it) => ({ amount: oneLess(it.amount) })), "I-26"],
    ["a part of it", () => changeRefund(1n, (it) => ({ legs: lessNet(it.legs) })), "I-26"],
    [
      "what the settlement says",
      () => changeSettlement(1n, (it) => ({ refunded: lessNet(it.refunded) })),
      "I-26",
    ],
    ["what is owed", () => changeRefund(3n, () => ({ owed: uve("1") })), "I-26"],
    ["its credit note", () => changeRefund(1n, () => ({ creditNoteSeq: 2n })), "I-26"],
    [
      "the rewards that it cancelled",
      () => changeRefund(2n, (it) => ({ rewardsCancelled: oneLess(it.rewardsCancelled) })),
      "I-13",
    ],
    [
      "the amount of a receivable",
      () => changeReceivable(2n, (it) => ({ amount: oneLess(it.amount) })),
      "I-26",
    ],
    ["what was paid of it", () => changeReceivable(1n, () => ({ paid: uve("11") })), "I-26"],
    [
      "the part that it is of",
      () => changeReceivable(2n, () => ({ leg: state.SettlementLeg.SETTLEMENT_LEG_TAX })),
      "I-26",
    ],
    [
      "what the payout says of its holdback",
      () => changePayout(1n, (it) => ({ reversedHoldback: oneLess(it.reversedHoldback) })),
      "I-11",
    ],
    [
      "the running total of fees",
      () => putOnDisk(keys.totalKey("platformFees", "uve"), utf8("36")),
      "I-12",
    ],
    [
      "a look-up by settlement",
      () => {
        const of = keys.recordKey(keys.REFUND_BY_SETTLEMENT_PREFIX, 1n);
        return putOnDisk(joinKeys(of, keys.seqKey(1n)), undefined);
      },
      "listed",
    ],
    [
      "a look-up by creditor",
      () => {
        const of = keys.textIndexKey(keys.RECEIVABLE_BY_CREDITOR_PREFIX, customer.address);
        return putOnDisk(joinKeys(of, keys.seqKey(2n)), undefined);
      },
      "listed",
    ],
  ])("%s", async (_, change, broken) => {
    await change();
    await expect(chain.checkFullInvariants()).rejects.toThrow(broken);
  });
});

describe("I-26 reversals of the journal", () => {
  /** The entry that paid the first settlement: 50 to the platform, of which 16 went back. */
  async function entryOf(reference: string): Promise<bigint> {
    const path = "settled.bank.v1.Query/JournalEntries";
    const { entries } = await chain.query<{ entries: JournalEntry[] }>(path, { reference });
    return entries[0]?.seq ?? 0n;
  }

  async function reverse(source: string, amount: bigint, reverses: bigint): Promise<void> {
    const coins = [{ denom: "uve", amount }];
    const movements = [{ source, destination: stranger.address, coins }];
    machine.bank.post(machine.ctx, { kind: "send", reference: "", movements, reverses });
    await machine.commit();
  }

  const platform = moduleAccount("settlement_platform_fee");

  test("all reversals of an account are at most what the entry brought it", async () => {
    const [settlement] = await see.settlementsOf(chain, "order-1");
    const reversed = await entryOf(settlement?.settlementId ?? "");
    await reverse(platform, 35n, reversed);
    await expect(chain.checkFullInvariants()).rejects.toThrow("sum=51, most=50");
  });

  test("one that the entry brought nothing gives back nothing of it", async () => {
    // The first entry is of the genesis.
    await reverse(platform, 1n, 1n);
    await expect(chain.checkFullInvariants()).rejects.toThrow("I-26 bank");
  });

  test("the entry that is reversed is older", async () => {
    await reverse(platform, 1n, 100_000n);
    await expect(chain.checkFullInvariants()).rejects.toThrow("no older entry");
  });
});
