import { beforeEach, expect, test } from "vitest";
import * as state from "../../../src/gen/settled/settlement/v1/state.ts";
import { InvariantError } from "../../../src/lib/assert.ts";
import { fromUtf8, utf8 } from "../../../src/lib/bytes.ts";
import { billingTermsKey } from "../../../src/modules/settlement/billing_terms.ts";
import type { Key } from "../../../src/lib/key.ts";
import * as keys from "../../../src/modules/settlement/keys.ts";
import { fixed, percentage, setDiscounts, setTax, taxTerms } from "../../testkit/billing.ts";
import { openChain, type TestChain } from "../../testkit/chain.ts";
import { wire } from "../../testkit/coins.ts";
import { type Machine, machineOf } from "../../testkit/machine.ts";
import { ORDER } from "../../testkit/messages.ts";
import { activeEscrow, recordedCosts, settled } from "../../testkit/orders.ts";

let chain: TestChain;
let machine: Machine;
beforeEach(async () => {
  chain = await openChain({ params: { min_settlement_amount: "0" } });
  await activeEscrow(chain, "100000uve");
  await chain.ok(setDiscounts([percentage(1000), fixed("50uve")]));
  await chain.ok(setTax(taxTerms("exclusive", "0.19")));
  await recordedCosts(chain, [1000, 500]);
  await settled(chain);
  machine = await machineOf(chain);
});

/** What the incremental invariants say of the changed state. */
function broken(): string[] {
  const invariants = machine.modules.list.flatMap((module) => module.invariants);
  return invariants.flatMap(({ name, check }) => {
    try {
      check(machine.ctx);
      return [];
    } catch (error) {
      if (error instanceof InvariantError) return [name];
      throw error;
    }
  });
}

/** Changes a record in the store and asks all invariants over the whole state. */
async function full(): Promise<string[]> {
  await machine.commit();
  return (await openChain({ genesis: chain.genesis, db: chain.db })).checkFullInvariants();
}

interface Codec<T> {
  encode(value: T): { finish(): Uint8Array };
  decode(bytes: Uint8Array): T;
}

function change<T>(prefix: Key, codec: Codec<T>, by: (record: T) => T): void {
  const at = keys.recordKey(prefix, 1n);
  const before = codec.decode(machine.overlay.get(at) as Uint8Array);
  machine.overlay.set(at, codec.encode(by(before)).finish());
}

function addToTotal(name: keys.TotalName): void {
  const key = keys.totalKey(name, "uve");
  const before = BigInt(fromUtf8(machine.overlay.get(key) ?? utf8("0")) ?? "");
  machine.overlay.set(key, utf8(`${before + 1n}`));
}

test("unchanged, none is broken", async () => {
  expect(broken()).toEqual([]);
  await full();
});

test.each(["escrowTax", "settledTax"] as const)("I-09 fires incrementally: %s", (name) => {
  addToTotal(name);
  expect(broken()).toEqual(["I-09 taxes of escrows are those of their settlements"]);
});

test.each(["taxes", "taxesWithdrawn"] as const)("I-11 fires incrementally: %s", (name) => {
  addToTotal(name);
  expect(broken()).toEqual(["I-11 the account tax holds what was not withdrawn"]);
});

const { EscrowState, SettlementState, InvoiceState, UsageState } = state;
test.each<[what: string, name: string, change: () => void]>([
  [
    "an escrow's tax",
    "I-09",
    () => change(keys.ESCROW_PREFIX, EscrowState, (e) => ({ ...e, taxPaid: wire("249uve") })),
  ],
  [
    "a settlement's tax",
    "I-09",
    () => change(keys.SETTLEMENT_PREFIX, SettlementState, (s) => ({ ...s, tax: wire("248uve") })),
  ],
  [
    "a settlement's discount",
    "I-12",
    () => {
      const discount = wire("199uve");
      change(keys.SETTLEMENT_PREFIX, SettlementState, (s) => ({ ...s, discount }));
    },
  ],
  [
    "a record's discount",
    "I-12",
    () => change(keys.USAGE_PREFIX, UsageState, (u) => ({ ...u, discount: "134" })),
  ],
  [
    "an invoice's tax",
    "I-12",
    () => change(keys.INVOICE_PREFIX, InvoiceState, (i) => ({ ...i, tax: wire("248uve") })),
  ],
  [
    "an invoice's tax paid",
    "I-12",
    () => change(keys.INVOICE_PREFIX, InvoiceState, (i) => ({ ...i, taxPaid: wire("246uve") })),
  ],
  [
    "an invoice's subtotal",
    "I-12",
    () => change(keys.INVOICE_PREFIX, InvoiceState, (i) => ({ ...i, subtotal: wire("1501uve") })),
  ],
  [
    "an invoice's discounts",
    "I-12",
    () => change(keys.INVOICE_PREFIX, InvoiceState, (i) => ({ ...i, discounts: [] })),
  ],
  ["terms that are gone", "billing terms", () => machine.overlay.delete(billingTermsKey(ORDER))],
  [
    "terms of no order",
    "billing terms",
    () => {
      const terms = machine.overlay.get(billingTermsKey(ORDER)) as Uint8Array;
      const other = { ...state.BillingTerms.decode(terms), orderId: "another" };
      const bytes = state.BillingTerms.encode(other).finish();
      machine.overlay.set(billingTermsKey("another"), bytes);
    },
  ],
])("changed by one: %s", async (_, name, damage) => {
  damage();
  await expect(full()).rejects.toThrow(name);
});
