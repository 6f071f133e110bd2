import { divFloor } from "../lib/int.ts";

/** What is billed, in the order in which a window's reports are made. */
export const RESOURCES = ["cpu", "memory", "storage", "gpu", "network"] as const;

export type Resource = (typeof RESOURCES)[number];

/** What the kernel, or a file, says that a job used in one window. None is negative. */
export interface Metrics {
  readonly cpuMilliseconds: bigint;
  readonly memoryByteSeconds: bigint;
  readonly storageByteSeconds: bigint;
  readonly gpuSeconds: bigint;
  readonly networkBytesIn: bigint;
  readonly networkBytesOut: bigint;
}

export const NO_METRICS: Metrics = Object.freeze({
  cpuMilliseconds: 0n,
  memoryByteSeconds: 0n,
  storageByteSeconds: 0n,
  gpuSeconds: 0n,
  networkBytesIn: 0n,
  networkBytesOut: 0n,
});

/** Whole units of one resource: what one usage report bills. */
export interface ResourceUnits {
  readonly resource: Resource;
  /** At least 1. */
  readonly units: bigint;
}

/**
 * `floor`: what is left of a unit at a window's end is never billed. `carry`: it is added to the
 * next window of the same order and lease.
 */
export type UnitRounding = "floor" | "carry";

const GIB = 1_073_741_824n;
const HOUR = 3600n;

/** Raw metric per unit: milliseconds per CPU-hour, byte-seconds per GB-hour, and so on. */
export const RAW_PER_UNIT: Readonly<Record<Resource, bigint>> = Object.freeze({
  cpu: 1000n * HOUR,
  memory: GIB * HOUR,
  storage: GIB * HOUR,
  gpu: HOUR,
  network: GIB,
});

/** The raw metric of each resource. Traffic both ways is summed first, and exactly: never wraps. */
export function rawUsage(metrics: Metrics): Record<Resource, bigint> {
  return {
    cpu: metrics.cpuMilliseconds,
    memory: metrics.memoryByteSeconds,
    storage: metrics.storageByteSeconds,
    gpu: metrics.gpuSeconds,
    network: metrics.networkBytesIn + metrics.networkBytesOut,
  };
}

const FOOTPRINT: readonly ResourceUnits[] = Object.freeze([{ resource: "cpu", units: 1n }]);

/** Turns the windows of one order and lease into units, in the order in which they come. */
export class UnitCounter {
  readonly #carry: boolean;
  readonly #remainders: Record<Resource, bigint>;

  /** @param remainders what a counter before has left, in raw units; nothing by default */
  constructor(
    rounding: UnitRounding,
    remainders: Readonly<Record<Resource, bigint>> = rawUsage(NO_METRICS),
  ) {
    this.#carry = rounding === "carry";
    this.#remainders = { ...remainders };
  }

  /** What is kept for the next window, in raw units; all 0 under `floor`. */
  get remainders(): Readonly<Record<Resource, bigint>> {
    return { ...this.#remainders };
  }

  /**
   * The units of the next window, resources without a whole unit left out. A window that has none
   * at all bills the one-unit footprint (seed 003): under `floor` whenever all five come to zero,
   * under `carry` only when the window's raw metrics are all zero. `billsFootprint` false: never.
   */
  add(metrics: Metrics, billsFootprint = true): readonly ResourceUnits[] {
    const raw = rawUsage(metrics);
    const billed: ResourceUnits[] = [];
    for (const resource of RESOURCES) {
      const due = raw[resource] + this.#remainders[resource];
      const units = divFloor(due, RAW_PER_UNIT[resource]);
      if (this.#carry) this.#remainders[resource] = due - units * RAW_PER_UNIT[resource];
      if (units > 0n) billed.push({ resource, units });
    }
    if (billed.length > 0 || !billsFootprint) return billed;
    const idle = RESOURCES.every((resource) => raw[resource] === 0n);
    return this.#carry && !idle ? billed : FOOTPRINT;
  }

  /**
   * What `carry` has kept and not billed, by resource in raw units; dropped here, because a lease
   * that has ended has no next window. All zero under `floor`.
   */
  close(): Readonly<Record<Resource, bigint>> {
    const unbilled = { ...this.#remainders };
    for (const resource of RESOURCES) this.#remainders[resource] = 0n;
    return unbilled;
  }
}

/** The units of one window by itself, as the source documents have it. */
export function unitsOfWindow(metrics: Metrics): readonly ResourceUnits[] {
  return new UnitCounter("floor").add(metrics);
}
