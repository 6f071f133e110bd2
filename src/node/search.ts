import type { Key } from "../lib/key.ts";
import { attributePrefix, type IndexOf, tagPrefix } from "./block_keys.ts";
import type { BlockStore } from "./block_store.ts";
import {
  eventsMatch,
  eventTypeOf,
  type Reserved,
  reservedOfBlock,
  reservedOfTx,
  TAG_BLOCK_HEIGHT,
  TAG_EVENT,
  TAG_TX_HASH,
  TAG_TX_HEIGHT,
} from "./event_match.ts";
import { fromHex } from "../lib/bytes.ts";
import { LoopPace, type Pace } from "./pace.ts";
import { intersect } from "./posting_stream.ts";
import {
  type Condition,
  type DecimalNumber,
  parseQuery,
  type Query,
  valueMatches,
} from "./query_language.ts";
import type { TxPlace } from "./tx_index.ts";
import type { IndexedTx, PageInput } from "./view.ts";

/** Candidates whose events one search reads. */
const CANDIDATES_MAX = 100_000;
/** Bytes of one page as they are stored, events included; one item may have more. */
const PAGE_BYTES_MAX = 16 * 1024 * 1024;

/** A query whose lists leave more candidates to be read than one search may. */
export class SearchTooWideError extends Error {
  constructor() {
    super(
      `the query has more than ${CANDIDATES_MAX} candidates to look at: narrow it, for example ` +
        "by a range of heights or an attribute with =",
    );
    this.name = "SearchTooWideError";
  }
}

/** A page of what is too large to be sent together. */
export class PageTooLargeError extends Error {
  constructor() {
    super(
      `what is on this page has more than ${PAGE_BYTES_MAX} bytes: ask for fewer on a page ` +
        "(per_page, limit), or for each by itself",
    );
    this.name = "PageTooLargeError";
  }
}

/** Sums up what a page holds. */
export class PageSize {
  readonly #count: number;
  #bytes = 0;

  /** @param count items of the page */
  constructor(count: number) {
    this.#count = count;
  }

  /** Before an item is read. @throws PageTooLargeError, but not for one that is alone */
  add(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > PAGE_BYTES_MAX && this.#count > 1) throw new PageTooLargeError();
  }
}

/** How a query is answered: lists to intersect within a range of heights. */
interface Plan {
  readonly low: bigint;
  readonly high: bigint;
  readonly prefixes: readonly Key[];
  /** Whether the lists alone decide; if not, the events of each candidate are looked at. */
  readonly isExact: boolean;
}

/**
 * Txs that meet a query, a page of them in order of (height, index), and how many there are in all.
 * Memory does not grow with the number of matches.
 * @throws QueryLanguageError for a query that does not parse, SearchTooWideError,
 * PageTooLargeError, the reason of the page's signal
 */
export async function searchTxs(
  store: BlockStore,
  text: string,
  page: PageInput,
): Promise<{ txs: IndexedTx[]; total: number }> {
  const query = parseQuery(text);
  const window = new Window<TxPlace>(page);
  const plan = planOf(query, "tx", TAG_TX_HEIGHT, store);
  const work = new Work(page);
  if (plan !== undefined) {
    const { descending } = page;
    for await (const place of txPlaces(store, query, plan, { descending, work })) window.add(place);
  }
  return { txs: await txsAt(store, window.items, work), total: window.total };
}

/** One after another: they may be large. What was pruned meanwhile is left out. */
async function txsAt(
  store: BlockStore,
  places: readonly TxPlace[],
  work: Work,
): Promise<IndexedTx[]> {
  const txs: IndexedTx[] = [];
  const size = new PageSize(places.length);
  for (const place of places) {
    await work.turn();
    const tx = await store.txAt(place, work.pace, (bytes) => size.add(bytes));
    if (tx !== undefined) txs.push(tx);
  }
  return txs;
}

async function* txPlaces(
  store: BlockStore,
  query: Query,
  plan: Plan,
  { descending, work }: { readonly descending: boolean; readonly work: Work },
): AsyncGenerator<TxPlace> {
  const matches = async (place: TxPlace) => {
    work.read();
    const tx = await store.txAt(place, work.pace);
    if (tx === undefined) return false;
    return eventsMatch(query, reservedOfTx(tx.hash, tx.height), tx.result.events);
  };
  const hash = hashOf(query);
  if (hash !== undefined) {
    const place = hash === "none" ? undefined : await store.placeOf(hash);
    if (place !== undefined && (await matches(place))) yield place;
    return;
  }
  const prefixes = plan.prefixes.length > 0 ? plan.prefixes : [tagPrefix("tx", TAG_TX_HEIGHT)];
  const range = { ...plan, descending };
  for await (const { height, indexes } of intersect(store, prefixes, range, work.pace)) {
    for (const index of descending ? [...indexes].reverse() : indexes) {
      if (work.pace.isDue()) await work.turn();
      const place = { height, index };
      if (plan.isExact || (await matches(place))) yield place;
    }
  }
}

