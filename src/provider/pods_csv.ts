import { utf8Length } from "../lib/bytes.ts";
import { divFloor, INT64_MAX, minBigint } from "../lib/int.ts";
import { UsageFileError } from "./errors.ts";
import { NO_METRICS } from "./units.ts";
import { type FileCounts, ID_BYTES_MAX, type MeteredWindow } from "./window.ts";

const COLUMNS = [
  "name",
  "cpu_milli",
  "memory_mib",
  "num_gpu",
  "gpu_milli",
  "deletion_time",
  "scheduled_time",
] as const;

type Column = (typeof COLUMNS)[number];

interface Header {
  readonly width: number;
  readonly at: Readonly<Record<Column, number>>;
}

interface Pod {
  readonly name: string;
  readonly line: number;
  readonly cpuMilli: bigint;
  readonly memoryBytes: bigint;
  readonly gpus: bigint;
  readonly gpuMilli: bigint;
  readonly scheduled: bigint;
  readonly deleted: bigint;
}

export interface PodsOptions {
  readonly windowSeconds: bigint;
  /** Takes the first so many pods that ran. */
  readonly limit: number | undefined;
}

/**
 * Windows of the pods of a cluster trace (CSV with a header: name, cpu_milli, memory_mib, num_gpu,
 * gpu_milli, deletion_time, scheduled_time and any others), pod by pod in file order: from a pod's
 * schedule to its deletion, each `windowSeconds` long, the last one cut. A pod that was never
 * scheduled, or for zero seconds, has none and counts as skipped (up to the limit).
 *
 * Fills `counts` as it goes; they are whole when the generator has ended.
 * @throws UsageFileError for a row that cannot be read, naming its line and field.
 */
export async function* readPods(
  lines: AsyncIterable<string>,
  options: PodsOptions,
  counts: FileCounts,
): AsyncGenerator<MeteredWindow> {
  const seen = new Map<string, number>();
  let header: Header | undefined;
  let line = 0;
  for await (const text of lines) {
    line += 1;
    const fields = splitRow(text, line);
    if (header === undefined) {
      header = readHeader(fields);
      continue;
    }
    const pod = readPod(fields, header, line, seen);
    const full = options.limit !== undefined && counts.jobs >= options.limit;
    if (pod === undefined) {
      if (!full) counts.skipped += 1;
      continue;
    }
    if (counts.lastInstant === undefined || pod.deleted > counts.lastInstant) {
      counts.lastInstant = pod.deleted;
    }
    if (full) continue;
    counts.jobs += 1;
    yield* windowsOf(pod, options.windowSeconds);
  }
  if (header === undefined) throw new UsageFileError(1, "the file is empty, expected a header");
}

function splitRow(text: string, line: number): string[] {
  if (text.includes('"')) throw new UsageFileError(line, "quoted fields are not supported");
  return (text.endsWith("\r") ? text.slice(0, -1) : text).split(",");
}

function readHeader(fields: readonly string[]): Header {
  const at = Object.fromEntries(
    COLUMNS.map((column) => {
      const index = fields.indexOf(column);
      if (index === -1) throw new UsageFileError(1, `the header has no column "${column}"`);
      return [column, index];
    }),
  ) as Record<Column, number>;
  return { width: fields.length, at };
}

/** undefined: a pod that never ran. */
function readPod(
  fields: readonly string[],
  header: Header,
  line: number,
  seen: Map<string, number>,
): Pod | undefined {
  if (fields.length !== header.width) {
    const found = `found ${fields.length}`;
    throw new UsageFileError(line, `expected ${header.width} fields as in the header, ${found}`);
  }
  const text = (column: Column) => fields[header.at[column]] as string;
  const integer = (column: Column) => readInteger(text(column), column, line);
  const name = text("name");
  if (name === "") throw new UsageFileError(line, "the pod has no name");
  if (utf8Length(name) > ID_BYTES_MAX - "lease/".length) {
    throw new UsageFileError(line, "the pod's name is too long for an order id of 128 bytes");
  }
  const before = seen.get(name);
  if (before !== undefined) {
    throw new UsageFileError(line, `pod "${name}" was already on line ${before}`);
  }
  seen.set(name, line);
  const pod = {
    name,
    line,
    cpuMilli: integer("cpu_milli"),
    memoryBytes: integer("memory_mib") * 1_048_576n,
    gpus: integer("num_gpu"),
    gpuMilli: integer("gpu_milli"),
  };
  if (text("scheduled_time") === "") return undefined;
  const [scheduled, deleted] = [integer("scheduled_time"), integer("deletion_time")];
  if (deleted < scheduled) {
    throw new UsageFileError(
      line,
      `deletion_time ${deleted} is before scheduled_time ${scheduled}`,
    );
  }
  return deleted === scheduled ? undefined : { ...pod, scheduled, deleted };
}

function readInteger(text: string, column: Column, line: number): bigint {
  if (!/^[0-9]{1,19}$/.test(text)) {
    throw new UsageFileError(line, `${column} is not a whole number: "${text.slice(0, 40)}"`);
  }
  const value = BigInt(text);
  if (value > INT64_MAX) throw new UsageFileError(line, `${column} is above 2^63-1: ${text}`);
  return value;
}

function* windowsOf(pod: Pod, windowSeconds: bigint): Generator<MeteredWindow> {
  for (let start = pod.scheduled; start < pod.deleted; start += windowSeconds) {
    const end = minBigint(start + windowSeconds, pod.deleted);
    const seconds = end - start;
    const metrics = {
      ...NO_METRICS,
      cpuMilliseconds: pod.cpuMilli * seconds,
      memoryByteSeconds: pod.memoryBytes * seconds,
      gpuSeconds: gpuSeconds(pod, seconds),
    };
    for (const [name, value] of Object.entries(metrics)) {
      if (value > INT64_MAX)
        throw new UsageFileError(pod.line, `${name} of a window is above 2^63-1`);
    }
    const { name, line } = pod;
    yield { job: name, order: `pod/${name}`, lease: `lease/${name}`, start, end, metrics, line };
  }
}

/** A share of one card is told in thousandths; several cards are always whole ones. */
function gpuSeconds(pod: Pod, seconds: bigint): bigint {
  return pod.gpus === 1n ? divFloor(seconds * pod.gpuMilli, 1000n) : seconds * pod.gpus;
}
