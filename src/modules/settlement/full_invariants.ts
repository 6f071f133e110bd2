import type { FullInvariant } from "../../baseapp/module.ts";
import * as state from "../../gen/settled/settlement/v1/state.ts";
import { assert } from "../../lib/assert.ts";
import { joinKeys, type Key } from "../../lib/key.ts";
import { KeyMap } from "../../lib/key_map.ts";
import type { Reader } from "../../store/read_view.ts";
import {
  addCoins,
  type Coins,
  coinsOf,
  equalCoins,
  formatCoins,
  NO_COINS,
} from "../../types/coins.ts";
import type { BankReader } from "./expected_keepers.ts";
import { billingFullInvariants } from "./full_invariants_billing.ts";
import { derivedKeysFollow } from "./full_invariants_derived.ts";
import { disputeFullInvariants } from "./full_invariants_dispute.ts";
import { entryFullInvariants } from "./full_invariants_entries.ts";
import { escrowFullInvariants } from "./full_invariants_escrow.ts";
import { creditNotesSum, invoicesAdd, ledgersChain } from "./full_invariants_invoices.ts";
import { journalFullInvariants } from "./full_invariants_journal.ts";
import { ledgerFullInvariants } from "./full_invariants_ledger.ts";
import { partiesAreLookedUp } from "./full_invariants_parties.ts";
import { payoutFullInvariants } from "./full_invariants_payout.ts";
import { refundFullInvariants } from "./full_invariants_refund.ts";
import { rewardFullInvariants } from "./full_invariants_rewards.ts";
import { usageFullInvariants } from "./full_invariants_usage.ts";
import { ListReader } from "./query_lists.ts";
import { escrowBySeq, usageSeqAt } from "./query_records.ts";
import { holdsKey } from "./usage_facts.ts";
import { settledListKey } from "./usage_lists.ts";
import { normaliseUsageType } from "../../types/usage_type.ts";
import * as keys from "./keys.ts";
import { rulesByVersion } from "./query_params.ts";
import { coinsIn } from "./records.ts";
import { isUsageReward } from "./reward.ts";
import { assertReward } from "./reward_check.ts";
import { add } from "./sums_by_key.ts";
import { all } from "./full_invariants_sums.ts";

/**
 * Invariants over all records, on demand.
 * @param bank whose journal they are compared with
 */
export function settlementFullInvariants(bank: BankReader): readonly FullInvariant[] {
  return [
    ...escrowFullInvariants,
    { name: "I-09 every escrow's settlements sum to its total", check: escrowsSum },
    { name: "I-10 every settlement's shares sum to its total", check: sharesSum },
    { name: "I-12 every record is settled once, for what its settlement paid", check: recordsSum },
    { name: "I-12 what was paid of an invoice is its settlement and payments", check: invoicesAdd },
    { name: "I-18 invoice ledgers are chained and numbered", check: ledgersChain },
    { name: "I-26 credit notes are what their invoices say", check: creditNotesSum },
    ...billingFullInvariants,
    ...payoutFullInvariants,
    ...ledgerFullInvariants,
    ...refundFullInvariants,
    ...journalFullInvariants(bank),
    { name: "I-13 claimable, claimed, expired and cancelled are the history", check: rewardsSum },
    { name: "I-14 every reward is recomputed from its record", check: rewardsRecomputed },
    ...rewardFullInvariants,
    ...entryFullInvariants,
    ...usageFullInvariants,
    ...disputeFullInvariants,
    { name: "look-ups of usage are those of the records", check: usageIsListed },
    { name: "look-ups by party are those of the records", check: partiesAreLookedUp },
    {
      name: "derived keys follow from the records",
      check: derivedKeysFollow,
      isOfDerivedKeys: true,
    },
  ];
}

function same(name: string, key: bigint | string, left: Coins, right: Coins): void {
  const facts = { key, left: formatCoins(left), right: formatCoins(right) };
  assert(equalCoins(left, right), `${name} settlement: amounts differ`, facts);
}

async function escrowsSum(reader: Reader): Promise<void> {
  const sums = new KeyMap<Coins>();
  for await (const settlement of all(reader, keys.SETTLEMENT_PREFIX, state.SettlementState)) {
    if (settlement.type === state.SettlementType.SETTLEMENT_TYPE_REFUND) continue;
    add(sums, settlement.escrowSeq, coinsIn(settlement.total));
  }
  for await (const escrow of all(reader, keys.ESCROW_PREFIX, state.EscrowState)) {
    const settled = coinsIn(escrow.totalSettled);
    same("I-09", escrow.seq, settled, sums.get(escrow.seq.toString()) ?? NO_COINS);
  }
}

async function sharesSum(reader: Reader): Promise<void> {
  for await (const settlement of all(reader, keys.SETTLEMENT_PREFIX, state.SettlementState)) {
    const { providerShare, platformFee, validatorFee, total, seq } = settlement;
    const parts = [providerShare, platformFee, validatorFee].map(coinsIn);
    same("I-10", seq, parts.reduce(addCoins, NO_COINS), coinsIn(total));
  }
  for await (const payout of all(reader, keys.PAYOUT_PREFIX, state.PayoutState)) {
    const parts = [payout.net, payout.holdback, payout.platformFee, payout.validatorFee].map(
      coinsIn,
    );
    same("I-10", payout.seq, parts.reduce(addCoins, NO_COINS), coinsIn(payout.gross));
  }
}

