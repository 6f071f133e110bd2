import type { QueryContext } from "../../baseapp/query_context.ts";
import {
  ClaimableState,
  RewardEntryState,
  type DistributionState,
  type UsageState,
} from "../../gen/settled/settlement/v1/state.ts";
import type * as ext from "../../gen/settled/settlement/v1/query.ts";
import type * as wire from "../../gen/virtengine/settlement/v1/query.ts";
import { ChainError } from "../../lib/errors.ts";
import { minSize } from "../../lib/int.ts";
import { compareKeys } from "../../lib/key_map.ts";
import type { Reader } from "../../store/read_view.ts";
import { REPLY_ROWS_MAX, readPage } from "../../store/reader.ts";
import { parseAddress } from "../../types/address.ts";
import { GrpcInvalidArgument } from "../../types/query_errors.ts";
import { secondsOf, type TimeNs } from "../../types/time.ts";
import { timedId } from "./ids.ts";
import { distributionId } from "./keeper_reward.ts";
import * as keys from "./keys.ts";
import {
  distributionBySeq,
  escrowBySeq,
  settlementBySeq,
  settlementIdBySeq,
  settledUsage,
} from "./query_records.ts";
import { isUsageReward } from "./reward.ts";
import { sourceName, sourceOf } from "./status_names.ts";
import { normaliseUsageType } from "../../types/usage_type.ts";
import { distributionView, rowRecipient, usageRecipient } from "./views.ts";

/** A distribution with its recipient rows. */
export async function readDistribution(
  reader: Reader,
  distribution: DistributionState,
): Promise<wire.RewardDistribution> {
  const settlementId = await settlementIdBySeq(reader, distribution.settlementSeq);
  return distributionView(distribution, await recipientsOf(reader, distribution), settlementId);
}

async function recipientsOf(
  reader: Reader,
  distribution: DistributionState,
): Promise<wire.RewardRecipient[]> {
  if (distribution.settlementSeq === 0n) return distribution.rows.map(rowRecipient);
  const settlement = await settlementBySeq(reader, distribution.settlementSeq);
  const escrow = await escrowBySeq(reader, settlement?.escrowSeq ?? 0n);
  const rewarded: UsageState[] = [];
  const by = { settlementSeq: distribution.settlementSeq, invoiceSeq: 0n };
  for await (const usage of settledUsage(reader, by)) {
    if (usage.reward !== "" && isUsageReward(usage)) rewarded.push(usage);
  }
  rewarded.sort((a, b) => {
    const types = compareKeys(normaliseUsageType(a.usageType), normaliseUsageType(b.usageType));
    return types === 0 ? compareKeys(idOf(a), idOf(b)) : types;
  });
  return rewarded.map((usage) => usageRecipient(usage, escrow.recipient));
}

function idOf(usage: UsageState): string {
  return timedId("usage", usage.submittedAtNs, usage.seq);
}

/** Rows of an address, newest distribution first, ties by distribution id (as deployed). */
export async function rewardHistory(
  ctx: QueryContext,
  request: wire.QueryRewardHistoryRequest,
): Promise<wire.RewardHistoryEntry[]> {
  const { source, limit, offset } = request;
  const address = parseAddress(request.address, ctx.chain.bech32Prefix);
  const wanted = sourceOf(source);
  if (source !== "" && wanted === undefined) {
    throw new ChainError(GrpcInvalidArgument, `unknown source "${source.slice(0, 64)}"`);
  }
  const page = new HistoryPage(ctx.reader, address, { offset, limit });
  const prefix = keys.textIndexKey(keys.DISTRIBUTION_BY_RECIPIENT_PREFIX, address);
  // Numbers grow with time, so newest first is the index backwards; distributions of one block
  // have equal times and go by id.
  let block: DistributionState[] = [];
  for await (const [key] of ctx.reader.range(prefix, { reverse: true })) {
    const distribution = await distributionBySeq(ctx.reader, keys.seqAtEnd(key));
    if (wanted !== undefined && distribution.source !== wanted) continue;
    if (block[0] !== undefined && block[0].distributedAtNs !== distribution.distributedAtNs) {
      await page.add(block);
      block = [];
      if (page.isFull) break;
    }
    block.push(distribution);
  }
  await page.add(block);
  return page.rows;
}

