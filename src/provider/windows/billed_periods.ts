import { RESOURCES, type Resource, type UnitRounding } from "../units.ts";

/** Up to where a resource of a lease has been billed. */
export interface BilledResource {
  /** Unix seconds: where the period of its last record ends. */
  readonly untilS: bigint;
  /** Times that a record began later than the one before it had ended. */
  readonly gaps: number;
}

export type BilledResources = Readonly<Partial<Record<Resource, BilledResource>>>;

/**
 * The chain keeps the periods of a meter as at most 256 that do not touch, and refuses whatever
 * would be one more. Half of them are for gaps of windows that bill nothing; the rest is for records
 * that are parked, refused or withdrawn, and for stretches longer than the reach.
 */
const GAPS_MAX = 128;
/**
 * Farthest that a record begins before its window's end: far below the 31 days that the chain takes
 * by default. An escrow lives for a year: stretches that are longer leave some fifty gaps in it.
 */
const REACH_SECONDS = 7n * 86_400n;

/**
 * Where the period of each record of a lease begins. Under `carry` a record's units came together
 * since the one before it, and that is what its period says. Under `floor` they are those of the
 * window alone, and so is the period, until gaps have become many: from then on records begin where
 * the one before them ended, as under `carry`. Of the first one, the period is its window. Periods
 * of a resource never overlap.
 */
export class BilledPeriods {
  readonly #rounding: UnitRounding;
  readonly #billed: Partial<Record<Resource, BilledResource>>;

  constructor(rounding: UnitRounding, billed: BilledResources = {}) {
    this.#rounding = rounding;
    this.#billed = { ...billed };
  }

  /** Bills a window, which begins no earlier than the one before it ended. @returns the period's start */
  take(resource: Resource, startS: bigint, endS: bigint): bigint {
    const { untilS = startS, gaps = 0 } = this.#billed[resource] ?? {};
    const isAsked = this.#rounding === "carry" || gaps >= GAPS_MAX;
    const since = isAsked && endS - untilS <= REACH_SECONDS ? untilS : startS;
    this.#billed[resource] = { untilS: endS, gaps: gaps + (since === untilS ? 0 : 1) };
    return since;
  }

  get state(): BilledResources {
    return this.#billed;
  }
}

/** As JSON: seconds and gaps of each resource in turn; undefined when nothing was billed. */
export function writeBilled(billed: BilledResources): number[] | undefined {
  if (RESOURCES.every((resource) => billed[resource] === undefined)) return undefined;
  return RESOURCES.flatMap((resource) => {
    const { untilS = 0n, gaps = 0 } = billed[resource] ?? {};
    return [Number(untilS), gaps];
  });
}

/** @param json what `writeBilled` gave */
export function readBilled(json: readonly number[] = []): BilledResources {
  const billed: Partial<Record<Resource, BilledResource>> = {};
  RESOURCES.forEach((resource, at) => {
    const [until = 0, gaps = 0] = json.slice(2 * at, 2 * at + 2);
    if (!Number.isSafeInteger(until) || !Number.isSafeInteger(gaps) || until < 0 || gaps < 0) {
      throw new Error(`not a period: ${until}, ${gaps}`);
    }
    if (until > 0) billed[resource] = { untilS: BigInt(until), gaps };
  });
  return billed;
}
