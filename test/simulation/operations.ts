import { provider } from "../testkit/accounts.ts";
import { Drawing } from "./drawing.ts";
import type { Facts } from "./model/records.ts";
import type { ModelMessage } from "./parties.ts";
import { SECOND } from "./model/coins.ts";
import type { Model } from "./model/model.ts";
import { Random } from "./random.ts";

const HOUR = 3600n;
/** The longest jump of block time: 400 days. Nanoseconds of a time end in the year 2262. */
const MOST_NS = 400n * 86_400n * SECOND;

/** The step of a block a second after the one before. */
const SOON = 0;

/** What a block of a plan is drawn from: its time step, and one seed per message of each tx. */
export interface PlannedBlock {
  readonly step: number;
  readonly txs: readonly (readonly number[])[];
  /** A seed: before it, the chain goes on from its own export. */
  readonly restart?: number;
}

/** A run from genesis as seeds: any part of it can be left out, and the rest still means something. */
export interface Plan {
  readonly seed: number;
  /** Whether its blocks have one message at most, and what changed is compared after each. */
  readonly isSingle: boolean;
  readonly blocks: readonly PlannedBlock[];
}

/** A plan of about so many messages; every other one is of single messages. */
export function planOf(seed: number, operations: number): Plan {
  const random = new Random(seed);
  const isSingle = seed % 2 === 0;
  const blocks: PlannedBlock[] = [];
  for (let left = operations; left > 0; ) {
    const txs: number[][] = [];
    const most = isSingle ? Number(random.chance(90)) : random.below(6);
    for (let count = most; count > 0 && left > 0; count -= 1) {
      const length = isSingle || random.chance(85) ? 1 : 2 + random.below(2);
      txs.push(Array.from({ length }, () => random.bits()));
      left -= length;
    }
    // As many per message as in the other plans.
    const isRestarted = random.chance(2) && (!isSingle || random.chance(33));
    const restart = isRestarted ? { restart: random.bits() } : {};
    // As much time per message, too.
    const step = isSingle && random.chance(65) ? SOON : random.bits();
    blocks.push({ step, txs, ...restart });
  }
  return { seed, isSingle, blocks };
}

/** Params of a run: fields of genesis that differ from the defaults. */
export function paramsOf(seed: number): { params: Facts; extended: Facts; pool: bigint } {
  const random = new Random(seed ^ 0x5eed);
  const maybe = (percent: number, facts: Facts): Facts => (random.chance(percent) ? facts : {});
  const rates = random.weighted<Facts>([
    [6, {}],
    [1, { platform_fee_rate: "", validator_fee_rate: "0" }],
    [1, { platform_fee_rate: "0.7", validator_fee_rate: "0.3" }],
    [1, { platform_fee_rate: "0.333333333333333333", validator_fee_rate: "0.010000000000000001" }],
  ]);
  const isFull = rates["platform_fee_rate"] === "0.7";
  const params = {
    ...rates,
    ...maybe(70, { min_settlement_amount: random.pick(["0", "1", "1", "50000"]) }),
    ...maybe(30, { reward_claim_expiry: random.pick(["0", "1000", "90000"]) }),
    ...maybe(60, { staking_reward_epoch_length: random.pick(["1", "5", "17"]) }),
    ...maybe(10, { usage_reward_rate_bps: random.pick([0, 1, 10_000]) }),
    ...maybe(20, { usage_grace_period: random.pick(["0", "60"]) }),
    ...maybe(50, { settlement_period: random.pick(["60", "3600"]) }),
    ...maybe(isFull ? 0 : 50, { payout_holdback_rate: random.pick(["0.1", "0.333", "0.6"]) }),
    ...maybe(60, { dispute_window_duration: random.pick(["0", "60", "7200"]) }),
    ...maybe(40, { max_payout_retries: random.pick([0, 1]) }),
  };
  const extended = {
    ...maybe(15, { billing_enabled: false }),
    ...maybe(25, { final_remainder: "provider" }),
    ...maybe(25, { release_fees: false }),
    ...maybe(25, { reward_funding: "pool" }),
    ...maybe(30, { reward_epoch_mint_cap: random.pick(["0", "500", "100000"]) }),
    ...maybe(35, { max_records_per_settlement: random.pick([1, 2, 5]) }),
    ...maybe(25, { auto_settle_after: random.pick(["10", "7200"]) }),
    ...maybe(20, { reward_pool_address: provider.address }),
    ...maybe(30, { staking_reward_per_epoch: random.pick(["0", "77"]) }),
    ...maybe(10, { require_usage_signature: true }),
    ...maybe(10, { max_usage_period: "7200" }),
    ...maybe(40, { payout_delay: random.pick(["1", "120", "7200"]) }),
    ...maybe(60, { invoice_due_after: random.pick(["0", "60", "3600"]) }),
    ...maybe(35, { auto_settle_enabled: false }),
    ...maybe(50, { tax_rounding: random.pick(["up", "down", "half_even"]) }),
  };
  return { params, extended, pool: random.pick([0n, 40n, 1_000_000_000_000n]) };
}

