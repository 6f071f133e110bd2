import type { Client } from "../client/client.ts";
import {
  activateEscrow,
  claimableEntries,
  claimRewards,
  createEscrow,
  escrowsByOrder,
  type OrderEscrow,
  readClaimRewards,
  readCreateEscrow,
  readSettleOrder,
  settleOrder,
  usageOfOrder,
} from "../client/settlement_msgs.ts";
import { divCeil } from "../lib/int.ts";
import {
  addCoins,
  amountOf,
  type Coins,
  coversCoins,
  formatCoins,
  NO_COINS,
  parseCoinsText,
  subCoins,
} from "../types/coins.ts";
import { DEC_ONE, type Dec } from "../types/dec.ts";
import { parallel } from "./ahead.ts";
import { messageGas } from "./gas.ts";
import { type OrderRun, takeUp } from "./order_run.ts";
import type { Outcome, TxSender } from "./submit.ts";
import type { Tally } from "./tally.ts";
import type { Outgoing } from "./tx_facts.ts";

/** How many orders are asked for at a time. */
const QUERY_WIDTH = 8;
/** Longest and shortest an escrow may live by the chain's default params, in seconds. */
const EXPIRES_IN_MAX = 31_536_000n;
const EXPIRES_IN_MIN = 2_592_000n;
const WEEK = 604_800n;
/** The chain's codes: nothing worth settling yet, and nothing to claim. */
const INVALID_SETTLEMENT = 1506;
const NO_CLAIMABLE_REWARDS = 1511;
/** Entries that the chain pays in one claim. */
const CLAIM_ENTRIES_MAX = 10_000;

export interface OrdersOptions {
  readonly client: Client;
  readonly provider: TxSender;
  /** Factor on an order's exact cost: what its escrow holds, rounded up. */
  readonly escrowMargin: Dec;
  /** Most records that one settlement takes. */
  readonly perSettlement: number;
  readonly tally: Tally;
}

/** Opens, settles and closes the orders of a replay, with one escrow per order. */
export class Orders {
  readonly #options: OrdersOptions;
  #claimableBefore: Coins = NO_COINS;

  constructor(options: OrdersOptions) {
    this.#options = options;
  }

  /**
   * Asks what the chain has of orders already, and decides what is to be done for them: an earlier
   * run may have left an escrow and records, or all may be over. What cannot be recorded under is
   * marked with its refusal.
   */
  async lookUp(runs: readonly OrderRun[]): Promise<void> {
    await parallel(runs, QUERY_WIDTH, async (run) => {
      const { client } = this.#options;
      const newest = (await escrowsByOrder(client, run.plan.order)).at(-1);
      if (newest !== undefined) run.escrowId = newest.escrowId;
      if (newest?.state === "active") run.settledBefore = newest.totalSettled;
      if (newest !== undefined && newest.state !== "pending") {
        takeUp(run, await usageOfOrder(client, run.plan.order));
      }
      const why = this.#whyNot(run, newest);
      if (why === undefined) this.#decide(run, newest);
      else run.refusal = { codespace: "settlement", code: why[0], log: why[1] };
    });
  }

