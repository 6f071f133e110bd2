import { createHash } from "node:crypto";
import { UsageSignDoc, AcknowledgeSignDoc } from "../../src/gen/settled/settlement/v1/sign_doc.ts";
import type * as wire from "../../src/gen/virtengine/settlement/v1/tx.ts";
import { authority, customer, customer2, provider, provider2 } from "../testkit/accounts.ts";
import { stranger, type TestAccount, testAccount } from "../testkit/accounts.ts";
import { CHAIN_ID } from "../testkit/chain.ts";
import type { Model } from "./model.ts";
import type { Escrow, ModelMessage, Usage } from "./model_state.ts";
import { ids, text } from "./model_sums.ts";
import { Random } from "./random.ts";

const CUSTOMERS = [customer, customer2, testAccount("customer3")];
const PROVIDERS = [provider, provider2, testAccount("provider3")];
/** Everybody who signs. */
export const PARTIES: readonly TestAccount[] = [...CUSTOMERS, ...PROVIDERS, authority, stranger];

const ORDERS = ["order-0", "order-1", "order-2", "order-3", "ordér", "o"];
const LEASES = ["lease-1", "lease-2"];
const TYPES = [
  ...["cpu", "compute", "CPU_hours", "memory", " ram\t", "gb-hour", "storage", "disk", "gpu"],
  ...["GPU-hour", "network", "bandwidth", "foo", "Foo ", "naïve"],
];
const SECOND = 1_000_000_000n;
const HOUR = 3600n;

/** What a block of a plan is drawn from: its time step, and one seed per message of each tx. */
export interface PlannedBlock {
  readonly step: number;
  readonly txs: readonly (readonly number[])[];
}

/** A run from genesis as seeds: any part of it can be left out, and the rest still means something. */
export interface Plan {
  readonly seed: number;
  readonly blocks: readonly PlannedBlock[];
}

/** A plan of about so many messages. */
export function planOf(seed: number, operations: number): Plan {
  const random = new Random(seed);
  const blocks: PlannedBlock[] = [];
  for (let left = operations; left > 0; ) {
    const txs: number[][] = [];
    for (let count = random.below(6); count > 0 && left > 0; count -= 1) {
      const length = random.chance(75) ? 1 : 2 + random.below(3);
      txs.push(Array.from({ length }, () => random.bits()));
      left -= length;
    }
    blocks.push({ step: random.bits(), txs });
  }
  return { seed, blocks };
}

export type Facts = Readonly<Record<string, unknown>>;

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
  const params = {
    ...rates,
    ...maybe(40, { min_settlement_amount: random.pick(["0", "1", "50000"]) }),
    ...maybe(30, { reward_claim_expiry: random.pick(["0", "1000", "90000"]) }),
    ...maybe(60, { staking_reward_epoch_length: random.pick(["1", "5", "17"]) }),
    ...maybe(10, { usage_reward_rate_bps: random.pick([0, 1, 10_000]) }),
    ...maybe(20, { usage_grace_period: random.pick(["0", "60"]) }),
    ...maybe(20, { settlement_period: "3600" }),
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
    auto_settle_enabled: false,
  };
  return { params, extended, pool: random.pick([0n, 40n, 1_000_000_000_000n]) };
}

