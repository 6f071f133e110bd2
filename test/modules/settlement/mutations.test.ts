import process from "node:process";
import { beforeAll, describe, expect, test } from "vitest";
import { JournalEntry } from "../../../src/gen/settled/bank/v1/state.ts";
import * as state from "../../../src/gen/settled/settlement/v1/state.ts";
import { InvariantError } from "../../../src/lib/assert.ts";
import { fromUtf8, utf8 } from "../../../src/lib/bytes.ts";
import { bytesOfKey, type Key } from "../../../src/lib/key.ts";
import * as bank from "../../../src/modules/bank/keys.ts";
import { isUndecided } from "../../../src/modules/settlement/dispute_records.ts";
import * as keys from "../../../src/modules/settlement/keys.ts";
import { customer, provider } from "../../testkit/accounts.ts";
import { openChain, type TestChain } from "../../testkit/chain.ts";
import { coins } from "../../testkit/coins.ts";
import { chainOfEverything } from "../../testkit/everything.ts";
import { type Machine, machineOf } from "../../testkit/machine.ts";
import { brokenOnDisk, keysOnDisk, putOnDisk } from "../../testkit/on_disk.ts";

// One unit more, in one amount of one record: the invariant of that amount must say so. The running
// totals that are compared after every block are in invariants.test.ts.

interface Codec {
  decode(bytes: Uint8Array): object;
  encode(message: never): { finish(): Uint8Array };
}

const RECORDS: Readonly<Record<string, readonly [prefix: Key, codec: Codec]>> = {
  escrow: [keys.ESCROW_PREFIX, state.EscrowState],
  usage: [keys.USAGE_PREFIX, state.UsageState],
  settlement: [keys.SETTLEMENT_PREFIX, state.SettlementState],
  invoice: [keys.INVOICE_PREFIX, state.InvoiceState],
  payout: [keys.PAYOUT_PREFIX, state.PayoutState],
  distribution: [keys.DISTRIBUTION_PREFIX, state.DistributionState],
  claimable: [keys.CLAIMABLE_PREFIX, state.ClaimableState],
  rewardEntry: [keys.REWARD_ENTRY_PREFIX, state.RewardEntryState],
  creditNote: [keys.CREDIT_NOTE_PREFIX, state.CreditNoteState],
  invoiceLedger: [keys.INVOICE_LEDGER_PREFIX, state.InvoiceLedgerEntry],
  payoutLedger: [keys.PAYOUT_LEDGER_PREFIX, state.PayoutLedgerEntry],
  dispute: [keys.DISPUTE_PREFIX, state.DisputeState],
  refund: [keys.REFUND_PREFIX, state.RefundState],
  receivable: [keys.RECEIVABLE_PREFIX, state.ReceivableState],
  journal: [bank.JOURNAL_PREFIX, JournalEntry],
};

let chain: TestChain;
let machine: Machine;
beforeAll(async () => {
  chain = await chainOfEverything();
  machine = await machineOf(chain);
});

test("unchanged, every invariant holds", async () => {
  expect(await brokenOnDisk(chain, machine)).toEqual([]);
});

/** One amount of one record that can be one unit more. */
interface Mutation {
  /** "escrow.balance.0.amount" */
  readonly path: string;
  readonly key: Key;
  /** As it is, and with one unit more. */
  readonly before: Uint8Array;
  readonly after: Uint8Array;
}

/** Amounts of records of a kind: of each field the first and the last, in long runs all. */
async function mutationsOf(kind: string): Promise<Mutation[]> {
  const all = await allMutationsOf(kind);
  if (process.env["SETTLED_LONG"] === "1") return all;
  const nameOf = ({ path }: Mutation) => path.replaceAll(/\.[0-9]+/g, "");
  const ends = new Map<string, Mutation[]>();
  for (const each of all) {
    const [first = each] = ends.get(nameOf(each)) ?? [];
    ends.set(nameOf(each), first === each ? [each] : [first, each]);
  }
  return [...ends.values()].flat();
}

