import type * as own from "../../../src/gen/settled/settlement/v1/tx.ts";
import type * as state from "../../../src/gen/settled/settlement/v1/state.ts";
import type { Coin } from "../../../src/gen/cosmos/base/v1beta1/coin.ts";
import {
  KINDS,
  isSame,
  legsTotal,
  type Kind,
  type Row,
  type Escrow,
  type Usage,
  type Settlement,
  type Payout,
  type Leg,
  type ModelEvent,
  type Check,
} from "./records.ts";
import * as rules from "./rules.ts";
import {
  SECOND,
  Refusal,
  refuse,
  perDenom,
  plus,
  minus,
  least,
  covers,
  share,
  type Params,
} from "./rules.ts";

// The second model: the state, how it changes, and what every message asks of it.

export class State {
  now: bigint;
  height = 0n;
  params: Params;
  version = 1n;
  pending: Params | undefined;
  epochBase = { epoch: 0n, height: 0n };
  epochMint = { epoch: 0n, minted: 0n };
  readonly withdrawn = new Map<string, Coin[]>();
  events: ModelEvent[] = [];
  readonly accounts = new Map<string, { coins: Coin[] }>();
  readonly tables = Object.fromEntries(Object.keys(KINDS).map((kind) => [kind, []])) as unknown as {
    readonly [K in Kind]: Row<K>[];
  };
  readonly modules: Readonly<Record<string, string>>;
  readonly isSigned: Check;
  undos: (() => void)[] = [];

  constructor(from: {
    readonly balances: ReadonlyMap<string, readonly Coin[]>;
    readonly modules: Readonly<Record<string, string>>;
    readonly params: Params;
    readonly timeNs: bigint;
    readonly isSigned: Check;
  }) {
    for (const [address, coins] of from.balances)
      this.accounts.set(address, { coins: plus(coins) });
    this.modules = from.modules;
    this.params = from.params;
    this.now = from.timeNs;
    this.isSigned = from.isSigned;
  }

  /** Does all of it, or nothing when it is refused. @returns the code of the refusal */
  attempt(work: () => void): number | undefined {
    const [before, events] = [this.undos.length, this.events.length];
    try {
      work();
      return undefined;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      for (const undo of this.undos.splice(before).reverse()) undo();
      this.events.splice(events);
      return error.code;
    }
  }

  change<T extends object>(record: T, fields: Partial<T>): void {
    const before = Object.keys(fields).map((key) => [key, record[key as keyof T]]);
    this.undos.push(() => Object.assign(record, Object.fromEntries(before)));
    Object.assign(record, fields);
  }

  add<K extends Kind>(kind: K, fields: Partial<Row<K>>, prefix: string = kind): Row<K> {
    const table = this.tables[kind] as object[];
    const seq = BigInt(table.length + 1);
    const isTimed = !["escrow", "dispute"].includes(kind);
    const second = ((fields as Partial<Usage>).submittedAtNs ?? this.now) / SECOND;
    const id = isTimed ? `${prefix}-${second}-${seq}` : `${prefix}-${seq}`;
    const beside = {
      kind,
      id,
      seq,
      unpaid: [],
      kept: [],
      counted: [],
      isGone: false,
      height: this.height,
    };
    const record = { ...KINDS[kind].fromPartial({}), ...beside, ...fields };
    table.push(record);
    this.undos.push(() => table.pop());
    return record as unknown as Row<K>;
  }

  find<K extends Kind>(kind: K, id: string, code: number): Row<K> {
    const found = (this.tables[kind] as Row<K>[]).find((record) => record.id === id);
    if (found === undefined) throw new Refusal(code);
    return found;
  }

  get second(): bigint {
    return this.now / SECOND;
  }

  coinsOf(address: string): { coins: Coin[] } {
    const found = this.accounts.get(address) ?? { coins: [] };
    this.accounts.set(address, found);
    return found;
  }

