import { JournalEntry, JournalHead } from "../../gen/settled/bank/v1/state.ts";
import { must } from "../../lib/assert.ts";
import { joinKeys, type Key, u64FromKey, u64Key } from "../../lib/key.ts";
import type { Reader } from "../../store/read_view.ts";
import type { TimeNs } from "../../types/time.ts";
import * as keys from "./keys.ts";

/** The entries of the journal, for queries and invariants of other modules. */

/** Where they are looked up; each key ends with the number of an entry. */
export function journalOfAccount(address: string): Key {
  return keys.journalOfAccountKey(address);
}

/** The keys of that look-up between which the entries of a time stand, the end not included. */
export async function journalBounds(
  reader: Reader,
  address: string,
  { from, to }: { from: TimeNs | undefined; to: TimeNs | undefined },
): Promise<{ from: Key | undefined; to: Key | undefined }> {
  const prefix = journalOfAccount(address);
  const at = async (time: TimeNs | undefined): Promise<Key | undefined> =>
    time === undefined ? undefined : joinKeys(prefix, u64Key(await firstAt(reader, time)));
  return { from: await at(from), to: await at(to) };
}

/** The entry that a key of the look-up stands for. */
export async function journalEntryAt(reader: Reader, key: Key): Promise<JournalEntry> {
  return entry(reader, u64FromKey(key, key.length - 8));
}

/** The entry with a number; undefined when there is none. */
export async function journalEntry(reader: Reader, seq: bigint): Promise<JournalEntry | undefined> {
  const bytes = await reader.get(keys.journalKey(seq));
  return bytes === undefined ? undefined : JournalEntry.decode(bytes);
}

/** All entries by number. */
export async function* journalEntries(reader: Reader): AsyncGenerator<JournalEntry> {
  for await (const [, value] of reader.range(keys.JOURNAL_PREFIX)) yield JournalEntry.decode(value);
}

async function entry(reader: Reader, seq: bigint): Promise<JournalEntry> {
  return must(await journalEntry(reader, seq), "bank: an entry that is looked up is there");
}

/** The number of the first entry of a time or later, by halving: numbers have no gaps. */
async function firstAt(reader: Reader, time: TimeNs): Promise<bigint> {
  const head = await reader.get(keys.JOURNAL_HEAD_KEY);
  let [low, high] = [1n, (head === undefined ? 0n : JournalHead.decode(head).count) + 1n];
  while (low < high) {
    const middle = (low + high) >> 1n;
    if ((await entry(reader, middle)).timeNs < time) low = middle + 1n;
    else high = middle;
  }
  return low;
}
