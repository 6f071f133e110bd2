import { beforeEach, describe, expect, test } from "vitest";
import type { Context } from "../../../src/baseapp/context.ts";
import { canonicalJson } from "../../../src/codec/canonical_json.ts";
import { ChainError } from "../../../src/lib/errors.ts";
import { settleDueEscrows } from "../../../src/modules/settlement/auto_settle.ts";
import type { BlockWorkers } from "../../../src/modules/settlement/block_work.ts";
import { ErrInvalidEscrow } from "../../../src/modules/settlement/errors.ts";
import { AUTO_SETTLE_QUEUE_PREFIX, autoSettleKey } from "../../../src/modules/settlement/keys.ts";
import type { TimeNs } from "../../../src/types/time.ts";
import { customer, provider, provider2 } from "../../testkit/accounts.ts";
import { openChain, type TestChain } from "../../testkit/chain.ts";
import { text } from "../../testkit/coins.ts";
import { seeInvoice } from "../../testkit/invoices.ts";
import { type Machine, machineOf } from "../../testkit/machine.ts";
import { msg, ORDER } from "../../testkit/messages.ts";
import { eventsOf } from "../../testkit/outcome.ts";
import {
  acknowledged,
  activeEscrow,
  recorded,
  recordedCosts,
  settled,
} from "../../testkit/orders.ts";
import { DAY, slot } from "../../testkit/times.ts";
import { see } from "../../testkit/views.ts";

const NS = 1_000_000_000n;

let chain: TestChain;
beforeEach(async () => {
  chain = await openChain();
});

/** Amounts of the settlements of a block. */
function totals(block: Parameters<typeof eventsOf>[0]): (string | undefined)[] {
  return eventsOf(block, "OrderSettled").map(({ total_amount: total }) => total);
}

