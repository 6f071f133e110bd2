import { type Coins, formatCoins } from "../../types/coins.ts";
import { attribute, type Event, event } from "../../types/event.ts";
import { secondsOf, type TimeNs } from "../../types/time.ts";

/**
 * Typed events: the type is the full name of the deployed event, every attribute plain text, times
 * in unix seconds, coins as "10uusd,5uve". The list with all attributes is in README.md.
 */
type Value = string | bigint | number | boolean | Coins | undefined;

function settlementEvent(name: string, values: Readonly<Record<string, Value>>): Event {
  const attributes: Record<string, string | undefined> = {};
  for (const [key, value] of Object.entries(values)) attributes[key] = textOf(value);
  return event(typeOf(name), attributes);
}

function typeOf(name: string): string {
  return `virtengine.settlement.v1.Event${name}`;
}

function textOf(value: Value): string | undefined {
  if (value === undefined || typeof value === "string") return value;
  return typeof value === "object" ? formatCoins(value) : value.toString();
}

const seconds = (time: TimeNs): bigint => secondsOf(time);

export function escrowCreated(e: {
  escrowId: string;
  orderId: string;
  depositor: string;
  amount: Coins;
  expiresAt: TimeNs;
  height: bigint;
}): Event {
  return settlementEvent("EscrowCreated", {
    escrow_id: e.escrowId,
    order_id: e.orderId,
    depositor: e.depositor,
    amount: e.amount,
    expires_at: seconds(e.expiresAt),
    block_height: e.height,
  });
}

export function escrowActivated(e: {
  escrowId: string;
  orderId: string;
  leaseId: string;
  recipient: string;
  at: TimeNs;
}): Event {
  return settlementEvent("EscrowActivated", {
    escrow_id: e.escrowId,
    order_id: e.orderId,
    lease_id: e.leaseId,
    recipient: e.recipient,
    activated_at: seconds(e.at),
  });
}

export interface EscrowPaid {
  readonly escrowId: string;
  readonly orderId: string;
  readonly party: string;
  readonly amount: Coins;
  readonly reason: string;
  readonly at: TimeNs;
}

export function escrowReleased(e: EscrowPaid): Event {
  const { escrowId: escrow_id, orderId: order_id, party: recipient, amount, reason } = e;
  const values = { escrow_id, order_id, recipient, amount, reason, released_at: seconds(e.at) };
  return settlementEvent("EscrowReleased", values);
}

export function escrowRefunded(e: EscrowPaid): Event {
  const { escrowId: escrow_id, orderId: order_id, party: depositor, amount, reason } = e;
  const values = { escrow_id, order_id, depositor, amount, reason, refunded_at: seconds(e.at) };
  return settlementEvent("EscrowRefunded", values);
}

export function escrowDisputed(e: {
  escrowId: string;
  orderId: string;
  reason: string;
  at: TimeNs;
}): Event {
  const { escrowId: escrow_id, orderId: order_id, reason } = e;
  const values = { escrow_id, order_id, reason, disputed_at: seconds(e.at) };
  return settlementEvent("EscrowDisputed", values);
}

export function escrowExpired(e: {
  escrowId: string;
  orderId: string;
  balance: Coins;
  at: TimeNs;
}): Event {
  const { escrowId: escrow_id, orderId: order_id, balance } = e;
  const values = { escrow_id, order_id, balance, expired_at: seconds(e.at) };
  return settlementEvent("EscrowExpired", values);
}

/** Expiry failed and will be tried again; nothing moved. */
export function escrowExpiryFailed(e: {
  escrowId: string;
  error: string;
  attempts: number;
}): Event {
  const values = { escrow_id: e.escrowId, error: e.error, attempts: e.attempts };
  return settlementEvent("EscrowExpiryFailed", values);
}

export function usageRecorded(e: {
  usageId: string;
  orderId: string;
  leaseId: string;
  provider: string;
  units: bigint;
  usageType: string;
  totalCost: string;
  at: TimeNs;
}): Event {
  // The one event of every usage record: built without detours.
  return {
    type: USAGE_RECORDED,
    attributes: [
      attribute("usage_id", e.usageId),
      attribute("order_id", e.orderId),
      attribute("lease_id", e.leaseId),
      attribute("provider", e.provider),
      attribute("usage_units", e.units.toString()),
      attribute("usage_type", e.usageType),
      attribute("total_cost", e.totalCost),
      attribute("recorded_at", seconds(e.at).toString()),
    ],
  };
}

const USAGE_RECORDED = typeOf("UsageRecorded");