async function allMutationsOf(kind: string): Promise<Mutation[]> {
  const [prefix, codec] = RECORDS[kind] as readonly [Key, Codec];
  const found: Mutation[] = [];
  for (const key of await keysOnDisk(chain, prefix)) {
    const before = machine.overlay.get(key) as Uint8Array;
    for (const path of amountsOf(codec.decode(before))) {
      const changed = codec.decode(before);
      addOne(changed, path);
      const after = codec.encode(changed as never).finish();
      found.push({ path: `${kind}.${path.join(".")}`, key, before, after });
    }
  }
  return found;
}

type Fields = Record<string, unknown>;

/** Paths of all decimal texts within a record that are amounts; a price is none. */
function amountsOf(value: unknown, path: readonly string[] = []): string[][] {
  if (typeof value === "string") {
    const isAmount = /^[0-9]+$/.test(value) && path.at(-1) !== "unitPrice";
    return isAmount ? [[...path]] : [];
  }
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return [];
  return Object.entries(value).flatMap(([name, inner]) => amountsOf(inner, [...path, name]));
}

function addOne(record: object, path: readonly string[]): void {
  let holder = record as Fields;
  for (const name of path.slice(0, -1)) holder = holder[name] as Fields;
  const last = path.at(-1) as string;
  holder[last] = `${BigInt(holder[last] as string) + 1n}`;
}

const tried = new Map<string, string[]>();

/** Numbers of the invariants that break when the amount of this mutation is one unit more. */
async function broken(mutation: Mutation): Promise<string[]> {
  const name = `${mutation.key} ${mutation.path}`;
  const known = tried.get(name) ?? (await tryOut(mutation));
  tried.set(name, known);
  return known;
}

async function tryOut({ key, before, after }: Mutation): Promise<string[]> {
  await putOnDisk(chain, key, after);
  const names = await brokenOnDisk(chain, machine).finally(() => putOnDisk(chain, key, before));
  return names.map((name) => /^I-[0-9]+/.exec(name)?.[0] ?? name);
}

