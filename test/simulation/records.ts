import { differenceOfRecord, plain, sides } from "./difference.ts";
import type { Model } from "./model/model.ts";
import { differenceOfOnce, ONCE } from "./once.ts";
import { type Facts, KINDS, type Kind, snake } from "./model/records.ts";

// How the records of the model are compared with those of an exported genesis.

/** The settlement module's part of a genesis. */
export type Exported = Readonly<Record<string, readonly Facts[]>>;

/** Records of one kind of the model, with the fields that an export has of them. */
interface List {
  readonly kind: string;
  /** In genesis. */
  readonly name: string;
  readonly records: readonly Facts[];
  readonly fieldsOf: (record: Facts) => readonly string[];
  /** Whether what is there never changes. */
  readonly isFixed: boolean;
}

/** Records of a list as they were when they were last compared, and where each is. */
interface Remembered {
  readonly each: Seen[];
  readonly places: Map<string, number>;
}

/** A record as it was when it was last compared. */
interface Seen {
  readonly values: readonly unknown[];
  readonly release: unknown;
  readonly isThere: boolean;
}

/** Names in genesis of the model's records. */
const NAMES: Readonly<Record<Kind, string>> = {
  ...{ escrow: "escrows", usage: "usage", settlement: "settlements", invoice: "invoices" },
  ...{ payout: "payouts", dispute: "disputes", refund: "refunds", receivable: "receivables" },
  ...{ entry: "reward_entries", distribution: "distributions", claimable: "claimable" },
  ...{ creditNote: "credit_notes", ceiling: "price_ceilings", terms: "billing_terms" },
  series: "invoice_series",
};
/** What a record is found by, where that is not its number. */
const KEYS: Readonly<Record<string, readonly string[]>> = {
  ...{ claimable: ["address"], ceiling: ["orderId", "usageType"], terms: ["orderId"] },
  ...{ invoiceLedger: ["invoiceSeq", "number"], payoutLedger: ["payoutSeq", "number"] },
  ...{ series: ["provider"], paramsVersion: ["version"] },
};
const SEQ = ["seq"];
const VERSION = ["version", "params", "extendedParams"];
/** Fields of the state's records. */
const FIELDS = Object.entries(KINDS).map(([kind, [{ fromPartial }]]): [Kind, readonly string[]] => {
  return [kind as Kind, Object.keys(fromPartial({}))];
});

export class Records {
  readonly #model: Model;
  /** By list; nothing before all were compared once. */
  #seen = new Map<string, Remembered>();

  constructor(model: Model) {
    this.#model = model;
  }

  /** Compares all with an export. @returns what differs */
  all(settlement: Exported): string | undefined {
    const once = differenceOfOnce(this.#model, settlement);
    if (once !== undefined) return once;
    const lists = this.#lists();
    const known = [...ONCE, ...lists.map(({ name }) => name)];
    const unknown = Object.keys(settlement).filter((name) => !known.includes(name));
    if (unknown.length > 0) return `${unknown.join(", ")} of the export is compared with nothing`;
    for (const list of lists) {
      const differs = differenceOfList(list, settlement[list.name] ?? []);
      if (differs !== undefined) return `${list.name}: ${differs}`;
    }
    this.#seen = new Map(lists.map((list) => [list.kind, remembered(list)]));
    return undefined;
  }

  /**
   * Compares what changed since all were alike: what either side wrote. Costs less than an export.
   * @param written the records that the chain wrote
   * @param gone those that it deleted
   * @returns whether all are alike still; an export tells more when they seem not to be
   */
  areChangesAlike({ written, gone }: { written: Exported; gone: Exported }): boolean {
    if (this.#seen.size === 0 || differenceOfOnce(this.#model, written) !== undefined) return false;
    return this.#lists().every((list) => {
      return this.#isChangeAlike(list, written[list.name] ?? [], gone[list.name] ?? []);
    });
  }

