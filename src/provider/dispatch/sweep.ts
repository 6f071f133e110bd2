import type { Client } from "../../client/client.ts";
import {
  type ChainUsage,
  openDisputesOfProvider,
  payoutLedger,
  payoutsOfProvider,
  settlementsOfProvider,
  usageOfProvider,
} from "../../client/usage_queries.ts";
import { type Dec, mulFloor } from "../../types/dec.ts";
import { secondsOf, type TimeNs } from "../../types/time.ts";
import type { Outbox } from "../outbox/outbox.ts";
import { naturalKey, type OutboxRecord } from "../outbox/outbox_record.ts";
import {
  DISPUTE_NOTES,
  disputeNote,
  HEIGHT_NOTE,
  NO_SUMS,
  type OpenDispute,
  type OpenPayout,
  orderNote,
  PAYOUT_NOTES,
  payoutNote,
  plus,
  SUMS_NOTE,
  type Sums,
} from "./money.ts";
import { stateOf, withdrawnRecord } from "./record_steps.ts";

type Coins = readonly { readonly denom: string; readonly amount: string }[];

/** Payouts in these states are still to come. */
const OPEN_STATES: Readonly<Record<string, string>> = {
  pending: "pending",
  processing: "pending",
  failed: "failed",
  held: "held",
};

/**
 * Brings records and sums to what the chain says as of a height, page by page, where its blocks
 * cannot be followed from where the outbox is. Everything is as of that height, so blocks are
 * followed from the next one on.
 * @returns the records that changed, by natural key
 */
export async function sweep(
  outbox: Outbox,
  client: Client,
  at: { readonly provider: string; readonly height: bigint; readonly nowMs: number },
): Promise<number> {
  const { provider, height, nowMs } = at;
  let changed = 0;
  for await (const page of usageOfProvider(client, provider, height)) {
    const records: OutboxRecord[] = [];
    for (const usage of page) {
      const record = await outbox.record(naturalKey(usage));
      const raised = record === undefined ? undefined : raisedTo(record, usage, nowMs);
      if (raised !== undefined) records.push(raised);
    }
    changed += records.length;
    if (records.length > 0) await outbox.write({ records });
  }
  const notes = new Map<string, string | undefined>();
  for (const kind of [PAYOUT_NOTES, DISPUTE_NOTES]) {
    for (const name of (await outbox.notes(kind)).keys()) notes.set(name, undefined);
  }
  await sumUp(client, provider, height, notes);
  for await (const page of openDisputesOfProvider(client, provider, height)) {
    for (const { disputeId, usageId, orderId, reason, expiresAtNs } of page) {
      const expiresAt = secondsOf(expiresAtNs as TimeNs).toString();
      const dispute: OpenDispute = { usageId, orderId, reason, expiresAt };
      notes.set(disputeNote(disputeId), JSON.stringify(dispute));
    }
  }
  notes.set(HEIGHT_NOTE, height.toString());
  await outbox.write({ notes });
  return changed;
}

async function sumUp(
  client: Client,
  provider: string,
  height: bigint,
  notes: Map<string, string | undefined>,
): Promise<void> {
  const sums = new Map<string, Sums>();
  const add = (orderId: string, field: keyof Sums, amount: Coins) => {
    for (const name of [SUMS_NOTE, orderNote(orderId)]) {
      const before = sums.get(name) ?? NO_SUMS;
      sums.set(name, { ...before, [field]: plus(before[field], textOf(amount)) });
    }
  };
  for await (const page of settlementsOfProvider(client, provider, height)) {
    for (const { orderId, settlementType, totalAmount, providerShare } of page) {
      if (settlementType === "refund") add(orderId, "refunded", totalAmount);
      else {
        add(orderId, "settled", totalAmount);
        add(orderId, "share", providerShare);
      }
    }
  }
  for await (const page of payoutsOfProvider(client, provider, height)) {
    for (const payout of page) {
      const { payoutId, orderId, settlementId, netAmount } = payout;
      const state = OPEN_STATES[payout.state];
      if (payout.state === "completed") {
        add(orderId, "paid", netAmount);
        if (payout.holdbackAmount.length > 0) {
          const lines = await payoutLedger(client, payoutId, height);
          const released = lines.filter(({ kind }) => kind === "holdback_released");
          for (const { amount } of released) add(orderId, "paid", amount);
        }
      }
      if (state === undefined) continue;
      const reason = state === "held" ? payout.holdReason : payout.lastError;
      const open: OpenPayout = { orderId, settlementId, state, net: textOf(netAmount), reason };
      notes.set(payoutNote(payoutId), JSON.stringify(open));
    }
  }
  for (const [name, sum] of sums) notes.set(name, JSON.stringify(sum));
}

/** undefined: the outbox knows as much. */
function raisedTo(
  record: OutboxRecord,
  usage: ChainUsage,
  nowMs: number,
): OutboxRecord | undefined {
  const isOnChain = ["included", "acknowledged", "settled"].includes(record.state);
  if (!isOnChain || usage.status === "superseded") return undefined;
  if (usage.status === "withdrawn") {
    return usage.usageId === record.usageId ? withdrawnRecord(record, "", nowMs) : undefined;
  }
  const state = stateOf(usage);
  if (state === record.state && usage.usageId === record.usageId) return undefined;
  const { usageId, usageUnits, unitPrice, denom } = usage;
  const cost = mulFloor(unitPrice as Dec, usageUnits);
  const found = { usageId, usageUnits, unitPrice, denom, cost };
  return { ...record, ...found, state, changedMs: nowMs };
}

function textOf(coins: Coins): string {
  return coins.map(({ denom, amount }) => amount + denom).join(",");
}
