import type { Coin } from "../../src/gen/cosmos/base/v1beta1/coin.ts";
import type * as own from "../../src/gen/settled/settlement/v1/tx.ts";
import type { ReleaseCondition } from "../../src/gen/virtengine/settlement/v1/query.ts";
import { DrawingBase, TYPES } from "./drawing_base.ts";
import { BAD_CHANGES, CHANGES, halvesOf } from "./drawing_params.ts";
import { type ModelMessage, PARTIES, signed } from "./parties.ts";
import type { Escrow, Row, Usage } from "./model/records.ts";
import { minus, plus } from "./model/coins.ts";
import { isHeld } from "./model/payouts.ts";

type Invoice = Row<"invoice">;
type Payout = Row<"payout">;

/** Messages of settled.settlement.v1 but for those in drawing.ts. */
export class DrawingOwn extends DrawingBase {
  /** One that holds, if there is one; a bad message's may be any. */
  one<T>(list: readonly T[], holds: (each: T) => boolean): T | undefined {
    const fit = this.isBad && this.random.chance(40) ? list : list.filter(holds);
    return fit.length === 0 ? undefined : this.random.pick(fit);
  }

  invoice(holds: (each: Invoice) => boolean): Invoice | undefined {
    return this.one(this.model.tables.invoice, holds);
  }

  payout(holds: (each: Payout) => boolean): Payout | undefined {
    return this.one(this.model.tables.payout, holds);
  }

  id(good: string | undefined): string {
    const isBad = good === undefined || (this.isBad && this.random.chance(20));
    const bad = ["", "invoice-1-1", "payout-1-1", "usage-1-1", `${good}0`, "x".repeat(129)];
    return isBad ? this.random.pick(bad) : good;
  }

  reason(): string {
    return this.text("why", 1024);
  }

  /** A part of coins, all of them, or more; sometimes none. */
  part(all: readonly Coin[], mayBeNone = true) {
    const { random } = this;
    const whole = all.map(({ denom, amount: text }) => {
      const amount = BigInt(text);
      const share =
        random.chance(50) && amount > 1n ? amount / BigInt(2 + random.below(4)) : amount;
      return { denom, amount: `${this.isBad && random.chance(20) ? amount + 1n : share || 1n}` };
    });
    if (mayBeNone && random.chance(40)) return [];
    const some = whole.length > 1 && random.chance(30) ? whole.slice(1) : whole;
    const good = some.length > 0 || mayBeNone ? some : [{ denom: "uve", amount: "1" }];
    return this.coins(good.sort((a, b) => (a.denom < b.denom ? -1 : 1)));
  }

  condition(): ReleaseCondition {
    const { random, model } = this;
    const type = random.pick([
      "timelock",
      "signature",
      "multisig",
      "usage_threshold",
      "verification",
    ]);
    const isSigned = type === "signature" || type === "multisig";
    const signers = PARTIES.filter(() => random.chance(30)).map(({ address }) => address);
    const requiredSigners = isSigned ? (signers.length > 0 ? signers : [this.anyone()]) : [];
    const good: ReleaseCondition = {
      ...{ type, requiredSigners, satisfied: false, satisfiedAt: 0n },
      unlockAfter: type === "timelock" ? model.second + BigInt(random.below(5000)) : 0n,
      signatureThreshold: type === "multisig" ? 1 + random.below(requiredSigners.length) : 0,
      minUsageUnits: type === "usage_threshold" ? random.upTo(random.chance(5) ? 64 : 8) : 0n,
      requiredVerificationScore: type === "verification" ? 1 + random.below(100) : 0,
    };
    if (!this.isBad || random.chance(50)) return good;
    const [twice = ""] = requiredSigners;
    return {
      ...good,
      ...random.pick<Partial<ReleaseCondition>>([
        ...[{ type: "moon" }, { satisfied: true }, { satisfiedAt: 5n }, { unlockAfter: -1n }],
        ...[
          { unlockAfter: 2n ** 60n },
          { requiredSigners: [] },
          { requiredSigners: [twice, twice] },
        ],
        ...[{ signatureThreshold: 17 }, { minUsageUnits: 0n }, { requiredVerificationScore: 101 }],
        ...[
          { requiredSigners: ["ve1bad"] },
          { requiredSigners: [this.badAddress()] },
          { signatureThreshold: 0 },
        ],
      ]),
    };
  }

  conditions(): ModelMessage {
    const { random } = this;
    const escrow = this.target("pending");
    const count = this.isBad && random.chance(10) ? 17 : random.below(4);
    const conditions = Array.from({ length: count }, () => this.condition());
    const sender = escrow?.depositor ?? this.anyone();
    const value = { sender, escrowId: this.escrowId(escrow), conditions };
    return { type: "MsgSetReleaseConditions", value: value satisfies own.MsgSetReleaseConditions };
  }

