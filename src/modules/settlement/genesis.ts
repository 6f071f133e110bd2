import type { Context } from "../../baseapp/context.ts";
import { fieldError } from "../../baseapp/genesis_error.ts";
import { messageFromJson, messageToJson } from "../../codec/proto_json.ts";
import type * as state from "../../gen/settled/settlement/v1/state.ts";
import { bytesOfKey, joinKeys, u64Key } from "../../lib/key.ts";
import { KeyMap } from "../../lib/key_map.ts";
import type { Accounts } from "./accounts.ts";
import type { BankKeeper } from "./expected_keepers.ts";
import { cover } from "./keeper_usage.ts";
import * as keys from "./keys.ts";
import { DEFAULT_EXTENDED_PARAMS, DEFAULT_WIRE_PARAMS, validateParams } from "./params.ts";
import { indexSettledUsage, indexUsage, type Records } from "./records.ts";
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

function writeEscrows(ctx: Context, records: Records, genesis: state.GenesisState): void {
  const counts = new KeyMap<number>();
  genesis.escrows.forEach((escrow, index) => {
    if (records.escrow(ctx, escrow.seq) !== undefined) {
      throw fieldError(`settlement.escrows[${index}].seq`, `${escrow.seq} appears twice`);
    }
    records.setEscrow(ctx, undefined, escrow);
    const escrowCount = (counts.get(escrow.orderId) ?? 0) + 1;
    counts.set(escrow.orderId, escrowCount);
    records.setOrder(ctx, escrow.orderId, { escrowSeq: escrow.seq, escrowCount });
  });
}

function writeUsage(ctx: Context, records: Records, genesis: state.GenesisState): void {
  genesis.usage.forEach((usage, index) => {
    const field = `settlement.usage[${index}]`;
    if (records.usage(ctx, usage.seq) !== undefined) {
      throw fieldError(`${field}.seq`, `${usage.seq} appears twice`);
    }
    const escrow = records.escrow(ctx, usage.escrowSeq);
    if (escrow === undefined) {
      throw fieldError(`${field}.escrow_seq`, `there is no escrow ${usage.escrowSeq}`);
    }
    const { orderId, leaseId } = escrow;
    const meter = { orderId, leaseId, type: normaliseUsageType(usage.usageType) };
    const period = { start: usage.periodStart, end: usage.periodEnd };
    const coverageKey = joinKeys(keys.COVERAGE_PREFIX, keys.meterKey(meter));
    records.setCoverage(ctx, coverageKey, cover(records.coverage(ctx, coverageKey), period));
    ctx.kv.set(keys.naturalKey(meter, period), bytesOfKey(u64Key(usage.seq)));
    records.setUsage(ctx, undefined, usage);
    indexUsage(ctx, usage, escrow);
    indexSettledUsage(ctx, usage);
  });
}

function writePayments(ctx: Context, records: Records, genesis: state.GenesisState): void {
  const escrowOf = (seq: bigint, field: string): state.EscrowState => {
    const escrow = records.escrow(ctx, seq);
    if (escrow === undefined) throw fieldError(`${field}.escrow_seq`, `there is no escrow ${seq}`);
    return escrow;
  };
  genesis.settlements.forEach((settlement, index) => {
    const escrow = escrowOf(settlement.escrowSeq, `settlement.settlements[${index}]`);
    records.setSettlement(ctx, settlement, escrow.orderId);
  });
  genesis.invoices.forEach((invoice, index) => {
    const escrow = escrowOf(invoice.escrowSeq, `settlement.invoices[${index}]`);
    records.setInvoice(ctx, invoice, escrow.orderId);
  });
  genesis.payouts.forEach((payout, index) => {
    const escrow = escrowOf(payout.escrowSeq, `settlement.payouts[${index}]`);
    records.setPayout(ctx, undefined, payout, escrow.recipient);
  });
}

function writeRewards(ctx: Context, records: Records, genesis: state.GenesisState): void {
  for (const distribution of genesis.distributions) {
    records.setDistribution(ctx, distribution, recipientsOf(ctx, records, distribution));
  }
  for (const claimable of genesis.claimable) records.setClaimable(ctx, undefined, claimable);
  for (const entry of genesis.rewardEntries) records.setRewardEntry(ctx, entry);
  if (genesis.epochMint !== undefined) records.setEpochMint(ctx, genesis.epochMint);
}

function recipientsOf(
  ctx: Context,
  records: Records,
  distribution: state.DistributionState,
): string[] {
  if (distribution.settlementSeq === 0n) return distribution.rows.map(({ address }) => address);
  return [records.settlement(ctx, distribution.settlementSeq)?.provider ?? ""];
}

function writeSequences(ctx: Context, records: Records, genesis: state.GenesisState): void {
  const { sequences, invoiceSeries } = genesis;
  if (sequences !== undefined) {
    for (const [name, next] of Object.entries(sequences) as [keys.SequenceName, bigint][]) {
      if (next > 0n) records.setSequence(ctx, name, next);
    }
  }
  for (const { provider, next } of invoiceSeries) {
    const key = keys.textIndexKey(keys.INVOICE_SERIES_PREFIX, provider);
    ctx.kv.set(key, bytesOfKey(u64Key(next)));
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
