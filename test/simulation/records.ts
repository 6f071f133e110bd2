import type { Model } from "./model.ts";
import { halvesOf } from "./model_params.ts";
import { NONE } from "./model_sums.ts";

const SEQUENCES = [
  ...["escrow", "usage", "settlement", "distribution", "payout", "invoice", "rewardEntry"],
  ...["creditNote", "dispute", "refund", "receivable"],
];

/** Records of the model by their name in genesis; "" for what is there once. */
export function genesisRecords(model: Model): readonly [string, readonly object[]][] {
  const { escrows, usage, settlements, invoices, payouts, distributions, pending } = model;
  const next = (name: string): bigint => (model.seqs.get(name) ?? 0n) + 1n;
  const providers = [...model.seqs.keys()].filter((name) => name.startsWith("invoices of "));
  const series = providers.sort().map((name) => {
    const provider = name.slice("invoices of ".length);
    const notes = next(`credit notes of ${provider}`);
    return { provider, next: next(name), nextCreditNote: notes === 1n ? 0n : notes };
  });
  const withdrawn = (name: string) => model.withdrawn.get(name) ?? NONE;
  const once = {
    ...{ ...halvesOf(model.params), paramsVersion: model.paramsVersion },
    pendingParams: pending && { ...halvesOf(pending), proposedHeight: model.height },
    sequences: Object.fromEntries(SEQUENCES.map((name) => [name, next(name)])),
    ...{ epochMint: model.epochMint, epochBase: model.epochBase, invoiceSeries: series },
    platformFeesWithdrawn: withdrawn("platform_fee"),
    validatorFeesWithdrawn: withdrawn("validator_fee"),
    taxesWithdrawn: withdrawn("tax"),
  };
  return Object.entries({
    ...{ "": [once], escrows, usage, settlements, invoices, payouts, distributions },
    ...{ invoice_ledger: model.invoiceLedger, payout_ledger: model.payoutLedger },
    ...{ disputes: model.disputes, refunds: model.refunds, receivables: model.receivables },
    ...{ credit_notes: model.creditNotes, price_ceilings: [...model.ceilings.values()] },
    ...{ billing_terms: [...model.terms.values()] },
    ...{ claimable: [...model.claimables.values()], reward_entries: [...model.entries.values()] },
  });
}