  /** "" mints and burns. */
  move(from: string, to: string, amount: readonly Coin[], code = 1504): void {
    const [source, target] = [this.coinsOf(from), this.coinsOf(to)];
    refuse([code, from !== "" && !covers(source.coins, amount)]);
    if (from !== "") this.change(source, { coins: minus(source.coins, amount) });
    if (to !== "") this.change(target, { coins: plus(target.coins, amount) });
  }

  at(name: string): string {
    return this.modules[name] as string;
  }

  canBePaid(address: string): boolean {
    return !Object.values(this.modules).includes(address);
  }

  escrowOf({ escrowSeq }: { readonly escrowSeq: bigint }): Escrow {
    return this.tables.escrow[Number(escrowSeq) - 1] as Escrow;
  }

  idOf(kind: Kind, seq: bigint): string {
    return this.tables[kind][Number(seq) - 1]?.id ?? "";
  }

  /** An event of a record: it has its fields, those of its escrow, and more. */
  emit(name: string, record: object | undefined, more: Record<string, unknown> = {}): void {
    const { kind, id, escrowSeq } = (record ?? {}) as Row<"usage">;
    const escrow = escrowSeq > 0n ? this.escrowOf({ escrowSeq }) : undefined;
    const of = kind === "escrow" ? (record as Escrow) : escrow;
    const parties = { escrowId: of?.id, provider: of?.recipient, customer: of?.depositor };
    const facts = { ...escrow, ...parties, ...record, [`${kind}Id`]: id, ...more };
    this.events.push({ name, facts });
  }

  newest(orderId: string): Escrow {
    const found = this.tables.escrow.findLast((escrow) => escrow.orderId === orderId);
    if (found === undefined) throw new Refusal(1501);
    return found;
  }

  openOf(escrow: Escrow): Usage[] {
    const { usage } = this.tables;
    return usage.filter((each) => each.escrowSeq === escrow.seq && each.status === "open");
  }

  isParty(sender: string, escrow: Escrow): boolean {
    return [escrow.depositor, escrow.recipient, this.params.authority].includes(sender);
  }

  /** Past its time: nothing new begins. */
  isPast(escrow: Escrow): boolean {
    return ["pending", "active"].includes(escrow.status) && this.now > escrow.expiresAtNs;
  }

  /** Past its time, and no dispute of a record keeps it. */
  isOver(escrow: Escrow): boolean {
    return this.isPast(escrow) && escrow.openDisputes === 0;
  }

  settlementOf({ settlementSeq }: Usage): Settlement | undefined {
    return this.tables.settlement[Number(settlementSeq) - 1];
  }

  payoutOf(usage: Usage): Payout | undefined {
    return this.tables.payout[Number(this.settlementOf(usage)?.payoutSeq ?? 0n) - 1];
  }

  /** What parts of a settlement gave back; what a refund of the payout did counts too. */
  givenOf(settlement: Settlement): Record<Leg, Coin[]> {
    const given = settlement.refunded as Record<Leg, Coin[]>;
    const payout = this.tables.payout[Number(settlement.payoutSeq) - 1];
    if (payout === undefined) return given;
    const { holdback, holdbackReleased, reversedHoldback, kept, refunded } = payout;
    const ofHoldback = minus(holdback, holdbackReleased, reversedHoldback, kept);
    const net = plus(given.net, minus(refunded, ofHoldback));
    return { ...given, holdback: plus(given.holdback, ofHoldback), net };
  }

  isRefunded(usage: Usage): boolean {
    const settlement = this.settlementOf(usage);
    return settlement !== undefined && legsTotal(this.givenOf(settlement)).length > 0;
  }

  /** README, "Fees". */
  feesOf(total: Coin[]): { platformFee: Coin[]; validatorFee: Coin[] } {
    const { platformFeeRate, validatorFeeRate } = this.params;
    return {
      platformFee: share(total, rules.rateOf(platformFeeRate, "0.05")),
      validatorFee: share(total, rules.rateOf(validatorFeeRate, "0.01")),
    };
  }

  moveFees(from: string, platformFee: Coin[], validatorFee: Coin[], tax: Coin[] = []): void {
    const source = this.modules[from] ?? from;
    this.move(source, this.at("settlement_platform_fee"), platformFee);
    this.move(source, this.at("settlement_validator_fee"), validatorFee);
    this.move(source, this.at("settlement_tax"), tax);
  }

