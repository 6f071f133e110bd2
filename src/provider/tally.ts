import { addCoins, type Coins, coinsOf, NO_COINS, parseCoinsText } from "../types/coins.ts";
import type { Outcome, Refusal } from "./submit.ts";
import type { UsageReport } from "./reports.ts";
import { RESOURCES, type Resource } from "./units.ts";

/** Amounts in base units by denom, as decimal texts. */
export type AmountsByDenom = Readonly<Record<string, string>>;

/** What a replay has done, in the words of the command's output. */
export interface ReplaySummary {
  /** Jobs of the file, those beyond the limit not counted. */
  readonly jobs: number;
  /** Jobs that never ran. */
  readonly skipped: number;
  readonly windows: number;
  /** Usage records of the file that are on the chain now, earlier runs' among them. */
  readonly records: number;
  /** Messages that were refused; the reasons are told on stderr. */
  readonly refused: number;
  /** Txs of this run that got into blocks. */
  readonly txs: number;
  /** Orders that this run opened or took up again. */
  readonly orders: number;
  /** Of the records that are on the chain. */
  readonly units: Readonly<Record<Resource, number>>;
  readonly cost: AmountsByDenom;
  /** What settlements, rewards and claims of this run came to. */
  readonly settled: AmountsByDenom;
  readonly rewards: AmountsByDenom;
  readonly claimed: AmountsByDenom;
  readonly seconds: number;
}

/** Adds up what happens during a replay. */
export class Tally {
  records = 0;
  refused = 0;
  txs = 0;
  orders = 0;
  /** Reward distributions that settlements of this run made. */
  distributions = 0;
  cost: Coins = NO_COINS;
  settled: Coins = NO_COINS;
  rewards: Coins = NO_COINS;
  claimed: Coins = NO_COINS;
  readonly #units: Record<Resource, bigint> = {
    cpu: 0n,
    memory: 0n,
    storage: 0n,
    gpu: 0n,
    network: 0n,
  };
  readonly #reasons = new Map<string, { count: number; example: string }>();

  /** A record that is on the chain. */
  record(report: UsageReport): void {
    this.records += 1;
    this.#units[report.usageType as Resource] += report.usageUnits;
    this.cost = addCoins(this.cost, coinsOf(report.denom, report.cost));
  }

  /** Something that the chain, or the daemon on its behalf, refused. `what` names it. */
  refuse(what: string, refusal: Refusal, count = 1): void {
    this.refused += count;
    const kind = `${refusal.codespace}/${refusal.code}`;
    const known = this.#reasons.get(kind);
    if (known === undefined) this.#reasons.set(kind, { count, example: `${what}: ${refusal.log}` });
    else known.count += count;
  }

  /** The reasons for refusals, one line each with how often and an example. */
  reasons(): string[] {
    return [...this.#reasons].map(([kind, { count, example }]) => `${count} × ${kind}: ${example}`);
  }

  addSettled(text: string): void {
    this.settled = addCoins(this.settled, parseCoinsText(text));
  }

  addClaimed(text: string): void {
    this.claimed = addCoins(this.claimed, parseCoinsText(text));
  }

  /** Rewards that a message accrued, from its events. */
  addRewards(outcome: Outcome): void {
    if (outcome.refusal !== undefined) return;
    for (const { type, attributes } of outcome.events) {
      if (!type.endsWith("EventRewardsDistributed")) continue;
      this.distributions += 1;
      const total = attributes.find(({ key }) => key === "total_rewards")?.value ?? "";
      // Typed events of the Cosmos SDK have their values as JSON.
      const text = total.startsWith('"') ? (JSON.parse(total) as string) : total;
      this.rewards = addCoins(this.rewards, parseCoinsText(text));
    }
  }

  summary(file: {
    readonly jobs: number;
    readonly skipped: number;
    readonly windows: number;
    readonly seconds: number;
  }): ReplaySummary {
    const { jobs, skipped, windows, seconds } = file;
    const { records, refused, txs, orders } = this;
    const units = Object.fromEntries(
      RESOURCES.map((resource) => [resource, Number(this.#units[resource])]),
    ) as Record<Resource, number>;
    const [cost, settled] = [byDenom(this.cost), byDenom(this.settled)];
    const [rewards, claimed] = [byDenom(this.rewards), byDenom(this.claimed)];
    const counts = { jobs, skipped, windows, records, refused, txs, orders };
    return { ...counts, units, cost, settled, rewards, claimed, seconds };
  }
}

function byDenom(coins: Coins): AmountsByDenom {
  return Object.fromEntries(coins.map(({ denom, amount }) => [denom, amount.toString()]));
}
