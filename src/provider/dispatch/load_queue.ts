import type { Signer } from "../../client/signer.ts";
import type { Outbox } from "../outbox/outbox.ts";
import { naturalKey, type OutboxRecord } from "../outbox/outbox_record.ts";
import { type Group, Groups } from "./groups.ts";
import type { DispatchLimits } from "./limits.ts";
import { type Load, loadOf } from "./tx_maker.ts";

/** Longest wait for records. */
export const IDLE_MS = 1000;

/** What goes into the next tx. */
export interface NextLoad {
  readonly load: Load;
  /** Factor on the gas limit. */
  readonly gasFactor: bigint;
  readonly group: Group | undefined;
}

/** Chooses the records of the next tx, and signs them: groups first, then what is due. */
export class LoadQueue {
  readonly #outbox: Outbox;
  readonly #limits: DispatchLimits;
  readonly #signer: Signer;
  readonly groups = new Groups();
  /** Nothing waits for more records to fill its tx. */
  isDraining = false;
  #prepared: Load | undefined;

  constructor(outbox: Outbox, limits: DispatchLimits, signer: Signer) {
    this.#outbox = outbox;
    this.#limits = limits;
    this.#signer = signer;
  }

  /** A number: milliseconds after which to ask again. The outbox is not changed. */
  async next(now: number, chainId: string): Promise<NextLoad | number> {
    const group = this.groups.first;
    if (group !== undefined) {
      const records = await this.#pendingOf(group.keys);
      if (records.length > 0) {
        const load = loadOf(records, this.#limits, this.#signer, chainId);
        return { load, gasFactor: group.gasFactor, group };
      }
      this.groups.drop(group);
      return 0;
    }
    const prepared = await this.#takePrepared();
    if (prepared !== undefined) return { load: prepared, gasFactor: 1n, group };
    const due = await this.#due(now);
    if (typeof due === "number") return due;
    const load = loadOf(due, this.#limits, this.#signer, chainId);
    return { load, gasFactor: 1n, group };
  }

  /** A load is on its way: what did not fit into the tx of a group is a group again. */
  sent({ group, load }: NextLoad): void {
    if (group === undefined) return;
    this.groups.drop(group);
    const taken = new Set(load.records.map(naturalKey));
    this.groups.add([{ ...group, keys: group.keys.filter((key) => !taken.has(key)) }]);
  }

  /** Forgets all that is not on the disk. */
  clear(): void {
    this.groups.clear();
    this.#prepared = undefined;
  }

  /** Signs what is next already, when it fills a tx. */
  async prepare(now: number, chainId: string): Promise<void> {
    if (this.#prepared !== undefined || this.groups.size > 0) return;
    const { recordsPerTx } = this.#limits;
    const due = await this.#outbox.due(now, recordsPerTx, this.groups.keys);
    if (due.length < recordsPerTx) return;
    this.#prepared = loadOf(due, this.#limits, this.#signer, chainId);
  }

  /** undefined: nothing is prepared, or a record of it has changed meanwhile. */
  async #takePrepared(): Promise<Load | undefined> {
    const prepared = this.#prepared;
    this.#prepared = undefined;
    if (prepared === undefined) return undefined;
    const keys = prepared.records.map(naturalKey);
    const now = await Promise.all(keys.map((key) => this.#outbox.record(key)));
    const isSame = now.every((record, at) => {
      const { changedMs } = prepared.records[at] as OutboxRecord;
      const isFree = !this.groups.keys.has(keys[at] as string);
      return record?.state === "pending" && record.changedMs === changedMs && isFree;
    });
    return isSame ? prepared : undefined;
  }

  async #due(now: number): Promise<OutboxRecord[] | number> {
    const { recordsPerTx, batchAgeMs } = this.#limits;
    const due = await this.#outbox.due(now, recordsPerTx, this.groups.keys);
    if (due.length === 0) return IDLE_MS;
    if (due.length >= recordsPerTx || this.isDraining) return due;
    const oldest = due.reduce((least, { createdMs }) => Math.min(least, createdMs), now);
    const waitMs = oldest + batchAgeMs - now;
    return waitMs > 0 ? Math.min(waitMs, IDLE_MS) : due;
  }

  async #pendingOf(keys: readonly string[]): Promise<OutboxRecord[]> {
    const records: OutboxRecord[] = [];
    for (const key of keys) {
      const record = await this.#outbox.record(key);
      // A person may have parked it meanwhile.
      if (record?.state === "pending") records.push(record);
    }
    return records;
  }
}
