import { beforeEach, describe, expect, test } from "vitest";
import { JournalEntry, JournalHead } from "../../../src/gen/settled/bank/v1/state.ts";
import { InvariantError } from "../../../src/lib/assert.ts";
import { EMPTY_BYTES, fromUtf8, utf8 } from "../../../src/lib/bytes.ts";
import {
  bytesOfKey,
  joinKeys,
  type Key,
  keyOfBytes,
  prefixEnd,
  u48Key,
  u64Bytes,
} from "../../../src/lib/key.ts";
import * as bank from "../../../src/modules/bank/keys.ts";
import * as settlement from "../../../src/modules/settlement/keys.ts";
import { openHeadKey, openListKey } from "../../../src/modules/settlement/open_usage.ts";
import { differences } from "../../../src/modules/settlement/seq_list.ts";
import { customer, provider } from "../../testkit/accounts.ts";
import { moduleAccount, openChain, type TestChain } from "../../testkit/chain.ts";
import { type Machine, machineOf } from "../../testkit/machine.ts";
import { msg, ORDER } from "../../testkit/messages.ts";
import { activeEscrow, recordedCosts, settled } from "../../testkit/orders.ts";

let chain: TestChain;
let machine: Machine;
beforeEach(async () => {
  chain = await openChain();
  await activeEscrow(chain, "100000uve");
  await recordedCosts(chain, [1000, 2000]);
  await settled(chain);
  await chain.ok(msg.claim(provider));
  await recordedCosts(chain, [3000], { from: 5 });
  await settled(chain, { order: ORDER });
  machine = await machineOf(chain);
});

/** Adds to an amount that is kept as decimal text. */
function change(key: Key, by: bigint): void {
  const before = BigInt(fromUtf8(machine.overlay.get(key) ?? utf8("0")) ?? "");
  machine.overlay.set(key, utf8(`${before + by}`));
}

/** What the incremental invariants say of the changed state. */
function broken(): string[] {
  const found: string[] = [];
  for (const { invariants } of machine.modules.list) {
    for (const { name, check } of invariants) {
      try {
        check(machine.ctx);
      } catch (error) {
        if (!(error instanceof InvariantError)) throw error;
        found.push(name.slice(0, 4));
        expect(error.message).toContain(name.slice(0, 4));
      }
    }
  }
  return found;
}

