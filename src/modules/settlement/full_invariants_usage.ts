import type { FullInvariant } from "../../baseapp/module.ts";
import * as state from "../../gen/settled/settlement/v1/state.ts";
import { assert } from "../../lib/assert.ts";
import { equalBytes } from "../../lib/bytes.ts";
import type { Key } from "../../lib/key.ts";
import { KeyMap } from "../../lib/key_map.ts";
import type { Reader } from "../../store/read_view.ts";
import { type Dec, mulFloor } from "../../types/dec.ts";
import { cover, withReport } from "./coverage.ts";
import * as keys from "./keys.ts";
import { escrowBySeq } from "./query_records.ts";
import { holdsKey } from "./usage_facts.ts";
import { normaliseUsageType } from "../../types/usage_type.ts";

/** What meters and orders say of usage, against the records, on demand. */
export const usageFullInvariants: readonly FullInvariant[] = [
  { name: "coverage and last records of a meter are those of its records", check: metersFollow },
  { name: "a correction and what it corrects name each other", check: correctionsMatch },
  { name: "orders count their price ceilings", check: ceilingsAreCounted },
  { name: "the cost of every record is floor(unit price × units)", check: costsFollow },
];

/** The records of a meter in recording order give its coverage again, byte for byte. */
async function metersFollow(reader: Reader): Promise<void> {
  const meters = new KeyMap<state.Coverage>();
  for await (const [, value] of reader.range(keys.USAGE_PREFIX)) {
    const usage = state.UsageState.decode(value);
    const { orderId, leaseId } = await escrowBySeq(reader, usage.escrowSeq);
    const type = normaliseUsageType(usage.usageType);
    const key = keys.meterKey({ orderId, leaseId, type });
    meters.set(key, withRecord(meters.get(key), usage));
  }
  let count = 0;
  for await (const [key, value] of reader.range(keys.COVERAGE_PREFIX)) {
    const { meter } = state.Coverage.decode(value);
    const expected = meters.get(key);
    const bytes =
      expected === undefined ? undefined : state.Coverage.encode({ ...expected, meter }).finish();
    const isSame = bytes !== undefined && equalBytes(bytes, value);
    assert(isSame, "settlement: a meter's coverage is not that of its records", { meter });
    count += 1;
  }
  const expected = meters.size;
  assert(count === expected, "settlement: a meter has no coverage", { count, expected });
}

const NOTHING_COVERED = state.Coverage.fromPartial({});

function withRecord(before: state.Coverage | undefined, usage: state.UsageState): state.Coverage {
  const period = { start: usage.periodStart, end: usage.periodEnd };
  const covered = holdsKey(usage) ? cover(before, period) : (before ?? NOTHING_COVERED);
  return withReport(covered, usage);
}

async function correctionsMatch(reader: Reader): Promise<void> {
  const read = async (seq: bigint): Promise<state.UsageState | undefined> => {
    const bytes = await reader.get(keys.recordKey(keys.USAGE_PREFIX, seq));
    return bytes === undefined ? undefined : state.UsageState.decode(bytes);
  };
  for await (const [, value] of reader.range(keys.USAGE_PREFIX)) {
    const { seq, status, correctsSeq, correctedBySeq, settledAmount } =
      state.UsageState.decode(value);
    const isSuperseded = status === state.UsageStatus.USAGE_STATUS_SUPERSEDED;
    const facts = { usage: seq, corrects: correctsSeq, corrected_by: correctedBySeq };
    const next = isSuperseded ? await read(correctedBySeq) : undefined;
    const isFollowed = isSuperseded ? next?.correctsSeq === seq : correctedBySeq === 0n;
    assert(isFollowed, "settlement: a corrected record does not name its correction", facts);
    const old = correctsSeq === 0n ? undefined : await read(correctsSeq);
    const isNamed = correctsSeq === 0n || old?.correctedBySeq === seq;
    assert(isNamed, "settlement: a correction does not name its record", facts);
    const isPaid = settledAmount !== "" && settledAmount !== "0";
    assert(!isPaid || status === state.UsageStatus.USAGE_STATUS_SETTLED, NOT_SETTLED, facts);
  }
}

const NOT_SETTLED = "I-12 settlement: a record that is not settled was paid";

async function costsFollow(reader: Reader): Promise<void> {
  for await (const [, value] of reader.range(keys.USAGE_PREFIX)) {
    const { seq, units, unitPrice, cost } = state.UsageState.decode(value);
    const expected = mulFloor(BigInt(unitPrice) as Dec, units);
    const facts = { usage: seq, found: cost, expected };
    assert(cost === expected.toString(), "settlement: a record's cost is another", facts);
  }
}

async function ceilingsAreCounted(reader: Reader): Promise<void> {
  const counts = new KeyMap<number>();
  for await (const [, value] of reader.range(keys.PRICE_CEILING_PREFIX)) {
    const { orderId } = state.PriceCeilingState.decode(value);
    const key = keys.textIndexKey(keys.ORDER_PREFIX, orderId);
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  for await (const [key, value] of reader.range(keys.ORDER_PREFIX)) {
    const found = state.OrderState.decode(value).priceCeilings;
    const expected = counts.get(key) ?? 0;
    const order = orderOf(key);
    const facts = { order, found, expected };
    assert(found === expected, "settlement: price ceilings of an order are miscounted", facts);
  }
}

/** Behind the prefix and a length. */
function orderOf(key: Key): string {
  return key.slice(keys.ORDER_PREFIX.length + 1);
}
