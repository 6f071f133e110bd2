import { messageToJson } from "../../codec/proto_json.ts";
import * as state from "../../gen/settled/settlement/v1/state.ts";
import { must } from "../../lib/assert.ts";
import { fromUtf8 } from "../../lib/bytes.ts";
import { bytesOfKey, type Key, keyOfBytes, u64FromKey } from "../../lib/key.ts";
import type { Reader } from "../../store/read_view.ts";
import * as keys from "./keys.ts";
import { readParams, readParamsVersions } from "./query_params.ts";
import { totalOf } from "./query_totals.ts";

/** Params, records and sequences as genesis JSON; what follows from them is left out. */
export async function exportSettlement(reader: Reader): Promise<unknown> {
  const { wire, extended, version, pending } = await readParams(reader);
  const epochMint = await reader.get(keys.EPOCH_MINT_KEY);
  const genesis = state.GenesisState.fromPartial({
    params: wire,
    extendedParams: extended,
    paramsVersion: version,
    sequences: await sequences(reader),
  });
  genesis.escrows = await all(reader, keys.ESCROW_PREFIX, state.EscrowState);
  genesis.usage = await all(reader, keys.USAGE_PREFIX, state.UsageState);
  genesis.settlements = await all(reader, keys.SETTLEMENT_PREFIX, state.SettlementState);
  genesis.invoices = await all(reader, keys.INVOICE_PREFIX, state.InvoiceState);
  genesis.payouts = await all(reader, keys.PAYOUT_PREFIX, state.PayoutState);
  genesis.payoutLedger = await all(reader, keys.PAYOUT_LEDGER_PREFIX, state.PayoutLedgerEntry);
  genesis.platformFeesWithdrawn = await totalOf(reader, "platformFeesWithdrawn");
  genesis.validatorFeesWithdrawn = await totalOf(reader, "validatorFeesWithdrawn");
  genesis.taxesWithdrawn = await totalOf(reader, "taxesWithdrawn");
  genesis.distributions = await all(reader, keys.DISTRIBUTION_PREFIX, state.DistributionState);
  genesis.claimable = await all(reader, keys.CLAIMABLE_PREFIX, state.ClaimableState);
  genesis.rewardEntries = await all(reader, keys.REWARD_ENTRY_PREFIX, state.RewardEntryState);
  genesis.invoiceSeries = await invoiceSeries(reader);
  genesis.invoiceLedger = await all(reader, keys.INVOICE_LEDGER_PREFIX, state.InvoiceLedgerEntry);
  genesis.creditNotes = await all(reader, keys.CREDIT_NOTE_PREFIX, state.CreditNoteState);
  genesis.refunds = await all(reader, keys.REFUND_PREFIX, state.RefundState);
  genesis.receivables = await all(reader, keys.RECEIVABLE_PREFIX, state.ReceivableState);
  genesis.disputes = await all(reader, keys.DISPUTE_PREFIX, state.DisputeState);
  genesis.paramsVersions = await readParamsVersions(reader);
  if (pending !== undefined) genesis.pendingParams = pending;
  const ceilings = await all(reader, keys.PRICE_CEILING_PREFIX, state.PriceCeilingState);
  genesis.priceCeilings = ceilings;
  genesis.billingTerms = await all(reader, keys.BILLING_TERMS_PREFIX, state.BillingTerms);
  const epochBase = await reader.get(keys.EPOCH_BASE_KEY);
  if (epochBase !== undefined) genesis.epochBase = state.EpochBase.decode(epochBase);
  if (epochMint !== undefined) genesis.epochMint = state.EpochMint.decode(epochMint);
  return messageToJson("settled.settlement.v1.GenesisState", genesis);
}

async function all<T>(
  reader: Reader,
  prefix: Key,
  codec: { decode(bytes: Uint8Array): T },
): Promise<T[]> {
  const records: T[] = [];
  for await (const [, value] of reader.range(prefix)) records.push(codec.decode(value));
  return records;
}

async function sequences(reader: Reader): Promise<state.Sequences> {
  const next = async (name: keys.SequenceName): Promise<bigint> => {
    const bytes = await reader.get(keys.sequenceKey(name));
    return bytes === undefined ? 1n : u64FromKey(keyOfBytes(bytes), 0);
  };
  return {
    escrow: await next("escrow"),
    usage: await next("usage"),
    settlement: await next("settlement"),
    distribution: await next("distribution"),
    payout: await next("payout"),
    invoice: await next("invoice"),
    rewardEntry: await next("rewardEntry"),
    creditNote: await next("creditNote"),
    dispute: await next("dispute"),
    refund: await next("refund"),
    receivable: await next("receivable"),
  };
}

async function invoiceSeries(reader: Reader): Promise<state.InvoiceSeries[]> {
  const series: state.InvoiceSeries[] = [];
  for await (const [key, value] of reader.range(keys.INVOICE_SERIES_PREFIX)) {
    const text = fromUtf8(bytesOfKey(key.slice(keys.INVOICE_SERIES_PREFIX.length + 1) as Key));
    const next = u64FromKey(keyOfBytes(value), 0);
    const provider = must(text, "settlement: an address is text");
    const notes = await reader.get(keys.textIndexKey(keys.CREDIT_NOTE_SERIES_PREFIX, provider));
    const nextCreditNote = notes === undefined ? 0n : u64FromKey(keyOfBytes(notes), 0);
    series.push({ provider, next, nextCreditNote });
  }
  return series;
}
