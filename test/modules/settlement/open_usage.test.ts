import { beforeEach, describe, expect, test } from "vitest";
import { UsageStatus } from "../../../src/gen/settled/settlement/v1/state.ts";
import { MsgRecordUsage } from "../../../src/gen/virtengine/settlement/v1/tx.ts";
import { isolated } from "../../../src/baseapp/isolated.ts";
import { ChainError } from "../../../src/lib/errors.ts";
import type { Key } from "../../../src/lib/key.ts";
import { must } from "../../../src/lib/assert.ts";
import { beginBlock } from "../../../src/modules/settlement/block_work.ts";
import { ErrUnauthorized } from "../../../src/modules/settlement/errors.ts";
import * as keys from "../../../src/modules/settlement/keys.ts";
import { priceOf } from "../../../src/modules/settlement/msg_validate.ts";
import {
  OPEN_LIST_MAX,
  openHeadKey,
  openListKey,
  readHead,
} from "../../../src/modules/settlement/open_usage.ts";
import { numbersOfEntry } from "../../../src/modules/settlement/seq_list.ts";
import { settleOrder } from "../../../src/modules/settlement/settle_order.ts";
import { listNewUsage } from "../../../src/modules/settlement/usage_lists.ts";
import { ITERABLE_ENTRIES_MAX } from "../../../src/store/kv.ts";
import { customer, provider } from "../../testkit/accounts.ts";
import { openChain, type TestChain } from "../../testkit/chain.ts";
import { type Machine, machineOf } from "../../testkit/machine.ts";
import { msg, ORDER } from "../../testkit/messages.ts";
import { responsesOf } from "../../testkit/outcome.ts";
import { activeEscrow, recordedCosts, settled } from "../../testkit/orders.ts";
import { slot } from "../../testkit/times.ts";

let chain: TestChain;
let machine: Machine;

beforeEach(async () => {
  chain = await openChain({ extended: { max_records_per_settlement: 1000 } });
  await activeEscrow(chain, "10000000uve");
  await activeEscrow(chain, "10000000uve", { order: "order-2", lease: "lease-2" });
  machine = await machineOf(chain);
});

/** Periods of long ago: there are more of them than a block's time allows ahead. */
const past = (at: number) => slot(at - 10_000);

/** Records so many reports of an order in the block under way. */
function record(count: number, from: number, order = ORDER): void {
  const lease = order === ORDER ? {} : { lease: "lease-2" };
  for (let at = from; at < from + count; at += 1) {
    const { value } = msg.record(provider, { order, ...lease, ...past(at), price: "1000uve" });
    const report = MsgRecordUsage.decode(value);
    machine.workers.usage.record(machine.ctx, report, priceOf(report));
  }
}

const endOfBlock = (): void => listNewUsage(machine.ctx, machine.workers.records);
const open = (escrowSeq = 1n): number[] => {
  return [...machine.workers.records.openUsage(machine.ctx, escrowSeq)].map(Number);
};
const range = (from: number, to: number): number[] => {
  return Array.from({ length: to - from }, (_, index) => from + index);
};
const settle = (request: { usageIds?: string[]; sender?: string; order?: string } = {}) => {
  const { usageIds = [], sender = customer.address, order = ORDER } = request;
  const all = { sender, orderId: order, usageIds, isFinal: false };
  return settleOrder(machine.ctx, machine.workers, all);
};

/** The lists of an escrow as they are stored. */
function lists(escrowSeq = 1n): number[][] {
  return [...machine.overlay.iterate(openListKey(escrowSeq))].map(numbersOfEntry);
}

/** Keys of open lists that an action writes or deletes. */
function touched(action: () => void): number {
  const { overlay } = machine;
  const prefix = keys.OPEN_USAGE_PREFIX;
  const of = (): [Key, unknown][] => {
    return [...overlay.changes()].filter(([key]) => key.startsWith(prefix));
  };
  const before = new Map(of());
  action();
  return of().filter(([key, change]) => before.get(key) !== change).length;
}