export function usageAcknowledged(e: { usageId: string; customer: string; at: TimeNs }): Event {
  const values = { usage_id: e.usageId, customer: e.customer, acknowledged_at: seconds(e.at) };
  return settlementEvent("UsageAcknowledged", values);
}

export function usageWrittenOff(e: { usageId: string; cost: Coins; at: TimeNs }): Event {
  const values = { usage_id: e.usageId, total_cost: e.cost, written_off_at: seconds(e.at) };
  return settlementEvent("UsageWrittenOff", values);
}

/** Of a record that a final settlement closes with nothing paid and, without billing, no invoice. */
export function usageUnpaid(e: {
  usageId: string;
  orderId: string;
  cost: Coins;
  at: TimeNs;
}): Event {
  return settlementEvent("UsageUnpaid", {
    ...{ usage_id: e.usageId, order_id: e.orderId, total_cost: e.cost, closed_at: seconds(e.at) },
  });
}

export function orderSettled(e: {
  settlementId: string;
  orderId: string;
  escrowId: string;
  provider: string;
  customer: string;
  total: Coins;
  providerShare: Coins;
  platformFee: Coins;
  validatorFee: Coins;
  /** Both undefined for an order without discounts and tax. */
  discount: Coins | undefined;
  tax: Coins | undefined;
  type: string;
  isFinal: boolean;
  records: number;
  remaining: bigint;
  stoppedAt: string | undefined;
  at: TimeNs;
}): Event {
  return settlementEvent("OrderSettled", {
    settlement_id: e.settlementId,
    order_id: e.orderId,
    escrow_id: e.escrowId,
    provider: e.provider,
    customer: e.customer,
    total_amount: e.total,
    provider_share: e.providerShare,
    platform_fee: e.platformFee,
    validator_fee: e.validatorFee,
    discount: e.discount,
    tax: e.tax,
    settlement_type: e.type,
    is_final: e.isFinal,
    settled_at: seconds(e.at),
    records: e.records,
    records_remaining: e.remaining,
    stopped_at: e.stoppedAt,
  });
}

export function invoiceIssued(e: {
  invoiceId: string;
  settlementId: string;
  orderId: string;
  total: Coins;
  due: Coins;
  status: string;
}): Event {
  return settlementEvent("InvoiceIssued", {
    invoice_id: e.invoiceId,
    settlement_id: e.settlementId,
    order_id: e.orderId,
    total: e.total,
    amount_due: e.due,
    status: e.status,
  });
}

export function payoutCompleted(e: {
  payoutId: string;
  settlementId: string;
  invoiceId: string;
  provider: string;
  net: Coins;
  platformFee: Coins;
  at: TimeNs;
}): Event {
  return settlementEvent("PayoutCompleted", {
    payout_id: e.payoutId,
    settlement_id: e.settlementId,
    invoice_id: e.invoiceId,
    provider: e.provider,
    net_amount: e.net,
    platform_fee: e.platformFee,
    completed_at: seconds(e.at),
  });
}

export function rewardsDistributed(e: {
  distributionId: string;
  epoch: bigint;
  source: string;
  total: Coins;
  recipients: number;
  at: TimeNs;
}): Event {
  return settlementEvent("RewardsDistributed", {
    distribution_id: e.distributionId,
    epoch_number: e.epoch,
    source: e.source,
    total_rewards: e.total,
    recipient_count: e.recipients,
    distributed_at: seconds(e.at),
  });
}

export function rewardSkipped(e: { reference: string; amount: Coins; reason: string }): Event {
  const values = { reference_id: e.reference, amount: e.amount, reason: e.reason };
  return settlementEvent("RewardSkipped", values);
}

export function rewardsClaimed(e: {
  claimer: string;
  amount: Coins;
  source: string;
  at: TimeNs;
}): Event {
  const source = e.source === "" ? undefined : e.source;
  const values = { claimer: e.claimer, claimed_amount: e.amount, source };
  return settlementEvent("RewardsClaimed", { ...values, claimed_at: seconds(e.at) });
}

export function rewardExpiryFailed(e: { address: string; error: string; attempts: number }): Event {
  const values = { address: e.address, error: e.error, attempts: e.attempts };
  return settlementEvent("RewardExpiryFailed", values);
}

export function rewardsExpired(e: { address: string; amount: Coins; at: TimeNs }): Event {
  const values = { address: e.address, amount: e.amount, expired_at: seconds(e.at) };
  return settlementEvent("RewardsExpired", values);
}
