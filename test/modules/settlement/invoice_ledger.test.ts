import { beforeEach, describe, expect, test } from "vitest";
import {
  CreditNoteState,
  EscrowState,
  InvoiceLedgerEntry,
  InvoiceState,
} from "../../../src/gen/settled/settlement/v1/state.ts";
import type { InvoiceLedgerLine } from "../../../src/gen/settled/settlement/v1/query.ts";
import { InvariantError } from "../../../src/lib/assert.ts";
import { concatBytes, EMPTY_BYTES, toHex } from "../../../src/lib/bytes.ts";
import { bytesOfKey, joinKeys, type Key, keyOfBytes, prefixEnd } from "../../../src/lib/key.ts";
import { sha256 } from "../../../src/lib/sha256.ts";
import * as keys from "../../../src/modules/settlement/keys.ts";
import { customer, customer2, provider, provider2 } from "../../testkit/accounts.ts";
import { openChain, type TestChain } from "../../testkit/chain.ts";
import { wire } from "../../testkit/coins.ts";
import { invoiceMsg, seeInvoice, unpaidInvoice } from "../../testkit/invoices.ts";
import { machineOf } from "../../testkit/machine.ts";
import { msg, ORDER } from "../../testkit/messages.ts";
import { activeEscrow, recordedCosts, settled } from "../../testkit/orders.ts";
import { DAY, GENESIS } from "../../testkit/times.ts";
import { see } from "../../testkit/views.ts";

const WEEK = 7n * DAY;

let chain: TestChain;
let id: string;
beforeEach(async () => {
  chain = await openChain();
  id = await unpaidInvoice(chain, 800);
  await chain.ok(invoiceMsg.pay(customer2, id, "100uve"));
  await chain.ok(invoiceMsg.credit(provider, id, "50uve"));
  chain.skip(WEEK);
  await chain.block();
  await chain.ok(invoiceMsg.pay(customer, id, "7uve"), invoiceMsg.pay(customer, id));
});

const STATUS = ["draft", "pending", "paid", "partially_paid", "overdue"];
const KIND = [
  "created",
  "issued",
  "payment",
  "",
  "",
  "cancelled",
  "refunded",
  "overdue",
  "credited",
];

/** The hash of an entry, from the documents: the stored message without its hash. */
function hashOf(line: InvoiceLedgerLine, invoiceSeq: bigint): string {
  const entry = InvoiceLedgerEntry.fromPartial({
    ...{ invoiceSeq, number: line.number, kind: KIND.indexOf(line.kind) as never },
    ...{ previousStatus: STATUS.indexOf(line.previousStatus) as never },
    ...{ status: STATUS.indexOf(line.status) as never },
    ...{ amount: line.amount, initiator: line.initiator, reference: line.reference },
    ...{ height: line.blockHeight, timeNs: line.timeNs, previousHash: line.previousHash },
  });
  const body = InvoiceLedgerEntry.encode(entry).finish();
  return toHex(sha256(concatBytes(line.previousHash, body)));
}

test("D-17 two payments in one block are two entries, each chained to the one before", async () => {
  const ledger = await seeInvoice.ledger(chain, id);
  const { settlementId } = await see.invoice(chain, id);
  const [note] = await seeInvoice.notes(chain, id);
  const payouts = (await see.payoutsOf(chain, provider.address)).map(({ payoutId }) => payoutId);
  expect(
    ledger.map((each) => [
      ...[each.number, each.kind, each.previousStatus, each.status],
      ...[each.amount.map(({ amount }) => amount).join(), each.initiator, each.reference],
    ]),
  ).toEqual([
    [1, "issued", "draft", "partially_paid", "500", customer.address, settlementId],
    [2, "payment", "partially_paid", "partially_paid", "100", customer2.address, payouts[1]],
    [3, "credited", "partially_paid", "partially_paid", "50", provider.address, note?.creditNoteId],
    [4, "overdue", "partially_paid", "overdue", "200", "", ""],
    [5, "payment", "overdue", "partially_paid", "7", customer.address, payouts[2]],
    [6, "payment", "partially_paid", "paid", "193", customer.address, payouts[3]],
  ]);
  let previous = "00".repeat(32);
  for (const line of ledger) {
    expect(toHex(line.previousHash)).toBe(previous);
    previous = toHex(line.hash);
    expect(previous).toBe(hashOf(line, 1n));
  }
  const invoice = await see.invoice(chain, id);
  expect([invoice.ledgerCount, toHex(invoice.ledgerHash)]).toEqual([6, previous]);
});

