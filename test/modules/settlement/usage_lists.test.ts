import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { MsgRecordUsage } from "../../../src/gen/virtengine/settlement/v1/tx.ts";
import { KeyMap } from "../../../src/lib/key_map.ts";
import { type Key, keyOfBytes } from "../../../src/lib/key.ts";
import { priceOf } from "../../../src/modules/settlement/msg_validate.ts";
import { recordKey, USAGE_BY_SETTLEMENT_PREFIX } from "../../../src/modules/settlement/keys.ts";
import { seqsOfEntry, writeSeqList } from "../../../src/modules/settlement/seq_list.ts";
import { settleOrder } from "../../../src/modules/settlement/settle_order.ts";
import { listNewUsage } from "../../../src/modules/settlement/usage_lists.ts";
import { isDerivedKey, type Kv } from "../../../src/store/kv.ts";
import { customer, provider } from "../../testkit/accounts.ts";
import { openChain, type TestChain } from "../../testkit/chain.ts";
import { msg, ORDER } from "../../testkit/messages.ts";
import { machineOf } from "../../testkit/machine.ts";
import { activeEscrow, settled } from "../../testkit/orders.ts";
import { GENESIS, slot } from "../../testkit/times.ts";

const USAGE = "settled.settlement.v1.Query/Usage";
const SUMMARY = "virtengine.settlement.v1.Query/UsageSummary";

interface UsagePage {
  usageRecords: { usageId: string }[];
  pagination: { nextKey: Uint8Array; total: bigint };
}

async function page(chain: TestChain, pagination: object): Promise<[string[], UsagePage]> {
  const answer = await chain.query<UsagePage>(USAGE, { orderId: ORDER, pagination });
  return [answer.usageRecords.map(({ usageId }) => usageId), answer];
}

describe("pages of lists that were written block by block", () => {
  let chain: TestChain;
  let all: string[];

  /** Records so many of an order in one block. */
  async function record(count: number, from: number, order = ORDER): Promise<void> {
    const lease = order === ORDER ? {} : { lease: "lease-2" };
    const messages = Array.from({ length: count }, (_, index) => {
      return msg.record(provider, { order, ...lease, ...slot(from + index) });
    });
    await chain.ok(...messages);
  }

  beforeAll(async () => {
    chain = await openChain();
    await activeEscrow(chain, "100000uve");
    await activeEscrow(chain, "100000uve", { order: "order-2", lease: "lease-2" });
    let at = 0;
    for (const count of [1, 7, 2, 1, 12, 3]) {
      await record(count, at);
      // Numbers of another order stand between.
      await record(2, at * 10, "order-2");
      at += count;
    }
    [all] = await page(chain, { limit: 100n });
  });

  test("one page has them all, in the order of recording", () => {
    expect(all).toHaveLength(26);
    const seqs = all.map((id) => Number(id.split("-").at(-1)));
    expect(seqs).toEqual([...seqs].sort((a, b) => a - b));
  });

  test.each([1n, 2n, 3n, 5n, 8n, 25n, 26n, 27n])("in steps of %s by key", async (limit) => {
    for (const reverse of [false, true]) {
      const found: string[] = [];
      let key = new Uint8Array(0);
      do {
        const [ids, { pagination }] = await page(chain, { limit, reverse, key });
        found.push(...ids);
        key = new Uint8Array(pagination.nextKey);
      } while (key.length > 0);
      expect(found).toEqual(reverse ? all.toReversed() : all);
    }
  });

  test.each([0n, 1n, 4n, 9n, 25n, 26n, 30n])("from offset %s, with the total", async (offset) => {
    const request = { limit: 4n, offset, countTotal: true };
    const [ids, { pagination }] = await page(chain, request);
    expect(ids).toEqual(all.slice(Number(offset), Number(offset) + 4));
    expect(pagination.total).toBe(26n);
  });

  test("a key stays good while records are added, and never shows one twice or not", async () => {
    const [first, { pagination }] = await page(chain, { limit: 20n });
    await record(5, 200);
    const [rest] = await page(chain, { limit: 100n, key: pagination.nextKey });
    const [now] = await page(chain, { limit: 100n });
    expect([...first, ...rest]).toEqual(now);
    expect(now).toHaveLength(31);
  });

  test("a key of another query is refused", async () => {
    const key = Uint8Array.of(1, 2, 3);
    const answer = await chain.ask(USAGE, { orderId: ORDER, pagination: { key } });
    expect(answer.log).toContain("this key is not of this query");
  });

  test("the natural keys and lists pass the full invariants", async () => {
    await settled(chain, { final: true });
    expect(await chain.checkFullInvariants()).toContain(
      "look-ups of usage are those of the records",
    );
    const imported = await chain.imported();
    await imported.checkFullInvariants();
    const [ids] = await page(imported, { limit: 100n });
    expect(ids).toEqual((await page(chain, { limit: 100n }))[0]);
  });
});

