import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type * as ext from "../../src/gen/settled/settlement/v1/query.ts";
import type { QueryParamsResponse } from "../../src/gen/virtengine/settlement/v1/query.ts";
import type { Event } from "../../src/types/event.ts";
import type { TxResult } from "../../src/types/tx.ts";
import { provider, provider2 } from "../testkit/accounts.ts";
import { openChain, type TestChain } from "../testkit/chain.ts";
import { coins, text } from "../testkit/coins.ts";
import { eventsOf } from "../testkit/outcome.ts";
import { see } from "../testkit/views.ts";
import { type Outcome, randomBlocks, World, worlds } from "./operations.ts";
import { runs, TIMEOUT } from "./runs.ts";

const ORDERS = [0, 1, 2, 3].map((n) => `order-${n}`);

interface Amounts {
  [denom: string]: bigint;
}

function add(sums: Amounts, text: string, sign = 1n): void {
  for (const { denom, amount } of coins(text)) {
    sums[denom] = (sums[denom] ?? 0n) + sign * amount;
  }
}

/** The sum of all balances, account by account, from the exported state. */
async function sumOfBalances(chain: TestChain): Promise<Amounts> {
  const { bank } = (await chain.app.exportGenesis()).appState as {
    bank: { balances: { coins: { denom: string; amount: string }[] }[] };
  };
  const sums: Amounts = {};
  for (const { coins } of bank.balances) add(sums, text(coins));
  return sums;
}

/** What the events of a block say was made and destroyed. */
function madeAndBurned(sums: Amounts, events: readonly Event[]): void {
  for (const { amount } of eventsOf({ events }, "coinbase")) add(sums, amount ?? "");
  for (const { amount } of eventsOf({ events }, "burn")) add(sums, amount ?? "", -1n);
}

describe("random histories of all messages", () => {
  test(
    "keep the sum of each denom after every block, but for what is minted and burned",
    async () => {
      const property = fc.asyncProperty(worlds, randomBlocks(30), async (options, blocks) => {
        const chain = await openChain(options);
        const world = new World(chain);
        await world.open();
        const expected = await sumOfBalances(chain);
        for (const block of blocks) {
          const outcomes = await world.run(block);
          const ofBlock = outcomes[0]?.blockEvents ?? [];
          madeAndBurned(expected, ofBlock);
          for (const { result } of outcomes) madeAndBurned(expected, result.events);
          expect(await sumOfBalances(chain)).toEqual(expected);
        }
        await chain.checkFullInvariants();
      });
      await fc.assert(property, runs(8));
    },
    TIMEOUT,
  );

  test(
    "make settlements whose shares sum to the total, and rewards that are one floor each",
    async () => {
      const property = fc.asyncProperty(worlds, randomBlocks(40), async (options, blocks) => {
        const chain = await openChain(options);
        const world = new World(chain);
        await world.open();
        for (const block of blocks) await world.run(block);
        for (const order of ORDERS) {
          await checkSettlements(chain, order);
          await checkInvoices(chain, order);
          await checkRewards(chain, order);
        }
        await checkHistories(chain);
        await chain.checkFullInvariants();
      });
      await fc.assert(property, runs(12));
    },
    TIMEOUT,
  );

  test(
    "change nothing when a message that succeeded comes again",
    async () => {
      const property = fc.asyncProperty(worlds, randomBlocks(25), async (options, blocks) => {
        const still = { staking_reward_per_epoch: "0", auto_settle_enabled: false };
        const quiet = { ...options.extended, ...still };
        const chain = await openChain({ ...options, extended: quiet });
        const world = new World(chain);
        await world.open();
        for (const { pause, operations } of blocks) {
          for (const operation of operations) {
            const [outcome] = await world.run({ pause, operations: [operation] });
            if (outcome !== undefined) await again(chain, outcome);
          }
        }
      });
      await fc.assert(property, runs(8));
    },
    TIMEOUT,
  );

  test(
    "export and import to the same bytes and the same app hash",
    async () => {
      const property = fc.asyncProperty(worlds, randomBlocks(25), async (options, blocks) => {
        const chain = await openChain(options);
        const world = new World(chain);
        await world.open();
        for (const block of blocks) await world.run(block);
        const exported = await chain.exported();
        const [one, two] = [await chain.imported(), await chain.imported()];
        expect(await one.exported()).toBe(exported);
        expect([one.appHash, two.appHash]).toEqual([chain.appHash, chain.appHash]);
        await one.checkFullInvariants();
      });
      await fc.assert(property, runs(8));
    },
    TIMEOUT,
  );
});

/** Some messages are meant to be repeated: a transfer, a part of a release or of a settlement. */
function mayRepeat({ message, result }: Outcome): boolean {
  if (message.typeUrl.endsWith("MsgSend")) return true;
  // A part of a settlement or of a release leaves something for the next one.
  const [settled] = eventsOf(result, "OrderSettled");
  const open = settled !== undefined && settled["records_remaining"] !== "0";
  // A part that pays nothing is no settlement, and says nothing of what remains.
  const isPart = settled === undefined && eventsOf(result, "InvoiceIssued").length > 0;
  return open || isPart || message.typeUrl.endsWith("MsgReleaseEscrow");
}

