import type { QueryContext } from "../../baseapp/query_context.ts";
import { ChainError } from "../../lib/errors.ts";
import { minBigint } from "../../lib/int.ts";
import { byteKey, bytesOfKey, joinKeys, type Key, keyOfBytes } from "../../lib/key.ts";
import type { PageRequest, Reader } from "../../store/read_view.ts";
import { parseAddress } from "../../types/address.ts";
import { GrpcInvalidArgument, GrpcResourceExhausted } from "../../types/query_errors.ts";

const PAGE_ROWS_DEFAULT = 100n;
const PAGE_ROWS_MAX = 1000n;
/** Entries that are looked at for one page: with few matches the page is short, not the wait long. */
export const READ_MAX = 2000;
/** Rows that may stand inside the rows of a page, such as the records of settlements. */
const NESTED_ROWS_MAX = 20_000;

/** A stretch of a look-up: the entries under a prefix, between two keys of it. */
export interface Section {
  readonly reader: Reader;
  readonly prefix: Key;
  readonly from?: Key | undefined;
  readonly to?: Key | undefined;
}

export interface FilteredPage<T> {
  readonly rows: T[];
  readonly pagination: { readonly nextKey: Uint8Array; readonly total: bigint };
}

/** What becomes of an entry: a row, or undefined for one that does not match. */
type Take<T> = (key: Key, section: number) => Promise<T | undefined>;

/**
 * A page of the entries of some sections, one after the other, that match. It looks at 2,000
 * entries at most, so it may have fewer rows than asked for, even none, and a next key. `total` is
 * counted when asked for, as far as that suffices; else it is 0.
 * @param nestedIn how many rows stand inside one
 * @throws ChainError grpc/3 for a key and an offset together, or a key of another query.
 */
export async function filteredPage<T>(
  sections: readonly Section[],
  request: PageRequest | undefined,
  take: Take<T>,
  nestedIn: (row: T) => number = () => 0,
): Promise<FilteredPage<T>> {
  const { reverse = false, offset = 0n, countTotal = false, limit: asked = 0n } = request ?? {};
  const limit = minBigint(asked === 0n ? PAGE_ROWS_DEFAULT : asked, PAGE_ROWS_MAX);
  const cursor = cursorOf(sections, request);
  const counts = countTotal && cursor === undefined;
  const rows: T[] = [];
  let [seen, read, nested] = [0n, 0, 0];
  let next: Uint8Array = new Uint8Array(0);
  const isFull = (): boolean => next.length > 0;
  for await (const { key, section } of entriesOf(sections, cursor, reverse)) {
    read += 1;
    if (read > READ_MAX) {
      if (seen < offset) throw new ChainError(GrpcResourceExhausted, TOO_FAR);
      if (!isFull()) next = keyOf(section, key);
      return { rows, pagination: { nextKey: next, total: 0n } };
    }
    const row = await take(key, section);
    if (row === undefined) continue;
    seen += 1n;
    if (seen <= offset || isFull()) continue;
    nested += nestedIn(row);
    if (BigInt(rows.length) < limit && (rows.length === 0 || nested <= NESTED_ROWS_MAX)) {
      rows.push(row);
      continue;
    }
    next = keyOf(section, key);
    if (!counts) break;
  }
  return { rows, pagination: { nextKey: next, total: counts ? seen : 0n } };
}

const TOO_FAR = `pagination: the offset is beyond the ${READ_MAX} entries that are looked at for one page: go on by next_key`;

interface Cursor {
  readonly section: number;
  readonly key: Key;
}

/** The entries of sections, one section after the other. */
export async function* entriesOf(
  sections: readonly Section[],
  cursor?: Cursor,
  reverse = false,
): AsyncGenerator<Cursor> {
  const order = sections.map((_, index) => index);
  if (reverse) order.reverse();
  for (const section of order) {
    const at = cursor?.section ?? section;
    if (reverse ? section > at : section < at) continue;
    const { reader, prefix, from, to } = sections[section] as Section;
    const start = cursor?.section === section ? cursor.key : undefined;
    const bounds = reverse
      ? { from, to: lower(to, start === undefined ? undefined : (`${start}\0` as Key)) }
      : { from: higher(from, start), to };
    for await (const [key] of reader.range(prefix, { ...bounds, reverse })) yield { section, key };
  }
}

function higher(a: Key | undefined, b: Key | undefined): Key | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return a > b ? a : b;
}

function lower(a: Key | undefined, b: Key | undefined): Key | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return a < b ? a : b;
}

/** A page key: the number of the section, and the key in it. */
function keyOf(section: number, key: Key): Uint8Array {
  return bytesOfKey(joinKeys(numberKey(section), key));
}

function numberKey(section: number): Key {
  return joinKeys(byteKey(section >> 8), byteKey(section & 255));
}

function cursorOf(
  sections: readonly Section[],
  request: PageRequest | undefined,
): Cursor | undefined {
  if (request === undefined || request.key.length === 0) return undefined;
  if (request.offset > 0n) {
    throw new ChainError(GrpcInvalidArgument, "pagination: either key or offset, not both");
  }
  const text = keyOfBytes(request.key);
  const number = sections.findIndex(({ prefix }, index) => {
    return text.startsWith(joinKeys(numberKey(index), prefix));
  });
  if (number < 0) {
    throw new ChainError(GrpcInvalidArgument, "pagination: this key is not of this query");
  }
  return { section: number, key: text.slice(2) as Key };
}

/** An address that is asked for, as the state spells it; undefined when none is. */
export function addressAsked(ctx: QueryContext, text: string): string | undefined {
  return text === "" ? undefined : parseAddress(text, ctx.chain.bech32Prefix);
}

/**
 * What a word stands for; undefined for the empty one.
 * @throws ChainError grpc/3 for a word that is none of them
 */
export function wordAsked<T>(
  what: string,
  word: string,
  meaning: (word: string) => T | undefined,
): T | undefined {
  if (word === "") return undefined;
  const found = meaning(word);
  if (found !== undefined) return found;
  throw new ChainError(GrpcInvalidArgument, `unknown ${what} "${word.slice(0, 64)}"`);
}