describe("a quantity that is changed by one unit breaks the invariant of its name", () => {
  test("unchanged, none is broken", () => {
    expect(broken()).toEqual([]);
  });

  const total = (name: settlement.TotalName): Key => settlement.totalKey(name, "uve");

  test.each<[name: string, key: () => Key, broken: string[]]>([
    ["I-05 fires incrementally: supply", () => bank.supplyKey("uve"), ["I-05"]],
    ["I-05 fires incrementally: sum of balances", () => bank.balanceSumKey("uve"), ["I-05"]],
    ["I-08 fires incrementally: balances of escrows", () => total("escrowed"), ["I-08"]],
    [
      "I-08 fires incrementally: the escrow account's balance",
      () => bank.balanceKey(moduleAccount("settlement_escrow"), "uve"),
      ["I-08"],
    ],
    ["I-09 fires incrementally: settled by escrow", () => total("escrowSettled"), ["I-09"]],
    ["I-09 fires incrementally: settled by settlement", () => total("settled"), ["I-09"]],
    ["I-11 fires incrementally: unfinished payouts", () => total("payoutsUnfinished"), ["I-11"]],
    [
      "I-11 fires incrementally: the settlement account's balance",
      () => bank.balanceKey(moduleAccount("settlement"), "uve"),
      ["I-11"],
    ],
    ["I-11 fires incrementally: platform fees", () => total("platformFees"), ["I-11"]],
    [
      "I-11 fires incrementally: validator fees withdrawn",
      () => total("validatorFeesWithdrawn"),
      ["I-11"],
    ],
    [
      "I-11 fires incrementally: the platform fee account's balance",
      () => bank.balanceKey(moduleAccount("settlement_platform_fee"), "uve"),
      ["I-11"],
    ],
    [
      "I-11 fires incrementally: the balance of the account of taxes",
      () => bank.balanceKey(moduleAccount("settlement_tax"), "uve"),
      ["I-11"],
    ],
    ["I-12 fires incrementally: settled records", () => total("usageSettled"), ["I-12"]],
    ["I-12 fires incrementally: settlements with usage", () => total("settledWithUsage"), ["I-12"]],
    ["I-13 fires incrementally: claimable", () => total("claimable"), ["I-13", "I-13"]],
    [
      "I-13 fires incrementally: the rewards account's balance",
      () => bank.balanceKey(moduleAccount("rewards"), "uve"),
      ["I-13"],
    ],
    ["I-13 fires incrementally: claimed", () => total("claimed"), ["I-13"]],
    ["I-13 fires incrementally: expired", () => total("expired"), ["I-13"]],
    ["I-13 fires incrementally: distributed", () => total("distributed"), ["I-13"]],
  ])("%s", (_, key, expected) => {
    for (const by of [1n, -2n]) {
      change(key(), by);
      expect(broken()).toEqual(expected);
    }
  });

  test("I-18 fires incrementally: the journal's head and its last entry", () => {
    const { count, hash } = machine.bank.journalHead(machine.ctx);
    const setHead = (head: JournalHead) =>
      machine.overlay.set(bank.JOURNAL_HEAD_KEY, JournalHead.encode(head).finish());
    setHead({ count: count - 1n, hash });
    expect(broken()).toEqual(["I-18"]);
    setHead({ count, hash: hash.map((byte, index) => (index === 0 ? byte ^ 1 : byte)) });
    expect(broken()).toEqual(["I-18"]);
    setHead({ count, hash });
    expect(broken()).toEqual([]);
    const bytes = machine.overlay.get(bank.journalKey(count)) as Uint8Array;
    const entry = JournalEntry.decode(bytes);
    const [posting] = entry.postings;
    if (posting !== undefined) posting.amount = `${BigInt(posting.amount) + 1n}`;
    machine.overlay.set(bank.journalKey(count), JournalEntry.encode(entry).finish());
    expect(broken()).toEqual(["I-18"]);
  });

  test("the message names the denom and both amounts", () => {
    change(total("escrowed"), 1n);
    const [invariant] = machine.modules.list.flatMap(({ invariants }) =>
      invariants.filter(({ name }) => name.startsWith("I-08")),
    );
    expect(() => invariant?.check(machine.ctx)).toThrow(
      /^I-08 .*denom=uve, left=94001, right=94000/,
    );
  });

  test("a denom that nobody knows of is found by its running total", () => {
    machine.overlay.set(settlement.totalKey("claimable", "uother"), utf8("1"));
    expect(broken()).toEqual(["I-13", "I-13"]);
  });
});

/** Changes a value on disk, as of genesis. */
async function putOnDisk(key: string, value: Uint8Array): Promise<void> {
  const batch = chain.db.batch();
  batch.putVersioned(`S${key}`, value, 0);
  await batch.write({ sync: true });
}

