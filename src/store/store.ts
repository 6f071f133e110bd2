import { assert } from "../lib/assert.ts";
import type { Key } from "../lib/key.ts";
import type { BatchOp } from "../types/application.ts";
import type { Hasher } from "../types/crypto.ts";
import type { TimeNs } from "../types/time.ts";
import { Commitment } from "./commitment.ts";
import { DB_META, DB_STATE } from "./db.ts";
import { isDerivedKey } from "./kv.ts";
import { encodeVersion, type Version } from "./version.ts";
import { Overlay } from "./overlay.ts";
import { State } from "./state.ts";

export const VERSION_KEY = `${DB_META}version`;

/**
 * Current state and its commitment, and the one block in flight. The host writes a staged block's
 * operations to disk and calls `applyStaged`; until then no reader sees the block.
 */
export class Store {
  readonly #state: State;
  readonly #commitment: Commitment;
  #version: Version | undefined;
  #staged: { changes: readonly [Key, Uint8Array | undefined][]; version: Version } | undefined;

  constructor(options: { iterablePrefixes: readonly Key[]; depth: number; hasher: Hasher }) {
    this.#state = new State(options.iterablePrefixes);
    this.#commitment = new Commitment(options.depth, options.hasher);
  }

  /** The committed version; undefined before genesis. */
  get version(): Version | undefined {
    return this.#version;
  }

  get keyCount(): number {
    return this.#state.size;
  }

  /** Takes over one entry of the database at start. */
  load(key: Key, value: Uint8Array): void {
    this.#state.apply(key, value);
    if (!isDerivedKey(key)) this.#commitment.update(key, value);
  }

  /** Ends the loading. @throws InvariantError when the contents do not hash to the app hash. */
  loaded(version: Version): void {
    const appHash = this.#commitment.appHash();
    const same = appHash.every((byte, index) => byte === version.appHash[index]);
    assert(same, "the state on disk does not match its app hash", { height: version.height });
    this.#version = version;
  }

  /** A fresh overlay on the committed state. */
  overlay(): Overlay {
    return new Overlay(this.#state);
  }

  /** Hashes an executed block's changes. Only one block may be in flight. */
  stage(overlay: Overlay, at: { height: bigint; time: TimeNs }): Uint8Array {
    assert(this.#staged === undefined, "a block is already in flight", { height: at.height });
    const changes = overlay.sortedChanges();
    for (const [key, value] of changes) {
      if (!isDerivedKey(key)) this.#commitment.update(key, value);
    }
    const appHash = this.#commitment.appHash();
    this.#staged = { changes, version: { ...at, appHash } };
    return appHash;
  }

  /** The writes that make the staged block durable, to be written in one batch. */
  stagedOps(): BatchOp[] {
    const { changes, version } = this.#inFlight();
    const ops: BatchOp[] = [{ key: VERSION_KEY, value: encodeVersion(version) }];
    for (const [key, value] of changes) ops.push({ key: DB_STATE + key, value });
    return ops;
  }

  /** The staged block is on disk: it becomes the committed state. */
  applyStaged(): void {
    const { changes, version } = this.#inFlight();
    for (const [key, value] of changes) this.#state.apply(key, value);
    this.#version = version;
    this.#staged = undefined;
  }

  #inFlight(): { changes: readonly [Key, Uint8Array | undefined][]; version: Version } {
    assert(this.#staged !== undefined, "no block is in flight");
    return this.#staged;
  }
}