async function again(chain: TestChain, outcome: Outcome): Promise<void> {
  const { message, result } = outcome;
  if (result.code !== 0 || mayRepeat(outcome)) return;
  const before = await chain.books();
  // A nanosecond later, so that nothing expires meanwhile.
  const { time } = chain.app.info();
  chain.time = (time + 1n) as typeof chain.time;
  const { txResults, events } = await chain.block(await chain.tx([message]));
  const repeated = txResults[0] as TxResult;
  // The block had work of its own: an expiry in parts, or one that is due just now.
  if (events.length > 0) return;
  expect(await chain.books()).toBe(before);
  const mayAgain = /Msg(AcknowledgeUsage|ClearAnomaly)$/.test(message.typeUrl);
  if (!mayAgain) expect(repeated.code).not.toBe(0);
  if (message.typeUrl.endsWith("MsgRecordUsage")) expect(repeated.code).toBe(1514);
  if (message.typeUrl.endsWith("MsgClaimRewards")) expect(repeated.code).toBe(1511);
}

async function checkSettlements(chain: TestChain, order: string): Promise<void> {
  for (const settlement of await see.settlementsOf(chain, order)) {
    const sums: Amounts = {};
    add(sums, text(settlement.providerShare));
    add(sums, text(settlement.platformFee));
    add(sums, text(settlement.validatorFee));
    const total: Amounts = {};
    add(total, text(settlement.totalAmount));
    expect(sums).toEqual(total);
    for (const { denom, amount } of settlement.platformFee) {
      // 5 and 1 %, floored once on the total.
      expect(BigInt(amount)).toBe(((total[denom] ?? 0n) * 5n) / 100n);
    }
    if (settlement.usageRecordIds.length === 0) continue;
    const paid: Amounts = {};
    for (const id of settlement.usageRecordIds) {
      add(paid, text((await see.usageDetail(chain, id)).settledAmount));
    }
    expect(paid).toEqual(total);
  }
}

async function checkInvoices(chain: TestChain, order: string): Promise<void> {
  for (const listed of await see.invoicesOf(chain, order)) {
    const invoice = await see.invoice(chain, listed.invoiceId);
    const [lines, paid, total]: [Amounts, Amounts, Amounts] = [{}, {}, {}];
    for (const line of invoice.lines) {
      add(lines, text(line.amount));
      add(paid, text(line.settledAmount));
    }
    add(total, text(invoice.total));
    expect([lines, invoice.lines.length]).toEqual([total, invoice.lineCount]);
    const parts: Amounts = {};
    add(parts, text(invoice.amountPaid));
    expect(paid).toEqual(parts);
    add(parts, text(invoice.amountDue));
    expect(parts).toEqual(total);
  }
}

/** Every reward from queries alone (RULES 6), in arithmetic of its own. */
async function checkRewards(chain: TestChain, order: string): Promise<void> {
  const path = "virtengine.settlement.v1.Query/Params";
  const { params } = await chain.query<QueryParamsResponse>(path);
  if (params === undefined) throw new Error("no params");
  const resources: Record<string, number> = {
    cpu: params.usageRewardCpuMultiplierBps,
    licence: params.usageRewardCpuMultiplierBps,
    gpu: params.usageRewardGpuMultiplierBps,
    memory: params.usageRewardMemoryMultiplierBps,
    network: params.usageRewardNetworkMultiplierBps,
    disk: params.usageRewardStorageMultiplierBps,
  };
  for (const { usageId } of await see.usageOf(chain, order)) {
    const detail: ext.QueryUsageDetailResponse = await see.usageDetail(chain, usageId);
    const usage = detail.usageRecord;
    if (usage === undefined || detail.reward.length === 0) continue;
    const graceEnd = (usage.periodEnd + params.usageGracePeriod) * 1_000_000_000n;
    const sla =
      detail.submittedAtNs > graceEnd
        ? params.usageRewardSlaLateMultiplierBps
        : params.usageRewardSlaOntimeMultiplierBps;
    const ack = usage.customerAcknowledged
      ? params.usageRewardAckMultiplierBps
      : params.usageRewardUnackMultiplierBps;
    const resource = resources[usage.usageType.trim().toLowerCase()] ?? 0;
    const [paid] = detail.settledAmount;
    const product = [params.usageRewardRateBps, resource, sla, ack]
      .map(BigInt)
      .reduce((a, b) => a * b, BigInt(paid?.amount ?? "0"));
    expect(text(detail.reward)).toBe(`${product / 10n ** 16n}${paid?.denom}`);
  }
}

async function checkHistories(chain: TestChain): Promise<void> {
  for (const { address } of [provider, provider2]) {
    const [history, open]: [Amounts, Amounts] = [{}, {}];
    for (const row of await see.history(chain, address)) add(history, text(row.amount));
    const { totalClaimable, rewardEntries } = await see.claimable(chain, address);
    for (const entry of rewardEntries) add(open, text(entry.amount));
    const claimable: Amounts = {};
    add(claimable, text(totalClaimable));
    expect(open).toEqual(claimable);
    for (const [denom, amount] of Object.entries(claimable)) {
      expect(history[denom] ?? 0n).toBeGreaterThanOrEqual(amount);
    }
  }
}