describe("R-003-48 automatic settlement", () => {
  test("R-003-48 two records, a day passes: settled once in EndBlock, as the deployed type", async () => {
    await activeEscrow(chain);
    await recordedCosts(chain, [1000, 2000]);
    chain.skip(DAY);
    const block = await chain.block();
    expect(eventsOf(block, "OrderSettled")).toMatchObject([
      {
        ...{ total_amount: "3000uve", provider_share: "2820uve", platform_fee: "150uve" },
        ...{ validator_fee: "30uve", settlement_type: "usage_based", is_final: "false" },
        ...{ records: "2", records_remaining: "0" },
      },
    ]);
    const modes = block.events.map(({ attributes }) => attributes.at(-1)?.value);
    expect(new Set(modes)).toEqual(new Set(["EndBlock"]));
    expect(await chain.balance(provider.address)).toBe(1_000_000_002_820n);
    expect(totals(await chain.block())).toEqual([]);
    const [invoice] = await see.invoicesOf(chain, ORDER);
    expect(invoice).toMatchObject({ status: "paid", lineCount: 2 });
    const ledger = await seeInvoice.ledger(chain, invoice?.invoiceId ?? "");
    expect(ledger.map(({ initiator }) => initiator)).toEqual([""]);
    await chain.checkFullInvariants();
    await chain.app.checkDerivedKeys();
  });

  test("the period begins with the activation, then with the last settlement: to the nanosecond", async () => {
    const activated = (chain.time + NS) as TimeNs;
    await activeEscrow(chain, "100000uve");
    const first = await recordedCosts(chain, [1000]);
    await acknowledged(chain, first);
    chain.time = (activated + DAY * NS - 1n) as TimeNs;
    expect(totals(await chain.block())).toEqual([]);
    chain.time = (activated + DAY * NS) as TimeNs;
    expect(totals(await chain.block())).toEqual(["1000uve"]);
    await acknowledged(chain, await recordedCosts(chain, [2000], { from: 1 }));
    const asked = chain.time;
    await settled(chain);
    await acknowledged(chain, await recordedCosts(chain, [3000], { from: 2 }));
    chain.time = (asked + DAY * NS - 1n) as TimeNs;
    expect(totals(await chain.block())).toEqual([]);
    chain.time = (asked + DAY * NS) as TimeNs;
    expect(totals(await chain.block())).toEqual(["3000uve"]);
  });

  test("RULES 22 a young record waits for its acknowledgement, or for a period more", async () => {
    await activeEscrow(chain, "100000uve");
    chain.skip(DAY - 100n);
    const [, second = ""] = await recordedCosts(chain, [1000, 2000, 4000]);
    await acknowledged(chain, [second]);
    chain.skip(100n);
    expect(totals(await chain.block())).toEqual(["2000uve"]);
    chain.skip(DAY);
    expect(totals(await chain.block())).toEqual(["5000uve"]);
  });

  test("RULES 23 a flagged record is not settled unasked, until it is acknowledged", async () => {
    await activeEscrow(chain, "100000uve");
    const { start } = slot(0);
    const short = await recorded(chain, { start, end: start + 59n, price: "1500uve" });
    await recorded(chain, { ...slot(2), price: "2500uve" });
    chain.skip(DAY);
    expect(totals(await chain.block())).toEqual(["2500uve"]);
    chain.skip(DAY);
    expect(totals(await chain.block())).toEqual([]);
    await acknowledged(chain, [short]);
    chain.skip(DAY);
    expect(totals(await chain.block())).toEqual(["1500uve"]);
  });

  test("RULES 27 below the minimum it looks again a period later", async () => {
    await activeEscrow(chain, "100000uve,100000uusd");
    await recordedCosts(chain, [999]);
    chain.skip(DAY);
    expect(totals(await chain.block())).toEqual([]);
    await recordedCosts(chain, [1000], { denom: "uusd", from: 1 });
    chain.skip(DAY - 10n);
    expect(totals(await chain.block())).toEqual([]);
    chain.skip(10n);
    // One denom is above the minimum, the other waits.
    expect(totals(await chain.block())).toEqual(["1000uusd"]);
    await recordedCosts(chain, [1], { from: 2 });
    chain.skip(DAY);
    expect(totals(await chain.block())).toEqual(["1000uve"]);
  });

  test("RULES 24 a balance that does not cover the first record settles nothing and stays", async () => {
    await activeEscrow(chain, "1500uve");
    await recordedCosts(chain, [1600]);
    chain.skip(DAY);
    expect(totals(await chain.block())).toEqual([]);
    expect(text((await see.escrow(chain, "escrow-1")).balance)).toBe("1500uve");
  });

  test("auto_settle_enabled = false: nothing is settled unasked", async () => {
    chain = await openChain({ extended: { auto_settle_enabled: false } });
    await activeEscrow(chain);
    await recordedCosts(chain, [2000]);
    chain.skip(2n * DAY);
    expect(totals(await chain.block())).toEqual([]);
    expect((await settled(chain)).totalAmount).toBe("2000uve");
  });

  test("R-003-49 a disputed escrow is not looked at, nor one that has ended", async () => {
    await activeEscrow(chain);
    await recordedCosts(chain, [2000]);
    await activeEscrow(chain, "5000uve", { order: "order-2" });
    await chain.ok(msg.dispute(customer, "escrow-1"), msg.refund(customer, "escrow-2"));
    const machine = await machineOf(chain);
    expect([...machine.ctx.kv.iterate(AUTO_SETTLE_QUEUE_PREFIX)]).toEqual([]);
    chain.skip(DAY);
    expect(totals(await chain.block())).toEqual([]);
    await chain.app.checkDerivedKeys();
  });

  test("R-003-21 with billing off the provider's share is sent directly", async () => {
    chain = await openChain({ extended: { billing_enabled: false } });
    await activeEscrow(chain);
    await recordedCosts(chain, [1000]);
    chain.skip(DAY);
    expect(totals(await chain.block())).toEqual(["1000uve"]);
    expect(await chain.balance(provider.address)).toBe(1_000_000_000_940n);
    expect(await see.invoicesOf(chain, ORDER)).toEqual([]);
    expect(await see.payoutsOf(chain, provider.address)).toEqual([]);
  });
});

