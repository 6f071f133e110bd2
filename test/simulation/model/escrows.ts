import type * as own from "../../../src/gen/settled/settlement/v1/tx.ts";
import type * as wire from "../../../src/gen/virtengine/settlement/v1/tx.ts";
import { coin, type Coins, covers, lower, minus, plus, SECOND } from "./coins.ts";
import { lowered } from "./fields.ts";
import { type Escrow, type Facts, refuse, type Settlement, type Usage } from "./records.ts";
import { Rewards } from "./rewards.ts";

// README, "Life of an escrow" and "Release conditions".

type Release = NonNullable<Escrow["release"]>;

export class Escrows extends Rewards {
  MsgCreateEscrow({ sender: depositor, orderId, expiresIn, ...of }: wire.MsgCreateEscrow): void {
    const { minEscrowDuration, maxEscrowDuration } = this.params;
    const former = this.tables.escrow.findLast((escrow) => escrow.orderId === orderId);
    const isOpen = former && (this.isLive(former) || this.openOf(former).length > 0);
    refuse([1502, isOpen === true]);
    refuse([1500, expiresIn < minEscrowDuration || expiresIn > maxEscrowDuration]);
    const amount = plus(of.amount);
    this.move(depositor, "settlement_escrow", amount);
    const facts = { orderId, depositor, amount, balance: amount, status: "pending" };
    const escrow = this.add("escrow", { ...facts, expiresAtNs: this.after(expiresIn) });
    if (former?.depositor !== depositor) this.setTerms(orderId, { discounts: [], tax: undefined });
    this.emit("EscrowCreated", escrow, { blockHeight: this.height });
  }

  MsgActivateEscrow({ sender, escrowId, leaseId, ...of }: wire.MsgActivateEscrow): void {
    const recipient = lowered(of.recipient);
    const escrow = this.find("escrow", escrowId, 1501);
    this.only(sender, escrow.depositor, this.params.authority);
    refuse([1518, this.isOver(escrow)], [1503, escrow.status !== "pending"]);
    refuse([1503, recipient === escrow.depositor], [1521, !this.canBePaid(recipient)]);
    const times = { activatedAtNs: this.now, autoSettleAtNs: this.nextSettlement };
    this.change(escrow, { leaseId, recipient, status: "active", ...times });
    this.emit("EscrowActivated", escrow);
  }

  get nextSettlement(): bigint {
    return this.after(this.params.settlementPeriod);
  }

  MsgReleaseEscrow({ sender, escrowId, reason, ...of }: wire.MsgReleaseEscrow): void {
    const escrow = this.find("escrow", escrowId, 1501);
    const { depositor, recipient, status, balance } = escrow;
    this.only(sender, depositor, this.params.authority);
    refuse([1518, this.isOver(escrow)], [1519, status !== "active" && status !== "disputed"]);
    const isMet = status === "disputed" || this.areConditionsMet(escrow);
    refuse([1517, this.openOf(escrow).length > 0 || !isMet]);
    const amount = of.amount.length === 0 ? balance : plus(of.amount);
    refuse([1504, !covers(balance, amount)]);
    const isLast = minus(balance, amount).length === 0;
    if (amount.length > 0) this.release(escrow, amount, isLast);
    if (isLast) this.close(escrow, "released", reason || "released");
    this.emit("EscrowReleased", escrow, { recipient, amount, reason });
  }

  /** Pays coins of an escrow to its recipient: a settlement without usage. */
  release(escrow: Escrow, total: Coins, isFinal: boolean): void {
    const shares = this.sharesOf(total, this.params.releaseFees);
    this.moveShares("settlement_escrow", escrow.recipient, shares);
    const type = isFinal ? "final" : "periodic";
    this.settleWith(escrow, { ...shares, ...this.lifeOf(escrow), isFinal, type });
    this.spend(escrow, total, []);
  }

  /** The period of a settlement without usage. */
  lifeOf({ activatedAtNs }: Escrow) {
    return { periodStart: activatedAtNs / SECOND, periodEnd: this.second };
  }

