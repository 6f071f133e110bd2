import { beforeAll, describe, expect, test } from "vitest";
import type { GenesisDoc } from "../../../src/types/application.ts";
import { moduleAccount, openChain } from "../../testkit/chain.ts";
import { chainOfEverything } from "../../testkit/everything.ts";

// Each field of each list of an export, changed alone: the genesis is refused and the error has the
// field's path, but for the few that nothing else tells of.

type Json = Record<string, unknown>;

const TEXT = "free text";
const NAME = "a name that its party chose; records name the escrow by its number";
const COUNTER = "attempts that failed and left nothing but their count";
const JOURNAL = "a number of the bank's journal";
const VERSION = "one version or another: only rewards are computed by it again";
const TERMS = "terms as the parties set them";

/** Free to be another, and why. */
const FREE: Readonly<Record<string, string>> = {
  "escrows.order_id": NAME,
  "escrows.lease_id": NAME,
  "escrows.closure_reason": TEXT,
  "escrows.expiry_attempts": COUNTER,
  "escrows.auto_settle_attempts": COUNTER,
  "escrows.auto_settle_from": "where a block reads on",
  "escrows.dispute_reason": TEXT,
  "settlements.journal_seq": JOURNAL,
  "invoices.discounts.description": TEXT,
  "invoices.tax_terms.jurisdiction": TERMS,
  "invoices.tax_terms.rates.name": TEXT,
  "invoices.tax_terms.rates.compound": TERMS,
  "invoices.tax_terms.customer_tax_id": TEXT,
  "invoices.overdue_attempts": COUNTER,
  "invoices.params_version": VERSION,
  "payouts.hold_reason": TEXT,
  "payouts.last_error": TEXT,
  "payouts.held_by_dispute": "the authority may hold, for itself, what a dispute held",
  "payouts.params_version": VERSION,
  "payout_ledger.amount": "of entries that say what was tried or held: no coins moved",
  "payout_ledger.reason": TEXT,
  "payout_ledger.journal_seq": JOURNAL,
  "distributions.epoch": "of usage: the epoch length of its time is not kept",
  "distributions.rows.reason": TEXT,
  "reward_entries.reason": TEXT,
  "reward_entries.expiry_attempts": COUNTER,
  "reward_entries.minted": "the funding of its time is not kept",
  "billing_terms.discounts.rate_bps": TERMS,
  "billing_terms.discounts.valid_from": TERMS,
  "billing_terms.discounts.valid_until": TERMS,
  "billing_terms.discounts.min_total": TERMS,
  "billing_terms.discounts.max_discount": TERMS,
  "billing_terms.tax.rates.name": TEXT,
  "billing_terms.tax.rates.compound": TERMS,
  "receivables.paid": "whoever pays it pays the customer: the bank alone knows",
  "credit_notes.reason": TEXT,
  "disputes.reason": TEXT,
  "disputes.expiry_attempts": COUNTER,
  "disputes.reserved": "of a dispute that is over: the escrow keeps nothing for it any more",
  "refunds.params_version": VERSION,
  "refunds.reason": TEXT,
  params_versions: "params that were in force: but for rewards nothing is computed by them again",
  "billing_terms.discounts.description": TEXT,
  "billing_terms.tax.jurisdiction": TERMS,
  "billing_terms.tax.customer_tax_id": TEXT,
};

/** Params of the past count as one field: no record says what they were. */
const fieldOf = (name: string): string =>
  name.startsWith("params_versions.") ? "params_versions" : name;

/** Refused by what they are a part of: that says so. */
const BY: Readonly<Record<string, string>> = {
  "params_versions.params.verification_reward_amount": ".total: expected 151uve, I-14 by",
  "payouts.refunded": "settlement.payouts: sum to",
  "payout_ledger.number": "ledger_count: expected 2 entries, the ledger lacks number 2",
  "invoice_ledger.amount": ".hash: it is not the hash of the entry",
  "invoice_ledger.reference": ".hash: it is not the hash of the entry",
  "disputes.after_settlement": "settlement.disputes[2].amended_seq",
  "refunds.legs.tax": ".credit_note_seq: credit note",
  "receivables.amount": "settlement.refunds[2].owed: the receivables",
  "disputes.reserved": "settlement.escrows[6].reserved: expected 801uve",
};

