import type { Db, DbBatch, DbIterator, DbSnapshot, RangeInput } from "../../src/store/db.ts";
import type { BatchOp } from "../../src/types/application.ts";

/** Where in a write the process dies. */
export type KillPoint = "before" | "during" | "after";

/** What happens at the chosen point. */
export interface Killer {
  /** Counts down the points; does not return from the last. */
  at(point: KillPoint): void;
  /** Called when a synced write is on disk and nothing was told of it yet. */
  synced?(): void;
}

/** The process is dead, as far as its database is concerned. */
export class Killed extends Error {
  constructor() {
    super("killed");
    this.name = "Killed";
  }
}

/** Dies at the n-th point that it passes, and at every one after it. Points count from 1. */
export class CountedKiller implements Killer {
  #left: number;
  #passed = 0;
  readonly #die: (point: KillPoint) => void;

  constructor(point: number, die: (point: KillPoint) => void = throwKilled) {
    this.#left = point;
    this.#die = die;
  }

  /** Points that were passed alive. */
  get passed(): number {
    return this.#passed;
  }

  at(point: KillPoint): void {
    this.#left -= 1;
    if (this.#left <= 0) this.#die(point);
    else this.#passed += 1;
  }
}

function throwKilled(): void {
  throw new Killed();
}

/** A database over another one, that passes a killer's points at every write. */
export class KillDb implements Db {
  readonly #db: Db;
  readonly #killer: Killer;

  constructor(db: Db, killer: Killer) {
    this.#db = db;
    this.#killer = killer;
  }

  get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#db.get(key);
  }

  getSync(key: Uint8Array): Uint8Array | undefined {
    return this.#db.getSync(key);
  }

  range(input: RangeInput): AsyncIterable<[Uint8Array, Uint8Array]> {
    return this.#db.range(input);
  }

  iterator(input: RangeInput): DbIterator {
    return this.#db.iterator(input);
  }

  snapshot(): DbSnapshot {
    return this.#db.snapshot();
  }

  batch(): DbBatch {
    const batch = this.#db.batch();
    return {
      put: (key, value) => batch.put(key, value),
      putVersioned: (key, value, height) => batch.putVersioned(key, value, height),
      del: (key) => batch.del(key),
      write: async (options) => this.#write(options.sync, () => batch.write(options)),
    };
  }

  async write(ops: readonly BatchOp[], options: { sync?: boolean } = {}): Promise<void> {
    await this.#write(options.sync ?? true, () => this.#db.write(ops, options));
  }

  compact(from: Uint8Array, to: Uint8Array): Promise<void> {
    return this.#db.compact(from, to);
  }

  close(): Promise<void> {
    return this.#db.close();
  }

  async #write(sync: boolean, write: () => Promise<void>): Promise<void> {
    this.#killer.at("before");
    const written = write();
    this.#killer.at("during");
    await written;
    if (sync) this.#killer.synced?.();
    this.#killer.at("after");
  }
}
