import fc from "fast-check";
import type { Event } from "../../src/types/event.ts";
import type { TxResult } from "../../src/types/tx.ts";
import {
  authority,
  customer,
  customer2,
  provider,
  provider2,
  stranger,
  type TestAccount,
} from "../testkit/accounts.ts";
import type { ChainOptions, TestChain } from "../testkit/chain.ts";
import { ceiling, clearAnomaly, correct, type To, withdraw } from "../testkit/corrections.ts";
import { msg, type TestMessage } from "../testkit/messages.ts";
import { eventsOf, responsesOf } from "../testkit/outcome.ts";
import { type ParamsJson, updateGenesisParams } from "../testkit/params.ts";
import { slot } from "../testkit/times.ts";

/** One random step: numbers that are turned into a message against what the chain has by then. */
export interface Operation {
  readonly kind: Kind;
  readonly order: number;
  /** Who signs; most often the one who may. */
  readonly actor: number;
  readonly rightful: boolean;
  readonly pick: number;
  readonly amount: bigint;
  readonly place: number;
  readonly length: number;
  readonly type: string;
  readonly flag: boolean;
}

const KINDS = {
  create: 3,
  activate: 4,
  record: 10,
  repeat: 2,
  acknowledge: 5,
  settle: 4,
  "settle some": 3,
  "settle finally": 2,
  release: 1,
  refund: 1,
  dispute: 1,
  claim: 2,
  correct: 3,
  withdraw: 1,
  ceiling: 1,
  "clear flags": 1,
  send: 1,
  params: 1,
  nonsense: 2,
} as const;
type Kind = keyof typeof KINDS;

const kind = fc.oneof(
  ...Object.entries(KINDS).map(([name, weight]) => {
    return { weight, arbitrary: fc.constant(name as Kind) };
  }),
);

const TYPES = ["cpu", "gpu", "Memory", " network", "disk", "licence"];

export const operation: fc.Arbitrary<Operation> = fc.record({
  kind,
  order: fc.nat(3),
  actor: fc.nat(5),
  rightful: fc.oneof(
    { weight: 9, arbitrary: fc.constant(true) },
    { weight: 1, arbitrary: fc.constant(false) },
  ),
  pick: fc.nat(1_000_000),
  amount: fc.bigInt(0n, 6000n),
  place: fc.nat(60),
  length: fc.integer({ min: 1, max: 3 }),
  type: fc.constantFrom(...TYPES),
  flag: fc.boolean(),
});

/** Some seconds that pass before a block. */
export const pause: fc.Arbitrary<bigint> = fc.oneof(
  { weight: 6, arbitrary: fc.bigInt(0n, 600n) },
  { weight: 1, arbitrary: fc.bigInt(600n, 100_000n) },
);

export interface RandomBlock {
  readonly pause: bigint;
  readonly operations: readonly Operation[];
}

export function randomBlocks(max: number): fc.Arbitrary<RandomBlock[]> {
  const block = fc.record({
    pause,
    operations: fc.array(operation, { minLength: 1, maxLength: 4 }),
  });
  // As many as there may be: what happens late needs what happened early.
  return fc.array(block, { minLength: max - 5, maxLength: max, size: "max" });
}

/** Params under which everything happens soon: parts, expiries, epochs, caps. */
export const worlds: fc.Arbitrary<ChainOptions> = fc
  .record({
    remainder: fc.constantFrom("refund", "provider"),
    funding: fc.constantFrom("mint", "mint", "pool"),
    billing: fc.constantFrom(true, true, false),
    minimum: fc.constantFrom("0", "1000"),
    cap: fc.constantFrom("300", "1000000000"),
    most: fc.constantFrom(2, 3, 1000),
  })
  .map(({ remainder, funding, billing, minimum, cap, most }) => ({
    params: {
      min_settlement_amount: minimum,
      staking_reward_epoch_length: "7",
      reward_claim_expiry: "20000",
    },
    extended: {
      final_remainder: remainder,
      reward_funding: funding,
      billing_enabled: billing,
      reward_epoch_mint_cap: cap,
      max_records_per_settlement: most,
      auto_settle_after: "5000",
    },
  }));