describe("one unit more in a record on disk", () => {
  test.each<[invariant: string, fields: RegExp]>([
    ["I-08 fires in full: an escrow's balance", /^escrow\.balance/],
    [
      "I-09 fires in full: an escrow's deposit, balance, settled, refunded and tax",
      /^escrow\.(amount|balance|totalSettled|refunded|taxPaid)/,
    ],
    ["I-09 fires in full: the total of a settlement", /^settlement\.total/],
    [
      "I-10 fires in full: total and shares of a settlement",
      /^settlement\.(total|providerShare|platformFee|validatorFee)\./,
    ],
    [
      "I-10 fires in full: net, holdback and fees of a payout",
      /^payout\.(gross|net|holdback|.*Fee)/,
    ],
    ["I-11 fires in full: what went back of a payout", /^payout\.(refunded|reversed\w+)/],
    ["I-11 fires in full: what a payout's ledger says was moved", /^payoutLedger\./],
    ["I-12 fires in full: what a record was settled for", /^usage\.settledAmount/],
    [
      "I-12 fires in full: total, paid and due of an invoice",
      /^invoice\.(total|amountPaid|amountDue)/,
    ],
    ["I-13 fires in full: what an account can claim, claimed, and lost", /^claimable\./],
    ["I-13 fires in full: an entry to be claimed", /^rewardEntry\.amount/],
    ["I-13 fires in full: the total of a distribution", /^distribution\.total/],
    ["I-13 fires in full: the reward of a record, whatever the params are now", /^usage\.reward/],
    ["I-14 fires in full: the reward of a record", /^usage\.reward/],
    ["I-18 fires in full: an amount of the journal", /^journal\./],
    ["I-18 fires in full: an amount of an invoice's ledger", /^invoiceLedger\./],
    ["I-26 fires in full: what is credited of an invoice", /^invoice\.credited/],
    ["I-26 fires in full: a credit note", /^creditNote\.amount/],
    ["I-26 fires in full: a refund and its parts", /^refund\.(amount|legs)/],
    ["I-26 fires in full: what is owed of a refund, and what was paid of it", /^receivable\./],
  ])("%s", async (title, fields) => {
    const [kind = ""] = /\w+/.exec(fields.source.slice(1)) ?? [];
    const own = (await mutationsOf(kind)).filter(({ path }) => fields.test(path));
    expect(own.length).toBeGreaterThan(0);
    const silent: string[] = [];
    for (const mutation of own) {
      if (movesNothing(mutation)) continue;
      const fired = await broken(mutation);
      const expected =
        title.startsWith("I-09") && isOfRefund(mutation) ? "I-10" : title.slice(0, 4);
      if (!fired.includes(expected)) silent.push(`${mutation.path}: ${fired.join()}`);
    }
    expect(silent).toEqual([]);
  });

  /**
   * The settlement record of an escrow's refund counts in no total, so that I-09 says nothing of it
   * (RULES 12); its shares must sum all the same.
   */
  function isOfRefund({ path, before }: Mutation): boolean {
    if (!path.startsWith("settlement.")) return false;
    const { type } = state.SettlementState.decode(before);
    return type === state.SettlementType.SETTLEMENT_TYPE_REFUND;
  }

  /** Steps of a payout's ledger without a movement: the amount is what was left to pay then. */
  const STEPS: readonly state.PayoutLedgerKind[] = [
    // An attempt: what came of it is the next entry.
    state.PayoutLedgerKind.PAYOUT_LEDGER_KIND_PROCESSING,
    // The coins stay in the account of payouts, where I-11 counts them.
    state.PayoutLedgerKind.PAYOUT_LEDGER_KIND_HELD,
    state.PayoutLedgerKind.PAYOUT_LEDGER_KIND_RELEASED,
  ];

  /** Notes of what was so at a time, which no coin and no other record follows from. */
  function movesNothing({ path, before }: Mutation): boolean {
    if (path.startsWith("payoutLedger.amount")) {
      return STEPS.includes(state.PayoutLedgerEntry.decode(before).kind);
    }
    // A decision let go of it: no escrow keeps it any more.
    return path === "dispute.reserved" && !isUndecided(state.DisputeState.decode(before));
  }

  test("what is left out of the mutations is a refund's total, a step and a decided dispute", async () => {
    const left = async (kind: string, isLeft: (mutation: Mutation) => boolean) => {
      const all = await allMutationsOf(kind);
      return [all.some(isLeft), all.some((mutation) => !isLeft(mutation))];
    };
    expect(await left("settlement", isOfRefund)).toEqual([true, true]);
    expect(await left("payoutLedger", movesNothing)).toEqual([true, true]);
    expect(await left("dispute", movesNothing)).toEqual([true, true]);
    expect(await left("receivable", movesNothing)).toEqual([false, true]);
  });

  test("no amount of any record is free to be another", async () => {
    const free: string[] = [];
    for (const kind of Object.keys(RECORDS)) {
      for (const mutation of await mutationsOf(kind)) {
        if (movesNothing(mutation)) continue;
        if ((await broken(mutation)).length === 0) free.push(mutation.path);
      }
    }
    expect(free).toEqual([]);
  });
});

describe("one unit more in an amount that is kept as text", () => {
  /** Numbers of the invariants that break, after the block and over the whole state. */
  async function brokenBy(key: Key): Promise<{ incrementally: string[]; inFull: string[] }> {
    const before = machine.overlay.get(key) as Uint8Array;
    const after = utf8(`${BigInt(fromUtf8(before) ?? "") + 1n}`);
    machine.overlay.set(key, after);
    const incrementally = brokenAfterBlock(machine);
    machine.overlay.set(key, before);
    return { incrementally, inFull: await broken({ path: "", key, before, after }) };
  }

  test.each<[title: string, prefix: Key]>([
    ["I-05 fires in full: the supply", bank.SUPPLY_PREFIX],
    ["I-05 fires incrementally: the supply", bank.SUPPLY_PREFIX],
    ["I-05 fires incrementally: the sum of all balances", bank.BALANCE_SUM_PREFIX],
    ["I-05 fires in full: every balance", bank.BALANCE_PREFIX],
    ["a running total of the settlement module is noticed", keys.TOTAL_PREFIX],
  ])("%s", async (title, prefix) => {
    const found = await keysOnDisk(chain, prefix);
    expect(found.length).toBeGreaterThan(0);
    const [number] = /^I-[0-9]+/.exec(title) ?? [];
    const silent: string[] = [];
    for (const key of found) {
      const { incrementally, inFull } = await brokenBy(key);
      const fired = title.includes("in full") ? inFull : incrementally;
      const isNoticed =
        number === undefined ? incrementally.length + inFull.length > 0 : fired.includes(number);
      if (!isNoticed) silent.push(Buffer.from(bytesOfKey(key)).toString("hex"));
    }
    expect(silent).toEqual([]);
  });
});