describe("lists of open records", () => {
  test("are full whatever the blocks were, and hold what other orders recorded apart", () => {
    for (let block = 0; block < 45; block += 1) {
      record(10, block * 10);
      record(1, block, "order-2");
      endOfBlock();
    }
    expect(lists(1n).map(({ length }) => length)).toEqual([200, 200, 50]);
    expect(lists(2n).map(({ length }) => length)).toEqual([45]);
    expect([...lists(1n), ...lists(2n)].flat().sort((a, b) => a - b)).toEqual(range(1, 496));
    expect(readHead(machine.overlay.get(openHeadKey(1n)))).toEqual({
      count: 450,
      tail: lists(1n)[2]?.[0],
    });
    expect(open(2n)).toEqual(lists(2n).flat());
  });

  test("recording writes none: they follow at the end of the block, or when they are asked for", () => {
    record(3, 0);
    expect(lists()).toEqual([]);
    expect(machine.overlay.get(openHeadKey(1n))).toBeUndefined();
    expect(machine.workers.records.openUsageCount(machine.ctx, 1n)).toBe(3n);
    expect(lists()).toEqual([[1, 2, 3]]);
    expect(touched(endOfBlock)).toBe(0);
    record(1, 3);
    expect(open()).toEqual([1, 2, 3, 4]);
    expect(lists()).toEqual([[1, 2, 3, 4]]);
  });

  test("a long block is listed in parts, so that a failing settlement costs no more than one", () => {
    record(2100, 0);
    expect(lists().flat()).toEqual(range(1, 2049));
    expect(machine.workers.records.firstUnlisted(machine.ctx)).toBe(2049n);
    expect(open()).toEqual(range(1, 2101));
    expect(lists().map(({ length }) => length)).toEqual([...Array<number>(10).fill(200), 100]);
  });

  test("settling 1,000 in a row touches as many lists as they fill", () => {
    for (let block = 0; block < 30; block += 1) {
      record(100, block * 100);
      endOfBlock();
    }
    expect(touched(() => settle())).toBeLessThanOrEqual(6);
    expect(open()).toEqual(range(1001, 3001));
  });

  test("a walk that stops early reads no further, and sees nothing of later writes", () => {
    record(500, 0);
    endOfBlock();
    const walk = machine.workers.records.openUsage(machine.ctx, 1n);
    expect(walk.next().value).toBe(1n);
    settle();
    const rest = [...walk].map(Number);
    expect(rest).toEqual(range(2, 501));
    expect(open()).toEqual([]);
  });

  test("an escrow without open records leaves nothing behind", () => {
    record(250, 0);
    settle();
    expect(lists()).toEqual([]);
    expect(machine.overlay.get(openHeadKey(1n))).toBeUndefined();
    record(2, 250);
    endOfBlock();
    expect(lists()).toEqual([[251, 252]]);
  });

  test("a record that is open again is put in its place; a full list is split", () => {
    record(600, 0);
    endOfBlock();
    const { records } = machine.workers;
    const usageOf = (seq: number) => must(records.usage(machine.ctx, BigInt(seq)), "usage");
    const status = UsageStatus.USAGE_STATUS_WRITTEN_OFF;
    const gone = [1, 2, 150, 200, 201, 400, 401, 600];
    for (const seq of gone) {
      const usage = usageOf(seq);
      records.setUsage(machine.ctx, usage, { ...usage, status });
    }
    expect(open()).toEqual(range(1, 601).filter((seq) => !gone.includes(seq)));
    expect(lists().map((list) => list[0])).toEqual([3, 202, 402]);
    record(10, 600);
    endOfBlock();
    for (const seq of gone.toReversed()) {
      const usage = usageOf(seq);
      const again = { ...usage, status: UsageStatus.USAGE_STATUS_OPEN };
      records.setUsage(machine.ctx, usage, again);
    }
    expect(open()).toEqual(range(1, 611));
    const sizes = lists().map(({ length }) => length);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(OPEN_LIST_MAX);
    expect(sizes.length).toBeGreaterThan(4);
    expect(readHead(machine.overlay.get(openHeadKey(1n)))).toEqual({
      count: 610,
      tail: lists().at(-1)?.[0],
    });
  });

  test("a record that is not open cannot be closed, nor one that is be opened", () => {
    record(3, 0);
    const { records } = machine.workers;
    const usage = must(records.usage(machine.ctx, 2n), "usage");
    const closed = { ...usage, status: UsageStatus.USAGE_STATUS_WRITTEN_OFF };
    records.setUsage(machine.ctx, usage, closed);
    expect(() => records.closeUsage(machine.ctx, 1n, [closed])).toThrow("not in the lists");
    records.setUsage(machine.ctx, closed, usage);
    expect(() => records.setUsage(machine.ctx, closed, usage)).toThrow("not in the lists");
  });

  test("there is room for what is not listed yet, so that the end of a block never fails", () => {
    const { overlay } = machine;
    record(1, 0);
    const count = overlay.countUnder.bind(overlay);
    overlay.countUnder = (prefix) => count(prefix) + ITERABLE_ENTRIES_MAX - 2048;
    const failure = isolated(machine.ctx, () => record(1, 1));
    expect(failure?.message).toBe(
      "too much open usage: settle or refund some of it first: conditions not met",
    );
    overlay.countUnder = (prefix) => count(prefix) + ITERABLE_ENTRIES_MAX - 2049;
    record(1, 1);
    endOfBlock();
    expect(open()).toEqual([1, 2]);
  });
});