describe("invariants over the whole state", () => {
  test("all of them are checked, by name", async () => {
    const names = await chain.checkFullInvariants();
    expect(names).toHaveLength(new Set(names).size);
    const numbers = names.flatMap((name) => /^I-[0-9]+/.exec(name) ?? []);
    const distinct = [...new Set(numbers)].sort();
    const bank = ["I-04", "I-05"];
    const all = [...bank, "I-08", "I-09", "I-10", "I-11", "I-12", "I-13", "I-14", "I-18", "I-26"];
    expect(distinct).toEqual(all);
  });

  test.each<[name: string, key: () => string, value: string]>([
    ["I-04", () => bank.balanceKey(customer.address, "uve"), "5"],
    ["I-05", () => bank.supplyKey("uve"), "5"],
  ])("%s notices a balance or a supply that was changed on disk", async (name, key, value) => {
    await putOnDisk(key(), utf8(value));
    await expect(chain.checkFullInvariants()).rejects.toThrow(name);
  });

  test("I-18 notices an entry that was changed on disk", async () => {
    const key = bank.journalKey(3n);
    const entry = JournalEntry.decode(machine.overlay.get(key) as Uint8Array);
    const value = JournalEntry.encode({ ...entry, kind: "gift" }).finish();
    await putOnDisk(key, value);
    await expect(chain.checkFullInvariants()).rejects.toThrow("I-18");
  });

  test.each<[where: string, prefix: Key, value: Uint8Array]>([
    ["by natural key", settlement.NATURAL_KEY_PREFIX, Uint8Array.of(0, 0, 0, 0, 3, 231)],
    ["by order", settlement.USAGE_BY_ORDER_PREFIX, EMPTY_BYTES],
    ["by provider", settlement.USAGE_BY_PROVIDER_PREFIX, EMPTY_BYTES],
    ["by customer", settlement.USAGE_BY_CUSTOMER_PREFIX, EMPTY_BYTES],
    ["by time", settlement.USAGE_BY_START_PREFIX, EMPTY_BYTES],
    ["by settlement", settlement.USAGE_BY_SETTLEMENT_PREFIX, EMPTY_BYTES],
  ])("a look-up of usage that does not find it %s is noticed", async (where, prefix, value) => {
    // The first entry alone: a list that has no more than its first record.
    const range = { gte: bytesOfKey(`S${prefix}` as Key), lt: bytesOfKey(`S${prefix}\xff` as Key) };
    const found: string[] = [];
    for await (const [key] of chain.db.range(range)) found.push(keyOfBytes(key).slice(1));
    await putOnDisk(found[0] as string, value);
    await expect(chain.checkFullInvariants()).rejects.toThrow(`usage is not listed ${where}`);
  });

  test.each<[name: string, list: Key, seq: bigint, change: (record: never) => object]>([
    ...([
      [
        "I-12",
        settlement.USAGE_PREFIX,
        1n,
        (usage: { settledAmount: string }) => ({ ...usage, settledAmount: "999" }),
      ],
      [
        "I-14",
        settlement.USAGE_PREFIX,
        1n,
        (usage: { reward: string }) => ({ ...usage, reward: "91" }),
      ],
    ] as [string, Key, bigint, (record: never) => object][]),
  ])("%s notices a usage record that was changed on disk", async (name, list, seq, changed) => {
    const { UsageState } = await import("../../../src/gen/settled/settlement/v1/state.ts");
    const key = settlement.recordKey(list, seq);
    const record = UsageState.decode(machine.overlay.get(key) as Uint8Array);
    const value = UsageState.encode(UsageState.fromPartial(changed(record as never))).finish();
    await putOnDisk(key, value);
    await expect(chain.checkFullInvariants()).rejects.toThrow(name);
  });
});

test.each([
  ["a list of open records that is gone", settlement.OPEN_USAGE_PREFIX],
  ["a count of open records that is gone", settlement.OPEN_COUNT_PREFIX],
  ["an escrow that is not queued", settlement.EXPIRY_QUEUE_PREFIX],
  ["a record without its natural key", settlement.NATURAL_KEY_PREFIX],
  ["a reward that is not queued", settlement.REWARD_QUEUE_PREFIX],
])("the check of derived keys notices %s, and one too many", async (_what, prefix) => {
  await chain.ok(msg.create(customer, "500uve", { order: "order-derived" }));
  await recordedCosts(chain, [7], { from: 90 });
  expect(await chain.app.checkDerivedKeys()).toHaveLength(1);
  const range = {
    gte: bytesOfKey(`S${prefix}` as Key),
    lt: bytesOfKey(`S${prefixEnd(prefix)}` as Key),
  };
  const found: string[] = [];
  for await (const [key] of chain.db.range(range)) found.push(keyOfBytes(key));
  expect(found.length).toBeGreaterThan(0);
  await putOnDisk(`${found[0]?.slice(1)}\x01`, new Uint8Array(8));
  await expect(chain.app.checkDerivedKeys()).rejects.toThrow("derived keys settlement");
  await chain.db.write([
    { key: `${found[0]}\x01`, value: undefined },
    { key: found[0] as string, value: undefined },
  ]);
  await expect(chain.app.checkDerivedKeys()).rejects.toThrow("derived keys settlement");
});

