import { ProviderError } from "../errors.ts";

/** What a collector left for the one after it; JSON, amounts as decimal texts. */
export interface CursorHead {
  readonly version: 1;
  readonly kind: string;
  /** Where it looked: a cursor of another place is of no use. */
  readonly place: string;
  /** Unix milliseconds up to which usage has been told. */
  readonly wallMs: number;
  /** The kernel's name for its run: all its counters began with it. */
  readonly bootId: string;
}

/** A cursor of an earlier collector, read with care: it comes from a disk. */
export class EarlierCursor {
  readonly wallMs: number;
  readonly bootId: string;
  readonly #fields: Record<string, unknown>;

  private constructor(fields: Record<string, unknown>) {
    this.#fields = fields;
    this.wallMs = fields["wallMs"] as number;
    this.bootId = this.text("bootId") ?? "";
  }

  /**
   * Undefined when there is none, or when it is of another place: the workload is a new one.
   * @throws ProviderError `bad_collector` when it is not a cursor at all
   */
  static read(cursor: unknown, kind: string, place: string): EarlierCursor | undefined {
    if (cursor === undefined || cursor === null) return undefined;
    const fields = recordOf(cursor);
    if (fields?.["version"] !== 1 || !Number.isSafeInteger(fields["wallMs"])) {
      const found = JSON.stringify(cursor)?.slice(0, 80);
      throw new ProviderError(
        "bad_collector",
        `${kind} ${place}: not a cursor of version 1 that a collector has left: ${found}; without one the collector starts anew and counts nothing before`,
      );
    }
    if (fields["kind"] !== kind || fields["place"] !== place) return undefined;
    return new EarlierCursor(fields);
  }

  text(name: string): string | undefined {
    const value = this.#fields[name];
    return typeof value === "string" ? value : undefined;
  }

  amount(name: string): bigint | undefined {
    return amountOf(this.#fields[name]);
  }

  /** What was left over of a metric. */
  left(metric: string): bigint | undefined {
    return amountOf(this.record("left")[metric]);
  }

  /** A field that is an object; an empty one when it is not. */
  record(name: string): Record<string, unknown> {
    return recordOf(this.#fields[name]) ?? {};
  }

  list(name: string): readonly unknown[] {
    const value = this.#fields[name];
    return Array.isArray(value) ? value : [];
  }
}

/** A non-negative amount of a cursor: its decimal text as bigint. */
export function amountOf(value: unknown): bigint | undefined {
  return typeof value === "string" && /^[0-9]{1,100}$/.test(value) ? BigInt(value) : undefined;
}

export function recordOf(value: unknown): Record<string, unknown> | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}