const ACTORS = [customer, customer2, provider, provider2, authority, stranger];

/** Other limits, lengths and switches, but no rates that a test computes with; some are refused. */
function someParams({ pick, place, length, flag, amount }: Operation): ParamsJson {
  return {
    params: {
      // The three rates may not sum to more than 1.
      ...(flag ? {} : { payout_holdback_rate: "0.95" }),
      staking_reward_epoch_length: `${place + 1}`,
      min_settlement_amount: `${amount}`,
    },
    extended: {
      max_records_per_settlement: length,
      reward_funding: flag ? "mint" : "pool",
      final_remainder: pick % 5 === 0 ? "provider" : "refund",
    },
  };
}

/** What is known of an order, so that most steps are ones that may succeed. */
interface OrderFacts {
  escrowId: string;
  state: "none" | "pending" | "active" | "disputed";
  depositor: TestAccount;
  recipient: TestAccount;
  usage: string[];
  /** Neither acknowledged nor settled, as far as is known. */
  fresh: string[];
  open: number;
  reports: TestMessage[];
}

interface Step {
  readonly kind: Kind;
  readonly operation: Operation;
  readonly message: TestMessage;
}

/** Turns operations into messages, and remembers what they made. */
export class World {
  readonly chain: TestChain;
  readonly #orders = new Map<string, OrderFacts>();
  #place = 0;
  #rewarded = false;
  succeeded = 0;
  failed = 0;

  constructor(chain: TestChain) {
    this.chain = chain;
  }

  /** Opens every order, so that random steps find something to work on. */
  async open(): Promise<void> {
    const creates = [0, 1, 2, 3].map((order) => opening("create", order));
    await this.run({ pause: 0n, operations: creates });
    const activations = [0, 1, 2, 3].map((order) => opening("activate", order));
    await this.run({ pause: 0n, operations: activations });
  }

  /** Runs one block of operations, each a tx of its own. */
  async run({ pause: seconds, operations }: RandomBlock): Promise<Outcome[]> {
    this.chain.skip(seconds);
    const steps = operations.map((operation) => this.#step(operation));
    const txs: Uint8Array[] = [];
    for (const { message } of steps) txs.push(await this.chain.tx([message]));
    const { txResults, events } = await this.chain.block(...txs);
    for (const { order_id: order } of eventsOf({ events }, "EscrowExpired")) {
      this.#ended(this.#of(order ?? ""));
    }
    return txResults.map((result, index) => {
      const step = steps[index] as Step;
      this.#learn(step, result);
      const blockEvents = index === 0 ? events : [];
      return { message: step.message, result, blockEvents };
    });
  }

  #step(operation: Operation): Step {
    const kind = operation.rightful ? this.#sensible(operation) : operation.kind;
    return { kind, operation, message: this.#message(kind, operation) };
  }

  /** A step that the order's state allows, in place of one that it does not. */
  #sensible(operation: Operation): Kind {
    const { kind, flag } = operation;
    const { state, fresh, open } = this.#of(orderOf(operation));
    const always: readonly Kind[] = ["nonsense", "repeat", "send", "params"];
    if (always.includes(kind)) return kind;
    if (kind === "claim") return this.#rewarded ? kind : "record";
    if (state === "none") return "create";
    if (state === "pending") return "activate";
    if (state === "disputed") return flag && open === 0 ? "release" : "refund";
    const settles: readonly Kind[] = ["settle", "settle some", "settle finally"];
    if (settles.includes(kind)) return open === 0 ? "record" : kind;
    const ofRecords: readonly Kind[] = ["acknowledge", "correct", "withdraw", "clear flags"];
    if (ofRecords.includes(kind)) return fresh.length === 0 ? "record" : kind;
    if (kind === "release" || kind === "refund") return open === 0 ? kind : "record";
    return kind === "dispute" || kind === "ceiling" ? kind : "record";
  }

