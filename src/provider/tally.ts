import {
  addCoins,
  amountOf,
  type Coins,
  coinsOf,
  mapCoins,
  NO_COINS,
  parseCoinsText,
} from "../types/coins.ts";
import { maxBigint } from "../lib/int.ts";
import type { Refusal } from "./tx_facts.ts";
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
  /** Of the orders that this run settled; what the chain settled unasked is part of it. */
  readonly settled: AmountsByDenom;
  /** That the provider has got since this run began. */
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

  /** Rewards since the beginning: what was claimed, and what is there more than at first. */
  countRewards(claimable: { readonly before: Coins; readonly after: Coins }): void {
    const all = addCoins(this.claimed, claimable.after);
    this.rewards = mapCoins(all, (amount, denom) =>
      maxBigint(amount - amountOf(claimable.before, denom), 0n),
    );
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