  withTerms() {
    const all = this.model.tables.escrow;
    return this.one(all, ({ status, release }) => status === "active" && release !== undefined);
  }

  sign(): ModelMessage {
    const escrow = this.withTerms();
    const signers = escrow?.release?.conditions.flatMap((each) => each.requiredSigners) ?? [];
    const sender = signers.length > 0 ? this.random.pick(signers) : this.anyone();
    return { type: "MsgSignRelease", value: { sender, ...this.escrowIdOf(escrow) } };
  }

  escrowIdOf(escrow: Escrow | undefined): { escrowId: string } {
    return { escrowId: this.id(escrow?.id) };
  }

  attest(): ModelMessage {
    const { random, model } = this;
    const score = this.isBad && random.chance(20) ? 101 : random.below(101);
    const value = { sender: model.params.authority, ...this.escrowIdOf(this.withTerms()), score };
    return { type: "MsgAttestVerification", value: value satisfies own.MsgAttestVerification };
  }

  ceiling(): ModelMessage {
    const { random } = this;
    const escrow = this.target("active", "pending", "disputed");
    const denom = random.pick(this.denomsOf(escrow));
    const price = random.chance(60) ? { denom, amount: `${random.upTo(90)}` } : undefined;
    const bad = random.pick([{ denom, amount: "x" }, { denom: "", amount: "1" }, price]);
    const maxUnitPrice = this.isBad && random.chance(30) ? bad : price;
    const isBlank = this.isBad && random.chance(5);
    const usageType = isBlank ? " " : this.text(random.pick(TYPES.slice(0, 4)), 64);
    const orderId = this.isBad ? this.id(escrow?.orderId) : (escrow?.orderId ?? "order-0");
    const value = { sender: escrow?.depositor ?? this.anyone(), orderId, usageType, maxUnitPrice };
    return { type: "MsgSetPriceCeiling", value: value satisfies own.MsgSetPriceCeiling };
  }

  correct(): ModelMessage {
    const { random, model } = this;
    const amended = model.tables.usage.filter((u) => u.status === "open" && u.disputeSeq > 0n);
    const isAmended = amended.length > 0 && random.chance(40);
    const usage = isAmended ? random.pick(amended) : this.usageTarget();
    const escrow = usage && model.escrowOf(usage);
    const { recipient = "", orderId = "", leaseId = "" } = escrow ?? {};
    const sender = recipient || this.anyone();
    const { units = 1n, denom = "uve", unitPrice = 0n } = usage ?? {};
    const isSame = this.isBad && random.chance(20);
    const sizes = [0n, 0n, 1n + random.upTo(4), units + 1n, units / 2n + 1n];
    let usageUnits = isSame ? units : random.pick(sizes);
    if (usageUnits > 2n ** 64n - 1n) usageUnits = 1n;
    const amount = `${random.chance(60) ? unitPrice : (unitPrice * 9n) / 10n}`;
    const isOther = escrow !== undefined && random.chance(15);
    const price = { denom: isOther ? random.pick(this.denomsOf(escrow)) : denom, amount };
    const odd = random.pick([undefined, { denom: "unone", amount: "1" }, { denom, amount: "-1" }]);
    const isOdd = this.isBad && random.chance(20);
    const given = isOdd ? odd : isSame ? { denom, amount: `${unitPrice}` } : price;
    const shown = usageUnits === 0n ? { denom, amount: `${unitPrice}` } : given;
    const { usageType = "", periodStart = 0n, periodEnd = 0n } = usage ?? {};
    const doc = {
      orderId,
      leaseId,
      usageType,
      usageUnits,
      periodStart,
      periodEnd,
      unitPrice: shown,
    };
    const isSigned = model.params.requireUsageSignature && random.chance(90);
    const signature = isSigned
      ? random.chance(10)
        ? this.badSignature(sender, doc)
        : signed(sender, doc)
      : new Uint8Array(this.isBad ? random.below(300) : 1);
    const reason = random.chance(50) ? "" : this.text("wrong", 1024);
    const value = {
      sender,
      usageId: this.usageId(usage),
      usageUnits,
      unitPrice: given,
      reason,
      signature,
    };
    return { type: "MsgCorrectUsage", value: value satisfies own.MsgCorrectUsage };
  }

  clear(): ModelMessage {
    const { model } = this;
    const flagged = this.one(model.tables.usage, isFlagged);
    const value = { sender: model.params.authority, usageId: this.usageId(flagged) };
    return { type: "MsgClearAnomaly", value: value satisfies own.MsgClearAnomaly };
  }

