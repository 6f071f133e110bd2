import { Gauge, type Registry } from "prom-client";
import type { Coin } from "../../gen/cosmos/base/v1beta1/coin.ts";
import {
  QueryOpenWorkResponse,
  QueryTotalsResponse,
} from "../../gen/settled/settlement/v1/query.ts";
import type { NodeView } from "../../node/view.ts";
import { gaugesOf } from "./node_meters.ts";

const QUERY = "/settled.settlement.v1.Query";
/** Denoms that get gauges of their own, in the order of the query: labels must stay few. */
const DENOMS_MAX = 50;
const ROUNDED = "Rounded to 53 bits; `settled query settlement totals` has the exact amount.";

/** Sums of the query Totals, by the last part of their gauge's name. */
const SUMS = {
  escrowed: "Balances of all escrows, in base units.",
  settled: "Totals of all settlements but refunds, in base units.",
  platformFees: "Platform fees taken, in base units.",
  validatorFees: "Validator fees taken, in base units.",
  taxes: "Taxes taken, less what refunds gave back, in base units.",
  rewards: "Rewards distributed, in base units.",
  rewardsClaimable: "Rewards that wait to be claimed, in base units.",
} as const;

/** Records made, by kind, as the query Totals counts them. */
const KINDS = {
  escrow: "escrows",
  usage_record: "usageRecords",
  settlement: "settlements",
  invoice: "invoices",
  payout: "payouts",
  distribution: "distributions",
} as const;

/** What is open, by the field of the query OpenWork. */
const OPEN = {
  escrows: ["escrows_live", "Escrows that are pending, active or disputed."],
  usageRecords: ["usage_open", "Usage records that no settlement has taken."],
  disputes: ["disputes_open", "Disputes that nobody has decided."],
  payoutsWaiting: ["payouts_waiting", "Payouts that are pending, processing or held."],
  payoutsFailed: ["payouts_failed", "Payouts that failed and wait to be tried again or given up."],
} as const;

type SumName = keyof typeof SUMS;
type KindName = keyof typeof KINDS;
type OpenName = keyof typeof OPEN;

interface Figures {
  readonly height: bigint;
  readonly totals: QueryTotalsResponse;
  readonly open: QueryOpenWorkResponse;
}

/**
 * Figures of the settlement module, from the committed state by two queries whose cost is bounded. A
 * height is asked once, and none more often than every `refreshMs`.
 */
export class SettlementGauges {
  readonly #show: (figures: Figures) => void;
  readonly #refreshMs: number;
  #height = -1n;
  #askedAt = Number.NEGATIVE_INFINITY;

  constructor(registry: Registry, refreshMs: number) {
    this.#show = settlementGauges(registry);
    this.#refreshMs = refreshMs;
  }

  /** @throws when the app has no such queries */
  async read(view: NodeView): Promise<void> {
    const { latestHeight } = view.status();
    const now = performance.now();
    if (latestHeight === this.#height || now - this.#askedAt < this.#refreshMs) return;
    this.#askedAt = now;
    const totals = await ask(view, "Totals");
    const open = await ask(view, "OpenWork");
    this.#show({
      height: open.height,
      totals: QueryTotalsResponse.decode(totals.value),
      open: QueryOpenWorkResponse.decode(open.value),
    });
    this.#height = open.height;
  }
}

async function ask(view: NodeView, name: string): Promise<{ value: Uint8Array; height: bigint }> {
  const input = { path: `${QUERY}/${name}`, data: new Uint8Array(0), height: 0n, prove: false };
  const { code, log, value, height } = await view.query(input);
  if (code !== 0) throw new Error(`${name} of the settlement module: ${log}`);
  return { value, height };
}

function settlementGauges(registry: Registry): (figures: Figures) => void {
  const gauge = gaugesOf(registry);
  const registers = [registry];
  const height = gauge(
    "settled_settlement_height",
    "Height that the figures of the settlement module are of.",
  );
  const made = new Gauge({
    name: "settled_settlement_records",
    help: "Records ever made, by kind.",
    ...{ registers, labelNames: ["kind"] },
  });
  const open = namesOf(OPEN).map((name: OpenName) => {
    const [last, help] = OPEN[name];
    return { name, gauge: gauge(`settled_settlement_${last}`, `${help} ${BOUNDED}`) };
  });
  const incomplete = gauge(
    "settled_settlement_counts_incomplete",
    "How many of the counts of what is open stop at their bound.",
  );
  const sums = namesOf(SUMS).map((name: SumName) => {
    const help = `${SUMS[name]} ${ROUNDED}`;
    const labelNames = ["denom"];
    return { name, gauge: new Gauge({ name: sumName(name), help, registers, labelNames }) };
  });
  return (figures) => {
    height.set(Number(figures.height));
    for (const kind of namesOf(KINDS)) {
      made.set({ kind }, Number(figures.totals[KINDS[kind satisfies KindName]]));
    }
    for (const each of open) each.gauge.set(Number(figures.open[each.name]));
    incomplete.set(figures.open.incomplete.length);
    for (const each of sums) showCoins(each.gauge, figures.totals[each.name]);
  };
}

const BOUNDED = "Counted as far as 10,000 entries.";

function sumName(name: SumName): string {
  return `settled_settlement_${name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`;
}

/** Amounts may be far above 2^53: the nearest double is what a gauge can hold. */
function showCoins(gauge: Gauge, coins: readonly Coin[]): void {
  gauge.reset();
  for (const { denom, amount } of coins.slice(0, DENOMS_MAX)) {
    gauge.set({ denom }, Number(BigInt(amount)));
  }
}

function namesOf<T extends object>(table: T): (keyof T)[] {
  return Object.keys(table) as (keyof T)[];
}
