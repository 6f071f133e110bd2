import type { OutboxRecord } from "../outbox/outbox_record.ts";
import type { PriceBook } from "../price_book.ts";
import type { ClosedWindow } from "./closed_window.ts";

/**
 * What a closed window bills: a pending record for each resource that has units, in the order of
 * RESOURCES, each from where the one of that resource before it ended. What is free is a record too, at price 0.
 * @throws ProviderError `missing_price`; the window must not be written without its records.
 */
export function recordsOf(window: ClosedWindow, prices: PriceBook, nowMs: number): OutboxRecord[] {
  return window.units.map(({ resource, units, since }) => {
    return {
      orderId: window.order,
      leaseId: window.lease,
      usageType: resource,
      periodStart: since,
      periodEnd: window.end,
      usageUnits: units,
      ...prices.chargeOf(window.order, resource, units),
      state: "pending",
      attempts: 0,
      notBeforeMs: 0,
      txHash: "",
      usageId: "",
      reason: undefined,
      createdMs: nowMs,
      changedMs: nowMs,
    };
  });
}