test("a ledger and its notes come in pages; an unknown invoice is NotFound", async () => {
  const path = "settled.settlement.v1.Query/InvoiceLedger";
  const first = await chain.query<{
    entries: { number: number }[];
    pagination: { nextKey: Uint8Array };
  }>(path, { invoiceId: id, pagination: { limit: 4n } });
  const { nextKey: key } = first.pagination;
  const second = await chain.query<typeof first>(path, { invoiceId: id, pagination: { key } });
  expect([...first.entries, ...second.entries].map(({ number }) => number)).toEqual([
    ...[1, 2, 3, 4, 5, 6],
  ]);
  for (const name of ["InvoiceLedger", "CreditNotes"]) {
    const answer = await chain.ask(`settled.settlement.v1.Query/${name}`, {
      invoiceId: "invoice-1-1",
    });
    expect(answer).toMatchObject({ code: 22 });
  }
});

describe("Query/Invoices", () => {
  /** Ids that a filter gives, all pages of two. */
  async function found(request: object): Promise<string[]> {
    const ids: string[] = [];
    let key: Uint8Array = EMPTY_BYTES;
    do {
      const page = await seeInvoice.list(chain, { ...request, pagination: { key, limit: 2n } });
      ids.push(...page.invoices.map(({ invoiceId }) => invoiceId));
      key = page.pagination?.nextKey ?? EMPTY_BYTES;
    } while (key.length > 0);
    return ids;
  }

  test("by order, provider, customer, state and time, and all of them together", async () => {
    const at = async (order: string, o: object): Promise<string> =>
      unpaidInvoice(chain, 800, { order, ...o });
    const b = await at("b", { depositor: customer2 });
    const c = await at("c", {});
    await activeEscrow(chain, "9000uve", { order: "d", recipient: provider2 });
    await chain.ok(msg.record(provider2, { order: "d", price: "2000uve" }));
    await settled(chain, { order: "d" });
    const d = (await see.invoicesOf(chain, "d"))[0]?.invoiceId ?? "";
    expect(await found({})).toEqual([id, b, c, d]);
    expect(await found({ orderId: "b" })).toEqual([b]);
    expect(await found({ provider: provider.address })).toEqual([id, b, c]);
    expect(await found({ customer: customer.address })).toEqual([id, c, d]);
    expect(await found({ state: "partially_paid" })).toEqual([b, c]);
    expect(await found({ state: "overdue" })).toEqual([]);
    expect(await found({ state: "paid", customer: customer.address })).toEqual([id, d]);
    expect(await found({ provider: provider.address, customer: customer.address })).toEqual([
      id,
      c,
    ]);
    const all = { provider: provider.address, customer: customer2.address, orderId: "b" };
    expect(await found({ ...all, state: "partially_paid" })).toEqual([b]);
    expect(await found({ ...all, state: "paid" })).toEqual([]);
    const dIssued = Number(d.split("-")[1]);
    expect(await found({ issuedFrom: BigInt(dIssued) })).toEqual([d]);
    expect(await found({ issuedTo: BigInt(dIssued) })).toEqual([id, b, c]);
    expect(await found({ issuedFrom: GENESIS + DAY, issuedTo: BigInt(dIssued) })).toEqual([b, c]);
    const reversed = await seeInvoice.list(chain, {
      ...{ provider: provider.address, issuedFrom: GENESIS + DAY },
      pagination: { reverse: true, limit: 1n },
    });
    expect(reversed.invoices.map(({ invoiceId }) => invoiceId)).toEqual([c]);
  });

  test("an unknown state and a bad address are invalid arguments", async () => {
    for (const request of [{ state: "lost" }, { provider: "ve1x" }]) {
      const answer = await chain.ask("settled.settlement.v1.Query/Invoices", request);
      expect(answer.code).not.toBe(0);
    }
  });
});

/** Writes a value under a key on disk, as of genesis. */
async function putOnDisk(key: string, value: Uint8Array): Promise<void> {
  const batch = chain.db.batch();
  batch.putVersioned(`S${key}`, value, 0);
  await batch.write({ sync: true });
}

async function stored(key: Key): Promise<Uint8Array> {
  return (await machineOf(chain)).overlay.get(key) as Uint8Array;
}

