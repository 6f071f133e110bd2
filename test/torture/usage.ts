import type { Random } from "../../src/torture/random.ts";
import { billsOf, type Price, type Row, type Terms, TYPES, type UsageType } from "./oracle.ts";

/** What a daemon is fed with in one run. */
export interface Usage {
  /** In the file's order: leases in turns, each by time. */
  readonly rows: readonly Row[];
  readonly terms: Terms;
  readonly orders: readonly string[];
}

const HOUR = 3600;
const DAY = 24 * HOUR;
const ATOMICS = 10n ** 18n;
/** Rewards of an epoch are capped, and customers have so much: a run stays far below. */
const COST_MAX: Readonly<Record<string, bigint>> = { uve: 500_000_000n, uusd: 100_000_000n };

/** Draws usage of one to four leases; `name` makes the order ids of runs differ. */
export function drawUsage(random: Random, name: string, nowS: number): Usage {
  const interval = random.pick([300, 900, 3600, 3600, 7200, 21_600]);
  const leases = random.between(1, 4);
  const orders = Array.from({ length: leases }, (_, index) => `${name}-${index + 1}`);
  const perLease = orders.map((order) => drawLease(random, order, interval, nowS));
  // More than the daemon reads at a time: it is killed between parts of the file as well.
  const [first] = orders;
  const isFine = random.below(3) === 0 && first !== undefined;
  if (isFine) perLease[0] = drawFineLease(random, first, nowS);
  const rows = interleave(random, perLease);
  const rounding = random.pick(["floor", "carry"] as const);
  const prices = Object.fromEntries(TYPES.map((type) => [type, drawPrice(random)]));
  const terms = {
    ...{ interval: BigInt(interval), rounding },
    prices: prices as Record<UsageType, Price>,
  };
  return { rows, orders, terms: affordable(rows, terms) };
}

/** Rows of a lease: some touch, some leave gaps; all of them old, or all of the last 20 hours. */
function drawLease(random: Random, order: string, interval: number, nowS: number): Row[] {
  const isOld = random.below(2) === 0;
  const [from, until] = isOld ? [nowS - 6 * DAY, nowS - 26 * HOUR] : [nowS - 20 * HOUR, nowS];
  let at = from + random.below(Math.floor((until - from) / 2));
  const rows: Row[] = [];
  const count = random.between(1, 10);
  while (rows.length < count) {
    const length = random.pick([
      ...[interval - (at % interval), interval, random.between(1, interval)],
      random.between(1, Math.floor(2.5 * interval)),
    ]);
    if (at + length > until) break;
    rows.push(drawRow(random, order, at, length));
    at += length;
    if (random.below(4) === 0) at += random.between(1, 3 * interval);
  }
  if (rows.length === 0) rows.push(drawRow(random, order, from, 60));
  return rows;
}

/** Thousands of rows of a few seconds, all of the last 20 hours. */
function drawFineLease(random: Random, order: string, nowS: number): Row[] {
  let at = nowS - 20 * HOUR + random.below(HOUR);
  return Array.from({ length: random.between(2000, 6000) }, () => {
    const length = random.between(1, 3);
    const row = drawRow(random, order, at, length, random.pick([0, 1, 4, 5]));
    at += length;
    return row;
  });
}

function drawRow(
  random: Random,
  order: string,
  start: number,
  length: number,
  mood = random.below(6),
): Row {
  const amount = amountSource(random, length, mood);
  return {
    ...{ order, lease: `lease-of-${order}` },
    ...{ start: BigInt(start), end: BigInt(start + length) },
    cpuMs: amount(3_600_000n, 45),
    memory: amount(2n ** 30n * 3600n, 62),
    storage: amount(2n ** 30n * 3600n, 62),
    gpu: amount(3600n, 40),
    netIn: amount(2n ** 30n, 62),
    netOut: amount(2n ** 30n, 62),
  };
}

/** Idle, tiny, around a unit, many units, or as much as the chain and the file can say. */
function amountSource(random: Random, length: number, mood: number) {
  return (unit: bigint, hugeBits: number): bigint => {
    if (mood === 0) return 0n;
    if (mood === 1 || random.below(4) === 0) return BigInt(random.below(3));
    if (mood === 2) return unit - 1n + BigInt(random.below(3));
    if (mood === 3) return 2n ** BigInt(hugeBits) - BigInt(random.below(1000));
    return (unit * BigInt(random.between(1, 40_000)) * BigInt(length)) / (1000n * 3600n);
  };
}

function drawPrice(random: Random): Price {
  if (random.below(4) === 0)
    return { denom: "uusd", atomics: BigInt(random.between(1, 99)) * 10n ** 16n };
  const whole = BigInt(random.pick([1, 3, 1500, 36_000]));
  return { denom: "uve", atomics: whole * ATOMICS + BigInt(random.below(1_000_000)) };
}

/** The same terms with prices that a customer can pay: huge usage is cheap. */
function affordable(rows: readonly Row[], terms: Terms): Terms {
  let fitting = terms;
  for (;;) {
    const costs = costsOf(rows, fitting);
    const isDear = [...costs].some(([denom, cost]) => cost > (COST_MAX[denom] ?? 0n));
    if (!isDear) return fitting;
    const cheaper = TYPES.map((type) => {
      const { denom, atomics } = fitting.prices[type];
      return [type, { denom, atomics: atomics / 10n + 1n }] as const;
    });
    fitting = { ...fitting, prices: Object.fromEntries(cheaper) as Record<UsageType, Price> };
  }
}

/** What all rows cost together, by denom. */
export function costsOf(rows: readonly Row[], terms: Terms): Map<string, bigint> {
  const costs = new Map<string, bigint>();
  for (const { denom, cost } of billsOf(rows, terms)) {
    costs.set(denom, (costs.get(denom) ?? 0n) + cost);
  }
  return costs;
}

function interleave(random: Random, lists: readonly (readonly Row[])[]): Row[] {
  const left = lists.map((list) => [...list]);
  const rows: Row[] = [];
  for (;;) {
    const open = left.filter((list) => list.length > 0);
    if (open.length === 0) return rows;
    rows.push(random.pick(open).shift() as Row);
  }
}

/** "1500.000000000000000001uve", as a price book has it. */
export function priceText({ denom, atomics }: Price): string {
  const places = (atomics % ATOMICS).toString().padStart(18, "0").replace(/0+$/, "");
  return `${atomics / ATOMICS}${places === "" ? "" : `.${places}`}${denom}`;
}
