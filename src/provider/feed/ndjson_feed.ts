import { parseExactObject } from "../exact_json.ts";
import type { Feed } from "./feed.ts";
import { FileFeed, type FileFeedOptions } from "./file_feed.ts";
import type { TailOptions } from "./file_tail.ts";

/**
 * NDJSON: a JSON object per line with the fields order, lease, start, end (unix seconds or RFC
 * 3339), cpu_milliseconds, memory_byte_seconds, storage_byte_seconds, gpu_seconds,
 * network_bytes_in, network_bytes_out, and optionally id and job. Empty lines are passed over.
 * @param cursor that of the last batch on the disk; undefined: from the file's start
 */
export async function openNdjsonFeed(
  settings: TailOptions,
  cursor: unknown,
  options: FileFeedOptions = {},
): Promise<Feed> {
  const read = (text: string) => (text.trim() === "" ? undefined : parseExactObject(text));
  return new FileFeed(settings, { kind: "ndjson", read }, cursor, options);
}