describe("mutations", () => {
  const invoiceKey = keys.recordKey(keys.INVOICE_PREFIX, 1n);
  const entryKey = (number: bigint) =>
    joinKeys(keys.recordKey(keys.INVOICE_LEDGER_PREFIX, 1n), keys.seqKey(number));

  test("unchanged, every invariant over the whole state holds", async () => {
    const names = await chain.checkFullInvariants();
    expect(names).toEqual(
      expect.arrayContaining([
        "I-12 what was paid of an invoice is its settlement and payments",
        "I-18 invoice ledgers are chained and numbered",
        "I-26 credit notes are what their invoices say",
      ]),
    );
    await chain.app.checkDerivedKeys();
  });

  test.each<[what: string, change: (entry: InvoiceLedgerEntry) => void]>([
    ["an amount by one unit", (entry) => (entry.amount = wire("101uve"))],
    ["an initiator", (entry) => (entry.initiator = provider2.address)],
    ["a number", (entry) => (entry.number = 7)],
    ["a status", (entry) => (entry.previousStatus = 1)],
    [
      "a hash",
      (entry) => (entry.hash = entry.hash.map((byte, at) => (at === 0 ? byte ^ 1 : byte))),
    ],
    ["the hash before", (entry) => (entry.previousHash = new Uint8Array(32))],
  ])("I-18 notices %s of a ledger that was changed", async (_, change) => {
    const entry = InvoiceLedgerEntry.decode(await stored(entryKey(2n)));
    change(entry);
    await putOnDisk(entryKey(2n), InvoiceLedgerEntry.encode(entry).finish());
    await expect(chain.checkFullInvariants()).rejects.toThrow("I-18");
  });

  test("I-18 notices an entry that is gone, and one too many", async () => {
    const last = await stored(entryKey(6n));
    await chain.db.write([{ key: `S${entryKey(6n)}`, value: undefined }]);
    await expect(chain.checkFullInvariants()).rejects.toThrow("I-18");
    await putOnDisk(entryKey(6n), last);
    await chain.checkFullInvariants();
    await putOnDisk(
      joinKeys(keys.recordKey(keys.INVOICE_LEDGER_PREFIX, 9n), keys.seqKey(1n)),
      last,
    );
    await expect(chain.checkFullInvariants()).rejects.toThrow("I-18");
  });

  test.each<[name: string, change: (invoice: InvoiceState) => void]>([
    ["I-12", (invoice) => (invoice.amountPaid = wire("799uve"))],
    ["I-12", (invoice) => (invoice.amountDue = wire("1uve"))],
    ["I-12", (invoice) => (invoice.total = wire("801uve"))],
    ["I-26", (invoice) => (invoice.credited = wire("51uve"))],
    ["I-26", (invoice) => (invoice.credited = wire("801uve"))],
    ["I-18", (invoice) => (invoice.ledgerCount = 5)],
    ["I-18", (invoice) => (invoice.ledgerHash = new Uint8Array(32))],
    ["I-18", (invoice) => (invoice.status = 3)],
  ])("%s notices an invoice that was changed (%#)", async (name, change) => {
    const invoice = InvoiceState.decode(await stored(invoiceKey));
    change(invoice);
    await putOnDisk(invoiceKey, InvoiceState.encode(invoice).finish());
    await expect(chain.checkFullInvariants()).rejects.toThrow(name);
  });

  test("I-12 notices a payment that was moved between paid and due", async () => {
    const invoice = InvoiceState.decode(await stored(invoiceKey));
    const changed = { ...invoice, amountPaid: wire("799uve"), amountDue: wire("1uve") };
    await putOnDisk(invoiceKey, InvoiceState.encode(changed).finish());
    await expect(chain.checkFullInvariants()).rejects.toThrow("I-12");
  });

  test("I-26 notices a credit note that was changed", async () => {
    const key = keys.recordKey(keys.CREDIT_NOTE_PREFIX, 1n);
    const note = CreditNoteState.decode(await stored(key));
    await putOnDisk(key, CreditNoteState.encode({ ...note, amount: wire("51uve") }).finish());
    await expect(chain.checkFullInvariants()).rejects.toThrow("I-26");
  });

  test("I-18 an entry is not added to a ledger whose end was changed: the machine halts", async () => {
    const second = await unpaidInvoice(chain, 800, { order: "b" });
    const invoice = InvoiceState.decode(await stored(keys.recordKey(keys.INVOICE_PREFIX, 2n)));
    const changed = { ...invoice, ledgerHash: new Uint8Array(32) };
    const machine = await machineOf(chain);
    const bytes = InvoiceState.encode(changed).finish();
    machine.overlay.set(keys.recordKey(keys.INVOICE_PREFIX, 2n), bytes);
    await machine.commit();
    const damaged = await openChain({ genesis: chain.genesis, db: chain.db });
    await expect(damaged.deliver(invoiceMsg.pay(customer, second))).rejects.toThrow(InvariantError);
  });

  test.each([
    ["an invoice that is not queued", keys.INVOICE_DUE_QUEUE_PREFIX],
    ["an escrow that is not queued", keys.AUTO_SETTLE_QUEUE_PREFIX],
  ])("the check of derived keys notices %s, and one too many", async (_what, prefix) => {
    await unpaidInvoice(chain, 800, { order: "b" });
    await activeEscrow(chain, "9000uve", { order: "c" });
    await chain.app.checkDerivedKeys();
    const range = {
      gte: bytesOfKey(`S${prefix}` as Key),
      lt: bytesOfKey(`S${prefixEnd(prefix)}` as Key),
    };
    const found: string[] = [];
    for await (const [key] of chain.db.range(range)) found.push(keyOfBytes(key));
    expect(found).toHaveLength(1);
    await putOnDisk(`${found[0]?.slice(1)}\x01`, EMPTY_BYTES);
    await expect(chain.app.checkDerivedKeys()).rejects.toThrow("derived keys settlement");
    await chain.db.write([
      { key: `${found[0]}\x01`, value: undefined },
      { key: found[0] as string, value: undefined },
    ]);
    await expect(chain.app.checkDerivedKeys()).rejects.toThrow("derived keys settlement");
  });
});

