import { createHash } from "node:crypto";
import type { Signer } from "../client/signer.ts";
import {
  acknowledgeSignBytes,
  acknowledgeUsage,
  recordUsage,
  usageSignBytes,
} from "../client/settlement_msgs.ts";
import type { EncodedMessage } from "../client/wire.ts";
import type { PriceBook } from "./price_book.ts";
import type { ResourceUnits } from "./units.ts";
import type { MeteredWindow } from "./window.ts";

/** One usage report: one resource of one window, ready to be signed. */
export interface UsageReport {
  readonly orderId: string;
  readonly leaseId: string;
  readonly usageType: string;
  readonly usageUnits: bigint;
  /** Unix seconds. */
  readonly periodStart: bigint;
  readonly periodEnd: bigint;
  readonly denom: string;
  /** Atomics: 10^-18 of the denom per unit. */
  readonly unitPrice: bigint;
  /** What the chain will charge, floored. */
  readonly cost: bigint;
}

/**
 * Reports of a window whose units are known, in their order, all with the window's period.
 * `epoch` is the unix time of the file's zero.
 * @throws ProviderError `missing_price`
 */
export function reportsOf(
  window: MeteredWindow,
  units: readonly ResourceUnits[],
  prices: PriceBook,
  epoch: bigint,
): UsageReport[] {
  return units.map(({ resource, units: usageUnits }) => ({
    orderId: window.order,
    leaseId: window.lease,
    usageType: resource,
    usageUnits,
    periodStart: epoch + window.start,
    periodEnd: epoch + window.end,
    ...prices.chargeOf(window.order, resource, usageUnits),
  }));
}

/** MsgRecordUsage of a report, with the provider's signature over its sign document. */
export function signedReport(
  report: UsageReport,
  provider: Signer,
  chainId: string,
): EncodedMessage {
  const { orderId, leaseId, usageType, usageUnits, periodStart, periodEnd } = report;
  const unitPrice = { denom: report.denom, amount: report.unitPrice.toString() };
  const signed = { orderId, leaseId, usageType, usageUnits, periodStart, periodEnd, unitPrice };
  const signature = provider.sign(sha256(usageSignBytes({ chainId, ...signed })));
  return recordUsage({ sender: provider.address, ...signed, signature });
}

/** MsgAcknowledgeUsage, with the customer's signature over its sign document. */
export function signedAcknowledgement(
  record: { readonly usageId: string; readonly totalCost: string },
  customer: Signer,
  chainId: string,
): EncodedMessage {
  const { usageId, totalCost } = record;
  const signature = customer.sign(sha256(acknowledgeSignBytes({ chainId, usageId, totalCost })));
  return acknowledgeUsage({ sender: customer.address, usageId, signature });
}

function sha256(bytes: Uint8Array): Uint8Array {
  return createHash("sha256").update(bytes).digest();
}

/** What tells records of one order and lease apart: type and period. */
export function recordKey(record: {
  readonly usageType: string;
  readonly periodStart: bigint;
  readonly periodEnd: bigint;
}): string {
  return `${record.usageType}/${record.periodStart}/${record.periodEnd}`;
}