  /** Remembers what a step did. */
  #learn({ kind, operation, message }: Step, result: TxResult): void {
    if (result.code !== 0) {
      this.failed += 1;
      return;
    }
    this.succeeded += 1;
    const facts = this.#of(orderOf(operation));
    const [response] = responsesOf<{ escrowId?: string; usageId?: string }>(result);
    if (kind === "create") {
      facts.escrowId = response?.escrowId ?? "";
      facts.depositor = message.signer;
      facts.state = "pending";
    }
    if (kind === "activate") {
      facts.recipient = recipientOf(operation);
      facts.state = "active";
    }
    if (kind === "record") {
      const id = response?.usageId ?? "";
      facts.usage.push(id);
      facts.fresh.push(id);
      facts.open += 1;
      facts.reports.push(message);
    }
    if (kind === "acknowledge" || kind === "withdraw") facts.fresh.pop();
    if (kind === "withdraw") facts.open -= 1;
    if (kind === "correct") {
      const id = response?.usageId ?? "";
      facts.usage.push(id);
      facts.fresh.splice(-1, 1, id);
    }
    if (kind === "claim") this.#rewarded = false;
    if (kind === "dispute") facts.state = "disputed";
    if (eventsOf(result, "RewardsDistributed").length > 0) this.#rewarded = true;
    for (const { records } of eventsOf(result, "OrderSettled")) {
      facts.open -= Number(records);
      facts.fresh = [];
    }
    const isPart = kind === "release" && !operation.flag;
    const ends = [...eventsOf(result, "EscrowRefunded"), ...eventsOf(result, "EscrowReleased")];
    if (ends.length > 0 && !isPart) this.#ended(facts);
  }

  #ended(facts: OrderFacts): void {
    facts.state = "none";
    facts.fresh = [];
    facts.open = 0;
  }

  #message(kind: Kind, operation: Operation): TestMessage {
    const facts = this.#of(orderOf(operation));
    const { escrowId, depositor, recipient, usage, fresh } = facts;
    const { actor, rightful, pick, amount, flag } = operation;
    const order = orderOf(operation);
    const anyone = ACTORS[actor] as TestAccount;
    const by = (owner: TestAccount): TestAccount => (rightful ? owner : anyone);
    const id = usage.length === 0 ? "usage-1-1" : (usage[pick % usage.length] as string);
    switch (kind) {
      case "create": {
        const expiresIn = 3600n + BigInt(operation.place) * 3600n;
        const coins = flag
          ? `${amount * 9n + 1n}uve,${amount + 1n}uusd`
          : `${amount * 12n + 1n}uve`;
        return msg.create(flag ? customer : customer2, coins, { order, expiresIn });
      }
      case "activate":
        return msg.activate(by(depositor), escrowId, recipientOf(operation).address, order);
      case "record":
        return this.#report(operation, by(recipient));
      case "repeat":
        return facts.reports[pick % facts.reports.length] ?? this.#report(operation, recipient);
      case "acknowledge":
        return msg.acknowledge(by(depositor), rightful ? (fresh.at(-1) ?? id) : id);
      case "correct":
        return correct(rightful ? (fresh.at(-1) ?? id) : id, corrected(operation), by(recipient));
      case "withdraw":
        return withdraw(rightful ? (fresh.at(-1) ?? id) : id, {}, by(recipient));
      case "ceiling":
        return ceiling(flag ? `${amount}uve` : "", { order, type: operation.type }, by(depositor));
      case "clear flags":
        return clearAnomaly(rightful ? (fresh.at(-1) ?? id) : id, by(authority));
      case "settle":
        return msg.settle(by(flag ? depositor : recipient), { order });
      case "settle some":
        return msg.settle(by(depositor), { order, ids: some(usage, pick) });
      case "settle finally":
        return msg.settle(by(depositor), { order, final: true });
      case "release":
        return msg.release(by(depositor), escrowId, flag ? "" : `${pick % 900}uve`);
      case "refund":
        return msg.refund(by(flag ? depositor : recipient), escrowId);
      case "dispute":
        return msg.dispute(by(flag ? depositor : recipient), escrowId);
      case "claim":
        return msg.claim(by(flag ? provider : provider2), pick % 3 === 0 ? "usage" : "");
      case "send":
        return msg.send(anyone, recipientOf(operation).address, `${amount + 1n}uve`);
      case "params":
        return updateGenesisParams(this.chain, someParams(operation), by(authority));
      case "nonsense":
        return this.#nonsense(operation, anyone, id);
    }
  }

  #report(operation: Operation, signer: TestAccount): TestMessage {
    const { length, type, amount, flag, pick, rightful, order: number } = operation;
    const order = orderOf(operation);
    // Most reports are of a period of their own; the others meet one that is there.
    const place = rightful && pick % 9 !== 0 ? (this.#place += 4) : operation.place;
    const { start } = slot(place, 120n);
    const end = start + BigInt(length) * 120n;
    // The even orders, opened with the flag, may hold both denoms.
    const denom = flag && number % 2 === 0 ? "uusd" : "uve";
    const price = `${amount / 4n}.${pick % 1000}${denom}`;
    const units = BigInt(pick % 5) + 1n;
    return msg.record(signer, { order, lease: order, type, units, price, start, end });
  }

  #nonsense({ pick, amount }: Operation, signer: TestAccount, id: string): TestMessage {
    const messages = [
      () => msg.settle(signer, { order: "nope" }),
      () => msg.acknowledge(signer, "usage-1-99999"),
      () => msg.settle(signer, { ids: [id, id] }),
      () => msg.record(signer, { units: 0n }),
      () => msg.create(signer, "", {}),
      () => msg.create(signer, `${2n ** 200n}uve`, { order: `rich-${amount}` }),
      () => msg.release(signer, "escrow-0"),
      () => msg.send(signer, signer.address, "1uve"),
      () => msg.claim(signer, "mining"),
      () => msg.refund(signer, "escrow-99999"),
    ];
    return (messages[pick % messages.length] as () => TestMessage)();
  }

  #of(order: string): OrderFacts {
    const found = this.#orders.get(order);
    if (found !== undefined) return found;
    const parties = { depositor: customer, recipient: provider };
    const facts: OrderFacts = {
      ...{ escrowId: "escrow-1", state: "none", ...parties, usage: [], fresh: [] },
      ...{ open: 0, reports: [] },
    };
    this.#orders.set(order, facts);
    return facts;
  }
}

export interface Outcome {
  /** Of the block itself; with its first tx only. */
  readonly blockEvents: readonly Event[];
  readonly message: TestMessage;
  readonly result: TxResult;
}

function opening(kind: Kind, order: number): Operation {
  const base = {
    kind,
    order,
    actor: 0,
    rightful: true,
    pick: order,
    amount: 9000n * BigInt(order + 1),
  };
  return { ...base, place: 20 * order, length: 1, type: "cpu", flag: order % 2 === 0 };
}

/** Other units and another price than before, most often. */
function corrected({ amount, pick, flag, order }: Operation): To {
  const denom = flag && order % 2 === 0 ? "uusd" : "uve";
  return { units: BigInt(pick % 7) + 1n, price: `${amount / 5n}.${pick % 100}${denom}` };
}

function orderOf({ order }: Operation): string {
  return `order-${order}`;
}

function recipientOf({ pick }: Operation): TestAccount {
  return pick % 2 === 0 ? provider : provider2;
}

function some(ids: readonly string[], pick: number): string[] {
  const chosen = ids.filter((_, index) => ((pick >> (index % 20)) & 1) === 1);
  return chosen.length === 0 ? ids.slice(-1) : chosen.reverse();
}
