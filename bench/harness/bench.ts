import type { Figure, Sample } from "./figure.ts";
import type { LimitMeter } from "./limit.ts";
import type { Sizes } from "./sizes.ts";

/** What a group of figures reports while it runs. */
export interface BenchEvents {
  sample(name: string, sample: Sample): void;
  /** A figure that cannot be measured, and why. */
  skip(name: string, why: string): void;
  /** What is being done, and how far it is. */
  progress(text: string): void;
}

/** Homes that are built before the groups that need them. */
export interface Homes {
  readonly large: string;
  readonly small: string;
}

export interface BenchInput {
  readonly sizes: Sizes;
  readonly limit: LimitMeter;
  readonly events: BenchEvents;
  /** A folder for this group alone; removed when it ends. */
  readonly folder: string;
  readonly homes: Homes | undefined;
  /** Whether there is one process for all: then no other can be started. */
  readonly isInProcess: boolean;
  /** Whether a figure is asked for. */
  readonly wants: (name: string) => boolean;
}

/** Figures that are measured together, in a process of their own. */
export interface Group {
  readonly name: string;
  readonly figures: readonly Figure[];
  /** Whether it needs the homes with many records. */
  readonly needsHomes?: boolean;
  run(bench: Bench): Promise<void>;
}

/** What a group measures with. */
export class Bench {
  readonly sizes: Sizes;
  readonly folder: string;
  readonly isInProcess: boolean;
  readonly wants: (name: string) => boolean;
  readonly #input: BenchInput;

  constructor(input: BenchInput) {
    this.#input = input;
    this.sizes = input.sizes;
    this.folder = input.folder;
    this.isInProcess = input.isInProcess;
    this.wants = input.wants;
  }

  get homes(): Homes {
    const { homes } = this.#input;
    if (homes === undefined) throw new Error("this group says needsHomes");
    return homes;
  }

  skip(name: string, why: string): void {
    this.#input.events.skip(name, why);
  }

  progress(text: string): void {
    this.#input.events.progress(text);
  }

  /**
   * Repeats a measurement: `prepare` untimed, `run` gives the value. The limit is measured before
   * and after each, so that a change of the machine's speed shows in both.
   * @param warmUp runs of both that are thrown away first
   */
  async repeat<T>(
    name: string,
    work: {
      prepare?: (repetition: number) => T | Promise<T>;
      run: (prepared: T) => number | Promise<number>;
      repetitions?: number;
      warmUp?: number;
    },
  ): Promise<void> {
    const { repetitions = this.sizes.repetitions, warmUp = 1 } = work;
    for (let at = -warmUp; at < repetitions; at += 1) {
      this.progress(`${name} ${at < 0 ? "warm-up" : `${at + 1}/${repetitions}`}`);
      const prepared = (await work.prepare?.(at)) as T;
      await this.sample(name, () => work.run(prepared), at < 0);
    }
  }

  /** One measurement between two of the limit. */
  async sample(
    name: string,
    run: () => number | Promise<number>,
    thrownAway = false,
  ): Promise<number> {
    const { limit, events } = this.#input;
    collectGarbage();
    const before = limit.measure();
    const value = await run();
    const after = limit.measure();
    if (!thrownAway) events.sample(name, { value, limit: (before + after) / 2 });
    return value;
  }

  /** The limit itself as a figure. */
  noteLimit(name: string): void {
    const value = this.#input.limit.measure();
    this.#input.events.sample(name, { value, limit: value });
  }

  /** Notes a value that needs no measurement of the limit beside it. */
  note(name: string, value: number): void {
    this.#input.events.sample(name, { value, limit: this.#input.limit.measure() });
  }
}

/** Leftovers of what was prepared are not part of what is measured. Needs --expose-gc. */
export function collectGarbage(): void {
  (globalThis as { gc?: () => void }).gc?.();
}

/** Runs `work` and gives its seconds. */
export async function secondsOf(work: () => unknown): Promise<number> {
  const started = performance.now();
  await work();
  return (performance.now() - started) / 1000;
}
