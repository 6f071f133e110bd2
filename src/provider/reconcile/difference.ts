/**
 * Why the chain bills something else than the file says:
 * - `rounding`: units or costs were rounded; less than a unit per window, or one base unit.
 * - `window_shift`: the same usage in other periods.
 * - `missing_on_chain`: the file has it, the chain does not.
 * - `missing_in_file`: the chain has it, the file does not.
 * - `duplicate`: the file has a period twice.
 * - `price`: the same units at another price, or in another denom.
 * - `units`: other units for the same time.
 * - `unexplained`: the file's own numbers do not go together.
 */
export const DIFFERENCE_KINDS = [
  "rounding",
  "window_shift",
  "missing_on_chain",
  "missing_in_file",
  "duplicate",
  "price",
  "units",
  "unexplained",
] as const;

export type DifferenceKind = (typeof DIFFERENCE_KINDS)[number];

/** One cause of a difference, in money: what the chain bills less what the file says. */
export interface Difference {
  readonly kind: DifferenceKind;
  readonly orderId: string;
  readonly leaseId: string;
  readonly usageType: string;
  /** Unix seconds. */
  readonly periodStart: bigint;
  readonly periodEnd: bigint;
  readonly denom: string;
  /** Base units; 0 for a shift of windows alone. */
  readonly amount: bigint;
  readonly detail: string;
  readonly usageIds: readonly string[];
  /** Where in the file. */
  readonly places: readonly string[];
}
