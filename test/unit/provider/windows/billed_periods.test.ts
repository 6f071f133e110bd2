import { describe, expect, it } from "vitest";
import type { MsgRecordUsageResponse } from "../../../../src/gen/virtengine/settlement/v1/tx.ts";
import type { OutboxRecord } from "../../../../src/provider/outbox/outbox_record.ts";
import { PriceBook } from "../../../../src/provider/price_book.ts";
import { signedReport } from "../../../../src/provider/reports.ts";
import { NO_METRICS, RAW_PER_UNIT, type UnitRounding } from "../../../../src/provider/units.ts";
import { BilledPeriods } from "../../../../src/provider/windows/billed_periods.ts";
import { WindowBook } from "../../../../src/provider/windows/window_book.ts";
import { recordsOf } from "../../../../src/provider/windows/window_records.ts";
import { provider } from "../../../testkit/accounts.ts";
import { CHAIN_ID, openChain, type TestChain } from "../../../testkit/chain.ts";
import { LEASE, ORDER } from "../../../testkit/messages.ts";
import { activeEscrow } from "../../../testkit/orders.ts";
import { expectCode, responsesOf } from "../../../testkit/outcome.ts";
import { GENESIS } from "../../../testkit/times.ts";

const HOUR = 3600n;
const DAY = 24n * HOUR;
const REF = { order: ORDER, lease: LEASE };
const PRICES = PriceBook.parse({ default: { memory: "2uve" } }, "prices");
/** More busy windows than the chain takes periods that do not touch. */
const BUSY = 320;
const START = GENESIS - BigInt(2 * BUSY) * HOUR;

/**
 * Records of a lease that uses three GB-hours of memory in every other hour and nothing in the
 * others; the daemon is started anew in between.
 */
function recordsOfBusyHours(rounding: UnitRounding): OutboxRecord[] {
  const records: OutboxRecord[] = [];
  const disk = new Map<string, string>();
  let book = new WindowBook({ intervalSeconds: HOUR });
  book.open({ ...REF, rounding, billsFootprint: false, startS: START });
  for (let at = 0; at < 2 * BUSY; at += 1) {
    const startMs = Number(START + BigInt(at) * HOUR) * 1000;
    const memoryByteSeconds = at % 2 === 0 ? 3n * RAW_PER_UNIT.memory : 0n;
    const metrics = { ...NO_METRICS, memoryByteSeconds };
    const span = { startMs, endMs: startMs + 3_600_000, isContinuous: true, faults: [] };
    book.add(REF, { ...span, metrics });
    for (const window of book.closeUntil(START + BigInt(at + 1) * HOUR, REF)) {
      records.push(...recordsOf(window, PRICES, 0));
    }
    for (const [name, text] of book.takeChanges()) disk.set(name, text as string);
    if (at % 50 === 49) {
      book = new WindowBook({ intervalSeconds: HOUR });
      book.restore(disk);
    }
  }
  return records;
}

async function orderChain(): Promise<TestChain> {
  const chain = await openChain();
  await activeEscrow(chain, "1000000uve");
  return chain;
}

const messageOf = (record: OutboxRecord) => {
  return { ...signedReport(record, provider, CHAIN_ID), signer: provider };
};