/** Takes distributions in order and reads the rows of those that the page shows. */
class HistoryPage {
  readonly rows: wire.RewardHistoryEntry[] = [];
  readonly #reader: Reader;
  readonly #address: string;
  readonly #rowsMax: number;
  /** Rows still to be passed over. */
  #skip: number;

  constructor(reader: Reader, address: string, page: { offset: number; limit: number }) {
    this.#reader = reader;
    this.#address = address;
    this.#skip = page.offset;
    this.#rowsMax = page.limit === 0 ? REPLY_ROWS_MAX : minSize(page.limit, REPLY_ROWS_MAX);
  }

  get isFull(): boolean {
    return this.rows.length >= this.#rowsMax;
  }

  /** @param distributions those of one block */
  async add(distributions: readonly DistributionState[]): Promise<void> {
    const byId = [...distributions].sort((a, b) => {
      return compareKeys(distributionId(a), distributionId(b));
    });
    for (const distribution of byId) {
      if (this.isFull) return;
      // All rows of a usage distribution are its provider's: they can be passed over unread.
      if (distribution.settlementSeq !== 0n && distribution.rowCount <= this.#skip) {
        this.#skip -= distribution.rowCount;
      } else await this.#addRows(distribution);
    }
  }

  async #addRows(distribution: DistributionState): Promise<void> {
    for (const recipient of await recipientsOf(this.#reader, distribution)) {
      if (recipient.address !== this.#address || this.isFull) continue;
      if (this.#skip > 0) {
        this.#skip -= 1;
        continue;
      }
      this.rows.push({
        distributionId: distributionId(distribution),
        epochNumber: distribution.epoch,
        source: sourceName(distribution.source),
        amount: recipient.amount,
        reason: recipient.reason,
        usageUnits: recipient.usageUnits,
        referenceId: recipient.referenceId,
        distributedAt: secondsOf(distribution.distributedAtNs as TimeNs),
      });
    }
  }
}

/** What an address may claim; above 10,000 entries the totals stand and the list is empty. */
export async function claimableRewards(
  ctx: QueryContext,
  text: string,
): Promise<wire.ClaimableRewards> {
  const address = parseAddress(text, ctx.chain.bech32Prefix);
  const bytes = await ctx.reader.get(keys.textIndexKey(keys.CLAIMABLE_PREFIX, address));
  const totals = ClaimableState.decode(bytes ?? new Uint8Array(0));
  const rewardEntries: wire.RewardEntry[] = [];
  const prefix = keys.textIndexKey(keys.REWARD_ENTRY_PREFIX, address);
  for await (const [, value] of ctx.reader.range(prefix, { limit: REPLY_ROWS_MAX + 1 })) {
    rewardEntries.push(await entryView(ctx.reader, value));
  }
  return {
    address,
    totalClaimable: totals.claimable,
    rewardEntries: rewardEntries.length > REPLY_ROWS_MAX ? [] : rewardEntries,
    lastUpdated: secondsOf(totals.updatedAtNs as TimeNs),
    totalClaimed: totals.claimed,
  };
}

/** One page of what an address may claim. */
export async function rewardEntryPage(
  ctx: QueryContext,
  { address, pagination }: ext.QueryRewardEntriesRequest,
): Promise<ext.QueryRewardEntriesResponse> {
  const owner = parseAddress(address, ctx.chain.bech32Prefix);
  const prefix = keys.textIndexKey(keys.REWARD_ENTRY_PREFIX, owner);
  const page = await readPage(ctx.reader, prefix, pagination);
  const entries: wire.RewardEntry[] = [];
  for (const [, value] of page.entries) entries.push(await entryView(ctx.reader, value));
  return { entries, pagination: page };
}

async function entryView(reader: Reader, value: Uint8Array): Promise<wire.RewardEntry> {
  const entry = RewardEntryState.decode(value);
  const distribution = await distributionBySeq(reader, entry.distributionSeq);
  return {
    distributionId: distributionId(distribution),
    source: sourceName(entry.source),
    amount: entry.amount,
    createdAt: secondsOf(entry.createdAtNs as TimeNs),
    expiresAt: secondsOf(entry.expiresAtNs as TimeNs),
    reason: entry.reason,
  };
}