  #decide(run: OrderRun, newest: OrderEscrow | undefined): void {
    if (newest?.state === "active") return;
    if (newest?.state === "pending") {
      run.next = run.customer === undefined ? "nothing" : "activate";
      return;
    }
    run.closed = newest !== undefined && run.known.size >= run.plan.records;
    if (run.customer !== undefined && !run.closed) run.next = "create";
  }

  /** Creates and activates the escrows that orders lack. */
  async open(runs: readonly OrderRun[]): Promise<void> {
    await this.#create(runs.filter(({ next }) => next === "create"));
    await this.#activate(runs.filter(({ next }) => next === "activate"));
    this.#options.tally.orders += runs.filter((run) => run.customer !== undefined).length;
  }

  /** The code and text with which the chain would refuse the order's records. */
  #whyNot(run: OrderRun, newest: OrderEscrow | undefined): [number, string] | undefined {
    const { plan, customer } = run;
    if (newest?.state === "active") {
      const { recipient, leaseId } = newest;
      if (recipient === this.#options.provider.signer.address && leaseId === plan.lease) return;
      const found = `pays ${recipient} for lease "${leaseId}"`;
      return [1505, `escrow ${newest.escrowId} is not this provider's and lease's: it ${found}`];
    }
    if (newest?.state === "disputed") return [1523, `escrow ${newest.escrowId} is disputed`];
    if (customer === undefined) {
      if (run.known.size >= plan.records) return;
      const found = newest === undefined ? "none" : `${newest.escrowId}, which is ${newest.state}`;
      return [1519, `order "${plan.order}" has no active escrow: found ${found}`];
    }
    const foreign = newest?.state === "pending" && newest.depositor !== customer.signer.address;
    return foreign ? [1505, `escrow ${newest.escrowId} is another depositor's`] : undefined;
  }

  async #create(runs: readonly OrderRun[]): Promise<void> {
    const outcomes = await this.#sendByCustomer(runs, (run) => [
      {
        message: createEscrow({
          sender: (run.customer as TxSender).signer.address,
          orderId: run.plan.order,
          amount: this.#deposit(run),
          expiresIn: expiresIn(run),
        }),
        gas: messageGas("create"),
      },
    ]);
    runs.forEach((run, index) => {
      const outcome = outcomes[index]?.[0] as Outcome;
      if (outcome.refusal === undefined) {
        run.escrowId = readCreateEscrow(outcome.response).escrowId;
        run.next = "activate";
      } else this.#refuse(run, "create escrow", outcome.refusal);
    });
  }

  /** What the records that are not on the chain yet will cost, times the margin, rounded up. */
  #deposit(run: OrderRun): { denom: string; amount: string }[] {
    const { escrowMargin } = this.#options;
    const recorded = [...run.known.values()].map(({ totalCost }) => parseCoinsText(totalCost));
    const deposits = [...run.plan.cost].map(([denom, cost]) => {
      const left = recorded.reduce((rest, coins) => rest - amountOf(coins, denom), cost);
      const deposit = divCeil(left * escrowMargin, DEC_ONE);
      // An escrow holds something of every denom that is charged, even where prices come to nothing.
      return { denom, amount: (deposit > 0n ? deposit : 1n).toString() };
    });
    return deposits.sort((a, b) => (a.denom < b.denom ? -1 : 1));
  }

  async #activate(runs: readonly OrderRun[]): Promise<void> {
    const recipient = this.#options.provider.signer.address;
    const outcomes = await this.#sendByCustomer(runs, (run) => [
      {
        message: activateEscrow({
          sender: (run.customer as TxSender).signer.address,
          escrowId: run.escrowId,
          leaseId: run.plan.lease,
          recipient,
        }),
        gas: messageGas("activate"),
      },
    ]);
    runs.forEach((run, index) => {
      const refusal = outcomes[index]?.[0]?.refusal;
      run.next = "nothing";
      if (refusal !== undefined) this.#refuse(run, "activate escrow", refusal);
    });
  }

  #refuse(run: OrderRun, what: string, refusal: NonNullable<Outcome["refusal"]>): void {
    run.refusal = refusal;
    run.next = "nothing";
    this.#options.tally.refuse(`${what} of order ${run.plan.order}`, refusal);
  }

  /**
   * Settles orders whose records are all there, as their customer: parts that are not final while
   * an order has more records than one settlement takes, then the final one, which closes it.
   */
  async settle(runs: readonly OrderRun[]): Promise<void> {
    const ready = runs.filter(
      (run) => run.customer !== undefined && !run.closed && run.escrowId !== "",
    );
    const due = ready.filter((run) => run.refusal === undefined);
    const outcomes = await this.#sendByCustomer(due, (run) => this.#settlements(run));
    // A part below the chain's minimum is left to the final settlement, which then comes in parts.
    const unfinished = due.filter((run, index) => {
      const refused = (outcomes[index] as Outcome[]).some(isBelowMinimum);
      this.#book(run, outcomes[index] as Outcome[]);
      return refused;
    });
    const rest = await this.#sendByCustomer(unfinished, (run) => this.#finals(run));
    unfinished.forEach((run, index) => this.#book(run, rest[index] as Outcome[]));
    // The chain settles an order that is open for more than a period unasked.
    const missing = due.filter((run, index) => {
      const own = [...(outcomes[index] as Outcome[]), ...(rest[unfinished.indexOf(run)] ?? [])];
      return own.every(({ refusal }) => refusal === undefined) && settledRecords(own) < run.open;
    });
    await this.#bookUnasked(missing);
  }

  #settlements(run: OrderRun): Outgoing[] {
    const { perSettlement: most, escrowMargin } = this.#options;
    // An escrow that holds too little would stop a part that is not final; final ones go through.
    if (escrowMargin < DEC_ONE) return this.#finals(run);
    const messages: Outgoing[] = [];
    let left = run.open;
    for (; left > most; left -= most) messages.push(settlement(run, false, most));
    return [...messages, settlement(run, true, left)];
  }

  #finals(run: OrderRun): Outgoing[] {
    const { perSettlement: most } = this.#options;
    const count = Math.max(1, Math.ceil(run.open / most));
    return Array.from({ length: count }, () => settlement(run, true, Math.min(run.open, most)));
  }

  #book(run: OrderRun, outcomes: readonly Outcome[]): void {
    const { tally } = this.#options;
    for (const outcome of outcomes) {
      if (outcome.refusal !== undefined) {
        if (!isBelowMinimum(outcome)) tally.refuse(`settle ${run.plan.order}`, outcome.refusal);
        continue;
      }
      const { totalAmount } = readSettleOrder(outcome.response);
      tally.addSettled(totalAmount);
      run.settledBefore = formatCoins(
        addCoins(parseCoinsText(run.settledBefore), parseCoinsText(totalAmount)),
      );
    }
  }

  /** Counts what was settled of orders by neither this run nor one before. */
  async #bookUnasked(runs: readonly OrderRun[]): Promise<void> {
    const { client, tally } = this.#options;
    await parallel(runs, QUERY_WIDTH, async (run) => {
      const escrows = await escrowsByOrder(client, run.plan.order);
      const escrow = escrows.find(({ escrowId }) => escrowId === run.escrowId);
      const [all, known] = [escrow?.totalSettled ?? "", run.settledBefore].map(parseCoinsText);
      if (all === undefined || known === undefined || !coversCoins(all, known)) return;
      tally.addSettled(formatCoins(subCoins(all, known)));
    });
  }

  /** Notes what the provider can claim already. */
  async begin(): Promise<void> {
    this.#claimableBefore = await this.#claimable();
  }

  /** Counts the rewards since `begin`. */
  async end(): Promise<void> {
    const [before, after] = [this.#claimableBefore, await this.#claimable()];
    this.#options.tally.countRewards({ before, after });
  }

  async #claimable(): Promise<Coins> {
    const { client, provider } = this.#options;
    const entries = await claimableEntries(client, provider.signer.address);
    return entries.map(parseCoinsText).reduce<Coins>(addCoins, NO_COINS);
  }

  /** Claims whatever rewards the provider has, in as many claims as the chain wants. */
  async claim(): Promise<void> {
    const { client, provider, tally } = this.#options;
    const sender = provider.signer.address;
    const message = claimRewards({ sender, source: "" });
    for (;;) {
      const { length } = await claimableEntries(client, sender);
      if (length === 0) return;
      const entries = Math.min(CLAIM_ENTRIES_MAX, length);
      const [outcome] = await provider.send([{ message, gas: messageGas("claim", entries) }]);
      if (outcome === undefined || outcome.refusal !== undefined) {
        const nothingLeft = outcome?.refusal.code === NO_CLAIMABLE_REWARDS;
        if (outcome !== undefined && !nothingLeft) tally.refuse("claim", outcome.refusal);
        return;
      }
      tally.addClaimed(readClaimRewards(outcome.response).claimedAmount);
      if (length <= CLAIM_ENTRIES_MAX) return;
    }
  }

  /** Sends the messages of each order by its customer, customers side by side. */
  async #sendByCustomer(
    runs: readonly OrderRun[],
    messages: (run: OrderRun) => Outgoing[],
  ): Promise<Outcome[][]> {
    const results: Outcome[][] = runs.map(() => []);
    const senders = [...new Set(runs.map((run) => run.customer as TxSender))];
    await Promise.all(
      senders.map(async (sender) => {
        const [items, places]: [Outgoing[], number[]] = [[], []];
        runs.forEach((run, place) => {
          if (run.customer !== sender) return;
          for (const item of messages(run)) {
            items.push(item);
            places.push(place);
          }
        });
        const outcomes = await sender.send(items);
        outcomes.forEach((outcome, index) => results[places[index] as number]?.push(outcome));
      }),
    );
    return results;
  }
}