  #isChangeAlike(list: List, written: readonly Facts[], gone: readonly Facts[]): boolean {
    const { kind, records } = list;
    const { each, places } = this.#seen.get(kind) as Remembered;
    if (each.length > records.length) return false;
    const [theirs, lost] = [written, gone].map((all) => {
      return new Map(all.map((record) => [keyOf(kind, record), record]));
    }) as [Map<string, Facts>, Map<string, Facts>];
    const changed = new Set<number>();
    for (let at = list.isFixed ? each.length : 0; at < records.length; at += 1) {
      if (!isAsSeen(list, records[at] as Facts, each[at])) changed.add(at);
    }
    for (const key of theirs.keys()) if (places.has(key)) changed.add(places.get(key) as number);
    for (const at of changed) {
      const record = records[at] as Facts;
      const [key, now] = [keyOf(kind, record), seen(list, record)];
      const found = theirs.get(key);
      if (now.isThere) {
        if (found === undefined || differenceOf(list, record, found) !== undefined) return false;
        theirs.delete(key);
      } else if (each[at]?.isThere === true && !lost.delete(key)) return false;
      each[at] = now;
      places.set(key, at);
    }
    // The series are always there.
    return theirs.size === 0 && (lost.size === 0 || kind === "series");
  }

  #lists(): List[] {
    const { tables, ledgers, versions } = this.#model;
    const entries = (records: readonly object[]) => records as readonly Facts[];
    const tabled = FIELDS.map(([kind, fields]): List => {
      const records = entries(tables[kind]);
      return { kind, name: NAMES[kind], records, fieldsOf: () => fields, isFixed: false };
    });
    const invoice = { kind: "invoiceLedger", name: "invoice_ledger", fieldsOf: Object.keys };
    const payout = { kind: "payoutLedger", name: "payout_ledger", fieldsOf: Object.keys };
    const version = { kind: "paramsVersion", name: "params_versions", fieldsOf: () => VERSION };
    return [
      { ...version, records: entries(versions), isFixed: true },
      { ...invoice, records: entries(ledgers.invoice), isFixed: true },
      { ...payout, records: entries(ledgers.payout), isFixed: true },
      ...tabled,
    ];
  }
}

function differenceOfList(list: List, theirs: readonly Facts[]): string | undefined {
  const { kind } = list;
  const ours = list.records.filter((record) => isThere(kind, record));
  const byKey = new Map(theirs.map((each) => [keyOf(kind, each), each]));
  for (const record of ours) {
    const key = keyOf(kind, record);
    const found = byKey.get(key);
    const differs =
      found === undefined
        ? "the model has it, the module has none"
        : differenceOf(list, record, found);
    if (differs !== undefined) return `${key}: ${differs}`;
  }
  if (ours.length === theirs.length) return undefined;
  return `number of them: ${sides(ours.length, theirs.length)}`;
}

function differenceOf({ fieldsOf }: List, record: Facts, found: Facts): string | undefined {
  const known = fieldsOf(record).map((name) => [name, record[name]]);
  return differenceOfRecord(Object.fromEntries(known), found);
}

/** Terms of an order that has none are no record. */
function isThere(kind: string, record: Facts): boolean {
  const { discounts, tax, isGone } = record as { discounts?: readonly unknown[] } & Facts;
  return isGone !== true && !(kind === "terms" && discounts?.length === 0 && tax === undefined);
}

/** The model changes a release in place, and replaces all else. */
function seen({ kind, fieldsOf }: List, record: Facts): Seen {
  const values = fieldsOf(record).map((name) => record[name]);
  const release = plain(record["release"]);
  return { values, release, isThere: isThere(kind, record) };
}

function remembered(list: List): Remembered {
  const each = list.records.map((record) => seen(list, record));
  const keys = list.records.map((record, at): [string, number] => [keyOf(list.kind, record), at]);
  return { each, places: new Map(keys) };
}

function isAsSeen({ kind, fieldsOf }: List, record: Facts, before: Seen | undefined): boolean {
  if (before === undefined) return false;
  // What is gone stays so.
  if (!before.isThere && record["isGone"] === true) return true;
  if (before.isThere !== isThere(kind, record)) return false;
  const fields = fieldsOf(record);
  for (let at = 0; at < fields.length; at += 1) {
    const [now, then] = [record[fields[at] as string], before.values[at]];
    // A list may be another one with the same coins.
    if (now !== then && plain(now) !== plain(then)) return false;
  }
  return record["release"] === undefined || plain(record["release"]) === before.release;
}

function keyOf(kind: string, record: Facts): string {
  const names = KEYS[kind] ?? SEQ;
  return names.map((name) => record[name] ?? record[snake(name)]).join(" ");
}