/** Heights of blocks that meet a query, as `searchTxs`, with its errors. */
export async function searchBlocks(
  store: BlockStore,
  text: string,
  page: PageInput,
): Promise<{ heights: bigint[]; total: number }> {
  const query = parseQuery(text);
  const plan = planOf(query, "block", TAG_BLOCK_HEIGHT, store);
  if (plan === undefined) return { heights: [], total: 0 };
  if (plan.prefixes.length === 0) return heightsOf(plan, page);
  const window = new Window<bigint>(page);
  const work = new Work(page);
  const range = { ...plan, descending: page.descending };
  for await (const { height } of intersect(store, plan.prefixes, range, work.pace)) {
    if (work.pace.isDue()) await work.turn();
    if (!plan.isExact) {
      work.read();
      const events = (await store.outcome(height, work.pace))?.events ?? [];
      if (!eventsMatch(query, reservedOfBlock(height), events)) continue;
    }
    window.add(height);
  }
  return { heights: window.items, total: window.total };
}

// Every height of a range has a block: nothing needs to be read to count or list them.
function heightsOf({ low, high }: Plan, page: PageInput): { heights: bigint[]; total: number } {
  const total = high < low ? 0 : Number(high - low + 1n);
  const first = BigInt((page.page - 1) * page.perPage);
  const heights: bigint[] = [];
  for (let at = first; heights.length < page.perPage && at < BigInt(total); at += 1n) {
    heights.push(page.descending ? high - at : low + at);
  }
  return { heights, total };
}

/** undefined when nothing can match. */
function planOf(query: Query, of: IndexOf, heightTag: string, store: BlockStore): Plan | undefined {
  const { tip } = store;
  if (tip === undefined) return undefined;
  let [low, high] = [tip.earliest, tip.latest];
  const prefixes: Key[] = [];
  const types: string[] = [];
  let isExact = true;
  const reserved: Reserved =
    of === "tx" ? reservedOfTx(new Uint8Array(0), 0n) : reservedOfBlock(0n);
  for (const condition of query) {
    const { tag, operator, operand } = condition;
    if (tag === TAG_EVENT) {
      if (!reserved.get(tag)?.some((value) => valueMatches(condition, value))) return undefined;
    } else if (tag === heightTag && operand?.kind === "number") {
      const bounds = heightBounds(condition, operand.number);
      if (bounds.low !== undefined && bounds.low > low) low = bounds.low;
      if (bounds.high !== undefined && bounds.high < high) high = bounds.high;
    } else if (reserved.has(tag)) {
      isExact = false;
    } else if (operator === "=" && operand?.kind === "text") {
      prefixes.push(attributePrefix(of, tag, operand.text));
      types.push(eventTypeOf(tag));
    } else {
      prefixes.push(tagPrefix(of, tag));
      types.push(eventTypeOf(tag));
      // The list of a tag holds every value: enough for EXISTS, not for a comparison.
      if (operator !== "EXISTS") isExact = false;
    }
  }
  // Two conditions on one type may be met by two different events: only the events can tell.
  if (new Set(types).size < types.length) isExact = false;
  return { low, high, prefixes, isExact };
}

function heightBounds(
  { operator }: Condition,
  { digits, places }: DecimalNumber,
): { low?: bigint; high?: bigint } {
  const scale = 10n ** BigInt(places);
  const floor = digits / scale;
  const ceil = floor * scale === digits ? floor : floor + 1n;
  switch (operator) {
    case "=":
      return { low: ceil, high: floor };
    case "<":
      return { high: ceil - 1n };
    case "<=":
      return { high: floor };
    case ">":
      return { low: floor + 1n };
    case ">=":
      return { low: ceil };
    case "CONTAINS":
    case "EXISTS":
      return {};
  }
}

/** The bytes of a `tx.hash = '…'`; "none" for a text that is no hash of a tx. */
function hashOf(query: Query): Uint8Array | "none" | undefined {
  for (const { tag, operator, operand } of query) {
    if (tag !== TAG_TX_HASH || operator !== "=") continue;
    const bytes = operand?.kind === "text" ? fromHex(operand.text) : undefined;
    return bytes?.length === 32 ? bytes : "none";
  }
  return undefined;
}

/** Counts all items and keeps those of one page. */
class Window<T> {
  readonly items: T[] = [];
  readonly #first: number;
  readonly #perPage: number;
  total = 0;

  constructor({ page, perPage }: PageInput) {
    this.#first = (page - 1) * perPage;
    this.#perPage = perPage;
  }

  add(item: T): void {
    if (this.total >= this.#first && this.items.length < this.#perPage) this.items.push(item);
    this.total += 1;
  }
}

/** Keeps one search from holding up the node, or going on for nobody. */
class Work {
  readonly pace: Pace;
  readonly #signal: AbortSignal | undefined;
  #read = 0;

  constructor({ signal, pace = new LoopPace(signal) }: PageInput) {
    this.pace = pace;
    this.#signal = signal;
  }

  /** Lets others go first where it is their turn. @throws the reason of the signal */
  async turn(): Promise<void> {
    this.#signal?.throwIfAborted();
    if (this.pace.isDue()) await this.pace.pause();
  }

  /** Before the events of a candidate are read. @throws SearchTooWideError */
  read(): void {
    this.#read += 1;
    if (this.#read > CANDIDATES_MAX) throw new SearchTooWideError();
  }
}
