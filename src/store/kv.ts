import type { Key } from "../lib/key.ts";

/**
 * State as the machine reads it: point reads of any key, and walks of prefixes that a module has
 * declared iterable. Everything is synchronous, so a message runs to completion.
 */
export interface ReadKv {
  get(key: Key): Uint8Array | undefined;
  has(key: Key): boolean;
  /** Whether the key lies under a prefix that a module has declared iterable. */
  isIterable(key: Key): boolean;
  /** Entries under a declared prefix; 0 for any other. */
  countUnder(prefix: string): number;
  /**
   * Entries under `prefix` in byte order. The prefix must lie in a declared one; what is written
   * during the walk does not show in it.
   * @throws InvariantError when the prefix is not declared iterable.
   */
  iterate(prefix: Key): Iterable<[Key, Uint8Array]>;
}

/** State as a message writes it. */
export interface Kv extends ReadKv {
  /** @throws ChainError store/2 when a declared prefix would hold more than its limit. */
  set(key: Key, value: Uint8Array): void;
  /**
   * As `set`, with the caller's promise that the key is absent: a record with a fresh number, an
   * index entry of one. It spares the store the look-up of the value before.
   */
  create(key: Key, value: Uint8Array): void;
  delete(key: Key): void;
  /** Begins a part that is kept or dropped as a whole. Parts may lie in each other. */
  begin(): void;
  /** Ends the last part that was begun: what it wrote counts. */
  keep(): void;
  /** Ends the last part that was begun: what it wrote leaves no trace. */
  drop(): void;
}

/**
 * The first byte of a key names its module and its class. Below 0x80: committed, covered by the
 * app hash. From 0x80 on: derived, can be rebuilt from other records, so the app hash does not
 * cover it.
 */
export function isDerivedKey(key: Key): boolean {
  return key.charCodeAt(0) >= 0x80;
}

/**
 * From 0xc0 on: an index for queries only. The machine writes it and never reads it, so it is not
 * held in memory.
 */
export function isQueryKey(key: Key): boolean {
  return key.charCodeAt(0) >= 0xc0;
}

/** What belongs to one declaration of an iterable prefix: the module byte and the kind byte. */
export const PREFIX_LENGTH = 2;

/** Entries that one declared prefix may hold (DESIGN section 3): live work, never history. */
export const ITERABLE_ENTRIES_MAX = 1_000_000;
