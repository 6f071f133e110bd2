import { type BilledCharge, type Charge, chargeText, groupOf } from "./charge.ts";

/**
 * - `billed_twice`: the same usage is on the chain more than once.
 * - `lost`: metered, and not billed at all.
 * - `wrong_amount`: billed once, for another amount or other units than metered.
 * - `unknown`: billed, and nothing like it was metered.
 */
export const FINDING_KINDS = ["billed_twice", "lost", "wrong_amount", "unknown"] as const;

export type FindingKind = (typeof FINDING_KINDS)[number];

/** One difference between what was metered and what the chain bills. */
export interface Finding {
  readonly kind: FindingKind;
  /** The first metered charge; of `unknown`, the billed one. */
  readonly of: Charge;
  /** How many times it is billed. */
  readonly times: number;
  readonly unitsMetered: bigint;
  readonly unitsBilled: bigint;
  /** Billed less metered, by denom; none is 0. */
  readonly difference: ReadonlyMap<string, bigint>;
  readonly usageIds: readonly string[];
}

/** What was metered against what the chain bills. */
export interface Comparison {
  readonly metered: ReadonlyMap<string, bigint>;
  readonly billed: ReadonlyMap<string, bigint>;
  /** Charges on either side. */
  readonly meteredCount: number;
  readonly billedCount: number;
  readonly findings: readonly Finding[];
}

/**
 * Compares in money. Periods need not be cut alike: what overlaps is compared as a whole. A record
 * that overlaps nothing metered counts as a repeat of the nearest charge with the same units and
 * cost, because that is what a daemon does that bills twice where the chain refuses repeats.
 */
export function compare(metered: readonly Charge[], billed: readonly BilledCharge[]): Comparison {
  const findings: Finding[] = [];
  const groups = new Map<string, { metered: Charge[]; billed: BilledCharge[] }>();
  const groupFor = (charge: Charge) => {
    const name = groupOf(charge);
    const group = groups.get(name) ?? { metered: [], billed: [] };
    groups.set(name, group);
    return group;
  };
  for (const charge of metered) groupFor(charge).metered.push(charge);
  for (const charge of billed) groupFor(charge).billed.push(charge);
  for (const group of groups.values()) {
    for (const cluster of clustersOf(group.metered, group.billed)) {
      const finding = judge(cluster);
      if (finding !== undefined) findings.push(finding);
    }
  }
  return {
    metered: totals(metered),
    billed: totals(billed),
    meteredCount: metered.length,
    billedCount: billed.length,
    findings,
  };
}

/** Charges of one lease and type that belong together. */
interface Cluster {
  start: bigint;
  end: bigint;
  readonly metered: Charge[];
  readonly billed: BilledCharge[];
  /** Whether a billed one overlaps another, or none of the metered ones. */
  hasRepeat: boolean;
}

function clustersOf(metered: readonly Charge[], billed: readonly BilledCharge[]): Cluster[] {
  const rows = [
    ...metered.map((charge) => ({ charge, bill: undefined })),
    ...billed.map((bill) => ({ charge: bill, bill })),
  ].sort((a, b) => compareTimes(a.charge, b.charge));
  const clusters: Cluster[] = [];
  for (const { charge, bill } of rows) {
    let cluster = clusters.at(-1);
    if (cluster === undefined || charge.start >= cluster.end) {
      const { start, end } = charge;
      cluster = { start, end, metered: [], billed: [], hasRepeat: false };
      clusters.push(cluster);
    }
    if (charge.end > cluster.end) cluster.end = charge.end;
    if (bill === undefined) cluster.metered.push(charge);
    else {
      const isRepeat = cluster.billed.some((other) => other.end > bill.start);
      if (isRepeat) cluster.hasRepeat = true;
      cluster.billed.push(bill);
    }
  }
  return withRepeats(clusters);
}

function compareTimes(a: Charge, b: Charge): number {
  if (a.start !== b.start) return a.start < b.start ? -1 : 1;
  if (a.end !== b.end) return a.end < b.end ? -1 : 1;
  return 0;
}

