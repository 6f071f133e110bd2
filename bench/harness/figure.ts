/** How a figure is compared between machines and runs. */
export type Scale =
  /** The limit itself: says how fast the machine is, and is compared with nothing. */
  | "limit"
  /** Per second: divided by the limit. */
  | "rate"
  /** A time: in verifications that fit into it. */
  | "seconds"
  | "microseconds"
  /** The same on every machine: as it is. */
  | "plain";

export interface Target {
  /** Of the value in its unit, or of the ratio to the limit. */
  readonly of: "value" | "ratio";
  readonly bound: number;
}

export interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly scale: Scale;
  readonly better: "higher" | "lower";
  readonly target?: Target;
  /** Holds at 1,000,000 records only: with fewer the target says nothing. */
  readonly atMillion?: boolean;
}

/** One repetition: what was found, and the limit that was measured beside it. */
export interface Sample {
  readonly value: number;
  /** Verifications per second on one thread, before and after. */
  readonly limit: number;
}

/** The value in units of the limit. */
export function ratioOf({ scale }: Figure, { value, limit }: Sample): number {
  switch (scale) {
    case "rate":
      return value / limit;
    case "seconds":
      return value * limit;
    case "microseconds":
      return (value / 1e6) * limit;
    case "plain":
    case "limit":
      return value;
  }
}
