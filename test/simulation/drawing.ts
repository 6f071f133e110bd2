import type { Coin } from "../../src/gen/cosmos/base/v1beta1/coin.ts";
import type { Discount, TaxTerms } from "../../src/gen/settled/settlement/v1/state.ts";
import type * as own from "../../src/gen/settled/settlement/v1/tx.ts";
import { DrawingOwn, isCreditable, isFlagged, isVoidable, isWaiting } from "./drawing_own.ts";
import { minus } from "./model/coins.ts";
import { isUndecided } from "./model/disputes.ts";
import { isHeld } from "./model/payouts.ts";
import type { Row, Settlement, Usage } from "./model/records.ts";
import { isParty, type ModelMessage } from "./parties.ts";

/** All messages; most go to where they mean something. */
export class Drawing extends DrawingOwn {
  message(): ModelMessage {
    const { model } = this;
    const { escrow: escrows, usage, settlement, dispute, receivable } = model.tables;
    const live = escrows.filter(({ status }) => status === "active").length;
    const open = this.hasOpen();
    const has = (isSome: boolean, weight: number): number => (isSome ? weight * 10 : 1);
    const draw = this.random.weighted<() => ModelMessage>([
      [live < 3 ? 200 : this.freeOrders().length > 0 ? 30 : 2, () => this.create()],
      [has(this.escrow("pending") !== undefined, 20), () => this.activate()],
      [has(live > 0, 45), () => this.record()],
      [has(open, 12), () => this.acknowledge()],
      [has(open, 22), () => this.settle()],
      [has(this.escrow("active", "disputed") !== undefined, 4), () => this.release()],
      [has(this.escrow("active", "disputed", "pending") !== undefined, 3), () => this.refund()],
      [has(live > 0, 2), () => this.dispute()],
      [this.owners().length > 0 ? 60 : 3, () => this.claim()],
      [has(this.escrow("pending") !== undefined, 5), () => this.conditions()],
      [has(this.withTerms() !== undefined, 8), () => this.sign()],
      [has(this.withTerms() !== undefined, 3), () => this.attest()],
      [has(this.escrow("active", "disputed", "pending") !== undefined, 4), () => this.ceiling()],
      [20, () => this.updateParams()],
      [has(open, 10), () => this.correct()],
      [has(usage.some(isFlagged), 4), () => this.clear()],
      [has(this.invoice((i) => i.amountDue.length > 0) !== undefined, 7), () => this.pay()],
      [has(this.invoice(isVoidable) !== undefined, 3), () => this.void()],
      [has(this.invoice(isCreditable) !== undefined, 4), () => this.credit()],
      [has(this.payout(isWaiting) !== undefined, 5), () => this.hold()],
      [has(this.payout(isWaiting) !== undefined, 5), () => this.releasePayout()],
      [has(this.payout(isHeld) !== undefined, 6), () => this.refundPayout()],
      [has(settlement.length > 0, 2), () => this.withdraw()],
      [has(open || settlement.length > 0, 10), () => this.disputeUsage()],
      [has(dispute.some(isUndecided), 16), () => this.resolve()],
      [has(settlement.length > 0, 4), () => this.refundSettlement()],
      [has(receivable.length > 0, 3), () => this.payReceivable()],
      [
        has(
          usage.some((u) => this.isRewardable(u)),
          4,
        ),
        () => this.rewardProviders(),
      ],
      [10, () => this.rewardVerifier()],
      [has(live > 0, 4), () => this.setDiscounts()],
      [has(live > 0, 4), () => this.setTax()],
    ]);
    const { type, value } = draw();
    const sender = this.isBad && this.random.chance(25) ? this.anyone() : value.sender;
    const signer = type === "MsgUpdateParams" ? { authority: sender } : {};
    // Nobody signs for a module account that a restart made a recipient.
    if (!isParty(sender)) return this.message();
    return { type, value: { ...value, sender, ...signer } };
  }

  disputeUsage(): ModelMessage {
    const { random, model } = this;
    const isOpen = random.chance(50);
    const fit = (u: Usage): boolean =>
      u.disputeSeq === 0n && u.status === (isOpen ? "open" : "settled");
    const { usage: all } = model.tables;
    const usage = this.one(all.slice(-12), fit) ?? this.one(all, fit);
    const sender = usage ? model.escrowOf(usage).depositor : this.anyone();
    const bytes = this.isBad && random.chance(10) ? 31 : random.pick([0, 32]);
    const evidenceHash = new Uint8Array(bytes).fill(random.below(256));
    const ids = { sender, usageId: this.usageId(usage), reason: this.reason() };
    const value = { ...ids, evidenceHash } satisfies own.MsgDisputeUsage;
    return { type: "MsgDisputeUsage", value };
  }

