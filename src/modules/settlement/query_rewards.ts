import type { QueryContext } from "../../baseapp/query_context.ts";
import {
  ClaimableState,
  RewardEntryState,
  type DistributionState,
  type UsageState,
} from "../../gen/settled/settlement/v1/state.ts";
import type * as ext from "../../gen/settled/settlement/v1/query.ts";
import type * as wire from "../../gen/virtengine/settlement/v1/query.ts";
import { minSize } from "../../lib/int.ts";
import type { Key } from "../../lib/key.ts";
import { compareKeys } from "../../lib/key_map.ts";
import type { Reader } from "../../store/read_view.ts";
import { REPLY_ROWS_MAX, readAll, readPage, tooManyRows } from "../../store/reader.ts";
import { parseAddress } from "../../types/address.ts";
import { secondsOf, type TimeNs } from "../../types/time.ts";
import { timedId } from "./ids.ts";
import { distributionId } from "./keeper_reward.ts";
import * as keys from "./keys.ts";
import { filteredPage, wordAsked } from "./query_page.ts";
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

/** Answers in pages what is too long for one reply (RULES 36). */
const PAGED = "/settled.settlement.v1.Query";

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

/**
 * Rows of an address, newest distribution first, ties by distribution id (as deployed).
 * @throws ChainError grpc/3 for an unknown source, grpc/8 when more than 10,000 rows are asked for
 *   and there are more.
 */
export async function rewardHistory(
  ctx: QueryContext,
  request: wire.QueryRewardHistoryRequest,
): Promise<wire.RewardHistoryEntry[]> {
  const { limit, offset } = request;
  const address = parseAddress(request.address, ctx.chain.bech32Prefix);
  const wanted = wordAsked("source", request.source, sourceOf);
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
  if (page.rows.length <= REPLY_ROWS_MAX) return page.rows;
  throw tooManyRows(`${PAGED}/RewardRows`);
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
    // One row more than a reply holds tells that there are too many.
    const replyMax = REPLY_ROWS_MAX + 1;
    this.#rowsMax = page.limit === 0 ? replyMax : minSize(page.limit, replyMax);
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
    for (const row of await rowsOf(this.#reader, distribution, this.#address)) {
      if (this.isFull) return;
      if (this.#skip > 0) this.#skip -= 1;
      else this.rows.push(row);
    }
  }
}

/** The rows of one address in a distribution. */
async function rowsOf(
  reader: Reader,
  distribution: DistributionState,
  address: string,
): Promise<wire.RewardHistoryEntry[]> {
  const rows: wire.RewardHistoryEntry[] = [];
  for (const recipient of await recipientsOf(reader, distribution)) {
    if (recipient.address !== address) continue;
    rows.push({
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
  return rows;
}

/** One page of the distributions that rewarded an address, with its rows in them. */
export async function rewardRowPage(
  ctx: QueryContext,
  request: ext.QueryRewardRowsRequest,
): Promise<ext.QueryRewardRowsResponse> {
  const { reader } = ctx;
  const address = parseAddress(request.address, ctx.chain.bech32Prefix);
  const source = wordAsked("source", request.source, sourceOf);
  const prefix = keys.textIndexKey(keys.DISTRIBUTION_BY_RECIPIENT_PREFIX, address);
  const matching = async (key: Key): Promise<DistributionState | undefined> => {
    const distribution = await distributionBySeq(reader, keys.seqAtEnd(key));
    return source === undefined || distribution.source === source ? distribution : undefined;
  };
  const rowsIn = ({ rowCount }: DistributionState): number => rowCount;
  const page = await filteredPage([{ reader, prefix }], request.pagination, matching, rowsIn);
  const entries: wire.RewardHistoryEntry[] = [];
  // Records are read only of what the page shows.
  for (const distribution of page.rows) {
    for (const row of await rowsOf(reader, distribution, address)) entries.push(row);
  }
  return { entries, pagination: page.pagination };
}

/** What an address may claim. @throws ChainError grpc/8 above 10,000 entries. */
export async function claimableRewards(
  ctx: QueryContext,
  text: string,
): Promise<wire.ClaimableRewards> {
  const address = parseAddress(text, ctx.chain.bech32Prefix);
  const bytes = await ctx.reader.get(keys.textIndexKey(keys.CLAIMABLE_PREFIX, address));
  const totals = ClaimableState.decode(bytes ?? new Uint8Array(0));
  const rewardEntries: wire.RewardEntry[] = [];
  const prefix = keys.textIndexKey(keys.REWARD_ENTRY_PREFIX, address);
  for (const [, value] of await readAll(ctx.reader, prefix, `${PAGED}/RewardEntries`)) {
    rewardEntries.push(await entryView(ctx.reader, value));
  }
  return {
    address,
    totalClaimable: totals.claimable,
    rewardEntries,
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
