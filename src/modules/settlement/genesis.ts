import type { Context } from "../../baseapp/context.ts";
import { fieldError } from "../../baseapp/genesis_error.ts";
import { messageFromJson } from "../../codec/proto_json.ts";
import type * as state from "../../gen/settled/settlement/v1/state.ts";
import { maxBigint } from "../../lib/int.ts";
import { KeyMap } from "../../lib/key_map.ts";
import type { Accounts } from "./accounts.ts";
import type { BankKeeper } from "./expected_keepers.ts";
import { writeBilling } from "./genesis_billing.ts";
import { writeDisputes } from "./genesis_dispute.ts";
import { checkFields } from "./genesis_fields.ts";
import { writeInvoicePapers, writeInvoiceSeries } from "./genesis_invoices.ts";
import { quote } from "./keeper_escrow.ts";
import { bySeq, escrowOf, writeEach } from "./genesis_lists.ts";
import { checkPayoutLedgers } from "./genesis_ledgers.ts";
import { checkLinks } from "./genesis_links.ts";
import { paramsWithDefaults, writeParams } from "./genesis_params.ts";
import { writePayouts } from "./genesis_payout.ts";
import { writeRefunds } from "./genesis_refund.ts";
import { checkSums } from "./genesis_sums.ts";
import { writeCeilings, writeUsage } from "./genesis_usage.ts";
import { writeInvoice } from "./invoice_records.ts";
import * as keys from "./keys.ts";
import type { Records } from "./records.ts";

const NAME = "settled.settlement.v1.GenesisState";

/**
 * Writes params and records. Params that genesis leaves out have their defaults, field by field.
 * Indexes, coverage and running totals follow from the records.
 * @throws ChainError naming the field at fault.
 */
export function initSettlementGenesis(
  ctx: Context,
  parts: { records: Records; bank: BankKeeper; accounts: Accounts },
  json: unknown,
): void {
  const { records } = parts;
  const genesis = messageFromJson<state.GenesisState>(NAME, paramsWithDefaults(json));
  checkFields(ctx, genesis);
  checkLinks(genesis);
  writeParams(ctx, records, genesis);
  writeEscrows(ctx, records, genesis);
  writeCeilings(ctx, records, genesis);
  writeUsage(ctx, records, genesis);
  writePayments(ctx, records, genesis);
  writeRewards(ctx, records, genesis);
  checkPayoutLedgers(genesis);
  checkSums(genesis);
  writeSequences(ctx, records, genesis);
  checkAccounts(ctx, parts);
}

function writeEscrows(ctx: Context, records: Records, genesis: state.GenesisState): void {
  const list = { name: "escrows", records: genesis.escrows, keyOf: bySeq };
  writeEach(list, (escrow) => {
    records.setEscrow(ctx, undefined, escrow);
    const before = records.order(ctx, escrow.orderId);
    records.setOrder(ctx, escrow.orderId, {
      escrowSeq: maxBigint(before?.escrowSeq ?? 0n, escrow.seq),
      escrowCount: (before?.escrowCount ?? 0) + 1,
      priceCeilings: 0,
      hasBillingTerms: false,
    });
  });
}

function writePayments(ctx: Context, records: Records, genesis: state.GenesisState): void {
  const { settlements, invoices } = genesis;
  writeEach({ name: "settlements", records: settlements, keyOf: bySeq }, (settlement, field) => {
    records.setSettlement(ctx, settlement, escrowOf(ctx, records, settlement, field));
  });
  writeEach({ name: "invoices", records: invoices, keyOf: bySeq }, (invoice, field) => {
    writeInvoice(ctx, undefined, invoice, escrowOf(ctx, records, invoice, field));
  });
  writeInvoicePapers(ctx, records, genesis);
  writeBilling(ctx, records, genesis);
  writePayouts(ctx, records, genesis);
  writeRefunds(ctx, records, genesis);
  writeDisputes(ctx, records, genesis);
}

function writeRewards(ctx: Context, records: Records, genesis: state.GenesisState): void {
  const { distributions, claimable, rewardEntries, epochMint } = genesis;
  const byNumber = { name: "distributions", records: distributions, keyOf: bySeq };
  writeEach(byNumber, (distribution, field) => {
    requireFreshReference(ctx, records, { distribution, field });
    records.setDistribution(ctx, distribution, recipientsOf(ctx, records, distribution));
  });
  const byAddress = ({ address }: { address: string }): string => address;
  writeEach({ name: "claimable", records: claimable, keyOf: byAddress }, (each) => {
    records.setClaimable(ctx, undefined, each);
  });
  writeEach({ name: "reward_entries", records: rewardEntries, keyOf: bySeq }, (entry) => {
    records.setRewardEntry(ctx, entry);
  });
  if (epochMint === undefined) return;
  records.setEpochMint(ctx, epochMint);
}

