import type { Context } from "../../baseapp/context.ts";
import { fieldError } from "../../baseapp/genesis_error.ts";
import { messageFromJson, messageToJson } from "../../codec/proto_json.ts";
import type * as state from "../../gen/settled/settlement/v1/state.ts";
import { ChainError } from "../../lib/errors.ts";
import { must } from "../../lib/assert.ts";
import { maxBigint, parseInteger, toSafeNumber } from "../../lib/int.ts";
import { bytesOfKey, type Key, u64Bytes } from "../../lib/key.ts";
import { KeyMap } from "../../lib/key_map.ts";
import type { WireCoin } from "../../types/coins.ts";
import { isDenom } from "../../types/denom.ts";
import { ErrInvalidCoins } from "../../types/sdk_errors.ts";
import type { Accounts } from "./accounts.ts";
import type { BankKeeper } from "./expected_keepers.ts";
import { cover } from "./keeper_usage.ts";
import * as keys from "./keys.ts";
import { DEFAULT_EXTENDED_PARAMS, DEFAULT_WIRE_PARAMS, validateParams } from "./params.ts";
import type { Records } from "./records.ts";
import { listSettled, settledListKey, UsageLists } from "./usage_lists.ts";
import { normaliseUsageType } from "./usage_type.ts";

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
  const genesis = messageFromJson<state.GenesisState>(NAME, withDefaults(json));
  const wire = genesis.params ?? DEFAULT_WIRE_PARAMS;
  const extended = genesis.extendedParams ?? DEFAULT_EXTENDED_PARAMS;
  validateParams({ wire, extended, bech32Prefix: ctx.chain.bech32Prefix, path: "settlement" });
  records.setParams(ctx, wire, extended);
  records.setParamsVersion(ctx, genesis.paramsVersion === 0n ? 1n : genesis.paramsVersion);
  writeEscrows(ctx, records, genesis);
  writeUsage(ctx, records, genesis);
  writePayments(ctx, records, genesis);
  writeRewards(ctx, records, genesis);
  writeSequences(ctx, records, genesis);
  checkAccounts(ctx, parts);
}

/** Fills the params that a hand-written genesis does not name. */
function withDefaults(json: unknown): unknown {
  if (typeof json !== "object" || json === null) return {};
  const given = json as { params?: object; extended_params?: object };
  const wire = messageToJson("virtengine.settlement.v1.Params", DEFAULT_WIRE_PARAMS);
  const extended = messageToJson("settled.settlement.v1.Params", DEFAULT_EXTENDED_PARAMS);
  return {
    ...given,
    params: { ...(wire as object), ...given.params },
    extended_params: { ...(extended as object), ...given.extended_params },
  };
}

/**
 * Writes records one by one. Whatever is wrong with one, its number or address twice included, is
 * named by its place in the list.
 */
function writeEach<T>(
  list: { name: string; records: readonly T[]; keyOf: (record: T) => bigint | string },
  write: (record: T, field: string) => void,
): void {
  const seen = new KeyMap<true>();
  list.records.forEach((record, index) => {
    const field = `settlement.${list.name}[${index}]`;
    const key = list.keyOf(record).toString();
    if (seen.has(key)) throw fieldError(field, `${key} appears twice`);
    seen.set(key, true);
    try {
      write(record, field);
    } catch (error) {
      if (error instanceof ChainError && error.codespace === "genesis") throw error;
      throw fieldError(field, error instanceof Error ? error.message : String(error));
    }
  });
}

const bySeq = ({ seq }: { seq: bigint }): bigint => seq;

/** Coins as the state keeps them: sorted, each denom once, positive. Sums may pass 2^256. */
function checkCoins(...lists: readonly (readonly WireCoin[])[]): void {
  for (const coins of lists) {
    coins.forEach(({ denom, amount }, index) => {
      const last = coins[index - 1]?.denom;
      const good = isDenom(denom) && (parseInteger(amount) ?? 0n) > 0n;
      if (good && (last === undefined || last < denom)) return;
      throw new ChainError(
        ErrInvalidCoins,
        `expected sorted positive coins, found ${amount}${denom}`,
      );
    });
  }
}

function checkAmounts(...texts: readonly string[]): void {
  for (const text of texts) {
    if (text === "" || (parseInteger(text) ?? -1n) >= 0n) continue;
    throw new ChainError(ErrInvalidCoins, `expected an integer from 0, found "${text}"`);
  }
}

function writeEscrows(ctx: Context, records: Records, genesis: state.GenesisState): void {
  const list = { name: "escrows", records: genesis.escrows, keyOf: bySeq };
  writeEach(list, (escrow) => {
    checkCoins(escrow.amount, escrow.balance, escrow.totalSettled, escrow.refunded);
    records.setEscrow(ctx, undefined, escrow);
    const before = records.order(ctx, escrow.orderId);
    records.setOrder(ctx, escrow.orderId, {
      escrowSeq: maxBigint(before?.escrowSeq ?? 0n, escrow.seq),
      escrowCount: (before?.escrowCount ?? 0) + 1,
    });
  });
}

