import { type Coins, covers, minus, plus, SECOND, share } from "./coins.ts";
import { versionOf } from "./params.ts";
import { type Escrow, type Facts, KINDS, type Kind, type Leg } from "./records.ts";
import { type ModelEvent, type Params, Refusal, refuse, type Row } from "./records.ts";
import type { Settlement, Usage } from "./records.ts";

// The state, how it changes, and what most messages ask of it.

export interface Shares {
  readonly total: Coins;
  readonly platformFee: Coins;
  readonly validatorFee: Coins;
  readonly providerShare: Coins;
}

/** What a model begins with. */
interface Origin {
  readonly balances: ReadonlyMap<string, Coins>;
  readonly modules: Readonly<Record<string, string>>;
  readonly params: Params;
  readonly timeNs: bigint;
  readonly isSigned: (by: { sender: string; signature: Uint8Array }, doc: Facts) => boolean;
}

export class State {
  readonly origin: Origin;
  now: bigint;
  height = 0n;
  params: Params;
  version = 1n;
  /** Of every version, from the first on. */
  readonly versions: ReturnType<typeof versionOf>[];
  pending: Params | undefined;
  epochBase = { epoch: 0n, height: 0n };
  epochMint = { epoch: 0n, minted: 0n };
  readonly withdrawn: Record<string, Coins> = { platform_fee: [], validator_fee: [], tax: [] };
  readonly accounts = new Map<string, { coins: Coins }>();
  readonly tables = Object.fromEntries(Object.keys(KINDS).map((kind) => [kind, []])) as unknown as {
    readonly [K in Kind]: Row<K>[];
  };
  /** Of the message that is dealt with; empty for the chain itself. */
  sender = "";
  events: ModelEvent[] = [];
  undos: (() => void)[] = [];

