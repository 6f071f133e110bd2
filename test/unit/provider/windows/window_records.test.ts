import { describe, expect, it } from "vitest";
import { naturalKey } from "../../../../src/provider/outbox/outbox_record.ts";
import { PriceBook } from "../../../../src/provider/price_book.ts";
import { signedReport } from "../../../../src/provider/reports.ts";
import { NO_METRICS, RAW_PER_UNIT } from "../../../../src/provider/units.ts";
import type { ClosedWindow } from "../../../../src/provider/windows/closed_window.ts";
import { WindowBook } from "../../../../src/provider/windows/window_book.ts";
import { recordsOf } from "../../../../src/provider/windows/window_records.ts";
import { provider } from "../../../testkit/accounts.ts";
import { CHAIN_ID, openChain } from "../../../testkit/chain.ts";
import { LEASE, ORDER } from "../../../testkit/messages.ts";
import { activeEscrow } from "../../../testkit/orders.ts";
import { GENESIS } from "../../../testkit/times.ts";

const PRICES = PriceBook.parse(
  { default: { cpu: "1.5uve", memory: "2000uve" }, orders: { [ORDER]: { gpu: "free" } } },
  "prices",
);

function window(): ClosedWindow {
  const book = new WindowBook({ intervalSeconds: 3600n });
  const ref = { order: ORDER, lease: LEASE };
  const startS = GENESIS - 3600n;
  book.open({ ...ref, rounding: "floor", billsFootprint: true, startS });
  const metrics = {
    ...NO_METRICS,
    gpuSeconds: 7200n,
    memoryByteSeconds: 2n * RAW_PER_UNIT.memory,
    cpuMilliseconds: 3n * RAW_PER_UNIT.cpu + 5n,
  };
  const span = { startMs: Number(startS) * 1000, endMs: Number(GENESIS) * 1000 };
  book.add(ref, { ...span, metrics, isContinuous: true, faults: [] });
  return book.closeUntil(GENESIS)[0] as ClosedWindow;
}

describe("records of a window", () => {
  it("are pending, priced, floored, in the order of resources", () => {
    const records = recordsOf(window(), PRICES, 77);
    const short = records.map((each) => `${each.usageType} ${each.usageUnits}: ${each.cost}`);
    expect(short).toEqual(["cpu 3: 4", "memory 2: 4000", "gpu 2: 0"]);
    expect(records[0]).toMatchObject({
      ...{ state: "pending", denom: "uve", unitPrice: 15n * 10n ** 17n, createdMs: 77 },
      ...{ periodStart: GENESIS - 3600n, periodEnd: GENESIS, attempts: 0, txHash: "", usageId: "" },
    });
    expect(new Set(records.map(naturalKey)).size).toBe(3);
  });

  it("R-003-12 are what the chain takes and charges, the free one at price 0 too", async () => {
    const chain = await openChain();
    await activeEscrow(chain);
    const records = recordsOf(window(), PRICES, 77);
    await chain.ok(
      ...records.map((record) => ({
        ...signedReport(record, provider, CHAIN_ID),
        signer: provider,
      })),
    );
    const path = "virtengine.settlement.v1.Query/UsageRecordsByOrder";
    const { usageRecords } = await chain.query<{
      usageRecords: { usageType: string; totalCost: { amount: string }[] }[];
    }>(path, { orderId: ORDER });
    const charged = usageRecords.map(({ usageType, totalCost }) => {
      return `${usageType} ${totalCost.map(({ amount }) => amount).join()}`;
    });
    expect(charged).toEqual(["cpu 4", "memory 4000", "gpu "]);
  });

  it("are none without a price: the error names order and resource", () => {
    const prices = PriceBook.parse({ default: { cpu: "1uve" } }, "prices");
    expect(() => recordsOf(window(), prices, 77)).toThrow(/"order-1" has no price for memory/);
  });
});