describe("the check of derived keys compares the lists of open records with the records", () => {
  // One escrow with the open records 4 to 7, and one with none.
  const list = (first: number, ...rest: number[]): [string, Uint8Array] => {
    const key = joinKeys(openListKey(2n), u48Key(first));
    const seqs = [first, ...rest];
    return [key, differences(first, seqs, { from: 1, to: seqs.length })];
  };
  const head = (count: number, tail: number): [string, Uint8Array] => {
    return [openHeadKey(2n), bytesOfKey(joinKeys(u48Key(count), u48Key(tail)))];
  };

  beforeEach(async () => {
    await activeEscrow(chain, "5000uve", { order: "order-derived", lease: "lease-3" });
    await recordedCosts(chain, [7, 7, 7, 7], {
      from: 90,
      order: "order-derived",
      lease: "lease-3",
    });
    machine = await machineOf(chain);
    const records = machine.workers.records;
    expect([...records.openUsage(machine.ctx, 2n)]).toEqual([4n, 5n, 6n, 7n]);
    expect(await chain.app.checkDerivedKeys()).toHaveLength(1);
  });

  test.each<[name: string, entries: [string, Uint8Array][], message: string]>([
    ["a number missing at the end", [list(4, 5, 6)], "an open record does not wait"],
    ["a number missing within", [list(4, 6, 7)], "an open record does not wait"],
    ["a number twice", [list(4, 5, 6, 7), list(7)], "lists of open records overlap"],
    ["lists that overlap", [list(4, 6), list(5, 7)], "lists of open records overlap"],
    ["a closed one", [list(3, 4, 5, 6, 7)], "a record that waits is not open"],
    ["one that does not exist", [list(4, 5, 6, 7, 8)], "a record that waits is not open"],
    ["too high a count", [head(5, 4)], "the count of open records differs"],
    ["too low a count", [head(3, 4)], "the count of open records differs"],
    ["another last list", [head(4, 5)], "the last list of open records is another"],
    ["lists that end too early", [[settlement.LISTED_KEY, u64Bytes(7n)]], "what is listed ends"],
    ["lists that end too late", [[settlement.LISTED_KEY, u64Bytes(9n)]], "what is listed ends"],
    ["a list that is not the head's last", [list(4, 5), list(6, 7)], "the last list"],
    [
      "the head of an escrow without open records",
      [[openHeadKey(1n), new Uint8Array(12)]],
      "escrows with open records",
    ],
    [
      "a list of no escrow",
      [[joinKeys(openListKey(9n), u48Key(4)), new Uint8Array(0)]],
      "a list of open records has no escrow",
    ],
    [
      "a list of another escrow",
      [[joinKeys(openListKey(1n), u48Key(4)), new Uint8Array(0)]],
      "a record that waits is not open",
    ],
    [
      "a key that is no list's",
      [[`${openListKey(2n)}\0\0${u48Key(4)}`, new Uint8Array(0)]],
      "a list of open records has no escrow",
    ],
  ])("%s", async (_, entries, message) => {
    for (const [key, value] of entries) await putOnDisk(key, value);
    if (entries[0]?.[0].endsWith(u48Key(3))) {
      await chain.db.write([{ key: `S${list(4)[0]}`, value: undefined }]);
    }
    await expect(chain.app.checkDerivedKeys()).rejects.toThrow(message);
  });

  test("a list that is too long", async () => {
    const costs = Array<number>(200).fill(1);
    const order = { order: "order-derived", lease: "lease-3" };
    await recordedCosts(chain, costs.slice(0, 100), { from: 100, ...order });
    await recordedCosts(chain, costs.slice(0, 97), { from: 200, ...order });
    const numbers = Array.from({ length: 201 }, (_, index) => 4 + index);
    const [key, value] = list(...(numbers as [number]));
    await putOnDisk(key, value);
    await chain.db.write([{ key: `S${list(204)[0]}`, value: undefined }]);
    await expect(chain.app.checkDerivedKeys()).rejects.toThrow("is too long");
  });
});

test("RULES 3 a broken invariant halts the machine, and the block leaves no trace", async () => {
  change(settlement.totalKey("escrowed", "uve"), 1n);
  await machine.commit();
  const damaged = await openChain({ genesis: chain.genesis, db: chain.db });
  const { appHash, height } = damaged;
  await expect(damaged.block()).rejects.toThrow(InvariantError);
  await expect(damaged.deliver(msg.send(customer, provider.address, "1uve"))).rejects.toThrow(
    /^I-08 .*left=94001, right=94000/,
  );
  expect([damaged.appHash, damaged.app.info().height]).toEqual([appHash, height]);
});
