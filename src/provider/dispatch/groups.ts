import { naturalKey, type OutboxRecord } from "../outbox/outbox_record.ts";

/** Records that go into one tx of their own, because of what happened to the last one. */
export interface Group {
  readonly keys: readonly string[];
  /** Factor on the gas limit. */
  readonly gasFactor: bigint;
}

export function groupOf(records: readonly OutboxRecord[], gasFactor: bigint): Group {
  return { keys: records.map(naturalKey), gasFactor };
}

/**
 * Groups that wait for their turn, which comes before all other records. Their records are pending
 * in the outbox; after a restart they are sent like any others, and what was found out about them
 * is found out again.
 */
export class Groups {
  #waiting: Group[] = [];
  readonly #keys = new Set<string>();

  /** Natural keys of all of them. */
  get keys(): ReadonlySet<string> {
    return this.#keys;
  }

  get size(): number {
    return this.#waiting.length;
  }

  /** Keeps the records of groups that will be added. */
  reserve(groups: readonly Group[]): void {
    for (const { keys } of groups) for (const key of keys) this.#keys.add(key);
  }

  add(groups: readonly Group[]): void {
    this.reserve(groups);
    this.#waiting.push(...groups.filter(({ keys }) => keys.length > 0));
  }

  /** Their records are sent like any others. */
  clear(): void {
    this.#waiting = [];
    this.#keys.clear();
  }

  /** The first, which is still held until it is dropped. */
  get first(): Group | undefined {
    return this.#waiting[0];
  }

  drop(group: Group): void {
    this.#waiting = this.#waiting.filter((each) => each !== group);
    for (const key of group.keys) this.#keys.delete(key);
  }
}
