import type { Metrics } from "../units.ts";
import type { MetricName } from "./collector.ts";

/** Gathers amounts that are finer than a whole one; nothing of them is rounded away. */
export class Remainder {
  readonly #perWhole: bigint;
  #fine: bigint;

  /** @param perWhole fine amounts in a whole one; @param fine what was left over before */
  constructor(perWhole: bigint, fine: bigint) {
    this.#perWhole = perWhole;
    this.#fine = fine;
  }

  add(fine: bigint): void {
    this.#fine += fine;
  }

  /** The whole amounts that are there; what is below one is kept. */
  take(): bigint {
    const whole = this.#fine / this.#perWhole;
    this.#fine -= whole * this.#perWhole;
    return whole;
  }

  get fine(): bigint {
    return this.#fine;
  }
}

/** The remainders of a collector, by metric. */
export class Remainders {
  readonly #all = new Map<MetricName, Remainder>();

  /**
   * @param perWhole fine amounts in a whole one of each metric that the collector tells
   * @param left what the collector before had left over
   */
  constructor(
    perWhole: Partial<Record<MetricName, bigint>>,
    left: (metric: MetricName) => bigint | undefined,
  ) {
    for (const [name, fine] of Object.entries(perWhole)) {
      const metric = name as MetricName;
      this.#all.set(metric, new Remainder(fine, left(metric) ?? 0n));
    }
  }

  /** A metric that the collector does not tell is not gathered. */
  add(metric: MetricName, fine: bigint): void {
    this.#all.get(metric)?.add(fine);
  }

  has(metric: MetricName): boolean {
    return this.#all.has(metric);
  }

  take(): Partial<Metrics> {
    return Object.fromEntries([...this.#all].map(([metric, each]) => [metric, each.take()]));
  }

  /** For a cursor. */
  toJson(): Record<string, string> {
    return Object.fromEntries([...this.#all].map(([metric, each]) => [metric, `${each.fine}`]));
  }
}