  termsOf(orderId: string): Row<"terms"> | undefined {
    return this.tables.terms.find((terms) => terms.orderId === orderId);
  }

  setTerms(orderId: string, terms: Partial<state.BillingTerms>): void {
    const found = this.termsOf(orderId) ?? this.add("terms", { orderId });
    this.change(found, terms as Partial<Row<"terms">>);
  }

  /** A fixed discount is given once per order. */
  useFixed({ orderId }: Escrow, given: readonly Coin[][]): void {
    const { discounts = [] } = this.termsOf(orderId) ?? {};
    if (discounts.length === 0) return;
    const left = discounts.map((discount, at) => {
      return {
        ...discount,
        amount:
          discount.kind === "fixed" ? minus(discount.amount, given[at] ?? []) : discount.amount,
      };
    });
    this.setTerms(orderId, { discounts: left });
  }

  MsgSetDiscounts({ sender, orderId, discounts }: own.MsgSetDiscounts): void {
    const escrow = this.newest(orderId);
    const isGiver = sender === escrow.recipient && ["active", "disputed"].includes(escrow.status);
    refuse([1505, !isGiver && sender !== this.params.authority]);
    refuse([1506, isSame(this.termsOf(orderId)?.discounts ?? [], discounts)]);
    this.setTerms(orderId, { discounts });
    this.emit("DiscountsSet", escrow, { setBy: sender });
  }

  MsgSetTax({ sender, orderId, tax }: own.MsgSetTax): void {
    const escrow = this.newest(orderId);
    const before = this.termsOf(orderId)?.tax;
    const bears = (terms: { mode: string } | undefined) => {
      const bearer = terms?.mode === "inclusive" ? escrow.recipient : escrow.depositor;
      return terms === undefined || bearer === sender;
    };
    const isBearer = this.isParty(sender, escrow) && bears(before) && bears(tax);
    refuse([1505, sender !== this.params.authority && !isBearer]);
    refuse([1506, isSame(before, tax)]);
    this.setTerms(orderId, { tax });
    this.emit("TaxSet", escrow, { setBy: sender });
  }

  /** What a settlement of these records costs. */
  bill(escrow: Escrow, taken: readonly Usage[]) {
    const terms = this.termsOf(escrow.orderId);
    const parts = taken.map(({ denom, cost }) => ({ denom, amount: `${cost}` }));
    const costs = plus(...parts.map((part) => [part]));
    const units = taken.reduce((sum, usage) => sum + usage.units, 0n);
    const unitsOf = (denom: string) => {
      return taken.reduce((sum, usage) => sum + (usage.denom === denom ? usage.units : 0n), 0n);
    };
    const given = rules.discountsOf(terms?.discounts ?? [], {
      costs,
      unitsOf,
      second: this.second,
    });
    const off = rules.spread(plus(...given), parts);
    const price = minus(costs, ...given);
    const { taxRounding } = this.params;
    const isWithin = terms?.tax?.mode === "inclusive";
    const tax = perDenom((amount = 0n) => rules.taxOf(terms?.tax, amount, taxRounding), price);
    const charge = isWithin ? price : plus(price, tax);
    return { terms, isWithin, costs, units, given, off, price, tax, charge };
  }

  /** What of a bill is paid: net of tax, and the tax. */
  paidOf(escrow: Escrow, taken: readonly Usage[], available: Coin[]): { net: Coin[]; tax: Coin[] } {
    const { terms, isWithin, price } = this.bill(escrow, taken);
    const { taxRounding } = this.params;
    const net = perDenom(
      (all = 0n, has = 0n) => {
        return rules.fitting(terms?.tax, isWithin ? rules.lower(all, has) : has, all, taxRounding);
      },
      price,
      available,
    );
    if (isWithin) return { net, tax: minus(least(price, available), net) };
    return {
      net,
      tax: perDenom((amount = 0n) => rules.taxOf(terms?.tax, amount, taxRounding), net),
    };
  }
}