describe("RULES 32 the work of a block is bounded", () => {
  test("more records than a settlement takes: it goes on in the next block", async () => {
    chain = await openChain({ extended: { max_records_per_settlement: 2 } });
    await activeEscrow(chain, "100000uve");
    await recordedCosts(chain, [1000, 2000, 3000, 4000, 5000]);
    chain.skip(DAY);
    const blocks = [await chain.block(), await chain.block(), await chain.block()];
    expect(blocks.map(totals)).toEqual([["3000uve"], ["7000uve"], ["5000uve"]]);
    expect(totals(await chain.block())).toEqual([]);
    await chain.app.checkDerivedKeys();
  });

  test("at most 100 escrows a block, by (due time, id)", async () => {
    const orders = Array.from({ length: 103 }, (_, n) => `order-${n}`);
    await chain.ok(...orders.map((order) => msg.create(customer, "2000uve", { order })));
    const ids = orders.map((_, n) => `escrow-${n + 1}`);
    await chain.ok(...ids.map((id) => msg.activate(customer, id, provider.address)));
    await chain.ok(...orders.map((order) => msg.record(provider, { order, price: "1000uve" })));
    chain.skip(DAY);
    const first = eventsOf(await chain.block(), "OrderSettled");
    expect(first.map(({ escrow_id: id }) => id)).toEqual(ids.slice(0, 100));
    const second = eventsOf(await chain.block(), "OrderSettled");
    expect(second.map(({ escrow_id: id }) => id)).toEqual(ids.slice(100));
  });

  test("at most 1,000 records a block: an escrow that does not fit is the next block's first", async () => {
    const some = (count: number) => Array<number>(count).fill(10);
    for (const [order, count] of [
      ["a", 600],
      ["b", 600],
      ["c", 100],
    ] as const) {
      await activeEscrow(chain, "100000uve", { order });
      for (let from = 0; from < count; from += 100) {
        await recordedCosts(chain, some(100), { order, from });
      }
    }
    chain.skip(DAY);
    expect(totals(await chain.block())).toEqual(["6000uve"]);
    expect(totals(await chain.block())).toEqual(["6000uve", "1000uve"]);
  });

  test("a chain with 100,000 open orders does not scan them", async () => {
    await activeEscrow(chain);
    await recordedCosts(chain, [2000]);
    const machine = await machineOf(chain);
    const later = (machine.ctx.time + 10n * DAY * NS) as TimeNs;
    for (let seq = 2n; seq <= 100_001n; seq += 1n) {
      machine.overlay.set(autoSettleKey((later + seq) as TimeNs, seq), new Uint8Array(0));
    }
    const { ctx, looked } = counting(machine, (machine.ctx.time + DAY * NS) as TimeNs);
    settleDueEscrows(ctx, machine.workers);
    expect(eventsOf(machine, "OrderSettled")).toHaveLength(1);
    // The one that is due, and the first that is not.
    expect(looked.queue).toBe(2);
    const idle = counting(machine, ctx.time);
    settleDueEscrows(idle.ctx, machine.workers);
    expect(idle.looked.queue).toBe(1);
    expect(idle.looked.reads).toBeLessThan(5);
  });
});

