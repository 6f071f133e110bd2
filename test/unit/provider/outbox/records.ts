import type { OutboxRecord } from "../../../../src/provider/outbox/outbox_record.ts";
import { NO_METRICS, rawUsage } from "../../../../src/provider/units.ts";
import type { ClosedWindow } from "../../../../src/provider/windows/closed_window.ts";

const HOUR = 3600n;

/** A pending record of an hour of an order; what differs is told. */
export function outboxRecord(order: number, hour: number, more: Partial<OutboxRecord> = {}) {
  const periodStart = 1_700_000_000n + BigInt(hour) * HOUR;
  const record: OutboxRecord = {
    ...{ orderId: `order-${order}`, leaseId: `lease-${order}`, usageType: "cpu" },
    ...{ periodStart, periodEnd: periodStart + HOUR, usageUnits: 10n + BigInt(hour) },
    ...{ denom: "uve", unitPrice: 1_500_000_000_000_000_000n, cost: 15n },
    ...{ state: "pending", attempts: 0, notBeforeMs: 0, txHash: "", usageId: "" },
    ...{ reason: undefined, createdMs: 1, changedMs: 1 },
    ...more,
  };
  return record;
}

export function closedWindow(order: number, hour: number): ClosedWindow {
  const { orderId, leaseId, periodStart, periodEnd } = outboxRecord(order, hour);
  return {
    ...{ order: orderId, lease: leaseId, start: periodStart, end: periodEnd },
    metrics: { ...NO_METRICS, cpuMilliseconds: 36_000_001n, memoryByteSeconds: 2n ** 70n },
    units: [{ resource: "cpu", units: 10n, since: periodStart }],
    carried: { ...rawUsage(NO_METRICS), cpu: 1n },
    ...{ isPartial: hour % 2 === 1, faults: hour % 2 === 1 ? ["no cpu.stat"] : [], late: [] },
  };
}