  /** A settlement that is told at once. */
  settleWith(escrow: Escrow, fields: Partial<Settlement>): void {
    const settlement = this.addSettlement(escrow, fields);
    const { total: totalAmount, type: settlementType } = settlement;
    const counts = { records: 0, recordsRemaining: 0, stoppedAt: "" };
    this.emit("OrderSettled", settlement, { totalAmount, settlementType, ...counts });
  }

  addSettlement(escrow: Escrow, fields: Partial<Settlement>): Settlement {
    const refunded = { platformFee: [], validatorFee: [], holdback: [], net: [], tax: [] };
    const of = { escrowSeq: escrow.seq, provider: escrow.recipient, refunded };
    return this.add("settlement", { ...of, ...fields }, "settle");
  }

  spend(escrow: Escrow, total: Coins, tax: Coins): void {
    const balance = minus(escrow.balance, total, tax);
    const sums = {
      taxPaid: plus(escrow.taxPaid, tax),
      settlementCount: escrow.settlementCount + 1,
    };
    const times = { lastSettledAtNs: this.now, autoSettleAtNs: this.nextSettlement };
    const totalSettled = plus(escrow.totalSettled, total);
    this.change(escrow, { balance, totalSettled, ...sums, ...times });
  }

  close(escrow: Escrow, status: string, closureReason: string): void {
    this.change(escrow, { status, closureReason, closedAtNs: this.now });
  }

  /** Gives coins of an escrow back to its depositor. */
  giveBack(escrow: Escrow, amount: Coins): void {
    const { depositor, refunded, balance } = escrow;
    this.move("settlement_escrow", depositor, amount);
    this.change(escrow, { balance: minus(balance, amount), refunded: plus(refunded, amount) });
  }

  MsgRefundEscrow({ sender, escrowId, reason }: wire.MsgRefundEscrow): void {
    const escrow = this.find("escrow", escrowId, 1501);
    const [isKept, open] = [escrow.openDisputes > 0, this.openOf(escrow)];
    const amount = minus(escrow.balance, escrow.reserved);
    this.only(sender, ...this.partiesOf(escrow));
    refuse([1503, !this.isLive(escrow)], [1518, this.isOver(escrow)]);
    refuse([1517, sender === escrow.depositor && open.length > 0]);
    refuse([1535, isKept && amount.length === 0]);
    for (const usage of open) if (!usage.disputed) this.writeOff(usage);
    const to = { total: amount, providerShare: amount, provider: escrow.depositor };
    const facts = { ...to, ...this.lifeOf(escrow), type: "refund", isFinal: !isKept };
    if (amount.length > 0) this.addSettlement(escrow, facts);
    this.giveBack(escrow, amount);
    if (!isKept) this.close(escrow, "refunded", reason);
    this.emit("EscrowRefunded", escrow, { amount, reason });
  }

  writeOff(usage: Usage): void {
    this.change(usage, { status: "written_off" });
    this.emit("UsageWrittenOff", usage, { totalCost: coin(usage.denom, usage.cost) });
  }

  MsgDisputeEscrow({ sender, escrowId, reason, evidence }: wire.MsgDisputeEscrow): void {
    const escrow = this.find("escrow", escrowId, 1501);
    this.only(sender, escrow.depositor, escrow.recipient);
    refuse([1518, this.isOver(escrow)], [1503, escrow.status !== "active"]);
    const said = { disputedBy: sender, disputeReason: reason, disputeEvidence: evidence };
    const dispute = { disputedAtNs: this.now, closureReason: reason };
    this.change(escrow, { status: "disputed", ...said, ...dispute });
    this.emit("EscrowDisputed", escrow, { reason });
  }

  /** The end of an escrow: what is left goes back, or to the provider. */
  finish(escrow: Escrow, status: string, reason: string): void {
    const isReleased = status === "released";
    const amount = isReleased && this.params.finalRemainder === "provider" ? escrow.balance : [];
    if (amount.length > 0) this.release(escrow, amount, true);
    else this.giveBack(escrow, escrow.balance);
    this.close(escrow, status, reason);
    if (isReleased) this.emit("EscrowReleased", escrow, { amount, reason });
  }