describe("a lease that is idle every other window", () => {
  it.each(["carry", "floor"] as const)("RULES 17 is billed whole: %s", async (rounding) => {
    const records = recordsOfBusyHours(rounding);
    expect(records).toHaveLength(BUSY);
    const chain = await orderChain();
    const result = await chain.ok(...records.map(messageOf));
    expect(responsesOf<MsgRecordUsageResponse>(result)).toHaveLength(BUSY);
    const path = "virtengine.settlement.v1.Query/UsageRecordsByOrder";
    const { usageRecords } = await chain.query<{
      usageRecords: { totalCost: { amount: string }[] }[];
    }>(path, { orderId: ORDER, pagination: { limit: 1000 } });
    const cost = usageRecords.reduce((sum, each) => sum + Number(each.totalCost[0]?.amount), 0);
    expect(cost).toBe(BUSY * 3 * 2);
  });

  it("RULES 17 would be refused from the 257th window on, were each record its window's", async () => {
    const plain = recordsOfBusyHours("carry").map((record) => {
      return { ...record, periodStart: record.periodEnd - HOUR };
    });
    const chain = await orderChain();
    await chain.ok(...plain.slice(0, 256).map(messageOf));
    const next = plain[256] as OutboxRecord;
    expectCode(await chain.deliver(messageOf(next)), 1512, "too many gaps: at most 256");
  });
});

describe("the period of a record", () => {
  const take = (rounding: UnitRounding, windows: readonly (readonly [bigint, bigint])[]) => {
    const billed = new BilledPeriods(rounding);
    return windows.map(([start, end]) => billed.take("gpu", start * HOUR, end * HOUR) / HOUR);
  };

  it("begins under carry where the last one ended, under floor with its window", () => {
    const windows = [
      [3n, 4n],
      [4n, 5n],
      [9n, 10n],
      [12n, 13n],
    ] as const;
    expect(take("carry", windows)).toEqual([3n, 4n, 5n, 10n]);
    expect(take("floor", windows)).toEqual([3n, 4n, 9n, 12n]);
  });

  it("is its window where the last one ended more than a week before", () => {
    const week = 7n * 24n;
    expect(
      take("carry", [
        [0n, 1n],
        [week, week + 1n],
      ]),
    ).toEqual([0n, 1n]);
    expect(
      take("carry", [
        [0n, 1n],
        [week + 1n, week + 2n],
      ]),
    ).toEqual([0n, week + 1n]);
  });

  it("leaves fewer than 256 gaps in the year of an escrow, however windows are used", () => {
    for (const rounding of ["carry", "floor"] as const) {
      for (const idle of [1n, 5n, 7n * 24n, 8n * 24n]) {
        const billed = new BilledPeriods(rounding);
        let [gaps, until] = [0, 0n];
        for (let start = 0n; start < 365n * DAY; start += (idle + 1n) * HOUR) {
          const since = billed.take("cpu", start, start + HOUR);
          expect(since).toBeGreaterThanOrEqual(until);
          if (since > until) gaps += 1;
          until = start + HOUR;
        }
        expect(gaps).toBeLessThan(200);
      }
    }
  });

  it("is that of each resource alone, and stays so over a restart", () => {
    const book = new WindowBook({ intervalSeconds: HOUR });
    book.open({ ...REF, rounding: "carry", billsFootprint: false, startS: 0n });
    const use = (to: WindowBook, hour: number, gpuSeconds: bigint, networkBytesIn: bigint) => {
      const span = { startMs: hour * 3_600_000, endMs: (hour + 1) * 3_600_000 };
      const metrics = { ...NO_METRICS, gpuSeconds, networkBytesIn };
      to.add(REF, { ...span, metrics, isContinuous: true, faults: [] });
    };
    use(book, 0, 3600n, 0n);
    use(book, 1, 0n, 2n ** 30n);
    use(book, 2, 1800n, 0n);
    const before = book.closeUntil(3n * HOUR);
    const after = new WindowBook({ intervalSeconds: HOUR });
    after.restore(book.takeChanges() as Map<string, string>);
    use(after, 3, 1800n, 2n ** 30n);
    const units = [...before, ...after.closeUntil(4n * HOUR)].map((each) => each.units);
    expect(units).toEqual([
      [{ resource: "gpu", units: 1n, since: 0n }],
      [{ resource: "network", units: 1n, since: HOUR }],
      [],
      [
        { resource: "gpu", units: 1n, since: HOUR },
        { resource: "network", units: 1n, since: 2n * HOUR },
      ],
    ]);
  });
});
