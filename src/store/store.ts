import { assert, must } from "../lib/assert.ts";
import { equalBytes } from "../lib/bytes.ts";
import { ChainError } from "../lib/errors.ts";
import { bytesOfKey, type Key } from "../lib/key.ts";
import { toSafeNumber } from "../lib/int.ts";
import type { StoreStats } from "../types/application.ts";
import type { Hasher } from "../types/crypto.ts";
import { ErrInvalidRequest } from "../types/sdk_errors.ts";
import type { TimeNs } from "../types/time.ts";
import { ChangeListWriter, historyKey } from "./change_list.ts";
import { Commitment } from "./commitment.ts";
import type { CommitmentFork } from "./commitment_fork.ts";
import { DB_META, DB_STATE, type Db, type DbBatch, type DbReads } from "./db.ts";
import type { Entry } from "./entry.ts";
import { IterablePrefixes } from "./iterable_prefixes.ts";
import { isDerivedKey, isQueryKey } from "./kv.ts";
import { putLayout } from "./layout.ts";
import { type Change, Overlay } from "./overlay.ts";
import type { CurrentLookup } from "./read_view.ts";
import { State } from "./state.ts";
import { changesAt, readChangeList } from "./undo.ts";
import { encodeVersion, type Version } from "./version.ts";

export const VERSION_KEY = `${DB_META}version` as Key;
/** The lowest height that can be read: 8 bytes. */
export const EARLIEST_KEY = `${DB_META}earliest` as Key;

/** Bytes of memory for state that is read or written often. */
const CACHE_BYTES_DEFAULT = 134_217_728;

export interface StoreOptions {
  readonly db: Db;
  readonly iterablePrefixes: readonly Key[];
  /** Depth of the commitment, which genesis fixes. */
  readonly depth: number;
  readonly hasher: Hasher;
  readonly cacheBytes?: number;
  /** Heights below the latest that can be read: a number of blocks, 0 for none. Default "all". */
  readonly keepHistory?: number | "all";
  /** Looks up every key that is said to be new: slow, for tests. */
  readonly checkCreates?: boolean;
}

/** What an executed block writes. */
interface Staged {
  readonly version: Version;
  readonly before: Version | undefined;
  readonly changes: ReadonlyMap<Key, Change>;
  /** Values before the block, of the keys that had one. */
  readonly history: readonly [Key, Entry][];
  readonly earliest: number;
  /** Keys of the commitment after the block. */
  readonly committedKeys: number;
}

/**
 * Current state, history and commitment, and the blocks that are executed and not yet on disk: one
 * may be under way to it while the next is executed. The host writes one batch per block, in
 * order; until `written` no reader sees the block.
 */
export class Store {
  readonly #options: StoreOptions;
  readonly #iterable: IterablePrefixes;
  readonly #state: State;
  #commitment: Commitment | CommitmentFork;
  #version: Version | undefined;
  #head: Version | undefined;
  #earliest = 0;
  #commitmentChanges = 0;
  /** Of the version on disk. */
  #committedKeys = 0;
  /** Blocks that were taken back. */
  #undone = 0;
  /** They are not yet taken back on disk. */
  #isUndoing = false;
  readonly #staged: Staged[] = [];

  /** @param branch what a branch begins with, in place of nothing */
  constructor(options: StoreOptions, branch?: Beginning) {
    this.#options = options;
    this.#iterable = branch?.iterable ?? new IterablePrefixes(options.iterablePrefixes);
    this.#commitment = branch?.commitment ?? new Commitment(options.depth, options.hasher);
    const cacheBytes = options.cacheBytes ?? CACHE_BYTES_DEFAULT;
    this.#state = new State(options.db, this.#iterable, cacheBytes);
    this.#version = branch?.version;
    this.#head = branch?.version;
    this.#earliest = branch?.earliest ?? 0;
    this.#committedKeys = this.#commitment.pairCount;
  }

  get options(): StoreOptions {
    return this.#options;
  }

  get db(): Db {
    return this.#options.db;
  }

  get iterablePrefixes(): readonly Key[] {
    return this.#options.iterablePrefixes;
  }

  get depth(): number {
    return this.#options.depth;
  }

  get hasher(): Hasher {
    return this.#options.hasher;
  }

  /** The version on disk; undefined before genesis. */
  get version(): Version | undefined {
    return this.#version;
  }

  /** The version of the last executed block, which may be on its way to the disk. */
  get head(): Version | undefined {
    return this.#head;
  }

  /** Of the last executed block. */
  get commitment(): Commitment | CommitmentFork {
    return this.#commitment;
  }

