import type { Context } from "../../baseapp/context.ts";
import { fieldError } from "../../baseapp/genesis_error.ts";
import * as state from "../../gen/settled/settlement/v1/state.ts";
import { must } from "../../lib/assert.ts";
import { parseInteger, toSafeNumber } from "../../lib/int.ts";
import { bytesOfKey, type Key } from "../../lib/key.ts";
import { KeyMap } from "../../lib/key_map.ts";
import { isDenom } from "../../types/denom.ts";
import { cover, requireFewGaps, withReport } from "./coverage.ts";
import { bySeq, escrowOf, writeEach } from "./genesis_lists.ts";
import { CEILING_STEPS_MAX, writeCeiling } from "./keeper_ceiling.ts";
import * as keys from "./keys.ts";
import type { Records } from "./records.ts";
import { holdsKey } from "./usage_facts.ts";
import { listSettled, settledListKey, UsageLists } from "./usage_lists.ts";
import { normaliseUsageType } from "../../types/usage_type.ts";

interface Written {
  readonly usage: state.UsageState;
  readonly field: string;
  /** Key of its coverage. */
  readonly meter: Key;
}

/** Writes usage records with what follows from them: coverage, natural keys, lists. */
export function writeUsage(ctx: Context, records: Records, genesis: state.GenesisState): void {
  const written: Written[] = [];
  writeEach({ name: "usage", records: genesis.usage, keyOf: bySeq }, (usage, field) => {
    const { orderId, leaseId } = escrowOf(ctx, records, usage, field);
    const type = normaliseUsageType(usage.usageType);
    const meter = keys.meterKey({ orderId, leaseId, type });
    const before = records.coverage(ctx, meter);
    const period = { start: usage.periodStart, end: usage.periodEnd };
    const covered = holdsKey(usage) ? cover(before, period) : (before ?? NOTHING_COVERED);
    records.setCoverage(ctx, meter, covered);
    records.importUsage(ctx, usage);
    written.push({ usage, field, meter });
  });
  written.sort((a, b) => (a.usage.seq < b.usage.seq ? -1 : 1));
  checkCorrections(written);
  const lists = new UsageLists((seq) => {
    return must(records.escrow(ctx, seq), "settlement: usage has an escrow");
  });
  for (const each of written) {
    const { usage } = each;
    lists.add(usage);
    const number = noteOnMeter(ctx, records, each);
    const key = keys.naturalKey(number, usage.periodStart);
    if (holdsKey(usage)) ctx.kv.set(key, bytesOfKey(keys.seqKey(usage.seq)));
  }
  lists.write(ctx.kv);
  listAllSettled(ctx, written);
}

const NOTHING_COVERED = state.Coverage.fromPartial({});

/** Those of one settlement, or of one invoice without a settlement, stand in one list. */
function listAllSettled(ctx: Context, written: readonly Written[]): void {
  const settled = new KeyMap<state.UsageState[]>();
  for (const { usage } of written) {
    const key = settledListKey(usage);
    const list = key === undefined ? undefined : settled.get(key);
    if (list !== undefined) list.push(usage);
    else if (key !== undefined) settled.set(key, [usage]);
  }
  for (const list of settled.sortedValues()) {
    const seqs = list.map(({ seq }) => toSafeNumber(seq));
    listSettled(ctx, list[0] as state.UsageState, seqs);
  }
}

/**
 * Notes a record among its meter's last ones. Meters have numbers in the order of recording, as
 * they had the first time.
 * @returns the meter's number
 */
function noteOnMeter(ctx: Context, records: Records, { usage, field, meter }: Written): bigint {
  const before = must(records.coverage(ctx, meter), "settlement: a record has its coverage");
  try {
    requireFewGaps(before);
  } catch (error) {
    throw fieldError(field, error instanceof Error ? error.message : String(error));
  }
  const number = before.meter === 0n ? records.take(ctx, "meter") : before.meter;
  const after = withReport({ ...before, meter: number }, usage);
  records.setCoverage(ctx, meter, after);
  if (usage.correctsSeq === 0n && usage.meterPlace !== after.reports) {
    const detail = `expected ${after.reports}, found ${usage.meterPlace}`;
    throw fieldError(`${field}.meter_place`, detail);
  }
  return number;
}

/** A correction and what it corrects name each other, and are of one escrow, meter and period. */
function checkCorrections(written: readonly Written[]): void {
  const bySeqText = new KeyMap<Written>();
  for (const each of written) bySeqText.set(each.usage.seq.toString(), each);
  for (const { usage, field, meter } of written) {
    const { seq, correctsSeq, correctedBySeq } = usage;
    const old = correctsSeq === 0n ? undefined : bySeqText.get(correctsSeq.toString());
    if (correctsSeq !== 0n) {
      const isOfOld = old !== undefined && old.usage.correctedBySeq === seq && old.meter === meter;
      if (!isOfOld || correctsSeq >= seq || !isSameReport(old.usage, usage)) {
        const detail = `${correctsSeq} is no earlier record of this period that ${seq} corrects`;
        throw fieldError(`${field}.corrects_seq`, detail);
      }
    }
    const isSuperseded = usage.status === state.UsageStatus.USAGE_STATUS_SUPERSEDED;
    const next = bySeqText.get(correctedBySeq.toString());
    const isFollowed = next !== undefined && next.usage.correctsSeq === seq;
    if (isSuperseded ? !isFollowed : correctedBySeq !== 0n) {
      const detail = `expected the record that corrects ${seq}, or 0 where none does, found ${correctedBySeq}`;
      throw fieldError(`${field}.corrected_by_seq`, detail);
    }
  }
}

function isSameReport(a: state.UsageState, b: state.UsageState): boolean {
  return (
    a.escrowSeq === b.escrowSeq &&
    a.periodStart === b.periodStart &&
    a.periodEnd === b.periodEnd &&
    a.submittedAtNs === b.submittedAtNs &&
    a.meterPlace === b.meterPlace
  );
}

/** Writes price ceilings, of orders that are there. @throws ChainError genesis/2 */
export function writeCeilings(
  ctx: Context,
  records: Records,
  { priceCeilings }: state.GenesisState,
): void {
  const keyOf = ({ orderId, usageType }: state.PriceCeilingState): string =>
    keys.priceCeilingKey(orderId, usageType);
  writeEach({ name: "price_ceilings", records: priceCeilings, keyOf }, (ceiling, field) => {
    const { orderId, usageType, steps } = ceiling;
    if (records.order(ctx, orderId) === undefined) {
      throw fieldError(`${field}.order_id`, `there is no order "${orderId}"`);
    }
    if (usageType === "" || normaliseUsageType(usageType) !== usageType) {
      throw fieldError(`${field}.usage_type`, `expected a normalised type, found "${usageType}"`);
    }
    if (steps.length === 0 || steps.length > CEILING_STEPS_MAX) {
      throw fieldError(
        `${field}.steps`,
        `expected 1 to ${CEILING_STEPS_MAX}, found ${steps.length}`,
      );
    }
    steps.forEach((step, index) => {
      if (isStep(step, steps[index - 1])) return;
      throw fieldError(`${field}.steps[${index}]`, "expected a later time, a denom and a price");
    });
    writeCeiling(ctx, records, ceiling);
  });
}

function isStep(step: state.PriceCeilingStep, last: state.PriceCeilingStep | undefined): boolean {
  if (last !== undefined && last.from >= step.from) return false;
  if (step.maxUnitPrice === "") return step.denom === "";
  return isDenom(step.denom) && (parseInteger(step.maxUnitPrice) ?? -1n) >= 0n;
}