async function recordsSum(reader: Reader): Promise<void> {
  const settled = new KeyMap<Coins>();
  const invoiced = new KeyMap<Coins>();
  for await (const usage of all(reader, keys.USAGE_PREFIX, state.UsageState)) {
    if (usage.settledAmount === "") continue;
    const paid = coinsOf(usage.denom, BigInt(usage.settledAmount));
    if (usage.settlementSeq !== 0n) add(settled, usage.settlementSeq, paid);
    if (usage.invoiceSeq !== 0n) {
      add(invoiced, usage.invoiceSeq, coinsOf(usage.denom, BigInt(usage.cost)));
    }
  }
  for await (const settlement of all(reader, keys.SETTLEMENT_PREFIX, state.SettlementState)) {
    if (settlement.recordCount === 0) continue;
    const sum = settled.get(settlement.seq.toString()) ?? NO_COINS;
    same("I-12", settlement.seq, sum, coinsIn(settlement.total));
  }
  for await (const invoice of all(reader, keys.INVOICE_PREFIX, state.InvoiceState)) {
    const sum = invoiced.get(invoice.seq.toString()) ?? NO_COINS;
    same("I-12", invoice.seq, sum, coinsIn(invoice.subtotal));
  }
}

async function rewardsSum(reader: Reader): Promise<void> {
  const entries = new KeyMap<Coins>();
  for await (const entry of all(reader, keys.REWARD_ENTRY_PREFIX, state.RewardEntryState)) {
    add(entries, entry.address, coinsIn(entry.amount));
  }
  let held: Coins = NO_COINS;
  for await (const claimable of all(reader, keys.CLAIMABLE_PREFIX, state.ClaimableState)) {
    const open = entries.get(claimable.address) ?? NO_COINS;
    same("I-13", claimable.address, open, coinsIn(claimable.claimable));
    const { claimed, expired, cancelled } = claimable;
    const parts = [claimable.claimable, claimed, expired, cancelled].map(coinsIn);
    held = addCoins(held, parts.reduce(addCoins, NO_COINS));
  }
  let distributed: Coins = NO_COINS;
  for await (const distribution of all(reader, keys.DISTRIBUTION_PREFIX, state.DistributionState)) {
    distributed = addCoins(distributed, coinsIn(distribution.total));
  }
  same("I-13", "all", held, distributed);
}

/**
 * By the params that the settlement names. Records of versions that the chain does not know, which
 * a genesis without them brings, are passed over.
 */
async function rewardsRecomputed(reader: Reader): Promise<void> {
  const rulesOf = await rulesByVersion(reader);
  for await (const usage of all(reader, keys.USAGE_PREFIX, state.UsageState)) {
    if (usage.reward === "" || usage.settlementSeq === 0n || !isUsageReward(usage)) continue;
    const key = keys.recordKey(keys.SETTLEMENT_PREFIX, usage.settlementSeq);
    const bytes = await reader.get(key);
    const { paramsVersion = 0n } = bytes === undefined ? {} : state.SettlementState.decode(bytes);
    const rules = rulesOf(paramsVersion);
    if (rules === undefined) continue;
    const [amount, reward] = [BigInt(usage.settledAmount), BigInt(usage.reward)];
    assertReward(usage, { amount, reward }, rules);
  }
}

/** The derived keys of usage, which the app hash does not cover, against the records themselves. */
async function usageIsListed(reader: Reader): Promise<void> {
  const lists = new ListReader(reader);
  const missing = (seq: bigint, where: string): void => {
    assert(false, `settlement: usage is not listed ${where}`, { usage: seq });
  };
  const holds = async (prefix: Key, seq: bigint): Promise<boolean> => {
    const from = joinKeys(prefix, keys.seqKey(seq));
    for await (const [key] of lists.range(prefix, { from, limit: 1 })) return key === from;
    return false;
  };
  for await (const usage of all(reader, keys.USAGE_PREFIX, state.UsageState)) {
    const { seq, escrowSeq, usageType, periodStart: start } = usage;
    const escrow = await escrowBySeq(reader, escrowSeq);
    const { orderId, leaseId, recipient, depositor } = escrow;
    const meter = keys.meterKey({ orderId, leaseId, type: normaliseUsageType(usageType) });
    const isFound = (await usageSeqAt(reader, meter, start)) === seq;
    if (isFound !== holdsKey(usage)) missing(seq, "by natural key");
    const byOrder = keys.textIndexKey(keys.USAGE_BY_ORDER_PREFIX, orderId);
    if (!(await holds(byOrder, seq))) missing(seq, "by order");
    const hour = keys.hourOf(start);
    const byProvider = keys.textIndexKey(keys.USAGE_BY_PROVIDER_PREFIX, recipient);
    if (!(await holds(keys.hourIndexKey(byProvider, hour), seq))) missing(seq, "by provider");
    const byCustomer = keys.textIndexKey(keys.USAGE_BY_CUSTOMER_PREFIX, depositor);
    if (!(await holds(keys.hourIndexKey(byCustomer, hour), seq))) missing(seq, "by customer");
    const byHour = keys.hourIndexKey(keys.USAGE_BY_START_PREFIX, hour);
    if (!(await holds(byHour, seq))) missing(seq, "by time");
    const settled = settledListKey(usage);
    if (settled !== undefined && !(await holds(settled, seq))) missing(seq, "by settlement");
  }
}
