import type { Metrics, Resource, ResourceUnits } from "../units.ts";

/** Whose usage it is: one lease of one order. */
export interface LeaseRef {
  readonly order: string;
  readonly lease: string;
}

/** What a window bills of one resource. */
export interface WindowUnits extends ResourceUnits {
  /**
   * Unix seconds: where the period of its record begins. The window's own start, or the end of the
   * resource's last record when windows in between billed none of it.
   */
  readonly since: bigint;
}

/** A window whose usage is known: nothing is added to it any more. */
export interface ClosedWindow extends LeaseRef {
  /** Unix seconds, [start, end). Windows of a lease touch: no gap, no overlap. */
  readonly start: bigint;
  readonly end: bigint;
  readonly metrics: Metrics;
  /** Whole units to bill, remainders carried or dropped by the lease's rounding; may be empty. */
  readonly units: readonly WindowUnits[];
  /** Raw units that were left over and are carried to the next window; all 0 under `floor`. */
  readonly carried: Readonly<Record<Resource, bigint>>;
  /** Whether something of it was not measured: `faults` says what. */
  readonly isPartial: boolean;
  readonly faults: readonly string[];
  /** Usage that came too late for its own window, and was counted here. */
  readonly late: readonly string[];
}
