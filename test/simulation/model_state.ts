import type { Coin } from "../../src/gen/cosmos/base/v1beta1/coin.ts";
import type { Params as Extended } from "../../src/gen/settled/settlement/v1/params.ts";
import type * as state from "../../src/gen/settled/settlement/v1/state.ts";
import type { Params as Wire } from "../../src/gen/virtengine/settlement/v1/query.ts";
import { EVENTS } from "./model_events.ts";
import { type Coins, idOf, less, minus, NONE, plus, SECOND, text } from "./model_sums.ts";

// What the model knows: records with the fields of proto/settled/settlement/v1/state.proto, so that
// compare.ts can set each beside an exported genesis; and changes that can be taken back.

/** A message of state.proto with coins as a Map and the names of enum values as text. */
export type Value<V> = V extends string | bigint | boolean | Uint8Array | undefined
  ? V
  : V extends number
    ? number extends V
      ? number
      : string
    : V extends readonly (infer E)[]
      ? E extends Coin
        ? Coins
        : Value<E>[]
      : { -readonly [K in keyof V]: Value<V[K]> };

type Amounts = "cost" | "unitPrice" | "settledAmount" | "reward" | "discount";
export type Escrow = Value<state.EscrowState>;
export type Usage = Omit<Value<state.UsageState>, Amounts> & Record<Amounts, bigint>;
export type Settlement = Value<state.SettlementState>;
export type Invoice = Value<state.InvoiceState>;
export type Payout = Value<state.PayoutState>;
export type Terms = Value<state.BillingTerms>;
export type Discount = Value<state.Discount>;
export type Dispute = Omit<Value<state.DisputeState>, "reserved"> & { reserved: bigint };
export type Refund = Value<state.RefundState>;
export type Receivable = Value<state.ReceivableState>;
export type Distribution = Value<state.DistributionState>;
export type Entry = Value<state.RewardEntryState>;
export type Claimable = Value<state.ClaimableState>;
export type Ceiling = Value<state.PriceCeilingState>;

/** Both halves of the params; no name is in both. */
export type ModelParams = Wire & Extended;
export type Facts = Readonly<Record<string, unknown>>;

const LISTS = ["conditions", "signatures", "anomalies", "steps", "rows", "usageSeqs", "discounts"];

/** A record with these fields; the others are empty. */
export function made<T>(codec: { fromPartial(object: object): object }, facts: Partial<T>): T {
  const fields = Object.entries(codec.fromPartial({})).map(([name, value]) => {
    return [name, Array.isArray(value) && !LISTS.includes(name) ? NONE : value];
  });
  return { ...Object.fromEntries(fields), ...facts };
}

/** A refusal by codespace "settlement". */
export class Refusal extends Error {
  readonly code: number;
  /** Whether the message alone was wrong: then its tx costs no sequence number. */
  readonly isAlone: boolean;
  constructor(code: number, isAlone = false) {
    super(`settlement/${code}`);
    [this.code, this.isAlone] = [code, isAlone];
  }
}

export function need(holds: boolean, code: number): asserts holds {
  if (!holds) throw new Refusal(code);
}

/** An attribute whose text no document gives has the value "*". */
export interface ModelEvent {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
}

export interface ModelMessage {
  /** Name of the message, such as "MsgSettleOrder". */
  readonly type: string;
  readonly value: { readonly sender: string };
}

export interface Genesis {
  readonly balances: ReadonlyMap<string, Coins>;
  readonly params: ModelParams;
  /** Addresses of module accounts by name. */
  readonly modules: Readonly<Record<string, string>>;
  readonly timeNs: bigint;
  /** Whether a message carries its sender's signature over these facts; asked when it must. */
  readonly isSigned: (message: { sender: string; signature: Uint8Array }, doc: Facts) => boolean;
}

