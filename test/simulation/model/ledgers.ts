import { createHash } from "node:crypto";
import * as state from "../../../src/gen/settled/settlement/v1/state.ts";
import { Billing } from "./billing.ts";
import type { Coins } from "./coins.ts";
import type { Facts, Row } from "./records.ts";

// README, "Invoice ledger", and the payouts' own.

export interface Step {
  readonly amount?: Coins;
  readonly reference?: string;
  readonly reason?: string;
}

const NUMBERS: Readonly<Record<string, number>> = {
  ...{ ...state.InvoiceLedgerKind, ...state.InvoiceStatus },
};

/** The hash of an entry: of the one before, and of the message without its own. */
function hashOf(entry: Facts & { readonly kind: string; readonly previousHash: Uint8Array }) {
  const numberOf = (name: string) => NUMBERS[`INVOICE_${name}`.toUpperCase()] as 0;
  const message = state.InvoiceLedgerEntry.fromPartial({
    ...{ ...entry, kind: numberOf(`ledger_kind_${entry.kind}`) },
    previousStatus: numberOf(`status_${entry["previousStatus"]}`),
    status: numberOf(`status_${entry["status"]}`),
  });
  const bytes = state.InvoiceLedgerEntry.encode(message).finish();
  return createHash("sha256").update(entry.previousHash).update(bytes).digest();
}

export class Ledgers extends Billing {
  readonly ledgers = { invoice: [] as Facts[], payout: [] as Facts[] };

  /** Changes an invoice or a payout, and says in its ledger what happened to it. */
  log<T extends Row<"invoice"> | Row<"payout">>(
    record: T,
    kind: string,
    step: Step,
    fields: Partial<T> = {},
  ): void {
    const { seq, status: previousStatus, ledgerCount } = record;
    this.change(record, { ...fields, ledgerCount: ledgerCount + 1 });
    const { status, ledgerCount: number } = record;
    const times = { height: this.height, timeNs: this.now };
    const common = { number, kind, previousStatus, status, amount: [], ...step, ...times };
    const ledger = this.ledgers["ledgerHash" in record ? "invoice" : "payout"];
    if ("ledgerHash" in record) {
      const previousHash = number === 1 ? new Uint8Array(32) : record.ledgerHash;
      const own = { invoiceSeq: seq, initiator: this.sender, reference: "", ...common };
      const hash = hashOf({ ...own, previousHash });
      this.change(record as Row<"invoice">, { ledgerHash: hash });
      ledger.push({ ...own, previousHash, hash });
    } else ledger.push({ payoutSeq: seq, reason: "", ...common });
    this.undos.push(() => ledger.pop());
  }
}
