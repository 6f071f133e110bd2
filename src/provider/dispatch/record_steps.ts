import type { ChainUsage } from "../../client/usage_queries.ts";
import type { OutboxRecord, RecordReason } from "../outbox/outbox_record.ts";
import type { Refusal } from "../tx_facts.ts";

/** Texts of the chain are bounded in length here: one is kept with every record. */
const LOG_MAX = 500;

/** The steps of a record from state to state, each with the time of the change. */

export function sentRecord(record: OutboxRecord, txHash: string, nowMs: number): OutboxRecord {
  const attempts = record.attempts + 1;
  return { ...record, state: "sent", attempts, notBeforeMs: 0, txHash, changedMs: nowMs };
}

export function includedRecord(record: OutboxRecord, usageId: string, nowMs: number): OutboxRecord {
  return { ...record, state: "included", usageId, reason: undefined, changedMs: nowMs };
}

/** To be sent again; @param notBeforeMs 0: at once */
export function pendingRecord(
  record: OutboxRecord,
  nowMs: number,
  notBeforeMs = 0,
  reason: Refusal | undefined = undefined,
): OutboxRecord {
  const why = reason === undefined ? record.reason : reasonOf(reason);
  return { ...record, state: "pending", notBeforeMs, reason: why, changedMs: nowMs };
}

export function refusedRecord(record: OutboxRecord, reason: Refusal, nowMs: number): OutboxRecord {
  return { ...record, state: "refused", reason: reasonOf(reason), changedMs: nowMs };
}

/**
 * What a record is whose period the chain has: included, acknowledged or settled when the chain's
 * units and price are its own; otherwise refused, with both.
 */
export function foundRecord(record: OutboxRecord, usage: ChainUsage, nowMs: number): OutboxRecord {
  const isSame =
    usage.usageUnits === record.usageUnits &&
    usage.unitPrice === record.unitPrice &&
    usage.denom === record.denom;
  if (!isSame) return refusedRecord(record, conflict(record, usage), nowMs);
  return { ...includedRecord(record, usage.usageId, nowMs), state: stateOf(usage) };
}

const WITHDRAWN = "withdrawn on the chain: ";

/** Whether a record is one that `withdrawnRecord` made. */
export function isWithdrawn({ state, reason }: OutboxRecord): boolean {
  return state === "parked" && reason?.log.startsWith(WITHDRAWN) === true;
}

/** One that the provider has withdrawn on the chain: it is not to be sent again by itself. */
export function withdrawnRecord(record: OutboxRecord, why: string, nowMs: number): OutboxRecord {
  const reason = { codespace: "settlement", code: 0, log: `${WITHDRAWN}${why}`.slice(0, LOG_MAX) };
  return { ...record, state: "parked", usageId: "", reason, changedMs: nowMs };
}

/** What the chain has is further than "included". */
export function stateOf(usage: ChainUsage): "included" | "acknowledged" | "settled" {
  if (usage.isSettled || usage.status === "written_off") return "settled";
  return usage.isAcknowledged ? "acknowledged" : "included";
}

const USAGE_RECORD_EXISTS = 1514;

function conflict(record: OutboxRecord, usage: ChainUsage): Refusal {
  const ours = `${record.usageUnits} units at ${record.unitPrice} atomics of ${record.denom}`;
  const theirs = `${usage.usageUnits} units at ${usage.unitPrice} atomics of ${usage.denom}`;
  return {
    codespace: "settlement",
    code: USAGE_RECORD_EXISTS,
    log: `the chain has ${theirs} as ${usage.usageId} for this period, this record has ${ours}`,
  };
}

function reasonOf({ codespace, code, log }: Refusal): RecordReason {
  return { codespace, code, log: log.slice(0, LOG_MAX) };
}