  constructor(origin: Origin) {
    for (const [address, coins] of origin.balances) this.accounts.set(address, { coins });
    [this.origin, this.params, this.now] = [origin, origin.params, origin.timeNs];
    this.versions = [versionOf(this.version, origin.params)];
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

  /** A record whose first time is now, named by its kind, that second and its number. */
  add<K extends Kind>(kind: K, fields: Partial<Row<K>>, prefix: string = kind): Row<K> {
    const [codec, time] = KINDS[kind];
    const table = this.tables[kind] as object[];
    const seq = BigInt(table.length + 1);
    const lists = { unpaid: [], kept: [], counted: [] };
    const versioned = "paramsVersion" in codec.fromPartial({}) && { paramsVersion: this.version };
    const common = { kind, seq, ...lists, isGone: false, height: this.height, ...versioned };
    const record = {
      ...codec.fromPartial({}),
      ...common,
      ...(time !== "" && { [time]: this.now }),
      ...fields,
    };
    const first = (record as unknown as Record<string, bigint>)[time] ?? 0n;
    const isTimed = kind !== "escrow" && kind !== "dispute";
    const id = isTimed ? `${prefix}-${first / SECOND}-${seq}` : `${prefix}-${seq}`;
    this.undos.push(() => table.pop());
    table.push({ ...record, id });
    return table.at(-1) as Row<K>;
  }

  /** @param code of the refusal when there is none */
  find<K extends Kind>(kind: K, id: string, code: number): Row<K> {
    const found = (this.tables[kind] as Row<K>[]).find((record) => record.id === id);
    if (found === undefined) throw new Refusal(code);
    return found;
  }

  /** The record with a number; undefined for 0. */
  nth<K extends Kind>(kind: K, seq: bigint | undefined): Row<K> | undefined {
    return (this.tables[kind] as Row<K>[])[Number(seq ?? 0n) - 1];
  }

  /** An event of a record: it has its fields, those of its escrow, and more. */
  emit(name: string, record: object | undefined, more: Facts = {}): void {
    const { kind, id, escrowSeq } = (record ?? {}) as Row<"usage">;
    const escrow = kind === "escrow" ? (record as Escrow) : this.nth("escrow", escrowSeq);
    const { id: escrowId, recipient: provider, depositor: customer } = escrow ?? {};
    const parties = { escrowId, provider, customer };
    const facts = { ...escrow, ...parties, ...record, [`${kind}Id`]: id, ...more };
    this.events.push({ name, facts });
  }

  /** Block time in unix seconds. */
  get second(): bigint {
    return this.now / SECOND;
  }

  /** @returns nanoseconds, so many seconds from now */
  after(seconds: bigint): bigint {
    return this.now + seconds * SECOND;
  }

  at(name: string): string {
    return this.origin.modules[name] as string;
  }

  canBePaid(address: string): boolean {
    return !Object.values(this.origin.modules).includes(address);
  }

  coinsOf(address: string): { coins: Coins } {
    const found = this.accounts.get(address) ?? { coins: [] };
    this.accounts.set(address, found);
    return found;
  }

  /**
   * Between addresses, or module accounts by name; "" mints and burns.
   * @throws Refusal (1504) when the source has less
   */
  move(from: string, to: string, amount: Coins): void {
    const accounts = [from, to].map((name) => this.coinsOf(this.origin.modules[name] ?? name));
    const [source, target] = accounts as [{ coins: Coins }, { coins: Coins }];
    refuse([1504, from !== "" && !covers(source.coins, amount)]);
    if (from !== "") this.change(source, { coins: minus(source.coins, amount) });
    if (to !== "") this.change(target, { coins: plus(target.coins, amount) });
  }

  /** README, "Fees". */
  sharesOf(total: Coins, hasFees = true): Shares {
    const { platformFeeRate, validatorFeeRate } = this.params;
    const platformFee = hasFees ? share(total, platformFeeRate, "0.05") : [];
    const validatorFee = hasFees ? share(total, validatorFeeRate, "0.01") : [];
    const providerShare = minus(total, platformFee, validatorFee);
    return { total, platformFee, validatorFee, providerShare };
  }

  moveShares(from: string, to: string, shares: Shares, tax: Coins = []): void {
    this.move(from, "settlement_platform_fee", shares.platformFee);
    this.move(from, "settlement_validator_fee", shares.validatorFee);
    this.move(from, "settlement_tax", tax);
    this.move(from, to, shares.providerShare);
  }

  /** @throws Refusal (1505) when the sender is none of them */
  only(sender: string, ...allowed: string[]): void {
    refuse([1505, sender === "" || !allowed.includes(sender)]);
  }

  onlyAuthority(sender: string): void {
    this.only(sender, this.params.authority);
  }

  /** @throws Refusal (1501) when the order never had an escrow */
  newest(orderId: string): Escrow {
    const found = this.tables.escrow.findLast((escrow) => escrow.orderId === orderId);
    if (found === undefined) throw new Refusal(1501);
    return found;
  }

  escrowOf({ escrowSeq }: { readonly escrowSeq: bigint }): Escrow {
    return this.nth("escrow", escrowSeq) as Escrow;
  }

  openOf(escrow: Escrow): Usage[] {
    const { usage } = this.tables;
    return usage.filter((each) => each.escrowSeq === escrow.seq && each.status === "open");
  }

  partiesOf({ depositor, recipient }: Escrow): [string, string, string] {
    return [depositor, recipient, this.params.authority];
  }

  isLive({ status }: Escrow): boolean {
    return ["pending", "active", "disputed"].includes(status);
  }

  /** Past its time: nothing new begins. */
  isPast({ status, expiresAtNs }: Escrow): boolean {
    return (status === "pending" || status === "active") && this.now > expiresAtNs;
  }

  /** Past its time, and no dispute of a record keeps it. */
  isOver(escrow: Escrow): boolean {
    return this.isPast(escrow) && escrow.openDisputes === 0;
  }

  onlyActive(escrow: Escrow, isOver = this.isOver(escrow)): void {
    const { status } = escrow;
    refuse([1523, status === "disputed"], [1519, status !== "active"], [1518, isOver]);
  }

  /** The params that a record was computed with. */
  paramsWith({ paramsVersion }: { readonly paramsVersion: bigint }): Params {
    return (this.versions[Number(paramsVersion) - 1] as { all: Params }).all;
  }

  settlementOf({ settlementSeq }: Usage): Settlement | undefined {
    return this.nth("settlement", settlementSeq);
  }

  /** What parts of a settlement gave back; what a refund of the payout did counts too. */
  givenOf(settlement: Settlement): Record<Leg, Coins> {
    const given = settlement.refunded as Record<Leg, Coins>;
    const payout = this.nth("payout", settlement.payoutSeq);
    if (payout === undefined) return given;
    const { holdback, holdbackReleased, reversedHoldback, kept, refunded } = payout;
    const ofHoldback = minus(holdback, holdbackReleased, reversedHoldback, kept);
    const net = plus(given.net, minus(refunded, ofHoldback));
    return { ...given, holdback: plus(given.holdback, ofHoldback), net };
  }

  /** What it gave back in all, tax aside. */
  givenBy(settlement: Settlement): Coins {
    const { platformFee, validatorFee, holdback, net } = this.givenOf(settlement);
    return plus(platformFee, validatorFee, holdback, net);
  }

  termsOf(orderId: string): Row<"terms"> | undefined {
    return this.tables.terms.find((terms) => terms.orderId === orderId);
  }

  setTerms(orderId: string, terms: Partial<Row<"terms">>): void {
    this.change(this.termsOf(orderId) ?? this.add("terms", { orderId }), terms);
  }
}