describe("RULES 32 more open records than a block reads", () => {
  const FOUR = 4;

  /** Ten records that wait, among three that may be settled, of an escrow that is soon due. */
  async function waiting(): Promise<string[]> {
    await activeEscrow(chain, "100000uve");
    chain.skip(DAY - 100n);
    const ids = await recordedCosts(chain, [1, 1, 1, 1, 1, 2000, 1, 1, 1, 3000, 1, 1, 4000]);
    await acknowledged(
      chain,
      [5, 9, 12].map((at) => ids[at] ?? ""),
    );
    return ids;
  }

  test("those that wait do not hide what comes after them: the next block reads on", async () => {
    await waiting();
    const machine = await machineOf(chain);
    const { records } = machine.workers;
    const found: unknown[] = [];
    const time = (machine.ctx.time + 200n * NS) as TimeNs;
    for (let block = 0n; block < 5n; block += 1n) {
      const ctx = { ...machine.ctx, time: (time + block * NS) as TimeNs };
      settleDueEscrows(ctx, machine.workers, FOUR);
      const place = records.escrow(ctx, 1n);
      const wait = (place?.autoSettleAtNs ?? 0n) - ctx.time;
      found.push([totals(machine).length, place?.autoSettleFrom, wait / NS]);
    }
    expect(found).toEqual([
      [0, 5n, 0n],
      [1, 9n, 0n],
      [2, 13n, 0n],
      [3, 0n, DAY],
      [3, 0n, DAY - 1n],
    ]);
    expect(totals(machine)).toEqual(["2000uve", "3000uve", "4000uve"]);
  });

  test("a denom that was not covered before the place is not tried after it", async () => {
    await activeEscrow(chain, "5000uve,5000uusd");
    chain.skip(DAY - 100n);
    const ids = await recordedCosts(chain, [6000, 1, 1, 1, 2000]);
    const other = await recordedCosts(chain, [3000], { denom: "uusd", from: 5 });
    await acknowledged(chain, [ids[0] ?? "", ids[4] ?? "", ...other]);
    const machine = await machineOf(chain);
    const { records } = machine.workers;
    const ctx = { ...machine.ctx, time: (machine.ctx.time + 200n * NS) as TimeNs };
    settleDueEscrows(ctx, machine.workers, FOUR);
    const place = { autoSettleFrom: 5n, autoSettleSpent: ["uve"] };
    expect(records.escrow(ctx, 1n)).toMatchObject({ ...place, autoSettleAtNs: ctx.time });
    settleDueEscrows(ctx, machine.workers, FOUR);
    expect(totals(machine)).toEqual(["3000uusd"]);
    expect(records.escrow(ctx, 1n)).toMatchObject({ autoSettleFrom: 0n, autoSettleSpent: [] });
  });

  test("D-15 the place is exported and imported; a settlement that is asked for begins anew", async () => {
    await waiting();
    const genesis = structuredClone(await chain.app.exportGenesis());
    const { escrows } = genesis.appState["settlement"] as { escrows: Record<string, unknown>[] };
    Object.assign(escrows[0] ?? {}, { auto_settle_from: "7", auto_settle_spent: ["uusd"] });
    const imported = await openChain({ genesis });
    expect(await imported.exported()).toBe(canonicalJson(genesis.appState));
    imported.skip(200n);
    expect(totals(await imported.block())).toEqual(["7000uve"]);
    const again = await openChain({ genesis });
    expect((await settled(again)).totalAmount).toBe("9010uve");
    for (const each of [imported, again]) {
      expect(await each.exported()).toContain('"auto_settle_from":"0","auto_settle_spent":[]');
    }
  });
});

/** The machine's context at a time, counting keys of the queue and reads. */
function counting(machine: Machine, time: TimeNs) {
  const looked = { queue: 0, reads: 0 };
  const kv: Context["kv"] = Object.create(machine.overlay) as Context["kv"];
  const { overlay } = machine;
  const own = {
    ...{ has: overlay.has.bind(overlay), set: overlay.set.bind(overlay) },
    ...{ create: overlay.create.bind(overlay), delete: overlay.delete.bind(overlay) },
    ...{ begin: overlay.begin.bind(overlay), keep: overlay.keep.bind(overlay) },
    ...{ drop: overlay.drop.bind(overlay), isIterable: overlay.isIterable.bind(overlay) },
    countUnder: overlay.countUnder.bind(overlay),
    get: (key: Parameters<typeof overlay.get>[0]) => {
      looked.reads += 1;
      return overlay.get(key);
    },
    *iterate(prefix: Parameters<typeof overlay.iterate>[0]) {
      for (const entry of overlay.iterate(prefix)) {
        if (prefix === AUTO_SETTLE_QUEUE_PREFIX) looked.queue += 1;
        yield entry;
      }
    },
  };
  return { ctx: { ...machine.ctx, time, kv: Object.assign(kv, own) }, looked };
}

