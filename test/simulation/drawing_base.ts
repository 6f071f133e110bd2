import type * as wire from "../../src/gen/virtengine/settlement/v1/tx.ts";
import { CUSTOMERS, isParty, type ModelMessage, PARTIES, PROVIDERS, signed } from "./parties.ts";
import type { Random } from "./random.ts";
import type { Model } from "./model/model.ts";
import type { Escrow, Facts, Usage } from "./model/records.ts";
import { amountOf, coin, text } from "./model/coins.ts";

const ORDERS = ["order-0", "order-1", "order-2", "order-3", "ordér", "o"];
const LEASES = ["lease-1", "lease-2"];
export const TYPES = [
  ...["cpu", "compute", "CPU_hours", "memory", " ram\t", "gb-hour", "storage", "disk", "gpu"],
  ...["GPU-hour", "network", "bandwidth", "foo", "Foo ", "naïve"],
];
const HOUR = 3600n;
/** Of secp256k1. */
const CURVE_ORDER = BigInt("0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141");

/** One message, drawn against the state of the model. */
export class DrawingBase {
  readonly model: Model;
  readonly random: Random;
  /** Whether something is wrong with it on purpose. */
  readonly isBad: boolean;

  constructor(model: Model, random: Random) {
    this.model = model;
    this.random = random;
    this.isBad = random.chance(15);
  }

  anyone(): string {
    return this.random.pick(PARTIES).address;
  }

  /** An address with another letter at its end or in its middle, or in capitals. */
  badAddress(): string {
    const address = this.anyone();
    const at = this.random.pick([20, address.length - 1]);
    const letter = address[at] === "q" ? "p" : "q";
    const other = address.slice(0, at) + letter + address.slice(at + 1);
    return this.random.pick([other, other, address.toUpperCase(), address.slice(0, -1)]);
  }

  /** Signatures of as many bytes as a good one: of somebody else, of other facts, with a high s. */
  badSignature(sender: string, doc: Facts): Uint8Array {
    const { random } = this;
    const good = signed(sender, doc);
    const s = BigInt(`0x${Buffer.from(good.slice(32)).toString("hex")}`);
    const high = (CURVE_ORDER - s).toString(16).padStart(64, "0");
    return random.pick([
      signed(this.anyone(), { ...doc, usageType: "other" }),
      signed(PARTIES.at(-1)?.address ?? "", doc),
      Uint8Array.from([...good.slice(0, 32), ...Buffer.from(high, "hex")]),
      new Uint8Array(64),
    ]);
  }

  escrow(...states: string[]): Escrow | undefined {
    const fit = this.model.tables.escrow.filter(({ status }) => states.includes(status));
    return fit.length === 0 ? undefined : this.random.pick(fit);
  }

  /** An escrow in one of these states, or sometimes any; undefined before there is one. */
  target(...states: string[]): Escrow | undefined {
    const { escrow } = this.model.tables;
    const any = escrow.length === 0 ? undefined : this.random.pick(escrow);
    if (this.isBad && this.random.chance(40)) return any;
    return this.escrow(...states) ?? any;
  }

