import { utf8Length } from "../lib/bytes.ts";
import { INT64_MAX, parseInteger } from "../lib/int.ts";
import { UsageFileError } from "./errors.ts";
import { parseExactObject } from "./exact_json.ts";
import { type FileCounts, ID_BYTES_MAX, type MeteredWindow } from "./window.ts";

const TEXT_FIELDS = ["job", "order", "lease"] as const;
const INTEGER_FIELDS = [
  "start",
  "end",
  "cpu_milliseconds",
  "memory_byte_seconds",
  "storage_byte_seconds",
  "gpu_seconds",
  "network_bytes_in",
  "network_bytes_out",
] as const;
const FIELDS: ReadonlySet<string> = new Set([...TEXT_FIELDS, ...INTEGER_FIELDS]);

/**
 * Windows of a metrics file: NDJSON, one object per job and window with exactly the fields job,
 * order, lease, start, end (seconds from the file's own zero), cpu_milliseconds,
 * memory_byte_seconds, storage_byte_seconds, gpu_seconds, network_bytes_in and network_bytes_out.
 * Integers are numbers or decimal texts from 0 to 2^63-1, and exact either way. With a limit, only
 * windows of the first so many jobs are yielded.
 *
 * Fills `counts` as it goes; they are whole when the generator has ended.
 * @throws UsageFileError for a line that cannot be read, naming its line and field.
 */
export async function* readMetrics(
  lines: AsyncIterable<string>,
  options: { readonly limit: number | undefined },
  counts: FileCounts,
): AsyncGenerator<MeteredWindow> {
  const jobs = new Set<string>();
  let line = 0;
  for await (const text of lines) {
    line += 1;
    const window = readWindow(text, line);
    if (counts.lastInstant === undefined || window.end > counts.lastInstant) {
      counts.lastInstant = window.end;
    }
    if (!jobs.has(window.job)) {
      if (options.limit !== undefined && jobs.size >= options.limit) continue;
      jobs.add(window.job);
      counts.jobs = jobs.size;
    }
    yield window;
  }
  if (line === 0) throw new UsageFileError(1, "the file is empty");
}

function readWindow(text: string, line: number): MeteredWindow {
  const object = parseObject(text, line);
  for (const name of Object.keys(object)) {
    if (!FIELDS.has(name)) throw new UsageFileError(line, `unknown field "${name.slice(0, 40)}"`);
  }
  const id = (name: (typeof TEXT_FIELDS)[number]) => readId(object[name], name, line);
  const integer = (name: (typeof INTEGER_FIELDS)[number]) => readInteger(object[name], name, line);
  const [start, end] = [integer("start"), integer("end")];
  if (end <= start) throw new UsageFileError(line, `end ${end} is not after start ${start}`);
  return {
    job: id("job"),
    order: id("order"),
    lease: id("lease"),
    start,
    end,
    metrics: {
      cpuMilliseconds: integer("cpu_milliseconds"),
      memoryByteSeconds: integer("memory_byte_seconds"),
      storageByteSeconds: integer("storage_byte_seconds"),
      gpuSeconds: integer("gpu_seconds"),
      networkBytesIn: integer("network_bytes_in"),
      networkBytesOut: integer("network_bytes_out"),
    },
    line,
  };
}

function parseObject(text: string, line: number): Record<string, unknown> {
  const object = parseExactObject(text);
  if (typeof object === "string") throw new UsageFileError(line, object);
  return object;
}

function readId(value: unknown, name: string, line: number): string {
  if (typeof value !== "string" || value === "") {
    throw new UsageFileError(line, `"${name}" must be a text that is not empty`);
  }
  if (utf8Length(value) > ID_BYTES_MAX) {
    throw new UsageFileError(line, `"${name}" is longer than ${ID_BYTES_MAX} bytes`);
  }
  return value;
}

function readInteger(value: unknown, name: string, line: number): bigint {
  if (value === undefined) throw new UsageFileError(line, `field "${name}" is missing`);
  const whole =
    typeof value === "number" && Number.isSafeInteger(value) ? BigInt(value) : undefined;
  const integer = typeof value === "string" ? parseInteger(value) : whole;
  if (integer === undefined || integer < 0n || integer > INT64_MAX) {
    const found = JSON.stringify(value).slice(0, 40);
    throw new UsageFileError(line, `"${name}" is not an integer from 0 to 2^63-1: ${found}`);
  }
  return integer;
}