  resolve(): ModelMessage {
    const { random, model } = this;
    const dispute = this.one(model.tables.dispute, isUndecided);
    const usage = dispute && model.tables.usage[Number(dispute.usageSeq) - 1];
    const { depositor = this.anyone(), recipient = "" } = usage ? model.escrowOf(usage) : {};
    const sender = random.weighted([
      [3, model.params.authority],
      [4, depositor],
      [4, recipient || depositor],
    ]);
    const disputeSeq = this.id(dispute?.id);
    const { units = 1n, unitPrice = 0n, denom = "uve" } = usage ?? {};
    const proposed = dispute?.customerProposal ?? dispute?.providerProposal;
    const isEqual = proposed !== undefined && random.chance(60);
    const isSomewhat = random.chance(50);
    const drawn = random.pick(["accepted", "rejected", "amended"]);
    const resolution = isEqual ? proposed.status : this.isBad && random.chance(10) ? "" : drawn;
    const isAmended = resolution === "amended" || (this.isBad && random.chance(10));
    const lower = isSomewhat && units > 1n ? units - 1n : units / 2n;
    const usageUnits = isEqual ? proposed.units : isAmended ? lower || (this.isBad ? 0n : 1n) : 0n;
    const drawnPrice = random.chance(50) ? undefined : { denom, amount: `${unitPrice / 2n}` };
    const equal = isEqual && isAmended ? { denom, amount: `${proposed.unitPrice}` } : undefined;
    const odd = this.isBad && random.chance(15) ? { denom: "uother", amount: "1" } : drawnPrice;
    const price = isEqual ? equal : isAmended ? odd : undefined;
    const facts = { sender, disputeId: disputeSeq, resolution, usageUnits, unitPrice: price };
    return { type: "MsgResolveDispute", value: facts satisfies own.MsgResolveDispute };
  }

  /** All that could go back of a settlement, tax left out. */
  refundable(settlement: Settlement): Coin[] {
    const { model } = this;
    if (settlement.type === "refund") return [];
    return model.refundable(settlement, model.leftOf(settlement));
  }

  refundSettlement(): ModelMessage {
    const { model } = this;
    const settlement = this.one(model.tables.settlement, (s) => this.refundable(s).length > 0);
    const all = settlement ? this.refundable(settlement) : [];
    const value = {
      ...{ sender: model.params.authority, amount: this.part(all), reason: this.reason() },
      settlementId: this.id(settlement?.id),
    };
    return { type: "MsgRefundSettlement", value: value satisfies own.MsgRefundSettlement };
  }

  payReceivable(): ModelMessage {
    const left = (of: Row<"receivable">): Coin[] => minus(of.amount, of.paid);
    const receivable = this.one(this.model.tables.receivable, (r) => left(r).length > 0);
    const amount = receivable ? this.part(left(receivable)) : [];
    const id = this.id(receivable?.id);
    const value = { sender: this.anyone(), receivableId: id, amount };
    return { type: "MsgPayReceivable", value: value satisfies own.MsgPayReceivable };
  }

  /** Now and then one that was used. */
  reference(): string {
    const { random, model } = this;
    const used = model.tables.distribution.filter(({ reference }) => reference !== "");
    if (this.isBad && used.length > 0 && random.chance(60)) return random.pick(used).reference;
    return this.isBad && random.chance(40) ? this.id("ref-0") : `ref-${random.below(200)}`;
  }

  /** Whether the authority can reward it by the params of now. */
  isRewardable(usage: Usage): boolean {
    const { model } = this;
    const settlement = model.settlementOf(usage);
    const isFit = usage.status === "settled" && usage.reward === 0n && !usage.disputed;
    if (!isFit || settlement === undefined || model.rewardOf(usage) === 0n) return false;
    return model.givenBy(settlement).length === 0;
  }

  rewardProviders(): ModelMessage {
    const { random, model } = this;
    const fit = model.tables.usage.filter((u) => this.isRewardable(u) && random.chance(70));
    const ids = (this.isBad ? [...fit, ...this.some()] : fit).slice(0, 8).map(({ id }) => id);
    if (this.isBad && random.chance(20)) ids.push(this.usageId(undefined));
    if (this.isBad && random.chance(8))
      ids.push(...Array.from({ length: 1001 }, (_, at) => `usage-1-${at}`));
    const usageIds = ids.length > 0 || this.isBad ? ids : [this.usageId(this.usageTarget())];
    const value = { sender: model.params.authority, reference: this.reference(), usageIds };
    return { type: "MsgDistributeProviderRewards", value };
  }

  /** An order, and who may set terms of it. */
  orderOf(party: "recipient" | "depositor") {
    const { random, model } = this;
    const escrow = this.target("active");
    const own = (party === "recipient" ? escrow?.recipient : escrow?.depositor) || this.anyone();
    const sender = random.chance(75) ? own : model.params.authority;
    return { sender, orderId: this.isBad ? this.id(escrow?.orderId) : (escrow?.orderId ?? "o") };
  }