  /** Look-ups since the start, and the keys of the version on disk. */
  get stats(): StoreStats {
    return { ...this.#state.stats, committedKeys: this.#committedKeys };
  }

  /** Keys of the commitment that were changed since what was saved of it at the start. */
  get commitmentChanges(): number {
    return this.#commitmentChanges;
  }

  /** Takes over one entry of a declared prefix at start. */
  loadIterable(key: Key, entry: Entry): void {
    const ordered = this.#iterable.of(key);
    assert(ordered !== undefined, "prefix is not declared iterable", { key });
    ordered.set(key, entry);
  }

  /**
   * Ends the loading.
   * @throws InvariantError when the commitment is not that of the app hash.
   */
  loaded(loaded: {
    version: Version;
    commitment: Commitment;
    earliest: number;
    /** Keys of the commitment by which it differs from what is saved. */
    unsavedChanges: number;
  }): void {
    const { version, commitment } = loaded;
    const same = equalBytes(commitment.appHash(), version.appHash);
    assert(same, "the state on disk does not match its app hash", { height: version.height });
    this.#commitment = commitment;
    this.#version = version;
    this.#head = version;
    this.#earliest = loaded.earliest;
    this.#committedKeys = commitment.pairCount;
    this.#commitmentChanges = loaded.unsavedChanges;
  }

  /** What is in memory is on disk too, and nothing else: nothing is on its way there. */
  get isOnDisk(): boolean {
    return this.#head === this.#version && !this.#isUndoing;
  }

  /**
   * Looks a key up in the current state through the machine's cache, for readers: what did not
   * change since their height they need not ask a snapshot for. Says nothing after an `undo`.
   */
  memory(): CurrentLookup {
    // Until the disk has been taken back too, memory is not of what a reader reads.
    if (this.#isUndoing) return () => undefined;
    const undone = this.#undone;
    return (key) =>
      this.#undone === undone && !isQueryKey(key) ? this.#state.entry(key) : undefined;
  }

  /** A fresh overlay on the state after the last executed block. */
  overlay(): Overlay {
    return new Overlay(this.#state);
  }

  /**
   * Takes over an executed block and hashes its changes; the overlay must not be used any more.
   * Returns its app hash. One block may be on its way to the disk meanwhile.
   */
  stage(overlay: Overlay, at: { height: bigint; time: TimeNs }): Uint8Array {
    assert(this.#staged.length < 2, "two blocks are in flight", { height: at.height });
    const height = toSafeNumber(at.height);
    const changes = overlay.changes();
    const history: [Key, Entry][] = [];
    for (const [key, { value, isNew }] of changes) {
      if (isNew && this.#options.checkCreates === true) {
        assert(this.#state.entry(key) === undefined, "a key that is there was created", { key });
      }
      if (!isNew) {
        const before = this.#state.entry(key);
        if (before !== undefined) history.push([key, before]);
      }
      if (!isDerivedKey(key) && !(isNew && value === undefined)) {
        this.#commitment.update(key, value);
        this.#commitmentChanges += 1;
      }
    }
    const version = { ...at, appHash: this.#commitment.appHash() };
    const earliest = this.#earliestAfter(height);
    const committedKeys = this.#commitment.pairCount;
    this.#staged.push({ version, before: this.#head, changes, history, earliest, committedKeys });
    this.#state.execute(height, changes);
    this.#head = version;
    return version.appHash;
  }

  /** Adds the writes that make the oldest executed block durable to the batch of that block. */
  writeInto(batch: DbBatch): void {
    const { version, before, changes, history, earliest } = this.#inFlight();
    const height = toSafeNumber(version.height);
    batch.put(VERSION_KEY, encodeVersion(version));
    if (before === undefined) putLayout(batch);
    if (earliest !== this.#earliest || before === undefined) {
      batch.putVersioned(EARLIEST_KEY, EMPTY, earliest);
    }
    for (const [key, { value, isNew }] of changes) {
      if (value !== undefined) batch.putVersioned(DB_STATE + key, value, height);
      else if (!isNew) batch.del(DB_STATE + key);
    }
    if (this.#options.keepHistory === 0) return;
    for (const [key, { value, from }] of history) {
      batch.putVersioned(historyKey(key, height), value, from);
    }
    for (const [key, part] of listOf(height, this.#inFlight())) batch.put(key, part);
  }

  /** The oldest executed block is on disk: readers see it. */
  written(): void {
    const { version, earliest, committedKeys } = this.#inFlight();
    this.#state.written();
    this.#version = version;
    this.#earliest = earliest;
    this.#committedKeys = committedKeys;
    this.#staged.shift();
  }

  /**
   * Takes back the last block, and adds to a batch what takes it back on disk; the host writes that
   * before anything else. Costs what the block changed. Returns the version before.
   */
  undo(batch: DbBatch): Version {
    assert(this.#staged.length === 0, "a block is in flight");
    const { version } = this;
    assert(version !== undefined, "there is a block to take back");
    const list = readChangeList(this.db, version.height);
    list.removeFrom(batch);
    for (const [key, entry] of list.entries()) {
      if (entry === undefined) batch.del(DB_STATE + key);
      else batch.putVersioned(DB_STATE + key, entry.value, entry.from);
      this.#state.restore(key, entry);
      if (isDerivedKey(key)) continue;
      this.#commitment.update(key, entry?.value);
      this.#commitmentChanges += 1;
    }
    const before = list.before;
    const same = equalBytes(this.#commitment.appHash(), before.appHash);
    assert(same, "taking a block back gives another app hash", { height: before.height });
    batch.put(VERSION_KEY, encodeVersion(before));
    this.#version = before;
    this.#head = before;
    this.#committedKeys = this.#commitment.pairCount;
    this.#undone += 1;
    this.#isUndoing = true;
    return before;
  }

  /** The batch of the last `undo` is on disk. */
  undoWritten(): void {
    this.#isUndoing = false;
  }

  /** What is in memory, going its own way from now on: what a branch begins with. */
  fork(): Beginning {
    assert(this.#staged.length === 0, "a block is in flight");
    assert(this.#commitment instanceof Commitment, "a branch has no branches");
    const commitment = this.#commitment.fork();
    const iterable = this.#iterable.fork();
    return { iterable, commitment, version: this.#version, earliest: this.#earliest };
  }

  /**
   * Proofs of what keys held at a height on disk, or that they held nothing (docs/proofs.md). For
   * an older height the changes since are taken back on a fork: the cost depends on them alone.
   * Some milliseconds pass from step to step; blocks may be executed and written in between.
   * @param db what is on disk at the first step
   * @throws ChainError sdk/18 when more than 20,000 changes lie between
   */
  *proofSteps(
    db: DbReads,
    height: bigint,
    keys: readonly Key[],
  ): Generator<undefined, readonly Uint8Array[]> {
    assert(this.#commitment instanceof Commitment, "a branch proves nothing");
    const isThere = !this.#isUndoing && height <= (this.#head?.height ?? 0n);
    assert(isThere, "blocks have been taken back", { height });
    const fork = this.#commitment.fork();
    try {
      let taken = 0;
      for (const [key, value] of this.#changesBack(db, height)) {
        if (!isDerivedKey(key)) fork.update(key, value);
        taken += 1;
        if (taken % CHANGES_PER_STEP !== 0) continue;
        // All at the end would take as long as all these steps.
        fork.appHash();
        yield undefined;
      }
      fork.appHash();
      return keys.map((key) => fork.prove(key));
    } finally {
      fork.close();
    }
  }

  /** What leads from the last executed block back to a height: keys with what they had before. */
  *#changesBack(db: DbReads, height: bigint): Generator<[Key, Uint8Array | undefined]> {
    const staged = [...this.#staged].reverse();
    const latest = must(this.#version, "there is a block on disk").height;
    for (const { version, changes, history } of staged) {
      // A reader sees a block as soon as the disk has it, which may be before `written` is called.
      if (version.height <= height) break;
      for (const key of changes.keys()) yield [key, undefined];
      for (const [key, { value }] of history) yield [key, value];
    }
    let budget = PROOF_CHANGES_MAX;
    for (let each = latest; each > height; each -= 1n) {
      for (const [key, entry] of changesAt(db, each)) {
        budget -= 1;
        if (budget < 0) throw tooFarBack(height);
        yield [key, entry?.value];
      }
    }
  }

  #earliestAfter(height: number): number {
    const keep = this.#options.keepHistory ?? "all";
    const current = this.#staged.at(-1)?.earliest ?? this.#earliest;
    if (keep === "all") return current;
    return height - keep > current ? height - keep : current;
  }

  #inFlight(): Staged {
    const staged = this.#staged[0];
    assert(staged !== undefined, "no block is in flight");
    return staged;
  }
}

const EMPTY = new Uint8Array(0);

/** What a branch takes over from the store that it leaves. */
export interface Beginning {
  readonly iterable: IterablePrefixes;
  readonly commitment: CommitmentFork;
  readonly version: Version | undefined;
  readonly earliest: number;
}

/** Changed keys that a proof of an older height takes back: some tenths of a second of work. */
const PROOF_CHANGES_MAX = 20_000;
/** Of these, in one step. */
const CHANGES_PER_STEP = 256;

function tooFarBack(height: bigint): ChainError {
  const detail = `more than ${PROOF_CHANGES_MAX} keys changed since height ${height}; ask for a proof at a later height`;
  return new ChainError(ErrInvalidRequest, detail);
}

function listOf(height: number, { before, changes, history }: Staged) {
  const writer = new ChangeListWriter(height, before);
  // The values before are in the order of the changes.
  let at = 0;
  for (const [key, { value }] of changes) {
    const hadValue = history[at]?.[0] === key;
    if (hadValue) at += 1;
    if (hadValue || value !== undefined) writer.add(key, hadValue);
  }
  return writer.parts();
}

/** The database key of a key of the state. */
export function stateKey(key: Key): Uint8Array {
  return bytesOfKey((DB_STATE + key) as Key);
}
