/** What was used in a period, or billed for it: one resource of one lease. */
export interface Charge {
  readonly order: string;
  readonly lease: string;
  readonly type: string;
  /** Unix seconds, [start, end). */
  readonly start: bigint;
  readonly end: bigint;
  readonly units: bigint;
  readonly denom: string;
  /** Base units of the denom. */
  readonly cost: bigint;
}

/** A charge on the chain. */
export interface BilledCharge extends Charge {
  readonly usageId: string;
}

/** The lease and type of a charge: periods are compared within it. */
export function groupOf({ order, lease, type }: Charge): string {
  return JSON.stringify([order, lease, type]);
}

/** "cpu of order-1/lease-1, 2026-01-01T00:00:00Z to 2026-01-01T01:00:00Z". */
export function chargeText({ order, lease, type, start, end }: Charge): string {
  return `${type} of ${order}/${lease}, ${timeText(start)} to ${timeText(end)}`;
}

function timeText(seconds: bigint): string {
  const date = new Date(Number(seconds) * 1000);
  const isShown = !Number.isNaN(date.getTime());
  return isShown ? date.toISOString().replace(".000Z", "Z") : seconds.toString();
}
