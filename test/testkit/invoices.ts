import type * as ext from "../../src/gen/settled/settlement/v1/query.ts";
import * as tx from "../../src/gen/settled/settlement/v1/tx.ts";
import { provider, type TestAccount } from "./accounts.ts";
import type { TestChain } from "./chain.ts";
import { wire } from "./coins.ts";
import type { TestMessage } from "./messages.ts";
import { activeEscrow, recordedCosts, settled } from "./orders.ts";

const OWN = "settled.settlement.v1.Query";

function message<T>(
  name: string,
  codec: { encode(message: T): { finish(): Uint8Array } },
  signer: TestAccount,
  value: T,
): TestMessage {
  const typeUrl = `/settled.settlement.v1.${name}`;
  return { typeUrl, value: codec.encode(value).finish(), signer };
}

/** Messages about invoices by their signer. */
export const invoiceMsg = {
  pay: (signer: TestAccount, invoiceId: string, amount = ""): TestMessage =>
    message("MsgPayInvoice", tx.MsgPayInvoice, signer, {
      ...{ sender: signer.address, invoiceId, amount: wire(amount) },
    }),
  void: (signer: TestAccount, invoiceId: string, reason = "a mistake"): TestMessage =>
    message("MsgVoidInvoice", tx.MsgVoidInvoice, signer, {
      ...{ sender: signer.address, invoiceId, reason },
    }),
  credit: (
    signer: TestAccount,
    invoiceId: string,
    amount: string,
    reason = "bad service",
  ): TestMessage =>
    message("MsgCreditInvoice", tx.MsgCreditInvoice, signer, {
      ...{ sender: signer.address, invoiceId, amount: wire(amount), reason },
    }),
};

export const seeInvoice = {
  ledger: async (chain: TestChain, invoiceId: string): Promise<ext.InvoiceLedgerLine[]> => {
    const path = `${OWN}/InvoiceLedger`;
    return (await chain.query<ext.QueryInvoiceLedgerResponse>(path, { invoiceId })).entries;
  },
  notes: async (chain: TestChain, invoiceId: string): Promise<ext.CreditNote[]> => {
    const path = `${OWN}/CreditNotes`;
    return (await chain.query<ext.QueryCreditNotesResponse>(path, { invoiceId })).creditNotes;
  },
  list: (chain: TestChain, request: object): Promise<ext.QueryInvoicesResponse> =>
    chain.query(`${OWN}/Invoices`, request),
};

/**
 * Settles usage of an order for good that costs more than its escrow has, and returns the id of
 * the invoice: so much of it is due.
 * @param deposit what is paid at once; "" for nothing
 */
export async function unpaidInvoice(
  chain: TestChain,
  cost: number,
  o: { deposit?: string; order?: string; depositor?: TestAccount; recipient?: TestAccount } = {},
): Promise<string> {
  const { deposit = "500uve", order = "order-1", recipient = provider } = o;
  await activeEscrow(chain, deposit, { order, recipient, ...pick(o.depositor) });
  await recordedCosts(chain, [cost], { order });
  await settled(chain, { order, final: true, ...(o.depositor ? { signer: o.depositor } : {}) });
  const { invoices } = await seeInvoice.list(chain, { orderId: order });
  return invoices.at(-1)?.invoiceId ?? "";
}

function pick(depositor: TestAccount | undefined): { depositor?: TestAccount } {
  return depositor === undefined ? {} : { depositor };
}