  escrowId(escrow: Escrow | undefined): string {
    const bad = ["", "escrow-0", "escrow-01", "escrow-999", "usage-1-1", "e".repeat(129)];
    if (escrow === undefined || (this.isBad && this.random.chance(15)))
      return this.random.pick(bad);
    return escrow.id;
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

  denomsOf(escrow: Escrow | undefined): string[] {
    return escrow?.amount.map(({ denom }) => denom) ?? ["uve"];
  }

  freeOrders(): string[] {
    return ORDERS.filter((order) => {
      const newest = this.model.tables.escrow.findLast(({ orderId }) => orderId === order);
      return newest === undefined || !this.model.isLive(newest);
    });
  }

  create(): ModelMessage {
    const { random } = this;
    const free = this.freeOrders();
    const orderId = free.length > 0 && !this.isBad ? random.pick(free) : random.pick(ORDERS);
    const size = (): string => `${random.upTo(random.chance(6) ? 243 : 24) * 100n}`;
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
    const others = [
      "ve1bad",
      "",
      this.badAddress(),
      escrow?.depositor ?? "",
      ...Object.values(model.origin.modules),
    ];
    const good = random.pick(PROVIDERS).address;
    const recipient = this.isBad && random.chance(50) ? random.pick(others) : good;
    const sender = random.chance(10)
      ? model.params.authority
      : (escrow?.depositor ?? this.anyone());
    const leaseId = this.text(random.pick(LEASES), 128);
    const value = { sender, escrowId: this.escrowId(escrow), leaseId, recipient };
    return { type: "MsgActivateEscrow", value: value satisfies wire.MsgActivateEscrow };
  }

  release(): ModelMessage {
    const { random, model } = this;
    const any = this.target("active", "disputed");
    const { escrow: all } = model.tables;
    const fit = all.filter((e) => e.status === "active" && model.openOf(e).length === 0);
    const bound = fit.filter((each) => each.release !== undefined);
    const some = bound.length > 0 && random.chance(70) ? bound : fit;
    const escrow = some.length > 0 && !this.isBad ? random.pick(some) : any;
    const part = (escrow?.balance ?? []).map(({ denom, amount }) => {
      const whole = BigInt(amount);
      const share = whole > 1n && random.chance(60) ? whole / 2n : whole;
      return { denom, amount: `${share}` };
    });
    if (random.chance(10)) part.reverse();
    const amount = random.chance(40) ? part.slice(random.below(2)) : [];
    const sender = random.chance(25)
      ? model.params.authority
      : (escrow?.depositor ?? this.anyone());
    const value: wire.MsgReleaseEscrow = {
      ...{ sender, escrowId: this.escrowId(escrow), amount: this.coins(amount) },
      reason: this.text(random.pick(["work done", ""]), 1024),
    };
    return { type: "MsgReleaseEscrow", value };
  }

  refund(): ModelMessage {
    const escrow = this.target("pending", "active", "disputed");
    const { depositor = this.anyone(), recipient = "" } = escrow ?? {};
    const sender = this.random.pick([
      depositor,
      recipient || depositor,
      this.model.params.authority,
    ]);
    const value = { sender, escrowId: this.escrowId(escrow), reason: this.text("why", 1024) };
    return { type: "MsgRefundEscrow", value: value satisfies wire.MsgRefundEscrow };
  }

  dispute(): ModelMessage {
    const escrow = this.target("active");
    const { depositor = this.anyone(), recipient = "" } = escrow ?? {};
    const sender = this.random.pick([depositor, recipient || depositor]);
    const [reason, evidence] = [this.text("slow", 1024), this.text("log", 1024)];
    const value = { sender, escrowId: this.escrowId(escrow), reason, evidence };
    return { type: "MsgDisputeEscrow", value: value satisfies wire.MsgDisputeEscrow };
  }

  record(): ModelMessage {
    const { random, model } = this;
    const escrow = this.target("active");
    const { usage } = model.tables;
    const earlier = usage.length === 0 ? undefined : random.pick(usage);
    const period = this.period(escrow, earlier);
    const usageType = random.pick(TYPES);
    const units = random.weighted<bigint>([
      [8, BigInt(1 + random.below(9))],
      [2, random.upTo(40)],
      [1, random.pick([2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n])],
    ]);
    const denoms = this.denomsOf(escrow);
    let value: wire.MsgRecordUsage = {
      ...{ sender: escrow?.recipient || this.anyone(), orderId: escrow?.orderId ?? "order-0" },
      ...{ leaseId: escrow?.leaseId ?? "lease-1", usageUnits: units, usageType, ...period },
      unitPrice: this.price(escrow, random.pick(denoms), units),
      signature: Uint8Array.of(1 + random.below(255)),
    };
    if (this.isBad) value = { ...value, ...this.badReport(value, earlier) };
    if (model.params.requireUsageSignature && random.chance(90)) {
      const { sender, signature: _, ...doc } = value;
      const isWrong = random.chance(10);
      const signature = isWrong ? this.badSignature(sender, doc) : signed(sender, doc);
      value = { ...value, signature };
    }
    return { type: "MsgRecordUsage", value };
  }

  /** Mostly the period after the meter's last one, sometimes a far one or one that meets another. */
  period(escrow: Escrow | undefined, earlier: Usage | undefined) {
    const { random, model } = this;
    const length = random.pick([1n, 60n, HOUR, HOUR, 7200n, 86_400n, 100_000n]);
    const last = model.tables.usage.filter(({ escrowSeq }) => escrowSeq === escrow?.seq);
    const latest = last.reduce((max, { periodEnd }) => (periodEnd > max ? periodEnd : max), 0n);
    const recent = model.second - BigInt(random.below(200_000));
    let start = latest > 0n && random.chance(70) ? latest : recent;
    if (start + length > model.second + 60n && !this.isBad) start = model.second + 60n - length;
    if (earlier !== undefined && random.chance(3)) start = earlier.periodStart + 30n;
    if (random.chance(12)) start = (random.pick(last)?.periodStart ?? start + length) - length;
    return { periodStart: start, periodEnd: start + length };
  }

  price(escrow: Escrow | undefined, denom: string, units: bigint) {
    const { random } = this;
    const balance = amountOf(escrow?.balance ?? [], denom) || 1000n;
    const share = balance / BigInt(1 + random.below(12)) + BigInt(random.below(3));
    const digits = random.chance(50) ? 0n : BigInt(random.bits()) * BigInt(random.bits());
    const whole = (share * 10n ** 18n) / units;
    const amount = random.chance(5) ? 0n : whole + (digits % 10n ** 18n);
    const most = this.isBad ? amount : 10n ** 78n - 1n;
    return { denom, amount: `${amount > most ? most : amount}` };
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
      ...[
        { usageUnits: 0n },
        { usageType: "" },
        { usageType: "y".repeat(65) },
        { usageType: " \t" },
        { leaseId: "" },
      ],
      ...[{ periodEnd: periodStart }, { periodEnd: periodStart - 1n }],
      ...[{ periodStart: periodEnd - 2_678_400n }, { periodStart: periodEnd - 2_678_401n }],
      { periodStart: model.second, periodEnd: model.second + 61n },
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
    const { usage: all } = model.tables;
    const any = all.length === 0 ? undefined : random.pick(all);
    if (this.isBad && random.chance(40)) return any;
    const open = all.filter(({ status }) => status === "open");
    const live = open.filter((usage) => model.escrowOf(usage).status === "active");
    if (live.length > 0) return random.pick(live);
    return open.length === 0 ? any : random.pick(open);
  }

  usageId(usage: Usage | undefined): string {
    const bad = ["", "usage-1-1", "usage-1-999", "escrow-1", `usage-${this.model.second}-01`];
    if (usage === undefined || (this.isBad && this.random.chance(20))) return this.random.pick(bad);
    return usage.id;
  }

  acknowledge(): ModelMessage {
    const { random, model } = this;
    const usage = this.usageTarget();
    const sender = usage === undefined ? this.anyone() : model.escrowOf(usage).depositor;
    const usageId = this.usageId(usage);
    const junk = Uint8Array.of(7);
    const isEmpty = this.isBad && random.chance(15);
    const doc = usage && { usageId, totalCost: text(coin(usage.denom, usage.cost)) };
    const isSigned = model.params.requireUsageSignature && doc !== undefined && random.chance(85);
    const good = doc && (random.chance(10) ? this.badSignature(sender, doc) : signed(sender, doc));
    const signature = isSigned ? (good ?? junk) : isEmpty ? new Uint8Array(0) : junk;
    const value: wire.MsgAcknowledgeUsage = { sender, usageId, signature };
    return { type: "MsgAcknowledgeUsage", value };
  }

  settle(): ModelMessage {
    const { random, model } = this;
    const withOpen = model.tables.escrow.filter((each) => {
      return each.status === "active" && model.openOf(each).length > 0;
    });
    const escrow =
      withOpen.length > 0 && !this.isBad ? random.pick(withOpen) : this.target("active");
    const { depositor = this.anyone(), recipient = "" } = escrow ?? {};
    const isReady = escrow && model.openOf(escrow).every((usage) => usage.acknowledged);
    const sender = random.weighted([
      [5, depositor],
      [isReady ? 8 : 1, recipient || depositor],
      [2, model.params.authority],
    ]);
    let named: string[] = [];
    const open = escrow === undefined ? [] : model.openOf(escrow);
    if (random.chance(35)) named = open.filter(() => random.chance(60)).map(({ id }) => id);
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
    const { model } = this;
    return model.tables.usage.some(
      (u) => u.status === "open" && model.escrowOf(u).status === "active",
    );
  }

  /** Parties who have something to claim. */
  owners(): string[] {
    return this.model.tables.claimable
      .filter(({ address, claimable }) => claimable.length > 0 && isParty(address))
      .map(({ address }) => address);
  }

  claim(): ModelMessage {
    const { random } = this;
    const owners = this.owners();
    const sender = owners.length === 0 || this.isBad ? this.anyone() : random.pick(owners);
    const sources = [
      "",
      "",
      "usage",
      "staking",
      "verification",
      "provider",
      ...(this.isBad ? ["mining"] : []),
    ];
    const value: wire.MsgClaimRewards = { sender, source: random.pick(sources) };
    return { type: "MsgClaimRewards", value };
  }
}