  /** So many coins, sorted by denom. */
  manyCoins(count: number) {
    return Array.from({ length: count }, (_, at) => ({ denom: `ubad${at}`, amount: "1" }));
  }

  discount(): Discount {
    const { random, model } = this;
    const kind = random.pick(["percentage", "fixed", "volume"]);
    const bps = (): number => random.pick([1, 500, 3333, 9999, 10_000]);
    const sum = () => [{ denom: random.pick(["uve", "uusd"]), amount: `${random.upTo(30)}` }];
    const tiers = [0n, 5n, 100n].filter(() => random.chance(60));
    const rise = tiers.length > 0 ? tiers : [1n];
    const good: Discount = {
      ...{ kind, rateBps: kind === "percentage" ? bps() : 0, validFrom: 0n },
      description: random.pick(["", "", "loyalty", "naïve ‖"]),
      amount: kind === "fixed" ? sum() : [],
      tiers: kind === "volume" ? rise.map((minUnits) => ({ minUnits, rateBps: bps() })) : [],
      validUntil: random.chance(25) ? model.second + BigInt(random.below(9000)) : 0n,
      minTotal: random.chance(20) ? sum() : [],
      maxDiscount: random.chance(25) ? sum() : [],
    };
    if (random.chance(15)) good.validFrom = model.second - 60n;
    if (!this.isBad || random.chance(50)) return good;
    const [tier] = good.tiers;
    const odd = random.pick<Partial<Discount>>([
      ...[{ kind: "gift" }, { rateBps: 10_001 }, { rateBps: 1 }, { validFrom: -1n }],
      ...[{ validFrom: 5n, validUntil: 4n }, { amount: [] }, { tiers: [] }],
      ...[{ tiers: tier ? [tier, tier] : [] }, { minTotal: [{ denom: "u", amount: "1" }] }],
      { description: "x".repeat(129) },
      { minTotal: this.manyCoins(8 + random.below(2)) },
      { maxDiscount: this.manyCoins(8 + random.below(2)) },
    ]);
    return { ...good, ...odd };
  }

  setDiscounts(): ModelMessage {
    const { random } = this;
    const count = this.isBad && random.chance(10) ? 9 : random.below(4);
    const discounts = Array.from({ length: count }, () => this.discount());
    const value = { ...this.orderOf("recipient"), discounts };
    return { type: "MsgSetDiscounts", value: value satisfies own.MsgSetDiscounts };
  }

  setTax(): ModelMessage {
    const { random } = this;
    const mode = random.pick(["exclusive", "exclusive", "inclusive", "reverse_charge"]);
    const rates = ["0.19", "0.25", "0.005", "0.333333333333333333", "0.000000000000000001"];
    const count = mode === "reverse_charge" ? 0 : 1 + random.below(3);
    if (count === 1 || random.chance(8)) rates.push("0.5", "1", "0.666666666666666667");
    const some = Array.from({ length: count }, () => {
      return { name: "VAT", rate: random.pick(rates), compound: random.chance(40) };
    });
    const good: TaxTerms = {
      mode,
      jurisdiction: "DE",
      rates: some,
      customerTaxId: random.pick(["", "DE1"]),
    };
    const rate = { name: "VAT", rate: random.pick(["0", "1.1", "x", "-0.1", ""]), compound: false };
    const odd = random.pick<Partial<TaxTerms>>([
      ...[{ mode: "" }, { rates: [] }, { rates: [rate] }, { jurisdiction: "x".repeat(65) }],
      { rates: Array.from({ length: 5 }, () => ({ ...rate, rate: "0.1" })) },
      { rates: [{ name: "", rate: "0.1", compound: false }] },
    ]);
    const tax = this.isBad && random.chance(50) ? { ...good, ...odd } : good;
    const party = mode === "inclusive" && random.chance(70) ? "recipient" : "depositor";
    const value = { ...this.orderOf(party), tax: random.chance(15) ? undefined : tax };
    return { type: "MsgSetTax", value: value satisfies own.MsgSetTax };
  }

  some(): Usage[] {
    const { usage } = this.model.tables;
    return usage.length === 0 ? [] : [this.random.pick(usage)];
  }

  rewardVerifier(): ModelMessage {
    const { random, model } = this;
    const modules = Object.values(model.origin.modules);
    const isOdd = this.isBad && random.chance(25);
    const validator = isOdd ? random.pick(["", this.badAddress(), ...modules]) : this.anyone();
    const score = this.isBad && random.chance(20) ? 101 : random.below(101);
    const facts = { reference: this.reference(), score };
    const value = { sender: model.params.authority, validator, ...facts };
    return { type: "MsgDistributeVerificationReward", value };
  }
}