/** @throws ChainError genesis/2 where an earlier distribution of the source has the reference. */
function requireFreshReference(
  ctx: Context,
  records: Records,
  { distribution, field }: { distribution: state.DistributionState; field: string },
): void {
  const { source, reference } = distribution;
  if (reference === "") return;
  const first = records.distributionByReference(ctx, source, reference);
  if (first === undefined) return;
  const detail = `${quote(reference)} is that of distribution ${first.seq} already`;
  throw fieldError(`${field}.reference`, detail);
}

function recipientsOf(
  ctx: Context,
  records: Records,
  distribution: state.DistributionState,
): string[] {
  if (distribution.settlementSeq === 0n) {
    const addresses = distribution.rows.map(({ address }) => address);
    return addresses.filter((address, index) => addresses.indexOf(address) === index);
  }
  return [records.settlement(ctx, distribution.settlementSeq)?.provider ?? ""];
}

/** A number that a record has already is not given again: it would be written over. */
function writeSequences(ctx: Context, records: Records, genesis: state.GenesisState): void {
  const given = genesis.sequences;
  const lists: readonly [keyof state.Sequences, string, readonly { seq: bigint }[]][] = [
    ["escrow", "escrow", genesis.escrows],
    ["usage", "usage", genesis.usage],
    ["settlement", "settlement", genesis.settlements],
    ["distribution", "distribution", genesis.distributions],
    ["payout", "payout", genesis.payouts],
    ["invoice", "invoice", genesis.invoices],
    ["rewardEntry", "reward_entry", genesis.rewardEntries],
    ["creditNote", "credit_note", genesis.creditNotes],
    ["dispute", "dispute", genesis.disputes],
    ["refund", "refund", genesis.refunds],
    ["receivable", "receivable", genesis.receivables],
  ];
  for (const [name, field, list] of lists) {
    const next = maxBigint(given?.[name] ?? 0n, 1n);
    const last = list.reduce((most, { seq }) => maxBigint(most, seq), 0n);
    if (next <= last) {
      throw fieldError(
        `settlement.sequences.${field}`,
        `expected more than ${last}, found ${next}`,
      );
    }
    // A sequence that nothing was taken of has no entry, so that an import is what was exported.
    if (next > 1n) records.setSequence(ctx, name, next);
    if (next > 1n && name === "usage") records.setFirstUnlisted(ctx, next);
  }
  writeInvoiceSeries(ctx, genesis);
}

/** The coins that the records promise must be in the module's accounts. */
function checkAccounts(
  ctx: Context,
  { records, bank, accounts }: { records: Records; bank: BankKeeper; accounts: Accounts },
): void {
  const denoms = new KeyMap<true>();
  denoms.set(ctx.chain.bondDenom, true);
  for (const [key] of ctx.kv.iterate(keys.TOTAL_PREFIX)) {
    denoms.set(key.slice(keys.TOTAL_PREFIX.length + 1), true);
  }
  for (const denom of denoms.sortedKeys()) {
    const total = (name: keys.TotalName): bigint => records.total(ctx, name, denom);
    const pairs = [
      ["settlement.escrows", total("escrowed"), accounts.escrow],
      ["settlement.claimable", total("claimable"), accounts.rewards],
      ["settlement.payouts", total("payoutsUnfinished"), accounts.settlement],
      [
        "settlement.platform_fees_withdrawn",
        total("platformFees") - total("platformFeesWithdrawn"),
        accounts.platformFee,
      ],
      [
        "settlement.validator_fees_withdrawn",
        total("validatorFees") - total("validatorFeesWithdrawn"),
        accounts.validatorFee,
      ],
      ["settlement.taxes_withdrawn", total("taxes") - total("taxesWithdrawn"), accounts.tax],
    ] as const;
    for (const [field, promised, account] of pairs) {
      const held = bank.balance(ctx, account, denom);
      if (promised === held) continue;
      throw fieldError(field, `sum to ${promised}${denom}, but ${account} holds ${held}${denom}`);
    }
  }
}
