import type { Quantity } from "./quantity.ts";

/** Usage of one resource of one lease in one period, as a file from outside the chain tells it. */
export interface OutsideRow {
  readonly orderId: string;
  readonly leaseId: string;
  /** Normalised: "compute" is "cpu". */
  readonly usageType: string;
  /** Unix seconds. */
  readonly periodStart: bigint;
  readonly periodEnd: bigint;
  readonly units: Quantity;
  /** undefined: the file has no prices; the chain's price is taken. */
  readonly denom: string | undefined;
  /** Atomics: 10^-18 of the denom per unit. */
  readonly unitPrice: bigint | undefined;
  /** Base units, when the file says so itself. */
  readonly cost: bigint | undefined;
  /** "file:line", for people. */
  readonly place: string;
}