/** Gives billed charges that stand alone to the charge that they repeat, if there is one. */
function withRepeats(clusters: readonly Cluster[]): Cluster[] {
  const originals = clusters.filter((cluster) => cluster.metered.length > 0);
  const kept: Cluster[] = [...originals];
  for (const cluster of clusters) {
    if (cluster.metered.length > 0) continue;
    for (const bill of cluster.billed) {
      const alike = originals.filter((each) => each.metered.some((one) => isAlike(one, bill)));
      const original = nearest(alike, bill);
      if (original === undefined) {
        const { start, end } = bill;
        kept.push({ start, end, metered: [], billed: [bill], hasRepeat: false });
      } else {
        original.billed.push(bill);
        if (original.billed.length > original.metered.length) original.hasRepeat = true;
      }
    }
  }
  return kept;
}

function isAlike(a: Charge, b: Charge): boolean {
  return a.units === b.units && a.denom === b.denom && a.cost === b.cost;
}

/** Unbilled ones first: a record with a wrong period is one bill, not two. */
function nearest(clusters: readonly Cluster[], bill: Charge): Cluster | undefined {
  const unbilled = clusters.filter((cluster) => cluster.billed.length === 0);
  const candidates = unbilled.length > 0 ? unbilled : clusters;
  const distance = ({ start }: Cluster) =>
    start > bill.start ? start - bill.start : bill.start - start;
  return [...candidates].sort((a, b) => (distance(a) < distance(b) ? -1 : 1))[0];
}

function judge({ metered, billed, hasRepeat }: Cluster): Finding | undefined {
  const difference = differenceOf(totals(metered), totals(billed));
  const [unitsMetered, unitsBilled] = [unitsOf(metered), unitsOf(billed)];
  const of = metered[0] ?? billed[0];
  if (of === undefined) return undefined;
  const usageIds = billed.map(({ usageId }) => usageId);
  const facts = { of, unitsMetered, unitsBilled, difference, usageIds };
  if (metered.length === 0) return { kind: "unknown", times: 1, ...facts };
  if (billed.length === 0) {
    // A charge of no money and no units (a price of 0) may stay away.
    const isNothing = difference.size === 0 && unitsMetered === 0n;
    return isNothing ? undefined : { kind: "lost", times: 0, ...facts };
  }
  if (difference.size === 0 && unitsMetered === unitsBilled) return undefined;
  const isMore = unitsBilled > unitsMetered;
  if (hasRepeat && isMore) {
    const times = Math.max(2, billed.length - metered.length + 1);
    return { kind: "billed_twice", times, ...facts };
  }
  return { kind: "wrong_amount", times: 1, ...facts };
}

function unitsOf(charges: readonly Charge[]): bigint {
  return charges.reduce((sum, { units }) => sum + units, 0n);
}

function totals(charges: readonly Charge[]): Map<string, bigint> {
  const sums = new Map<string, bigint>();
  for (const { denom, cost } of charges) sums.set(denom, (sums.get(denom) ?? 0n) + cost);
  return sums;
}

function differenceOf(
  metered: ReadonlyMap<string, bigint>,
  billed: ReadonlyMap<string, bigint>,
): Map<string, bigint> {
  const denoms = new Set([...metered.keys(), ...billed.keys()]);
  const rows = [...denoms].map((denom): [string, bigint] => [
    denom,
    (billed.get(denom) ?? 0n) - (metered.get(denom) ?? 0n),
  ]);
  return new Map(rows.filter(([, amount]) => amount !== 0n));
}

/** "billed 3 times, +12500uve: cpu of order-1/lease-1, …". */
export function findingText(finding: Finding): string {
  const { kind, of, times, unitsMetered, unitsBilled } = finding;
  const money = amountsText(finding.difference, true);
  const ids = finding.usageIds.length === 0 ? "" : ` (${finding.usageIds.join(", ")})`;
  const units = `${unitsBilled} units for ${unitsMetered}`;
  const what = {
    billed_twice: `billed ${times} times, ${money}`,
    lost: `not billed, ${money}`,
    wrong_amount: `billed ${units}, ${money}`,
    unknown: `billed, and never metered, ${money}`,
  }[kind];
  return `${what}: ${chargeText(of)}${ids}`;
}

/** "12500uve, 3uusd"; with signs, "+12500uve". */
export function amountsText(amounts: ReadonlyMap<string, bigint>, isSigned = false): string {
  const parts = [...amounts]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([denom, amount]) => `${isSigned && amount > 0n ? "+" : ""}${amount}${denom}`);
  return parts.length === 0 ? "0" : parts.join(", ");
}

/** The kind of a list of findings that says most: of FINDING_KINDS the first that is there. */
export function worstOf(findings: readonly Finding[]): FindingKind | undefined {
  return FINDING_KINDS.find((kind) => findings.some((finding) => finding.kind === kind));
}
