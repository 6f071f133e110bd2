import type { TxInfo } from "../../client/client.ts";
import { readRecordUsage } from "../../client/settlement_msgs.ts";
import type { ChainUsage } from "../../client/usage_queries.ts";
import type { OutboxRecord } from "../outbox/outbox_record.ts";
import { failedMessage, type Refusal } from "../tx_facts.ts";
import { backOffMs, type BackOffBounds, type Random } from "./back_off.ts";
import type { FlyingTx } from "./flight.ts";
import { type Group, groupOf } from "./groups.ts";
import { foundRecord, includedRecord, pendingRecord, refusedRecord } from "./record_steps.ts";
import { rowOf, verdictOf } from "./refusal_table.ts";

/** What becomes of the records of a tx that flies no more. */
export interface Fate {
  readonly records: readonly OutboxRecord[];
  /** What is sent again as a tx of its own. */
  readonly groups: readonly Group[];
  /** Why all of them have to wait. */
  readonly pause?: Refusal;
  /** Why one of them was refused. */
  readonly refused?: RecordRefusal;
}

/** What the chain said of one record. */
export interface RecordRefusal {
  readonly refusal: Refusal;
  /** Whose records are all refused alike; undefined: it holds for the one alone. */
  readonly orderId: string | undefined;
  /** Whether the chain may take it later. */
  readonly isForNow: boolean;
}

/** `look`: the chain's records of the periods have to be asked for first. */
export type Judgement = Fate | "look";

export interface FateContext {
  readonly nowMs: number;
  readonly retry: BackOffBounds;
  readonly random: Random;
}

/** A tx that was sent, or one that a node was asked about. */
type Judged = Pick<FlyingTx, "records" | "gasFactor">;

const GAS_FACTOR_MAX = 16n;

/** The fate of a tx that is in a block. */
export function fateInBlock(tx: FlyingTx, info: TxInfo, context: FateContext): Judgement {
  if (info.code !== 0) return fateOfRefusal(tx, info, context);
  // A node that keeps no results, or not all of them, cannot tell the ids.
  if (info.responses.length !== tx.records.length) return "look";
  const records = tx.records.map((record, at) => {
    const { usageId } = readRecordUsage(info.responses[at]?.value ?? new Uint8Array(0));
    return includedRecord(record, usageId, context.nowMs);
  });
  return { records, groups: [] };
}

/** The fate of a tx that failed in a block, or that a node refused and that is in none. */
export function fateOfRefusal(tx: Judged, refusal: Refusal, context: FateContext): Judgement {
  const { records, gasFactor } = tx;
  const { nowMs } = context;
  const again = () => records.map((record) => pendingRecord(record, nowMs));
  switch (verdictOf(refusal, records.length)) {
    case "repeat":
      return "look";
    case "poison":
      return withoutOne(tx, refusal, (record) => refusedRecord(record, refusal, nowMs), context);
    case "later": {
      const later = (record: OutboxRecord) => laterRecord(record, refusal, context);
      return withoutOne(tx, refusal, later, context);
    }
    case "gas": {
      if (gasFactor < GAS_FACTOR_MAX) {
        return { records: again(), groups: [groupOf(records, gasFactor * 2n)] };
      }
      return halves(tx, refusal, context);
    }
    case "split":
      return halves(tx, refusal, context);
    case "pause":
      return { records: again(), groups: [], pause: refusal };
    case "sequence":
    case "expired":
    case "room":
      return { records: again(), groups: [] };
  }
}

/** The fate of a tx that is in no block: all of it is sent again. */
export function fateAgain({ records }: Pick<Judged, "records">, { nowMs }: FateContext): Fate {
  return { records: records.map((record) => pendingRecord(record, nowMs)), groups: [] };
}

/** The fate of a tx whose periods were asked for: undefined where the chain has no record. */
export function fateOfLookup(
  tx: Pick<Judged, "records">,
  found: readonly (ChainUsage | undefined)[],
  { nowMs }: FateContext,
): Fate {
  const records = tx.records.map((record, at) => {
    const usage = found[at];
    return usage === undefined ? pendingRecord(record, nowMs) : foundRecord(record, usage, nowMs);
  });
  return { records, groups: [] };
}

/** One is taken out, with those that its refusal holds for as well; the rest goes again. */
function withoutOne(
  tx: Judged,
  refusal: Refusal,
  change: (record: OutboxRecord) => OutboxRecord,
  { nowMs }: FateContext,
): Fate {
  const { records, gasFactor } = tx;
  const named = records[records.length === 1 ? 0 : (failedMessage(refusal.log) ?? -1)];
  const isOfOrder = rowOf(refusal)?.isOfOrder === true;
  const isOut = (record: OutboxRecord) =>
    record === named || (isOfOrder && record.orderId === named?.orderId);
  const changed = records.map((record) => {
    return isOut(record) ? change(record) : pendingRecord(record, nowMs);
  });
  const rest = records.filter((record) => !isOut(record));
  const refused: RecordRefusal = {
    refusal,
    orderId: isOfOrder ? named?.orderId : undefined,
    isForNow: verdictOf(refusal, records.length) === "later",
  };
  return { records: changed, groups: [groupOf(rest, gasFactor)], refused };
}

function halves(tx: Judged, refusal: Refusal, context: FateContext): Fate {
  const { records, gasFactor } = tx;
  if (records.length === 1) {
    const refused = (record: OutboxRecord) => refusedRecord(record, refusal, context.nowMs);
    return withoutOne(tx, refusal, refused, context);
  }
  const middle = records.length >> 1;
  const parts = [records.slice(0, middle), records.slice(middle)];
  return {
    records: records.map((record) => pendingRecord(record, context.nowMs)),
    groups: parts.map((part) => groupOf(part, gasFactor)),
  };
}

function laterRecord(record: OutboxRecord, refusal: Refusal, context: FateContext): OutboxRecord {
  const { nowMs, retry, random } = context;
  const waitMs = backOffMs(Math.max(record.attempts, 1), retry, random);
  return pendingRecord(record, nowMs, nowMs + waitMs, refusal);
}