function writeUsage(ctx: Context, records: Records, genesis: state.GenesisState): void {
  const written: { usage: state.UsageState; meter: Key }[] = [];
  writeEach({ name: "usage", records: genesis.usage, keyOf: bySeq }, (usage, field) => {
    const { orderId, leaseId } = escrowOf(ctx, records, usage, field);
    checkAmounts(usage.cost, usage.unitPrice, usage.settledAmount, usage.reward);
    const type = normaliseUsageType(usage.usageType);
    const meter = keys.meterKey({ orderId, leaseId, type });
    const period = { start: usage.periodStart, end: usage.periodEnd };
    records.setCoverage(ctx, meter, cover(records.coverage(ctx, meter), period));
    records.importUsage(ctx, usage);
    written.push({ usage, meter });
  });
  written.sort((a, b) => (a.usage.seq < b.usage.seq ? -1 : 1));
  const lists = new UsageLists((seq) => {
    return must(records.escrow(ctx, seq), "settlement: usage has an escrow");
  });
  for (const { usage, meter } of written) {
    lists.add(usage);
    const number = meterNumber(ctx, records, meter);
    ctx.kv.set(keys.naturalKey(number, usage.periodStart), bytesOfKey(keys.seqKey(usage.seq)));
  }
  lists.write(ctx.kv);
  // Those of one settlement, or of one invoice without a settlement, stand in one list.
  const settled = new KeyMap<state.UsageState[]>();
  for (const { usage } of written) {
    const key = settledListKey(usage);
    const list = key === undefined ? undefined : settled.get(key);
    if (list !== undefined) list.push(usage);
    else if (key !== undefined) settled.set(key, [usage]);
  }
  for (const list of settled.sortedValues()) {
    const seqs = list.map(({ seq }) => toSafeNumber(seq));
    listSettled(ctx, list[0] as state.UsageState, seqs);
  }
}

/** Numbers of meters are given in the order of recording, as they were the first time. */
function meterNumber(ctx: Context, records: Records, key: Key): bigint {
  const coverage = must(records.coverage(ctx, key), "settlement: a record has its coverage");
  if (coverage.meter !== 0n) return coverage.meter;
  const meter = records.take(ctx, "meter");
  records.setCoverage(ctx, key, { ...coverage, meter });
  return meter;
}

/** The escrow that a record belongs to. @throws ChainError genesis/2 */
function escrowOf(
  ctx: Context,
  records: Records,
  { escrowSeq }: { escrowSeq: bigint },
  field: string,
): state.EscrowState {
  const escrow = records.escrow(ctx, escrowSeq);
  if (escrow === undefined) {
    throw fieldError(`${field}.escrow_seq`, `there is no escrow ${escrowSeq}`);
  }
  return escrow;
}

function writePayments(ctx: Context, records: Records, genesis: state.GenesisState): void {
  const { settlements, invoices, payouts } = genesis;
  writeEach({ name: "settlements", records: settlements, keyOf: bySeq }, (settlement, field) => {
    const { total, providerShare, platformFee, validatorFee } = settlement;
    checkCoins(total, providerShare, platformFee, validatorFee);
    const { orderId } = escrowOf(ctx, records, settlement, field);
    records.setSettlement(ctx, settlement, orderId);
  });
  writeEach({ name: "invoices", records: invoices, keyOf: bySeq }, (invoice, field) => {
    checkCoins(invoice.total, invoice.amountPaid, invoice.amountDue);
    records.setInvoice(ctx, invoice, escrowOf(ctx, records, invoice, field).orderId);
  });
  writeEach({ name: "payouts", records: payouts, keyOf: bySeq }, (payout, field) => {
    const { gross, platformFee, validatorFee, holdback, net } = payout;
    checkCoins(gross, platformFee, validatorFee, holdback, net);
    records.setPayout(ctx, undefined, payout, escrowOf(ctx, records, payout, field).recipient);
  });
}

function writeRewards(ctx: Context, records: Records, genesis: state.GenesisState): void {
  const { distributions, claimable, rewardEntries, epochMint } = genesis;
  writeEach({ name: "distributions", records: distributions, keyOf: bySeq }, (distribution) => {
    checkCoins(distribution.total, ...distribution.rows.map(({ amount }) => amount));
    records.setDistribution(ctx, distribution, recipientsOf(ctx, records, distribution));
  });
  const byAddress = ({ address }: { address: string }): string => address;
  writeEach({ name: "claimable", records: claimable, keyOf: byAddress }, (each) => {
    checkCoins(each.claimable, each.claimed, each.expired);
    records.setClaimable(ctx, undefined, each);
  });
  writeEach({ name: "reward_entries", records: rewardEntries, keyOf: bySeq }, (entry) => {
    checkCoins(entry.amount);
    records.setRewardEntry(ctx, entry);
  });
  if (epochMint === undefined) return;
  checkAmounts(epochMint.minted);
  records.setEpochMint(ctx, epochMint);
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
  for (const { provider, next } of genesis.invoiceSeries) {
    const key = keys.textIndexKey(keys.INVOICE_SERIES_PREFIX, provider);
    ctx.kv.set(key, u64Bytes(next));
  }
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
    const pairs = [
      ["settlement.escrows", "escrowed", accounts.escrow],
      ["settlement.claimable", "claimable", accounts.rewards],
      ["settlement.payouts", "payoutsUnfinished", accounts.settlement],
    ] as const;
    for (const [field, name, account] of pairs) {
      const promised = records.total(ctx, name, denom);
      const held = bank.balance(ctx, account, denom);
      if (promised === held) continue;
      throw fieldError(field, `sum to ${promised}${denom}, but ${account} holds ${held}${denom}`);
    }
  }
}