/** Time of the next block. */
export function timeAfter(model: Model, step: number): bigint {
  const random = new Random(step);
  const due = [...model.escrows]
    .filter(({ status, expiresAtNs }) => status !== "released" && expiresAtNs > model.now)
    .map(({ expiresAtNs }) => expiresAtNs);
  const rewards = [...model.entries.values()].map(({ expiresAtNs }) => expiresAtNs);
  const moments = [...due, ...rewards].filter((moment) => moment > model.now + 1n);
  const steps: [number, bigint][] = [
    [4, 1n],
    [30, SECOND],
    [20, BigInt(random.bits())],
    [20, 60n * SECOND],
    [12, HOUR * SECOND],
    [4, 86_400n * SECOND],
    [1, 20n * 86_400n * SECOND],
    [moments.length > 0 ? 5 : 0, 0n],
  ];
  const chosen = random.weighted(steps);
  if (chosen > 0n) return model.now + chosen;
  return random.pick(moments) + random.pick([-1n, 0n, 1n]);
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

class Drawing {
  readonly model: Model;
  readonly random: Random;
  /** Whether something is wrong with it on purpose. */
  readonly isBad: boolean;

  constructor(model: Model, random: Random) {
    this.model = model;
    this.random = random;
    this.isBad = random.chance(15);
  }

  message(): ModelMessage {
    const live = this.model.escrows.filter(({ status }) => status === "active").length;
    const draw = this.random.weighted<() => ModelMessage>([
      [live < 3 ? 20 : 3, () => this.create()],
      [this.escrow("pending") === undefined ? 2 : 20, () => this.activate()],
      [live === 0 ? 1 : 45, () => this.record()],
      [this.hasOpen() ? 14 : 1, () => this.acknowledge()],
      [this.hasOpen() ? 12 : 1, () => this.settle()],
      [3, () => this.release()],
      [3, () => this.refund()],
      [2, () => this.dispute()],
      [this.owners().length > 0 ? 6 : 1, () => this.claim()],
    ]);
    const { type, value } = draw();
    const sender = this.isBad && this.random.chance(25) ? this.anyone() : value.sender;
    return { type, value: { ...value, sender } };
  }

  anyone(): string {
    return this.random.pick(PARTIES).address;
  }

  escrow(...states: string[]): Escrow | undefined {
    const fit = this.model.escrows.filter(({ status }) => states.includes(status));
    return fit.length === 0 ? undefined : this.random.pick(fit);
  }

  /** An escrow in one of these states, or sometimes any; undefined before there is one. */
  target(...states: string[]): Escrow | undefined {
    const any = this.model.escrows.length === 0 ? undefined : this.random.pick(this.model.escrows);
    if (this.isBad && this.random.chance(40)) return any;
    return this.escrow(...states) ?? any;
  }

  escrowId(escrow: Escrow | undefined): string {
    const bad = ["", "escrow-0", "escrow-01", "escrow-999", "usage-1-1", "escrow"];
    if (escrow === undefined || (this.isBad && this.random.chance(15)))
      return this.random.pick(bad);
    return ids.escrow(escrow);
  }

  text(good: string, most: number): string {
    if (!this.isBad || !this.random.chance(12)) return good;
    return this.random.pick(["", "x".repeat(most), "x".repeat(most + 1), "é".repeat(most - 3)]);
  }

  coins(good: wire.MsgCreateEscrow["amount"]): wire.MsgCreateEscrow["amount"] {
    if (!this.isBad || !this.random.chance(40)) return good;
    return this.random.pick([
      ...[[], [{ denom: "uve", amount: "0" }], [{ denom: "uve", amount: "-5" }]],
      ...[[{ denom: "u", amount: "5" }], [{ denom: "uve", amount: "1.5" }]],
      [...good, ...good],
      [{ denom: "unone", amount: "7" }],
      [{ denom: "uve", amount: `${2n ** 255n}` }],
    ]);
  }

  create(): ModelMessage {
    const { random, model } = this;
    const free = ORDERS.filter((order) => {
      const status = model.newest(order)?.status ?? "released";
      return status !== "active" && status !== "pending" && status !== "disputed";
    });
    const orderId = free.length > 0 && !this.isBad ? random.pick(free) : random.pick(ORDERS);
    const size = (): string => `${random.upTo(random.chance(6) ? 250 : 24) * 100n}`;
    const amount = random.weighted([
      [5, [{ denom: "uve", amount: size() }]],
      [1, [{ denom: "uusd", amount: size() }]],
      [
        3,
        [
          { denom: "uusd", amount: size() },
          { denom: "uve", amount: size() },
        ],
      ],
      [
        1,
        [
          { denom: "uve", amount: size() },
          { denom: "uusd", amount: size() },
        ],
      ],
    ]);
    const good = random.pick([HOUR, 2n * HOUR, 86_400n, 10n * 86_400n, 31_536_000n]);
    const bad = random.pick([0n, 1n, 3599n, 31_536_001n, 2n ** 63n, 2n ** 64n - 1n]);
    const value: wire.MsgCreateEscrow = {
      ...{ sender: random.pick(CUSTOMERS).address, orderId: this.text(orderId, 128) },
      ...{ amount: this.coins(amount), expiresIn: this.isBad && random.chance(30) ? bad : good },
    };
    return { type: "MsgCreateEscrow", value };
  }

  activate(): ModelMessage {
    const { random, model } = this;
    const escrow = this.target("pending");
    const others = ["ve1bad", "", escrow?.depositor ?? "", ...Object.values(model.modules)];
    const good = random.pick(PROVIDERS).address;
    const recipient = this.isBad && random.chance(50) ? random.pick(others) : good;
    const sender = random.chance(10) ? authority.address : (escrow?.depositor ?? this.anyone());
    const leaseId = this.text(random.pick(LEASES), 128);
    const value = { sender, escrowId: this.escrowId(escrow), leaseId, recipient };
    return { type: "MsgActivateEscrow", value: value satisfies wire.MsgActivateEscrow };
  }

  release(): ModelMessage {
    const { random } = this;
    const escrow = this.target("active", "disputed");
    const part = [...(escrow?.balance ?? [])].map(([denom, amount]) => {
      const share = amount > 1n && random.chance(60) ? amount / 2n : amount;
      return { denom, amount: `${share}` };
    });
    const amount = random.chance(40) ? part.slice(random.below(2)) : [];
    const sender = random.chance(25) ? authority.address : (escrow?.depositor ?? this.anyone());
    const value: wire.MsgReleaseEscrow = {
      ...{ sender, escrowId: this.escrowId(escrow), amount: this.coins(amount) },
      reason: random.pick(["work done", ""]),
    };
    return { type: "MsgReleaseEscrow", value };
  }

  refund(): ModelMessage {
    const escrow = this.target("pending", "active", "disputed");
    const { depositor = this.anyone(), recipient = "" } = escrow ?? {};
    const sender = this.random.pick([depositor, recipient || depositor, authority.address]);
    const value = { sender, escrowId: this.escrowId(escrow), reason: this.text("why", 100) };
    return { type: "MsgRefundEscrow", value: value satisfies wire.MsgRefundEscrow };
  }

  dispute(): ModelMessage {
    const escrow = this.target("active");
    const { depositor = this.anyone(), recipient = "" } = escrow ?? {};
    const sender = this.random.pick([depositor, recipient || depositor]);
    const reason = this.text("slow", 100);
    const value = { sender, escrowId: this.escrowId(escrow), reason, evidence: "log" };
    return { type: "MsgDisputeEscrow", value: value satisfies wire.MsgDisputeEscrow };
  }

  record(): ModelMessage {
    const { random, model } = this;
    const escrow = this.target("active");
    const earlier = model.usage.length === 0 ? undefined : random.pick(model.usage);
    const period = this.period(escrow, earlier);
    const usageType = random.pick(TYPES);
    const units = random.weighted<bigint>([
      [8, BigInt(1 + random.below(9))],
      [2, random.upTo(40)],
      [1, random.pick([2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n])],
    ]);
    const denoms = [...(escrow?.amount.keys() ?? ["uve"])];
    let value: wire.MsgRecordUsage = {
      ...{ sender: escrow?.recipient || this.anyone(), orderId: escrow?.orderId ?? "order-0" },
      ...{ leaseId: escrow?.leaseId ?? "lease-1", usageUnits: units, usageType, ...period },
      unitPrice: this.price(escrow, random.pick(denoms), units),
      signature: Uint8Array.of(1 + random.below(255)),
    };
    if (this.isBad) value = { ...value, ...this.badReport(value, earlier) };
    if (model.params.require_usage_signature && random.chance(85)) {
      value = { ...value, signature: signed(value.sender, usageSignBytes(value)) };
    }
    return { type: "MsgRecordUsage", value };
  }

  /** Mostly the period after the meter's last one, sometimes a far one or one that meets another. */
  period(escrow: Escrow | undefined, earlier: Usage | undefined) {
    const { random, model } = this;
    const length = random.pick([1n, 60n, HOUR, HOUR, 7200n, 86_400n, 100_000n]);
    const last = model.usage.filter(({ escrowSeq }) => escrowSeq === escrow?.seq);
    const latest = last.reduce((max, { periodEnd }) => (periodEnd > max ? periodEnd : max), 0n);
    const recent = model.seconds - BigInt(random.below(200_000));
    let start = latest > 0n && random.chance(70) ? latest : recent;
    if (start + length > model.seconds + 60n && !this.isBad) start = model.seconds + 60n - length;
    if (earlier !== undefined && random.chance(3)) start = earlier.periodStart + 30n;
    if (random.chance(12)) start = (random.pick(last)?.periodStart ?? start + length) - length;
    return { periodStart: start, periodEnd: start + length };
  }

  price(escrow: Escrow | undefined, denom: string, units: bigint) {
    const { random } = this;
    const balance = escrow?.balance.get(denom) ?? 1000n;
    const share = balance / BigInt(1 + random.below(12)) + BigInt(random.below(3));
    const digits = random.chance(50) ? 0n : BigInt(random.bits()) * BigInt(random.bits());
    const whole = (share * 10n ** 18n) / units;
    const amount = random.chance(5) ? 0n : whole + (digits % 10n ** 18n);
    return { denom, amount: `${amount}` };
  }

  badReport(value: wire.MsgRecordUsage, earlier: Usage | undefined): Partial<wire.MsgRecordUsage> {
    const { random, model } = this;
    const { periodStart, periodEnd, unitPrice } = value;
    const { denom = "" } = unitPrice ?? {};
    const repeat = earlier && {
      ...{ orderId: model.escrowOf(earlier).orderId, leaseId: model.escrowOf(earlier).leaseId },
      ...{ usageType: earlier.usageType, periodStart: earlier.periodStart },
      periodEnd: random.chance(80) ? earlier.periodEnd : earlier.periodEnd + 1n,
    };
    return random.pick<Partial<wire.MsgRecordUsage>>([
      ...[repeat ?? {}, repeat ?? {}, repeat ?? {}],
      ...[{ usageUnits: 0n }, { usageType: "" }, { usageType: "y".repeat(65) }, { leaseId: "" }],
      ...[{ periodEnd: periodStart }, { periodEnd: periodStart - 1n }],
      ...[{ periodStart: periodEnd - 2_678_400n }, { periodStart: periodEnd - 2_678_401n }],
      { periodStart: model.seconds, periodEnd: model.seconds + 61n },
      ...[{ leaseId: "lease-9" }, { orderId: "order-9" }, { orderId: "" }],
      ...[{ unitPrice: undefined }, { unitPrice: { denom: "unone", amount: "5" } }],
      ...[{ unitPrice: { denom, amount: "-1" } }, { unitPrice: { denom: "?", amount: "1" } }],
      { unitPrice: { denom, amount: `${10n ** 78n - 1n}` }, usageUnits: 2n ** 64n - 1n },
      { signature: new Uint8Array(0) },
      { usageType: "z".repeat(64) },
    ]);
  }

  usageTarget(): Usage | undefined {
    const { random, model } = this;
    const any = model.usage.length === 0 ? undefined : random.pick(model.usage);
    if (this.isBad && random.chance(40)) return any;
    const open = model.usage.filter(({ status }) => status === "open");
    return open.length === 0 ? any : random.pick(open);
  }

  usageId(usage: Usage | undefined): string {
    const bad = ["", "usage-1-1", "usage-1-999", "escrow-1", `usage-${this.model.seconds}-01`];
    if (usage === undefined || (this.isBad && this.random.chance(20))) return this.random.pick(bad);
    return ids.usage(usage);
  }

  acknowledge(): ModelMessage {
    const { random, model } = this;
    const usage = this.usageTarget();
    const sender = usage === undefined ? this.anyone() : model.escrowOf(usage).depositor;
    const usageId = this.usageId(usage);
    const junk = Uint8Array.of(7);
    const empty = this.isBad && random.chance(15);
    const doc = usage && acknowledgeSignBytes(usageId, usage);
    const isSigned = model.params.require_usage_signature && doc !== undefined && random.chance(85);
    const signature = isSigned ? signed(sender, doc) : empty ? new Uint8Array(0) : junk;
    const value: wire.MsgAcknowledgeUsage = { sender, usageId, signature };
    return { type: "MsgAcknowledgeUsage", value };
  }

  settle(): ModelMessage {
    const { random, model } = this;
    const withOpen = model.escrows.filter((each) => {
      return each.status === "active" && model.openOf(each).length > 0;
    });
    const escrow =
      withOpen.length > 0 && !this.isBad ? random.pick(withOpen) : this.target("active");
    const { depositor = this.anyone(), recipient = "" } = escrow ?? {};
    const sender = random.weighted([
      [5, depositor],
      [4, recipient || depositor],
      [2, authority.address],
    ]);
    let named: string[] = [];
    const open = escrow === undefined ? [] : model.openOf(escrow);
    if (random.chance(35)) named = open.filter(() => random.chance(60)).map(ids.usage);
    if (random.chance(30)) named.reverse();
    if (this.isBad && random.chance(50)) named.push(this.usageId(this.usageTarget()));
    if (this.isBad && named.length > 0 && random.chance(15)) named.push(named[0] as string);
    const orderId = this.isBad && random.chance(8) ? random.pick(["", "order-9"]) : undefined;
    const value: wire.MsgSettleOrder = {
      ...{ sender, orderId: orderId ?? escrow?.orderId ?? "order-0" },
      ...{ usageRecordIds: named, isFinal: random.chance(18) },
    };
    return { type: "MsgSettleOrder", value };
  }

  hasOpen(): boolean {
    return this.model.usage.some(({ status }) => status === "open");
  }

  /** Parties who have something to claim. */
  owners(): string[] {
    return [...this.model.claimables.values()]
      .filter(({ address, claimable }) => claimable.size > 0 && isParty(address))
      .map(({ address }) => address);
  }

  claim(): ModelMessage {
    const { random } = this;
    const owners = this.owners();
    const sender = owners.length === 0 || this.isBad ? this.anyone() : random.pick(owners);
    const sources = ["", "", "usage", "staking", ...(this.isBad ? ["mining", "provider"] : [])];
    const value: wire.MsgClaimRewards = { sender, source: random.pick(sources) };
    return { type: "MsgClaimRewards", value };
  }
}

function isParty(address: string): boolean {
  return PARTIES.some((party) => party.address === address);
}

function signed(sender: string, signBytes: Uint8Array): Uint8Array {
  const signer = PARTIES.find(({ address }) => address === sender) ?? stranger;
  return signer.sign(createHash("sha256").update(signBytes).digest());
}

function usageSignBytes(m: wire.MsgRecordUsage): Uint8Array {
  const { orderId, leaseId, usageType, usageUnits, periodStart, periodEnd, unitPrice } = m;
  const doc = { orderId, leaseId, usageType, usageUnits, periodStart, periodEnd, unitPrice };
  return UsageSignDoc.encode({ chainId: CHAIN_ID, ...doc }).finish();
}

function acknowledgeSignBytes(usageId: string, { denom, cost }: Usage): Uint8Array {
  const totalCost = text(new Map([[denom, cost]]));
  return AcknowledgeSignDoc.encode({ chainId: CHAIN_ID, usageId, totalCost }).finish();
}

/** Whether a usage report or acknowledgement carries its sender's signature (RULES 18). */
export function isSigned(model: Model, { type, value }: ModelMessage): boolean {
  const { signature } = value as wire.MsgRecordUsage;
  if (type === "MsgRecordUsage") {
    return same(signature, signed(value.sender, usageSignBytes(value as wire.MsgRecordUsage)));
  }
  const { usageId } = value as wire.MsgAcknowledgeUsage;
  const usage = model.usage.find((each) => ids.usage(each) === usageId) as Usage;
  return same(signature, signed(value.sender, acknowledgeSignBytes(usageId, usage)));
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