  MsgSetReleaseConditions({ sender, escrowId, ...of }: own.MsgSetReleaseConditions): void {
    const escrow = this.find("escrow", escrowId, 1501);
    this.only(sender, escrow.depositor);
    refuse([1518, this.isOver(escrow)], [1503, escrow.status !== "pending"]);
    const conditions = of.conditions.map(({ type, satisfied: _, satisfiedAt: __, ...rest }) => {
      const requiredSigners = rest.requiredSigners.map(lowered);
      return { ...rest, requiredSigners, kind: type, satisfiedAtNs: 0n };
    });
    const none = { recordedUnits: 0n, signatures: [], verificationScore: 0, verifiedAtNs: 0n };
    this.change(escrow, { release: conditions.length > 0 ? { conditions, ...none } : undefined });
    const kinds = conditions.map(({ kind }) => kind).join(",");
    this.emit("ReleaseConditionsSet", escrow, { conditions: kinds });
  }

  /** Satisfies what is so now; what is satisfied stays. @returns whether all are */
  areConditionsMet(escrow: Escrow, ...kinds: string[]): boolean {
    const { conditions = [], signatures = [], ...has } = escrow.release ?? ({} as Partial<Release>);
    const { recordedUnits = 0n, verifiedAtNs = 0n, verificationScore = 0 } = has;
    const isUnlocked = (after: bigint) => this.now > after * SECOND;
    for (const condition of conditions) {
      const { kind, requiredSigners, signatureThreshold, minUsageUnits, satisfiedAtNs } = condition;
      const signed = requiredSigners.filter((name) => signatures.some((s) => s.signer === name));
      const isScored = verificationScore >= condition.requiredVerificationScore;
      const isMet: Readonly<Record<string, boolean>> = {
        signature: signed.length === requiredSigners.length,
        multisig: signed.length >= signatureThreshold,
        usage_threshold: recordedUnits >= minUsageUnits,
        verification: verifiedAtNs > 0n && isScored,
      };
      if (satisfiedAtNs > 0n || isMet[kind] !== true || !kinds.includes(kind)) continue;
      this.change(condition, { satisfiedAtNs: this.now });
      this.emit("ReleaseConditionSatisfied", escrow, { condition: kind });
    }
    return conditions.every(({ kind, satisfiedAtNs, unlockAfter }) => {
      return satisfiedAtNs > 0n || (kind === "timelock" && isUnlocked(unlockAfter));
    });
  }

  /** Units recorded for the escrow, as corrected: what a condition may wait for. */
  countUnits(escrow: Escrow, units: bigint): void {
    const { release } = escrow;
    const isAsked = release?.conditions.some(({ kind, satisfiedAtNs }) => {
      return kind === "usage_threshold" && satisfiedAtNs === 0n;
    });
    if (release === undefined || isAsked !== true) return;
    const recordedUnits = lower(release.recordedUnits + units, 2n ** 64n - 1n);
    this.change(release, { recordedUnits });
    this.areConditionsMet(escrow, "usage_threshold");
  }

  /** The conditions of an active escrow that has some. */
  releaseOf(escrow: Escrow): Release {
    this.onlyActive(escrow);
    refuse([1516, escrow.release === undefined]);
    return escrow.release as Release;
  }

  MsgSignRelease({ sender: signer, escrowId }: own.MsgSignRelease): Facts {
    const escrow = this.find("escrow", escrowId, 1501);
    const release = this.releaseOf(escrow);
    this.only(signer, ...release.conditions.flatMap(({ requiredSigners }) => requiredSigners));
    if (!release.signatures.some((each) => each.signer === signer)) {
      const signatures = [...release.signatures, { signer, signedAtNs: this.now }];
      this.change(release, { signatures });
      this.emit("ReleaseSigned", escrow, { signer });
    }
    return { satisfied: this.areConditionsMet(escrow, "signature", "multisig") };
  }

  MsgAttestVerification({ sender, escrowId, score }: own.MsgAttestVerification): Facts {
    this.onlyAuthority(sender);
    const escrow = this.find("escrow", escrowId, 1501);
    const attested = { verificationScore: score, verifiedAtNs: this.now };
    this.change(this.releaseOf(escrow), attested);
    this.emit("VerificationAttested", escrow, { score });
    return { satisfied: this.areConditionsMet(escrow, "verification") };
  }
}