export class World {
  params: ModelParams;
  /** What replaces the params at the next block. */
  pending: ModelParams | undefined;
  paramsVersion = 1n;
  readonly modules: Readonly<Record<string, string>>;
  readonly isSigned: Genesis["isSigned"];
  readonly balances: Map<string, Coins>;
  readonly escrows: Escrow[] = [];
  readonly usage: Usage[] = [];
  readonly settlements: Settlement[] = [];
  readonly invoices: Invoice[] = [];
  readonly invoiceLedger: Value<state.InvoiceLedgerEntry>[] = [];
  readonly creditNotes: Value<state.CreditNoteState>[] = [];
  readonly payouts: Payout[] = [];
  readonly payoutLedger: Value<state.PayoutLedgerEntry>[] = [];
  readonly disputes: Dispute[] = [];
  readonly refunds: Refund[] = [];
  readonly receivables: Receivable[] = [];
  readonly distributions: Distribution[] = [];
  readonly entries = new Map<bigint, Entry>();
  readonly claimables = new Map<string, Claimable>();
  readonly ceilings = new Map<string, Ceiling>();
  readonly terms = new Map<string, Terms>();
  /** The last number of each kind. */
  readonly seqs = new Map<string, bigint>();
  readonly withdrawn = new Map<string, Coins>();
  readonly epochMint = { epoch: 0n, minted: 0n };
  readonly epochBase = { epoch: 0n, height: 0n };
  height = 0n;
  now: bigint;
  events: ModelEvent[] = [];
  /** How to take back what the tx has done so far, the last first. */
  undo: (() => void)[] = [];

  constructor(genesis: Genesis) {
    [this.params, this.modules, this.now] = [genesis.params, genesis.modules, genesis.timeNs];
    [this.isSigned, this.balances] = [genesis.isSigned, new Map(genesis.balances)];
  }

  get seconds(): bigint {
    return this.now / SECOND;
  }

  /** Of a number of seconds from now. */
  after(seconds: bigint): bigint {
    return this.now + seconds * SECOND;
  }

  epoch(height = this.height, length = this.params.stakingRewardEpochLength) {
    const passed = (height - this.epochBase.height) / length;
    return {
      epoch: this.epochBase.epoch + passed,
      height: this.epochBase.height + passed * length,
    };
  }

  newest(orderId: string): Escrow | undefined {
    return this.escrows.findLast((each) => each.orderId === orderId);
  }

  escrowOf({ escrowSeq }: { readonly escrowSeq: bigint }): Escrow {
    return this.escrows[Number(escrowSeq) - 1] as Escrow;
  }

  /** Disputed records are among them. */
  openOf({ seq }: Escrow): Usage[] {
    return this.usage.filter(({ escrowSeq, status }) => escrowSeq === seq && status === "open");
  }

  /** The record with this id. @throws Refusal with the code */
  find<T extends { seq: bigint }>(
    list: readonly T[],
    id: string,
    of: (each: T) => string,
    code: number,
  ): T {
    const found = list[Number(/[0-9]+$/.exec(id)?.[0] ?? 0) - 1];
    need(found !== undefined && of(found) === id, code);
    return found;
  }

  escrowById(id: string): Escrow {
    return this.find(this.escrows, id, escrowId, 1501);
  }

  usageById(id: string): Usage {
    return this.find(this.usage, id, usageId, 1513);
  }

  /** Checks that only the authority may do it. */
  needAuthority(sender: string): void {
    need(this.params.authority !== "" && sender === this.params.authority, 1505);
  }

  isModule(address: string): boolean {
    return Object.values(this.modules).includes(address);
  }

  module(name: string): string {
    return this.modules[name] as string;
  }

  next(name: string): bigint {
    const seq = (this.seqs.get(name) ?? 0n) + 1n;
    this.put(this.seqs, name, seq);
    return seq;
  }

  balance(address: string): Coins {
    return this.balances.get(address) ?? NONE;
  }

  has(address: string, coins: Coins): boolean {
    return minus(this.balance(address), coins) !== undefined;
  }