/** Numbers of the invariants that the machine checks after a block, where they do not hold. */
function brokenAfterBlock({ modules, ctx }: Machine): string[] {
  return modules.list.flatMap(({ invariants }) =>
    invariants.flatMap(({ name, check }) => {
      try {
        check(ctx);
        return [];
      } catch (error) {
        if (!(error instanceof InvariantError)) throw error;
        return [name.slice(0, 4)];
      }
    }),
  );
}

describe("reversals", () => {
  /** 5uve from the customer to the provider, and back in two parts that name it. */
  async function reversed(second: string, reverses = 0n): Promise<string[]> {
    const own = await openChain();
    const { ctx, bank: keeper, commit } = await machineOf(own);
    const there = { source: customer.address, destination: provider.address };
    const back = { source: provider.address, destination: customer.address };
    const first = keeper.post(ctx, {
      ...{ kind: "send", reference: "a", movements: [{ ...there, coins: coins("5uve") }] },
    });
    for (const amount of ["2uve", second]) {
      keeper.post(ctx, {
        ...{ kind: "reversal", reference: "a", movements: [{ ...back, coins: coins(amount) }] },
        reverses: reverses === 0n ? first : first + reverses,
      });
    }
    await commit();
    return brokenOnDisk(own, await machineOf(own));
  }

  const FIRES = ["I-26 reversals are of older entries and no more than these"];

  test("two that sum to what they reverse hold", async () => {
    expect(await reversed("3uve")).toEqual([]);
  });

  test("I-26 fires in full: reversals that sum to one unit more than the entry that they name", async () => {
    expect(await reversed("4uve")).toEqual(FIRES);
  });

  test("I-26 fires in full: a reversal in a denom that the entry did not move", async () => {
    expect(await reversed("1uusd")).toEqual(FIRES);
  });

  test("I-26 fires in full: a reversal of itself, and of an entry that is not there yet", async () => {
    expect(await reversed("3uve", 1n)).toEqual(FIRES);
    expect(await reversed("3uve", 9n)).toEqual(FIRES);
  });
});

describe("I-30 an import is the chain that was exported", () => {
  test("I-30 fires: a number of the export, one unit off, is refused or gives another app hash", async () => {
    const genesis = await chain.app.exportGenesis();
    expect((await openChain({ genesis })).appHash).toBe(chain.appHash);
    const unnoticed: string[] = [];
    // Facts of the chain that are no state have no part in its hash.
    const { chain: _, ...modules } = genesis.appState;
    for (const path of distinct(numbersOf(modules))) {
      const appState = structuredClone(genesis.appState) as Fields;
      addOneJson(appState, path);
      const imported = await openChain({ genesis: { ...genesis, appState } }).catch(
        () => undefined,
      );
      if (imported?.appHash === chain.appHash) unnoticed.push(path.join("."));
    }
    expect(unnoticed).toEqual([]);
  });

  /** Paths of all integers of a genesis, as JSON numbers or texts. */
  function numbersOf(value: unknown, path: readonly string[] = []): string[][] {
    if (typeof value === "number") return [[...path]];
    if (typeof value === "string") return /^[0-9]+$/.test(value) ? [[...path]] : [];
    if (typeof value !== "object" || value === null) return [];
    return Object.entries(value).flatMap(([name, inner]) => numbersOf(inner, [...path, name]));
  }

  /** The last of the paths that differ in their list indexes alone: the newest record of a kind. */
  function distinct(paths: readonly string[][]): string[][] {
    const byName = new Map(paths.map((path) => [path.join(".").replaceAll(/\d+/g, "#"), path]));
    return [...byName.values()];
  }

  function addOneJson(root: Fields, path: readonly string[]): void {
    let holder = root;
    for (const name of path.slice(0, -1)) holder = holder[name] as Fields;
    const last = path.at(-1) as string;
    const value = holder[last];
    holder[last] = typeof value === "number" ? value + 1 : `${BigInt(value as string) + 1n}`;
  }
});