describe("D-26 isolation", () => {
  /** Settlements of one escrow fail after they have written all that they write. */
  function failing(machine: Machine, escrowSeq: bigint): BlockWorkers {
    const { settlements } = machine.workers;
    const failingSettlements = Object.create(settlements) as typeof settlements;
    failingSettlements.settle = (ctx, plan) => {
      const outcome = settlements.settle(ctx, plan);
      if (plan.escrow.seq === escrowSeq) throw new ChainError(ErrInvalidEscrow, "on purpose");
      return outcome;
    };
    return { ...machine.workers, settlements: failingSettlements };
  }

  test("D-26 one that fails moves nothing, says why, waits 2^n blocks, then for the next period", async () => {
    await activeEscrow(chain);
    await recordedCosts(chain, [1000]);
    await activeEscrow(chain, "9000uve", { order: "order-2", recipient: provider2 });
    await recorded(chain, { order: "order-2", price: "2000uve" }, provider2);
    chain.skip(DAY);
    const machine = await machineOf(chain);
    const workers = failing(machine, 1n);
    settleDueEscrows(machine.ctx, workers);
    expect(eventsOf(machine, "AutoSettleFailed")).toEqual([
      {
        ...{ escrow_id: "escrow-1", order_id: ORDER, attempts: "1" },
        error: "on purpose: invalid escrow",
      },
    ]);
    expect(eventsOf(machine, "OrderSettled")).toMatchObject([{ escrow_id: "escrow-2" }]);
    const { records } = workers;
    expect(records.escrow(machine.ctx, 1n)).toMatchObject({
      ...{ balance: [{ denom: "uve", amount: "10000" }], settlementCount: 0 },
    });
    expect(records.usage(machine.ctx, 1n)?.settledAmount).toBe("");
    expect(machine.bank.balance(machine.ctx, provider.address, "uve")).toBe(1_000_000_000_000n);
    const tries: bigint[] = [];
    let height = machine.ctx.height;
    const from = height;
    while (eventsOf(machine, "AutoSettleFailed").length < 10) {
      height += 1n;
      const before = eventsOf(machine, "AutoSettleFailed").length;
      settleDueEscrows({ ...machine.ctx, height }, workers);
      if (eventsOf(machine, "AutoSettleFailed").length > before) tries.push(height);
    }
    for (const [index, tried] of tries.entries()) expect(tried % 2n ** BigInt(index + 1)).toBe(0n);
    expect(tries.at(-1)).toBeGreaterThan(from + 256n);
    // The tenth failure: not before the next period.
    expect(records.escrow(machine.ctx, 1n)).toMatchObject({
      ...{ autoSettleAttempts: 0, autoSettleAtNs: machine.ctx.time + DAY * NS },
    });
  });
});

test("D-15 due times are exported and imported, and settle at the same block", async () => {
  await activeEscrow(chain, "100000uve");
  await recordedCosts(chain, [1000, 2000]);
  chain.skip(DAY);
  await chain.block();
  await recordedCosts(chain, [5000], { from: 9 });
  const imported = await chain.imported();
  expect(await imported.exported()).toBe(await chain.exported());
  await imported.app.checkDerivedKeys();
  for (const each of [chain, imported]) {
    each.skip(DAY);
    expect(totals(await each.block())).toEqual(["5000uve"]);
  }
  expect(imported.appHash).toBe(chain.appHash);
});