function settlement(run: OrderRun, isFinal: boolean, records: number): Outgoing {
  const sender = (run.customer as TxSender).signer.address;
  const message = settleOrder({ sender, orderId: run.plan.order, usageRecordIds: [], isFinal });
  return { message, gas: messageGas("settle", records) };
}

/** How many records these settlements took, from their events. */
function settledRecords(outcomes: readonly Outcome[]): number {
  let records = 0;
  for (const outcome of outcomes) {
    if (outcome.refusal !== undefined) continue;
    for (const { type, attributes } of outcome.events) {
      if (!type.endsWith("EventOrderSettled")) continue;
      // Typed events of the Cosmos SDK have their values as JSON.
      const value = attributes.find(({ key }) => key === "records")?.value ?? "0";
      records += Number(value.replaceAll('"', ""));
    }
  }
  return records;
}

function isBelowMinimum(outcome: Outcome): boolean {
  const { refusal } = outcome;
  return refusal?.codespace === "settlement" && refusal.code === INVALID_SETTLEMENT;
}

/** Long enough for the job's whole life, whether blocks follow the file's time or the clock. */
function expiresIn({ plan }: OrderRun): bigint {
  const life = plan.end - plan.start + WEEK;
  if (life < EXPIRES_IN_MIN) return EXPIRES_IN_MIN;
  return life > EXPIRES_IN_MAX ? EXPIRES_IN_MAX : life;
}