test("a summary of a time range agrees with looking at every record", async () => {
  const chain = await openChain({ extended: { max_usage_period: "7200" } });
  await activeEscrow(chain, "100000uve");
  // Twelve hours before genesis on: periods that begin and end around full hours.
  const base = GENESIS - 12n * 3600n;
  const starts = [0n, 1n, 1799n, 3599n, 3600n, 3601n, 7199n, 7200n, 10_800n, 14_399n];
  const periods = starts.map((start) => ({ start: base + start, end: base + start + 1n }));
  for (const period of periods) await chain.ok(msg.record(provider, period));
  for (const from of [-1n, 0n, 1n, 3598n, 3600n, 7200n, 7201n, 14_399n, 14_401n]) {
    for (const to of [0n, 1n, 3599n, 3600n, 7200n, 14_398n, 20_000n]) {
      const range = { periodStart: base + from, periodEnd: base + to };
      const expected = periods.filter(({ start, end }) => {
        return end >= range.periodStart && start <= range.periodEnd;
      });
      for (const filter of [{}, { provider: provider.address }, { orderId: ORDER }]) {
        const { summary } = await chain.query<{ summary: { totalUsageUnits: bigint } }>(SUMMARY, {
          ...range,
          ...filter,
        });
        expect([from, to, filter, summary.totalUsageUnits]).toEqual([
          ...[from, to, filter, BigInt(expected.length)],
        ]);
      }
    }
  }
});

test("a list of any ascending numbers reads back, at most 1,000 under one key", () => {
  const gap = fc.oneof(
    fc.constant(1),
    fc.integer({ min: 1, max: 300 }),
    fc.integer({ min: 1, max: 2 ** 40 }),
  );
  const property = fc.property(fc.array(gap, { minLength: 1, maxLength: 2500 }), (gaps) => {
    let seq = 0;
    const seqs = gaps.slice(0, 50).map((each) => (seq += each));
    for (let left = gaps.length - 50; left > 0; left -= 1) seqs.push((seq += 1));
    const written = new KeyMap<Uint8Array>();
    const kv = { create: (key: Key, value: Uint8Array) => void written.set(key, value) };
    const prefix = recordKey(USAGE_BY_SETTLEMENT_PREFIX, 7n);
    writeSeqList(kv as Kv, prefix, seqs);
    const entries = written.sortedEntries() as [Key, Uint8Array][];
    expect(entries.flatMap(seqsOfEntry)).toEqual(seqs.map(BigInt));
    expect(entries).toHaveLength(Math.ceil(seqs.length / 1000));
    expect(entries.every(([key]) => key.startsWith(prefix))).toBe(true);
  });
  fc.assert(property, { numRuns: 50 });
});

test("a settled usage record costs at most 3 committed keys", async () => {
  const chain = await openChain();
  await activeEscrow(chain, "1000000uve");
  const committedKeys = async (count: number): Promise<number> => {
    const { ctx, overlay, workers } = await machineOf(chain);
    for (let at = 0; at < count; at += 1) {
      const type = at % 2 === 0 ? "cpu" : "gpu";
      const { value } = msg.record(provider, { ...slot(at), price: "2000uve", type });
      const report = MsgRecordUsage.decode(value);
      workers.usage.record(ctx, report, priceOf(report));
    }
    listNewUsage(ctx, workers.records);
    const request = { sender: customer.address, orderId: ORDER, usageIds: [], isFinal: false };
    expect(settleOrder(ctx, workers, request).total).toHaveLength(1);
    return [...overlay.changes().keys()].filter((key) => !isDerivedKey(key)).length;
  };
  const perRecord = ((await committedKeys(60)) - (await committedKeys(10))) / 50;
  expect(perRecord).toBeLessThanOrEqual(3);
  // In truth it is the record alone.
  expect(perRecord).toBe(1);
});

test("keys of numbers are their bytes", () => {
  expect(recordKey(USAGE_BY_SETTLEMENT_PREFIX, 258n)).toBe(
    keyOfBytes(Uint8Array.of(0xc3, 7, 0, 0, 0, 0, 1, 2)),
  );
});