  /** From or to "" is minting or burning. */
  move(from: string, to: string, coins: Coins): void {
    if (from !== "") this.put(this.balances, from, less(this.balance(from), coins));
    if (to !== "") this.put(this.balances, to, plus(this.balance(to), coins));
  }

  /** Attributes not among the facts are the escrow's parties, and block time where they end in _at. */
  emit(name: keyof typeof EVENTS, facts: Facts, escrow?: Escrow): void {
    const { recipient, depositor } = escrow ?? {};
    const parties = { recipient, provider: recipient, depositor, customer: depositor };
    const of = escrow && { ...parties, escrow_id: escrowId(escrow), order_id: escrow.orderId };
    const all: Facts = { ...of, ...facts };
    const attributes: Record<string, string> = {};
    for (const key of EVENTS[name].split(" ")) {
      const value = key in all ? all[key] : key.endsWith("_at") ? this.seconds : undefined;
      if (value !== undefined) attributes[key] = value instanceof Map ? text(value) : `${value}`;
    }
    this.events.push({ name, attributes });
  }

  start(): void {
    [this.events, this.undo] = [[], []];
  }

  set<T extends object>(target: T, change: Partial<T>): void {
    const names = Object.keys(change) as (keyof T)[];
    const before = Object.fromEntries(names.map((name) => [name, target[name]]));
    this.undo.push(() => void Object.assign(target, before));
    Object.assign(target, change);
  }

  push<T>(list: T[], item: T): T {
    this.undo.push(() => void list.pop());
    list.push(item);
    return item;
  }

  put<K, V>(map: Map<K, V>, key: K, value: V | undefined): void {
    const before = map.get(key);
    this.undo.push(() => void (before === undefined ? map.delete(key) : map.set(key, before)));
    if (value === undefined) map.delete(key);
    else map.set(key, value);
  }
}

export const escrowId = ({ seq }: { seq: bigint }): string => `escrow-${seq}`;
export const usageId = (u: Usage): string => idOf("usage", u.submittedAtNs, u.seq);
export const invoiceId = (i: Invoice): string => idOf("invoice", i.issuedAtNs, i.seq);
export const payoutId = (p: Payout): string => idOf("payout", p.createdAtNs, p.seq);
export const refundId = (r: Refund): string => idOf("refund", r.refundedAtNs, r.seq);
export const owedId = (r: Receivable): string => idOf("receivable", r.createdAtNs, r.seq);
export const settlementId = (s: Settlement): string => idOf("settle", s.settledAtNs, s.seq);
export const disputeId = ({ seq }: { seq: bigint }): string => `dispute-${seq}`;
export const costOf = (u: Usage): Coins => plus(new Map([[u.denom, u.cost]]));

export function isTerminal({ status }: Escrow): boolean {
  return status === "released" || status === "refunded" || status === "expired";
}

function isPast(w: World, { status, expiresAtNs }: Escrow): boolean {
  return (status === "pending" || status === "active") && w.now > expiresAtNs;
}

/** Not while a dispute of an open record waits (RULES 21). */
export function isExpired(w: World, escrow: Escrow): boolean {
  return escrow.openDisputes === 0 && isPast(w, escrow);
}

/** What a message wants that adds a claim: no new ones after the time is over. */
export function needInTime(w: World, escrow: Escrow): void {
  need(!isPast(w, escrow), 1518);
}

/** What may be taken of an escrow: not what disputed records cost (RULES 21). */
export function spendable({ balance, reserved }: Escrow): Coins {
  return less(balance, reserved);
}

/** What most messages want of an escrow (RULES 11 and 14). */
export function needActive(w: World, escrow: Escrow): void {
  need(escrow.status !== "disputed", 1523);
  need(escrow.status === "active", 1519);
  need(!isExpired(w, escrow), 1518);
}

/** What one message did. */
export interface Done {
  readonly response: Facts;
  readonly events: readonly ModelEvent[];
}

/** Rules of messages by name. */
export type Rules = Readonly<Record<string, (w: World, message: never) => Facts>>;