  pay(): ModelMessage {
    const invoice = this.invoice((each) => each.amountDue.length > 0);
    const { depositor = this.anyone() } = invoice ? this.model.escrowOf(invoice) : {};
    const sender = this.random.chance(70) ? depositor : this.anyone();
    const amount = invoice ? this.part(invoice.amountDue) : [];
    const value = { sender, invoiceId: this.id(invoice?.id), amount };
    return { type: "MsgPayInvoice", value: value satisfies own.MsgPayInvoice };
  }

  void(): ModelMessage {
    const invoice = this.invoice(isVoidable);
    const { recipient = this.anyone() } = invoice ? this.model.escrowOf(invoice) : {};
    const ids = { sender: recipient, invoiceId: this.id(invoice?.id) };
    const value = { ...ids, reason: this.reason() };
    return { type: "MsgVoidInvoice", value: value satisfies own.MsgVoidInvoice };
  }

  credit(): ModelMessage {
    const invoice = this.invoice(this.random.chance(95) ? isCreditable : () => true);
    const { recipient = this.anyone() } = invoice ? this.model.escrowOf(invoice) : {};
    const left = invoice ? minus(invoice.amountPaid, invoice.credited) : [];
    const isEmpty = this.isBad && this.random.chance(10);
    const amount = isEmpty ? [] : this.part(left, false);
    const ids = { sender: recipient, invoiceId: this.id(invoice?.id) };
    const value = { ...ids, amount, reason: this.reason() };
    return { type: "MsgCreditInvoice", value: value satisfies own.MsgCreditInvoice };
  }

  ofPayout(payout: Payout | undefined) {
    const { authority } = this.model.params;
    return { sender: authority, payoutId: this.id(payout?.id) };
  }

  hold(): ModelMessage {
    const value = { ...this.ofPayout(this.payout(isWaiting)), reason: this.reason() };
    return { type: "MsgHoldPayout", value: value satisfies own.MsgHoldPayout };
  }

  releasePayout(): ModelMessage {
    const isDue = this.random.chance(60) ? isHeld : isWaiting;
    return { type: "MsgReleasePayout", value: this.ofPayout(this.payout(isDue)) };
  }

  refundPayout(): ModelMessage {
    const payout = this.payout(isHeld);
    const amount = payout ? this.part(unpaidOf(payout)) : [];
    const value = { ...this.ofPayout(payout), amount, reason: this.reason() };
    return { type: "MsgRefundPayout", value: value satisfies own.MsgRefundPayout };
  }

  withdraw(): ModelMessage {
    const { random, model } = this;
    const name = random.pick(["platform_fee", "validator_fee", "tax"]);
    const held = model.accounts.get(model.at(`settlement_${name}`))?.coins ?? [];
    const account = this.isBad && random.chance(25) ? random.pick(["", "rewards"]) : name;
    const modules = Object.values(model.origin.modules);
    const isOdd = this.isBad && random.chance(30);
    const recipient = isOdd ? random.pick(["", this.badAddress(), ...modules]) : this.anyone();
    const amount = this.part(held, false);
    const value = { sender: model.params.authority, account, recipient, amount };
    return { type: "MsgWithdrawFees", value: value satisfies own.MsgWithdrawFees };
  }

  updateParams(): ModelMessage {
    const { random, model } = this;
    const sender = model.params.authority;
    const changes = Array.from({ length: 1 + random.below(3) }, () => random.pick(CHANGES));
    if (this.isBad) changes.push(random.pick(BAD_CHANGES));
    // Another authority is one who can sign.
    if (random.chance(4)) changes.push({ authority: random.pick([this.anyone(), sender]) });
    if (this.isBad && random.chance(10)) changes.push({ authority: model.at("rewards") });
    const base = model.pending ?? model.params;
    const { params, extendedParams } = halvesOf(Object.assign({}, base, ...changes));
    const halves = random.weighted<Partial<own.MsgUpdateParams>>([
      [4, { params, extendedParams }],
      [2, { params }],
      [2, { extendedParams }],
      [this.isBad ? 1 : 0, {}],
    ]);
    const value = {
      authority: sender,
      sender,
      params: undefined,
      extendedParams: undefined,
      ...halves,
    };
    return { type: "MsgUpdateParams", value: value satisfies own.MsgUpdateParams };
  }
}

export function isFlagged({ status, anomalies }: Usage): boolean {
  return status === "open" && anomalies.length > 0;
}

export function isCreditable({ amountPaid, status }: Invoice): boolean {
  return amountPaid.length > 0 && status !== "refunded";
}

export function isVoidable({ amountDue, amountPaid }: Invoice): boolean {
  return amountDue.length > 0 && amountPaid.length === 0;
}

export function isWaiting(payout: Payout): boolean {
  return unpaidOf(payout).length > 0;
}

/** What the account `settlement` has of it. */
function unpaidOf({ unpaid, kept }: Payout): Coin[] {
  return plus(unpaid, kept);
}