let genesis: GenesisDoc;
beforeAll(async () => {
  genesis = await (await chainOfEverything()).app.exportGenesis();
});

const listsOf = (doc: GenesisDoc): [list: string, records: Json[]][] =>
  Object.entries(doc.appState["settlement"] as Json).filter(
    (entry): entry is [string, Json[]] => Array.isArray(entry[1]) && !isCoins(entry[1]),
  );

/** What is said when this is changed; undefined when nothing is. */
async function refusal(change: (settlement: Record<string, Json[]>) => void) {
  const appState = structuredClone(genesis.appState) as Record<string, Record<string, Json[]>>;
  change(appState["settlement"] as Record<string, Json[]>);
  try {
    await openChain({ genesis: { ...genesis, appState } });
  } catch (error) {
    return (error as Error).message;
  }
  return undefined;
}

function isCoins(value: unknown[]): boolean {
  return value.some((each) => typeof each === "object" && each !== null && "denom" in each);
}

type Path = readonly (string | number)[];

/** Paths of all leaves; coins are one. */
function leaves(value: unknown, path: Path = []): Path[] {
  if (typeof value !== "object" || value === null) return [path];
  if (Array.isArray(value) && (value.length === 0 || isCoins(value))) return [path];
  return Object.entries(value).flatMap(([name, inner]) =>
    leaves(inner, [...path, Array.isArray(value) ? Number(name) : name]),
  );
}

const nameOf = (path: Path): string => path.filter((part) => typeof part === "string").join(".");

function at(value: unknown, path: Path): unknown {
  return path.reduce((inner, part) => (inner as Json)[part], value);
}

function put(root: unknown, path: Path, value: unknown): void {
  (at(root, path.slice(0, -1)) as Json)[path.at(-1) as string] = value;
}

const ADDRESSES =
  /(^|\.)(depositor|recipient|provider|address|initiator|decided_by|debtor|creditor)$/;
const BYTES = /(hash|signature)$/;
const COINS = { denom: "uve", amount: "1" };

/** Another value of a field. Times and heights that no record repeats are impossible ones. */
function otherThan(value: unknown, name: string): unknown {
  // A message or a list that is not there.
  if (value === null || (/(discounts|rows|anomalies|tiers)$/.test(name) && Array.isArray(value)))
    return undefined;
  if (Array.isArray(value)) {
    const [first = { ...COINS, amount: "0" }, ...rest] = value as (typeof COINS)[];
    return name.endsWith("usage_seqs")
      ? [1_000_000]
      : [{ ...first, amount: `${BigInt(first.amount) + 1n}` }, ...rest];
  }
  if (typeof value === "boolean") return !value;
  if (typeof value === "number") return value + 1;
  const text = value as string;
  if (BYTES.test(name)) return "AQ==";
  if (ADDRESSES.test(name)) return "bogus";
  if (/_ns$|height$/.test(name)) return "-1";
  if (/seq$/.test(name)) return "1000000";
  // In 10^-18 of a base unit: a cost is rounded down.
  if (/unit_price$/.test(name)) return `${BigInt(text) + 10n ** 18n}`;
  if (/^[0-9]+$/.test(text)) return `${BigInt(text) + 1n}`;
  return /^[A-Z]+(_[A-Z]+)+$/.test(text) ? 99 : "bogus";
}

interface Change {
  readonly list: string;
  /** "settlements.refunded.net" */
  readonly name: string;
  readonly path: Path;
  readonly value: unknown;
}

/** Of each field the first record that has it set, and the last record. */
function changes(): Change[] {
  return listsOf(genesis).flatMap(([list, records]) => {
    const chosen = new Map<string, Change>();
    records.forEach((each, index) => {
      for (const path of leaves(each)) {
        const [field, before] = [nameOf(path), at(each, path)];
        const value = otherThan(before, field);
        if (value === undefined) continue;
        const change = { list, name: `${list}.${field}`, path: [index, ...path], value };
        if (isSet(before) && !chosen.has(`${field} set`)) chosen.set(`${field} set`, change);
        chosen.set(field, change);
      }
    });
    return [...new Set(chosen.values())];
  });
}