describe("in one block", () => {
  test("what is recorded is settled, and what comes after it is listed", () => {
    record(5, 0);
    expect(settle().total).toEqual([{ denom: "uve", amount: 5000n }]);
    record(3, 5);
    record(2, 0, "order-2");
    expect(settle().total).toEqual([{ denom: "uve", amount: 3000n }]);
    endOfBlock();
    expect([open(1n), open(2n)]).toEqual([[], [9, 10]]);
  });

  test("a failing tx leaves no trace of what it listed, and numbers may go to others", () => {
    record(4, 0);
    const before = new Map(machine.overlay.changes());
    const failure = isolated(machine.ctx, () => {
      record(2, 4);
      settle();
      expect(open()).toEqual([]);
      throw new ChainError(ErrUnauthorized, "as if");
    });
    expect(failure?.detail).toBe("as if");
    expect(new Map(machine.overlay.changes())).toEqual(before);
    expect(lists()).toEqual([]);
    // The numbers 5 and 6 were those of the first order.
    record(2, 0, "order-2");
    endOfBlock();
    expect([open(1n), open(2n)]).toEqual([range(1, 5), [5, 6]]);
  });
});

test("named records in many lists: those that have none of them are left alone", async () => {
  const costs = (count: number): number[] => Array<number>(count).fill(1000);
  const ids: string[] = [];
  for (let at = 0; at < 1000; at += 100) {
    ids.push(...(await recordedCosts(chain, costs(100), { from: at - 10_000 })));
  }
  machine = await machineOf(chain);
  expect(lists()).toHaveLength(5);
  const named = [0, 5, 199, 410, 998, 999];
  const usageIds = named.map((at) => ids[at] as string);
  expect(touched(() => settle({ usageIds }))).toBeLessThanOrEqual(4);
  expect(open()).toEqual(range(1, 1001).filter((seq) => !named.includes(seq - 1)));
  expect(lists().map(({ length }) => length)).toEqual([197, 200, 199, 200, 198]);
  // And the same over the chain, where the answer pages.
  await settled(chain, { ids: usageIds });
  const wanted = ids.filter((_, at) => !named.includes(at));
  for (const reverse of [false, true]) {
    const found: string[] = [];
    let key = new Uint8Array(0);
    do {
      const pagination = { limit: 151n, reverse, key };
      const request = { orderId: ORDER, openOnly: true, pagination };
      const page = await chain.query<Page>("settled.settlement.v1.Query/Usage", request);
      found.push(...page.usageRecords.map(({ usageId }) => usageId));
      key = new Uint8Array(page.pagination.nextKey);
      // Between two pages what a list begins with is settled: the key stays good.
      if (found.length === 151 && !reverse) await settled(chain, { ids: [ids[1] as string] });
    } while (key.length > 0);
    expect(found).toEqual(reverse ? wanted.slice(1).toReversed() : wanted);
  }
  const pagination = { limit: 3n, offset: 396n, countTotal: true };
  const request = { orderId: ORDER, openOnly: true, pagination };
  const page = await chain.query<Page>("settled.settlement.v1.Query/Usage", request);
  expect(page.usageRecords.map(({ usageId }) => usageId)).toEqual(wanted.slice(397, 400));
  expect(page.pagination.total).toBe(993n);
  await chain.checkFullInvariants();
});

