import type { Key } from "../../lib/key.ts";
import type { Reader } from "../../store/read_view.ts";

/** Walks that the invariants over all records share. */

/** All records of one kind, by number. */
export async function* all<T>(
  reader: Reader,
  prefix: Key,
  codec: { decode(bytes: Uint8Array): T },
): AsyncGenerator<T> {
  for await (const [, value] of reader.range(prefix)) yield codec.decode(value);
}

/** Entries under a prefix. */
export async function count(reader: Reader, prefix: Key): Promise<number> {
  let entries = 0;
  for await (const _entry of reader.range(prefix)) entries += 1;
  return entries;
}