/** Time of the next block: now and then just before, at or after something is due. */
export function timeAfter(model: Model, step: number): bigint {
  if (step === SOON) return model.now + SECOND;
  const random = new Random(step);
  const { escrow: escrows, entry, invoice, terms, dispute, settlement, payout } = model.tables;
  const moments = [
    ...escrows.flatMap((e) => (e.status === "active" ? [e.expiresAtNs, e.autoSettleAtNs] : [])),
    ...entry.filter(({ isGone }) => !isGone).map(({ expiresAtNs }) => expiresAtNs),
    ...invoice.filter((i) => i.amountDue.length > 0).map(({ dueAtNs }) => dueAtNs),
    ...escrows.flatMap(({ release }) => {
      return (release?.conditions ?? []).map(({ unlockAfter }) => unlockAfter * SECOND);
    }),
    ...terms.flatMap(({ discounts }) => {
      return discounts.map(({ validUntil }) => (validUntil + 1n) * SECOND);
    }),
    ...dispute.map(({ expiresAtNs }) => expiresAtNs),
    ...settlement.map((s) => s.settledAtNs + model.paramsWith(s).disputeWindowDuration * SECOND),
    ...payout.flatMap(({ dueAtNs, holdbackDueAtNs }) => [dueAtNs, holdbackDueAtNs]),
  ].filter((moment) => moment > model.now + 1n && moment < model.now + MOST_NS);
  const chosen = random.weighted<bigint>([
    [4, 1n],
    [30, SECOND],
    [20, BigInt(random.bits())],
    [20, 60n * SECOND],
    [12, HOUR * SECOND],
    [4, 86_400n * SECOND],
    [1, 20n * 86_400n * SECOND],
    [moments.length > 0 ? 14 : 0, 0n],
  ]);
  if (chosen > 0n) return model.now + chosen;
  return random.pick(moments) + random.pick([-1n, 0n, 1n]);
}

/**
 * The escrow whose payouts a restart makes fail; 0n for none. A series of credit notes is exported
 * beside that of invoices, so an escrow with invoices only moves to somebody who has issued some.
 */
export function misdirectedBy(model: Model, seed: number): bigint {
  const random = new Random(seed);
  const { escrow: escrows, invoice, payout, series } = model.tables;
  const recipient = model.at("fee_collector");
  const hasSeries = series.some(({ provider, next }) => provider === recipient && next > 1n);
  const fit = escrows.filter(({ status, seq }) => {
    const isBilled = invoice.some(({ escrowSeq }) => escrowSeq === seq);
    const isKept = payout.some(({ escrowSeq, kept }) => escrowSeq === seq && kept.length > 0);
    return (status === "active" || isKept) && (hasSeries || !isBilled);
  });
  return fit.length > 0 && random.chance(50) ? random.pick(fit).seq : 0n;
}

/** Messages of one tx, all of one sender, drawn against the model's state as it is. */
export function messagesOf(model: Model, seeds: readonly number[]): ModelMessage[] {
  const messages: ModelMessage[] = [];
  for (const seed of seeds) {
    const random = new Random(seed);
    for (let tries = 0; tries < 30; tries += 1) {
      const message = new Drawing(model, random).message();
      const [first] = messages;
      if (first !== undefined && message.value.sender !== first.value.sender) continue;
      messages.push(message);
      break;
    }
  }
  return messages;
}
