import { mkdir, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { ClassicLevel } from "classic-level";
import { ProviderError } from "../errors.ts";
import type { ClosedWindow } from "../windows/closed_window.ts";
import type { Outbox, OutboxChange, SentTx } from "./outbox.ts";
import {
  decodeRecord,
  decodeSent,
  decodeWindow,
  encodeRecord,
  encodeSent,
  encodeWindow,
  type IndexFacts,
  indexFacts,
} from "./outbox_codec.ts";
import * as keys from "./outbox_keys.ts";
import { type Level, OutboxLevel } from "./outbox_level.ts";
import { lockedError, noteOwner } from "./outbox_owner.ts";
import { naturalKey, type OutboxRecord, RECORD_STATES, type RecordState } from "./outbox_record.ts";

type Counts = Record<RecordState, number>;

const VERSION = "1";
const CACHE_BYTES = 8 * 1024 * 1024;
const WRITE_BUFFER_BYTES = 8 * 1024 * 1024;
/** Records whose index facts are kept, so that a change of one need not read it first. */
const KNOWN_MAX = 20_000;
const PAGE_ROWS = 500;

/**
 * Opens the outbox of a folder, made when absent.
 * @throws ProviderError `outbox_in_use`; `newer_outbox` when a later version of the program wrote it
 */
export async function openOutbox(folder: string): Promise<LevelOutbox> {
  await mkdir(folder, { recursive: true });
  const level: Level = new ClassicLevel(join(folder, "db"), {
    ...{ keyEncoding: "utf8", valueEncoding: "utf8" },
    ...{ cacheSize: CACHE_BYTES, writeBufferSize: WRITE_BUFFER_BYTES },
  });
  try {
    await level.open();
  } catch (error) {
    const { code, message } = ((error as Error).cause ?? error) as Error & { code?: string };
    if (code === "LEVEL_LOCKED") throw await lockedError(folder);
    const detail = `the outbox ${folder} cannot be opened: ${message}`;
    throw new ProviderError("bad_outbox", detail);
  }
  try {
    await requireVersion(level, folder);
    await noteOwner(folder);
    const counts = await level.get(keys.COUNTS_KEY);
    return new LevelOutbox(level, folder, readCounts(counts));
  } catch (error) {
    await level.close();
    throw error;
  }
}

async function requireVersion(level: Level, folder: string): Promise<void> {
  const found = await level.get(keys.VERSION_KEY);
  if (found === undefined) await level.put(keys.VERSION_KEY, VERSION, { sync: true });
  else if (found !== VERSION) {
    const detail = `format ${VERSION} expected, format ${found} found`;
    throw new ProviderError(
      "newer_outbox",
      `the outbox ${folder} was written by another version of this program (${detail}): ` +
        "start that version, or a newer one",
    );
  }
}

function readCounts(text: string | undefined): Counts {
  const list = JSON.parse(text ?? "[]") as number[];
  return Object.fromEntries(RECORD_STATES.map((state, at) => [state, list[at] ?? 0])) as Counts;
}

/** A change that waits for the disk, and who waits for it. */
interface Waiting {
  readonly change: OutboxChange;
  /** Natural keys of records to forget. */
  readonly forget: readonly string[];
  readonly windows: readonly string[];
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * The outbox in LevelDB. Nothing loads all records: lists are pages, and the counts are written in
 * the same batch as the records that they count, so that opening costs the same for any number.
 */
export class LevelOutbox implements Outbox {
  readonly #level: OutboxLevel;
  readonly #folder: string;
  #counts: Counts;
  readonly #known = new Map<string, IndexFacts>();
  #waiting: Waiting[] = [];
  #writing: Promise<void> | undefined;
  // LevelDB walks over what was removed at the front of the queue until it is compacted: nothing is
  // before this key.
  readonly #queue = { head: "q/", version: 0 };

  constructor(level: Level, folder: string, counts: Counts) {
    this.#level = new OutboxLevel(level, folder);
    this.#folder = folder;
    this.#counts = counts;
  }

  write(change: OutboxChange): Promise<void> {
    return this.#enqueue(change, [], []);
  }

  async record(key: string): Promise<OutboxRecord | undefined> {
    const value = await this.#get(keys.recordKey(key));
    return value === undefined ? undefined : decodeRecord(key, value);
  }

  async records(query: {
    readonly state?: RecordState;
    readonly orderId?: string;
    readonly after?: string;
    readonly limit: number;
  }): Promise<OutboxRecord[]> {
    const { state, orderId, after, limit } = query;
    const kind = state === undefined ? "r/" : keys.statePrefix(state);
    const prefix = kind + (orderId === undefined ? "" : keys.orderPrefix(orderId));
    const from =
      after === undefined || kind + after < prefix ? { gte: prefix } : { gt: kind + after };
    const range = { ...from, lt: keys.endOf(prefix), limit };
    if (state !== undefined) {
      const found = await this.#keys(range);
      return this.#recordsOf(found.map((key) => key.slice(kind.length)));
    }
    const entries = await this.#entries(range);
    return entries.map(([key, value]) => decodeRecord(key.slice(kind.length), value));
  }

  async due(nowMs: number, limit: number, except: ReadonlySet<string>): Promise<OutboxRecord[]> {
    const waited = await this.#queued({ gte: "w/", lt: keys.waitingUntil(nowMs) }, limit, except);
    const { version, head } = this.#queue;
    const ready = await this.#queued({ gte: head, lt: "q0" }, limit, except, (first) => {
      // A record that was queued meanwhile may stand before it, unseen by this reading.
      if (this.#queue.version === version) this.#queue.head = first;
    });
    const order = (key: string) => `${keys.periodStartOf(key)}/${key}`;
    const found = waited.length === 0 ? ready : [...waited, ...ready].sort(byText(order));
    return this.#recordsOf(found.slice(0, limit));
  }

  counts(): Readonly<Counts> {
    return this.#counts;
  }

  async byUsageId(usageId: string): Promise<OutboxRecord | undefined> {
    const key = await this.#get(keys.usageKey(usageId));
    return key === undefined ? undefined : this.record(key);
  }

  async sentTxs(): Promise<SentTx[]> {
    const sent = await this.#entries({ gte: "t/", lt: "t0" });
    return sent
      .map(([, value]) => decodeSent(value))
      .sort((a, b) => (a.sequence < b.sequence ? -1 : 1));
  }

  async windows(query: {
    readonly order?: string;
    readonly after?: string;
    readonly limit: number;
    readonly isNewestFirst?: boolean;
  }): Promise<ClosedWindow[]> {
    const { order, after, limit, isNewestFirst: reverse = false } = query;
    // `after` is of both orders: the time, then the window's own key.
    const [kind, place] =
      order === undefined ? ["v/", after] : ["o/", after?.slice(after.indexOf("/") + 1)];
    const prefix = kind + (order === undefined ? "" : keys.orderPrefix(order));
    const all = { gte: prefix, lt: keys.endOf(prefix) };
    const rest = reverse ? { ...all, lt: kind + place } : { gt: kind + place, lt: all.lt };
    const range = { ...(place === undefined ? all : rest), limit, reverse };
    if (order !== undefined) {
      return (await this.#entries(range)).map(([, value]) => decodeWindow(value));
    }
    const found = await this.#keys(range);
    const names = found.map((key) => `o/${key.slice(key.indexOf("/", 2) + 1)}`);
    const values = await this.#getMany(names);
    return values.flatMap((value) => (value === undefined ? [] : [decodeWindow(value)]));
  }

  note(name: string): Promise<string | undefined> {
    return this.#get(keys.noteKey(name));
  }

  async notes(prefix: string): Promise<ReadonlyMap<string, string>> {
    const from = keys.noteKey(prefix);
    const entries = await this.#entries({ gte: from, lt: keys.endOf(from) });
    return new Map(entries.map(([key, value]) => [key.slice("n/".length), value]));
  }

  /**
   * Forgets records that were settled before a time, and windows that ended before it and have no
   * record any more. Should one of them be metered again, the chain tells that it has it.
   * @returns how many records and windows are gone
   */
  async prune(beforeMs: number): Promise<{ records: number; windows: number }> {
    let [records, windows] = [0, 0];
    for (let after: string | undefined; ; ) {
      const place = after === undefined ? {} : { after };
      const page = await this.records({ state: "settled", limit: PAGE_ROWS, ...place });
      const old = page.filter(({ changedMs }) => changedMs < beforeMs).map(naturalKey);
      await this.#enqueue({}, old, []);
      records += old.length;
      const last = page.at(-1);
      if (last === undefined) break;
      after = naturalKey(last);
    }
    const until = `v/${keys.seconds(BigInt(Math.trunc(beforeMs / 1000)))}`;
    for (let from = "v/"; ; ) {
      const page = await this.#keys({ gt: from, lt: until, limit: PAGE_ROWS });
      const empty: string[] = [];
      for (const key of page) if (!(await this.#hasRecords(key))) empty.push(key);
      await this.#enqueue({}, [], empty);
      windows += empty.length;
      const last = page.at(-1);
      if (last === undefined) break;
      from = last;
    }
    return { records, windows };
  }

  async sizeBytes(): Promise<number> {
    const folder = join(this.#folder, "db");
    let bytes = 0;
    for (const name of await readdir(folder)) {
      // LevelDB removes files at any time.
      bytes += await stat(join(folder, name)).then(
        ({ size }) => size,
        () => 0,
      );
    }
    return bytes;
  }

  async close(): Promise<void> {
    await this.#writing;
    await this.#level.close();
  }

  #get(key: string): Promise<string | undefined> {
    return this.#level.read((level) => level.get(key));
  }

  #getMany(all: string[]): Promise<(string | undefined)[]> {
    return this.#level.read((level) => level.getMany(all));
  }

  #keys(range: Range): Promise<string[]> {
    return this.#level.read((level) => level.keys(range).all());
  }

  #entries(range: Range): Promise<[string, string][]> {
    return this.#level.read((level) => level.iterator(range).all());
  }

  /** @param key of the windows by time */
  async #hasRecords(key: string): Promise<boolean> {
    const value = await this.#get(`o/${key.slice(key.indexOf("/", 2) + 1)}`);
    if (value === undefined) return false;
    const names = keysOfWindow(decodeWindow(value));
    const found = await this.#getMany(names.map(keys.recordKey));
    return found.some((record) => record !== undefined);
  }

  /** Natural keys of a stretch of the queue, in its order. */
  async #queued(
    range: { gte: string; lt: string },
    limit: number,
    except: ReadonlySet<string>,
    onFirst?: (key: string) => void,
  ): Promise<string[]> {
    return this.#level.read(async (level) => {
      const found: string[] = [];
      let isFirst = true;
      for await (const key of level.keys(range)) {
        if (isFirst) onFirst?.(key);
        isFirst = false;
        const name = keys.naturalKeyOfQueue(key);
        if (!except.has(name)) found.push(name);
        if (found.length >= limit) break;
      }
      // Nothing is in the queue: the next record that is put there is its head.
      if (isFirst) onFirst?.(range.lt);
      return found;
    });
  }

  async #recordsOf(names: readonly string[]): Promise<OutboxRecord[]> {
    const values = await this.#getMany(names.map(keys.recordKey));
    return names.flatMap((name, at) => {
      const value = values[at];
      return value === undefined ? [] : [decodeRecord(name, value)];
    });
  }

  #enqueue(
    change: OutboxChange,
    forget: readonly string[],
    windows: readonly string[],
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ change, forget, windows, resolve, reject });
      this.#writing ??= this.#writeAll();
    });
  }

  /** Changes that come while the disk is busy share the next synced batch. */
  async #writeAll(): Promise<void> {
    // Those of one turn of the event loop go together.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const group = this.#waiting;
      this.#waiting = [];
      try {
        await this.#writeGroup(group);
        for (const { resolve } of group) resolve();
      } catch (error) {
        // What is on the disk is as before: what is known in memory is read again.
        this.#known.clear();
        for (const { reject } of group) reject(error);
      }
    }
    this.#writing = undefined;
  }

  async #writeGroup(group: readonly Waiting[]): Promise<void> {
    if (await this.#level.mend()) {
      this.#counts = readCounts(await this.#get(keys.COUNTS_KEY));
      this.#queue.head = "q/";
    }
    await this.#learn(group);
    const counts = { ...this.#counts };
    let head = "q0";
    await this.#level.write(async (level) => {
      const batch = level.batch();
      head = this.#fill(batch, group, counts);
      batch.put(keys.COUNTS_KEY, JSON.stringify(RECORD_STATES.map((state) => counts[state])));
      await batch.write({ sync: true });
    });
    this.#counts = counts;
    this.#queue.version += 1;
    if (head < this.#queue.head) this.#queue.head = head;
    this.#bound();
  }

  /** Puts all changes into a batch. @returns the first place in the queue that is taken anew */
  #fill(batch: Batch, group: readonly Waiting[], counts: Counts): string {
    let head = "q0";
    for (const { change, forget, windows } of group) {
      for (const record of change.records ?? []) {
        const place = this.#putRecord(batch, record, counts);
        if (place?.startsWith("q/") === true && place < head) head = place;
      }
      for (const window of change.windows ?? []) putWindow(batch, window);
      for (const tx of change.sent ?? []) batch.put(keys.sentKey(tx.hash), encodeSent(tx));
      for (const hash of change.resolved ?? []) batch.del(keys.sentKey(hash));
      for (const [name, text] of change.notes ?? []) {
        if (text === undefined) batch.del(keys.noteKey(name));
        else batch.put(keys.noteKey(name), text);
      }
      for (const key of forget) this.#forget(batch, key, counts);
      for (const key of windows) dropWindow(batch, key);
    }
    return head;
  }

  /** Reads what the indexes have of records that a group changes and that are not known. */
  async #learn(group: readonly Waiting[]): Promise<void> {
    const names = new Set<string>();
    for (const { change, forget } of group) {
      for (const record of change.records ?? []) names.add(naturalKey(record));
      for (const key of forget) names.add(key);
    }
    const unknown = [...names].filter((name) => !this.#known.has(name));
    const values = await this.#getMany(unknown.map(keys.recordKey));
    unknown.forEach((name, at) => {
      const value = values[at];
      if (value !== undefined) this.#known.set(name, indexFacts(value));
    });
  }

  /** Where in the queue it stands now. */
  #putRecord(batch: Batch, record: OutboxRecord, counts: Counts): string | undefined {
    const key = naturalKey(record);
    const { state, notBeforeMs, usageId } = record;
    const before = this.#known.get(key);
    batch.put(keys.recordKey(key), encodeRecord(record));
    if (before?.state !== state) {
      if (before !== undefined) {
        counts[before.state] -= 1;
        batch.del(keys.stateKey(before.state, key));
      }
      counts[state] += 1;
      batch.put(keys.stateKey(state, key), "");
    }
    const [place, placeBefore] = [placeOf(key, record), placeOf(key, before)];
    if (place !== placeBefore) {
      if (placeBefore !== undefined) batch.del(placeBefore);
      if (place !== undefined) batch.put(place, "");
    }
    if (usageId !== (before?.usageId ?? "")) {
      if (before !== undefined && before.usageId !== "") batch.del(keys.usageKey(before.usageId));
      if (usageId !== "") batch.put(keys.usageKey(usageId), key);
    }
    this.#known.set(key, { state, notBeforeMs, usageId });
    return place;
  }

  #forget(batch: Batch, key: string, counts: Counts): void {
    const before = this.#known.get(key);
    if (before === undefined) return;
    counts[before.state] -= 1;
    batch.del(keys.recordKey(key));
    batch.del(keys.stateKey(before.state, key));
    const place = placeOf(key, before);
    if (place !== undefined) batch.del(place);
    if (before.usageId !== "") batch.del(keys.usageKey(before.usageId));
    this.#known.delete(key);
  }

  /** Forgets what was known first. */
  #bound(): void {
    let excess = this.#known.size - KNOWN_MAX;
    for (const key of this.#known.keys()) {
      if (excess <= 0) return;
      this.#known.delete(key);
      excess -= 1;
    }
  }
}

