import type { Metrics } from "../units.ts";

/** A raw metric, by its name in `Metrics`. */
export type MetricName = keyof Metrics;

/** What a workload used in a span of time: differences, never totals. */
export interface Usage {
  /** Unix milliseconds. The spans of one source touch: no gap, no overlap. `startMs` ≤ `endMs`. */
  readonly startMs: number;
  readonly endMs: number;
  /** Whole amounts; what is below one stays with the source for the next span. None is negative. */
  readonly metrics: Partial<Metrics>;
  /**
   * Whether the span was watched all through: it may be shared out over windows by time. Otherwise
   * (a restart, a suspended machine) all of it belongs to the window of its end.
   */
  readonly isContinuous: boolean;
  /** What could not be read, in words: the windows of the span are partial. */
  readonly faults: readonly string[];
  /** What was seen besides and is not billed, for people and for `/metrics`. */
  readonly observed?: Observed;
}

/** Not billed. What is not known is left out. */
export interface Observed {
  /** The most memory that was held at once since the workload began, in bytes. */
  readonly memoryPeakBytes?: bigint;
  /** Processes at the span's end; of a cgroup its tasks, threads included. */
  readonly processes?: bigint;
  /** Bytes read from and written to storage in the span. */
  readonly readBytes?: bigint;
  readonly writtenBytes?: bigint;
}

/** Something that can be asked what a workload has used since it was asked last. */
export interface Collector {
  /** Kind and place, for people: "cgroup2 /sys/fs/cgroup/jobs/a". */
  readonly name: string;
  /** What it tells. No two collectors of a workload tell the same. */
  readonly tells: readonly MetricName[];
  /**
   * Usage since the last call, up to now. A source that fails is no exception: it is a fault of the
   * span, whose numbers are what is known for certain.
   */
  read(now: Moment): Promise<Usage>;
  /** What a new collector of this kind needs to go on after a restart; JSON. */
  cursor(): unknown;
  close(): Promise<void>;
}

/** A point in time by both clocks of the machine. */
export interface Moment {
  /** Unix milliseconds. Never goes back, whatever the wall clock does. */
  readonly wallMs: number;
  /** Milliseconds of a clock that is never set and stands still while the machine is suspended. */
  readonly steadyMs: number;
}

/**
 * Starts a collector. `cursor`: what the one before it left; undefined for a new workload, of which
 * nothing before now is counted.
 * @throws ProviderError `bad_collector` when the settings can never work (unknown kind, bad path).
 */
export type OpenCollector<Settings> = (
  settings: Settings,
  cursor: unknown,
  now: Moment,
) => Promise<Collector>;