type Json = Record<string, unknown>;

describe("D-15 genesis", () => {
  test("export(import(x)) = x with ledgers, notes, series and queues; both go on alike", async () => {
    const open = await unpaidInvoice(chain, 800, { order: "b" });
    const imported = await chain.imported();
    expect(await imported.exported()).toBe(await chain.exported());
    await imported.checkFullInvariants();
    await imported.app.checkDerivedKeys();
    for (const each of [chain, imported]) {
      await each.ok(invoiceMsg.pay(customer, open, "3uve"));
      await each.ok(invoiceMsg.credit(provider, open, "1uve"));
      each.skip(WEEK);
      await each.block();
      expect((await seeInvoice.notes(each, open)).map((note) => note.creditNoteNumber)).toEqual([
        "CN-000002",
      ]);
      expect((await see.invoice(each, open)).status).toBe("overdue");
    }
    expect(imported.appHash).toBe(chain.appHash);
    expect(await see.totals(imported)).toEqual(await see.totals(chain));
  });

  test.each<[field: string, change: (state: Record<string, Json[]>) => void]>([
    ["invoice_ledger[1].hash", (s) => ((s["invoice_ledger"]?.[1] as Json)["height"] = "1")],
    ["invoice_ledger[1].number", (s) => void s["invoice_ledger"]?.splice(1, 1)],
    ["invoices[0].ledger_count", (s) => void s["invoice_ledger"]?.pop()],
    [
      "invoices[0].status",
      (s) => ((s["invoices"]?.[0] as Json)["status"] = "INVOICE_STATUS_REFUNDED"),
    ],
    ["invoices[0].ledger_hash", (s) => ((s["invoices"]?.[0] as Json)["ledger_hash"] = "AAAA")],
    ["credit_notes[0].invoice_seq", (s) => ((s["credit_notes"]?.[0] as Json)["invoice_seq"] = "9")],
    ["invoices[0]", (s) => ((s["invoices"]?.[0] as Json)["amount_due"] = wire("1uve"))],
    ["sequences.credit_note", (s) => ((s["sequences"] as unknown as Json)["credit_note"] = "1")],
  ])("a changed export is refused, naming settlement.%s", async (field, change) => {
    const genesis = await chain.app.exportGenesis();
    const state = structuredClone(genesis.appState) as Record<string, Record<string, Json[]>>;
    change(state["settlement"] as Record<string, Json[]>);
    const opened = openChain({ genesis: { ...genesis, appState: state } });
    await expect(opened).rejects.toThrow(`settlement.${field}`);
  });
});

describe("R-003-21 billing off", () => {
  test("R-003-21 the share is sent directly, in a settlement asked for and in a final one", async () => {
    chain = await openChain({ extended: { billing_enabled: false } });
    const before = await chain.balance(provider.address);
    await activeEscrow(chain, "5000uve");
    await recordedCosts(chain, [1000]);
    const { settlementId } = await settled(chain);
    expect(await chain.balance(provider.address)).toBe(before + 940n);
    await recordedCosts(chain, [9000], { from: 1 });
    await settled(chain, { final: true });
    // 4000 are left: fees 200 and 40.
    expect(await chain.balance(provider.address)).toBe(before + 940n + 3760n);
    expect((await see.escrow(chain, "escrow-1")).state).toBe("released");
    expect(await see.invoicesOf(chain, ORDER)).toEqual([]);
    expect(await see.payoutsOf(chain, provider.address)).toEqual([]);
    const [posting] = (
      await chain.query<{ entries: { postings: { destination: string; amount: string }[] }[] }>(
        "settled.bank.v1.Query/JournalEntries",
        { reference: settlementId },
      )
    ).entries;
    expect(
      posting?.postings.map(({ destination, amount }) => [destination, amount]),
    ).toContainEqual([...[provider.address, "940"]]);
    await chain.checkFullInvariants();
    const escrow = EscrowState.decode(await stored(keys.recordKey(keys.ESCROW_PREFIX, 1n)));
    expect(escrow.settlementCount).toBe(2);
  });
});