interface Page {
  usageRecords: { usageId: string }[];
  pagination: { nextKey: Uint8Array; total: bigint };
}

test("an expired escrow is settled in parts, and its lists go with them", () => {
  record(2500, 0);
  endOfBlock();
  const { records } = machine.workers;
  const escrow = must(records.escrow(machine.ctx, 1n), "escrow");
  const late = { ...machine, ctx: { ...machine.ctx, time: (escrow.expiresAtNs + 1n) as never } };
  for (const left of [1500, 500, 0]) {
    beginBlock(late.ctx, machine.workers);
    expect(open()).toEqual(range(2501 - left, 2501));
  }
  expect(lists()).toEqual([]);
});

test("a refund by the provider writes off what is recorded in the same tx", async () => {
  const escrowId = "escrow-1";
  const messages = [0, 1, 2].map((at) => msg.record(provider, slot(at)));
  const result = await chain.ok(...messages, msg.refund(provider, escrowId));
  expect(responsesOf(result)).toHaveLength(4);
  machine = await machineOf(chain);
  expect(lists()).toEqual([]);
  const statuses = [1n, 2n, 3n].map(
    (seq) => machine.workers.records.usage(machine.ctx, seq)?.status,
  );
  expect(statuses).toEqual(Array(3).fill(UsageStatus.USAGE_STATUS_WRITTEN_OFF));
  await chain.checkFullInvariants();
});

test("an import numbers meters and lists what was open, whatever the order in genesis", async () => {
  const ids = await recordedCosts(chain, Array<number>(12).fill(1000));
  await recordedCosts(chain, [5, 6], { type: "gpu" });
  await recordedCosts(chain, [7], { order: "order-2", lease: "lease-2" });
  await settled(chain, { ids: [ids[3] as string, ids[7] as string] });
  const genesis = await chain.app.exportGenesis();
  const shuffled = structuredClone(genesis);
  (shuffled.appState["settlement"] as { usage: object[] }).usage.reverse();
  const imports = [await openChain({ genesis }), await openChain({ genesis: shuffled })];
  for (const imported of imports) {
    machine = await machineOf(imported);
    const { overlay } = machine;
    expect(lists()).toEqual([[1, 2, 3, 5, 6, 7, 9, 10, 11, 12, 13, 14]]);
    expect(lists(2n)).toEqual([[15]]);
    expect(machine.workers.records.peek(machine.ctx, "meter")).toBe(4n);
    const { start } = slot(0);
    const naturals = [1n, 2n, 3n].map((meter) => overlay.get(keys.naturalKey(meter, start)));
    expect(naturals.map((bytes) => keys.numberAt(bytes as Uint8Array, 0))).toEqual([1, 13, 15]);
    expect(await imported.app.checkDerivedKeys()).toHaveLength(1);
    await imported.checkFullInvariants();
    expect((await imported.app.exportGenesis()).appState).toEqual(genesis.appState);
    // The next record of a new meter goes on from there.
    await recordedCosts(imported, [8], { type: "disk" });
    expect((await machineOf(imported)).overlay.get(keys.naturalKey(4n, start))).toBeDefined();
  }
  expect(imports[0]?.appHash).toEqual(imports[1]?.appHash);
});