type Batch = ReturnType<Level["batch"]>;

/** Keys of LevelDB. */
interface Range {
  readonly gt?: string;
  readonly gte?: string;
  readonly lt?: string;
  readonly limit?: number;
  readonly reverse?: boolean;
}

/** The key of a pending record in the queue. */
function placeOf(
  key: string,
  facts: { state: RecordState; notBeforeMs: number } | undefined,
): string | undefined {
  return facts?.state === "pending" ? keys.queueKey(key, facts.notBeforeMs) : undefined;
}

function putWindow(batch: Batch, window: ClosedWindow): void {
  batch.put(`o/${keys.windowKey(window)}`, encodeWindow(window));
  batch.put(`v/${keys.windowCursor(window)}`, "");
}

/** Natural keys of the records that a window has made. */
function keysOfWindow({ order, lease, end, units }: ClosedWindow): string[] {
  return units.map(({ resource, since }) =>
    naturalKey({
      ...{ orderId: order, leaseId: lease, usageType: resource },
      ...{ periodStart: since, periodEnd: end },
    }),
  );
}

/** @param key of the windows by time */
function dropWindow(batch: Batch, key: string): void {
  batch.del(key);
  batch.del(`o/${key.slice(key.indexOf("/", 2) + 1)}`);
}

function byText<T>(textOf: (item: T) => string): (a: T, b: T) => number {
  return (a, b) => {
    const [left, right] = [textOf(a), textOf(b)];
    return left < right ? -1 : left > right ? 1 : 0;
  };
}