function isSet(value: unknown): boolean {
  return Array.isArray(value) ? value.length > 0 : !["", "0", 0, false].includes(value as string);
}

const refusalOf = ({ list, path, value }: Change) =>
  refusal((settlement) => put(settlement[list], path, value));

test("a field that is another is refused by its path, unless nothing tells of it", async () => {
  const taken: string[] = [];
  const elsewhere: string[] = [];
  for (const change of changes()) {
    const { list, name } = change;
    const found = await refusalOf(change);
    const field = name.split(".").at(1) ?? "";
    const isNamed = found?.includes(`${list}[`) === true && found.includes(field);
    if (found === undefined) taken.push(fieldOf(name));
    else if (!isNamed && !found.includes(BY[name] ?? "?")) elsewhere.push(`${name}: ${found}`);
  }
  expect(elsewhere).toEqual([]);
  expect([...new Set(taken)].sort()).toEqual(Object.keys(FREE).sort());
});

test("every address is checked, and each enum", async () => {
  const checked = changes().filter(({ value }) => value === "bogus" || value === 99);
  for (const change of checked.filter(({ name }) => !(fieldOf(name) in FREE) && !(name in BY))) {
    const { list, path, name, value } = change;
    const isAddress = ADDRESSES.test(name);
    if (!isAddress && value !== 99) continue;
    const [index, ...inner] = path;
    const field = inner.map((part) => (typeof part === "number" ? `[${part}]` : `.${part}`));
    const expected = `settlement.${list}[${index}]${field.join("")}: `;
    const text = isAddress ? 'not an address with prefix "ve": "bogus"' : "found 99";
    const found = await refusalOf(change);
    expect(found).toContain(expected);
    expect(found).toContain(text);
  }
});

/** The bank's journal says otherwise: invariants over the whole state find it, not the import. */
const OF_JOURNAL = ["payout_ledger.journal_seq", "payout_ledger.amount", "receivables.paid"];

test("what is taken although it is another breaks no invariant over the whole state", async () => {
  for (const { list, path, value, name } of changes()) {
    if (!(fieldOf(name) in FREE) || OF_JOURNAL.includes(name)) continue;
    const appState = structuredClone(genesis.appState) as Record<string, Record<string, Json[]>>;
    put(appState["settlement"]?.[list], path, value);
    const chain = await openChain({ genesis: { ...genesis, appState } }).catch(() => undefined);
    await chain?.checkFullInvariants();
  }
});

describe("escrows of a genesis", () => {
  async function refusedEscrows(change: (escrows: Json[]) => void): Promise<string> {
    return (await refusal(({ escrows = [] }) => change(escrows))) ?? "taken";
  }

  test("whose recipient is the depositor", async () => {
    const found = await refusedEscrows(
      ([first = {}]) => void (first["recipient"] = first["depositor"]),
    );
    expect(found).toContain("settlement.escrows[0].recipient: it is the depositor");
  });

  test("two live ones of one order", async () => {
    const found = await refusedEscrows((escrows) => put(escrows, [0, "order_id"], "order-7"));
    expect(found).toContain('settlement.escrows[0].order_id: order "order-7" has the later escrow');
  });

  test.each(["ESCROW_STATUS_UNSPECIFIED", "ESCROW_STATUS_PENDING", "ESCROW_STATUS_RELEASED"])(
    "with the status %s that its times do not have",
    async (status) => {
      const found = await refusedEscrows((escrows) => put(escrows, [0, "status"], status));
      expect(found).toContain("settlement.escrows[0].");
    },
  );

  test("of a module account that cannot be paid are taken: it is an address", async () => {
    const recipient = moduleAccount("fee_collector");
    expect(await refusedEscrows((escrows) => put(escrows, [0, "recipient"], recipient))).toBe(
      "taken",
    );
  });
});

test("a reward entry above what is claimable is refused, and not found when it expires", async () => {
  const found = await refusal(({ reward_entries: entries = [] }) => {
    put(entries.at(-1), ["amount", 0, "amount"], "157");
  });
  expect(found).toContain("I-13 the sum of amount of its reward_entries[], found 150uve");
});
