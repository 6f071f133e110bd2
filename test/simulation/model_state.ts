import { DEFAULTS, type ModelParams } from "./model_params.ts";
import { type Coins, minus, NONE, of, plus, text } from "./model_sums.ts";

// What the model knows, with the names of proto/settled/settlement/v1/state.proto in camel case, so
// that compare.ts can set it beside an exported genesis; and changes that can be taken back.

export const SECOND = 1_000_000_000n;

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

export interface Escrow {
  readonly seq: bigint;
  readonly orderId: string;
  leaseId: string;
  readonly depositor: string;
  recipient: string;
  readonly amount: Coins;
  balance: Coins;
  totalSettled: Coins;
  refunded: Coins;
  status: string;
  readonly createdAtNs: bigint;
  readonly expiresAtNs: bigint;
  activatedAtNs: bigint;
  closedAtNs: bigint;
  closureReason: string;
  settlementCount: bigint;
  readonly height: bigint;
  disputedAtNs: bigint;
  disputeEvidence: string;
}

export interface Usage {
  readonly seq: bigint;
  readonly escrowSeq: bigint;
  readonly units: bigint;
  readonly usageType: string;
  readonly periodStart: bigint;
  readonly periodEnd: bigint;
  readonly denom: string;
  readonly unitPrice: bigint;
  readonly cost: bigint;
  acknowledged: boolean;
  status: string;
  readonly submittedAtNs: bigint;
  readonly height: bigint;
  settlementSeq: bigint;
  invoiceSeq: bigint;
  settledAmount: bigint;
  reward: bigint;
}

export interface Invoice {
  readonly seq: bigint;
  readonly number: bigint;
  readonly settlementSeq: bigint;
  readonly escrowSeq: bigint;
  status: string;
  readonly total: Coins;
  readonly amountPaid: Coins;
  readonly amountDue: Coins;
  readonly issuedAtNs: bigint;
  readonly dueAtNs: bigint;
  readonly paidAtNs: bigint;
  readonly lineCount: bigint;
  readonly periodStart: bigint;
  readonly periodEnd: bigint;
  readonly height: bigint;
}

export interface Entry {
  readonly seq: bigint;
  readonly address: string;
  readonly distributionSeq: bigint;
  readonly source: string;
  readonly amount: Coins;
  readonly createdAtNs: bigint;
  readonly expiresAtNs: bigint;
  readonly reason: string;
  readonly minted: boolean;
}

export interface Claimable {
  readonly address: string;
  claimable: Coins;
  claimed: Coins;
  expired: Coins;
}

/** An attribute whose text no document gives has the value "*". */
export interface ModelEvent {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
}

export interface ModelMessage {
  /** Name in virtengine.settlement.v1, such as "MsgSettleOrder". */
  readonly type: string;
  readonly value: { readonly sender: string };
}

/** What one message did. */
export interface Done {
  readonly response: Facts;
  readonly events: readonly ModelEvent[];
}

export interface Genesis {
  readonly balances: ReadonlyMap<string, Coins>;
  readonly params: Facts;
  /** Addresses of module accounts by name. */
  readonly modules: Readonly<Record<string, string>>;
  readonly timeNs: bigint;
  /** Whether a signature is that of a sender over a message; asked when they are required. */
  readonly isSigned?: (message: ModelMessage) => boolean;
}

export type Facts = Readonly<Record<string, unknown>>;

export function isTerminal({ status }: Escrow): boolean {
  return status === "released" || status === "refunded" || status === "expired";
}

export class ModelState {
  readonly params: ModelParams;
  readonly modules: Readonly<Record<string, string>>;
  readonly balances = new Map<string, Coins>();
  readonly escrows: Escrow[] = [];
  readonly usage: Usage[] = [];
  readonly settlements: Facts[] = [];
  readonly invoices: Invoice[] = [];
  readonly payouts: Facts[] = [];
  readonly distributions: Facts[] = [];
  readonly entries = new Map<bigint, Entry>();
  readonly claimables = new Map<string, Claimable>();
  readonly seqs = new Map<string, bigint>();
  readonly minted = new Map<bigint, bigint>();
  height = 0n;
  now: bigint;
  protected readonly isSigned: (message: ModelMessage) => boolean;
  protected events: ModelEvent[] = [];
  /** How to take back what the tx has done so far, the last first. */
  protected undo: (() => void)[] = [];

  constructor(genesis: Genesis) {
    this.params = { ...DEFAULTS, ...(genesis.params as Partial<ModelParams>) };
    this.modules = genesis.modules;
    this.now = genesis.timeNs;
    this.isSigned = genesis.isSigned ?? (() => true);
    for (const [address, coins] of genesis.balances) this.balances.set(address, coins);
  }

  get seconds(): bigint {
    return this.now / SECOND;
  }

  get epoch(): bigint {
    return this.height / of(this.params.staking_reward_epoch_length);
  }

  newest(orderId: string): Escrow | undefined {
    return this.escrows.findLast((each) => each.orderId === orderId);
  }

  escrowOf({ escrowSeq }: { readonly escrowSeq: bigint }): Escrow {
    return this.escrows[Number(escrowSeq) - 1] as Escrow;
  }

  openOf(escrow: Escrow): Usage[] {
    return this.usage.filter(({ escrowSeq, status }) => {
      return escrowSeq === escrow.seq && status === "open";
    });
  }

  protected module(name: string): string {
    return this.modules[name] as string;
  }

  protected id(kind: string, { seq }: Facts): string {
    return `${kind}-${this.seconds}-${seq}`;
  }

  protected next(name: string): bigint {
    const seq = (this.seqs.get(name) ?? 0n) + 1n;
    this.put(this.seqs, name, seq);
    return seq;
  }

  protected has(address: string, coins: Coins): boolean {
    return minus(this.balances.get(address) ?? NONE, coins) !== undefined;
  }

  /** From or to "" is minting or burning. */
  protected move(from: string, to: string, coins: Coins): void {
    const rest = minus(this.balances.get(from) ?? NONE, coins);
    if (from !== "" && rest === undefined) throw new Error(`${from} has no ${text(coins)}`);
    if (from !== "") this.put(this.balances, from, rest as Coins);
    if (to !== "") this.put(this.balances, to, plus(this.balances.get(to) ?? NONE, coins));
  }

  protected emit(name: string, attributes: Readonly<Record<string, string>>): void {
    this.events.push({ name, attributes });
  }

  protected start(): void {
    [this.events, this.undo] = [[], []];
  }

  protected set<T extends object>(target: T, change: Partial<T>): void {
    const before = { ...target };
    this.undo.push(() => void Object.assign(target, before));
    Object.assign(target, change);
  }

  protected push<T>(list: T[], item: T): void {
    this.undo.push(() => void list.pop());
    list.push(item);
  }

  protected put<K, V>(map: Map<K, V>, key: K, value: V | undefined): void {
    const before = map.get(key);
    this.undo.push(() => void (before === undefined ? map.delete(key) : map.set(key, before)));
    if (value === undefined) map.delete(key);
    else map.set(key, value);
  }
}
