import type * as own from "../../../src/gen/settled/settlement/v1/tx.ts";
import type * as wire from "../../../src/gen/virtengine/settlement/v1/tx.ts";
import type { Coin } from "../../../src/gen/cosmos/base/v1beta1/coin.ts";
import { Rewards } from "./rewards.ts";
import { NO_FEES, isLive, type Escrow, type Usage, type Settlement } from "./records.ts";
import { SECOND, refuse, plus, minus, coin, covers } from "./rules.ts";

// The second model: escrows and release conditions.

export class Escrows extends Rewards {
  MsgCreateEscrow({ sender, orderId, amount, expiresIn }: wire.MsgCreateEscrow): void {
    const { minEscrowDuration, maxEscrowDuration } = this.params;
    const former = this.tables.escrow.findLast((escrow) => escrow.orderId === orderId);
    const isTaken = former !== undefined && (isLive(former) || this.openOf(former).length > 0);
    refuse([1502, isTaken], [1500, expiresIn < minEscrowDuration || expiresIn > maxEscrowDuration]);
    const balance = plus(amount);
    this.move(sender, this.at("settlement_escrow"), balance);
    const times = { createdAtNs: this.now, expiresAtNs: this.now + expiresIn * SECOND };
    const parties = { orderId, depositor: sender, amount: balance, balance };
    const escrow = this.add("escrow", { ...parties, ...times, status: "pending" });
    if (former?.depositor !== sender) this.setTerms(orderId, { discounts: [], tax: undefined });
    this.emit("EscrowCreated", escrow, { blockHeight: this.height });
  }

  MsgActivateEscrow({ sender, escrowId, leaseId, recipient }: wire.MsgActivateEscrow): void {
    const escrow = this.find("escrow", escrowId, 1501);
    const { depositor, status } = escrow;
    refuse(
      [1505, sender !== depositor && sender !== this.params.authority],
      [1518, this.isOver(escrow)],
      [1503, status !== "pending"],
      [1503, recipient === depositor],
      [1521, !this.canBePaid(recipient)],
    );
    const autoSettleAtNs = this.now + this.params.settlementPeriod * SECOND;
    this.change(escrow, {
      leaseId,
      recipient,
      status: "active",
      activatedAtNs: this.now,
      autoSettleAtNs,
    });
    this.emit("EscrowActivated", escrow);
  }

  /** README: a release is a settlement without usage (RULES 13). */
  MsgReleaseEscrow({ sender, escrowId, amount, reason }: wire.MsgReleaseEscrow): void {
    const escrow = this.find("escrow", escrowId, 1501);
    const { depositor, recipient, status, balance } = escrow;
    refuse(
      [1505, sender !== depositor && sender !== this.params.authority],
      [1518, this.isOver(escrow)],
      [1519, status !== "active" && status !== "disputed"],
    );
    const isMet = status === "disputed" || this.areConditionsMet(escrow);
    refuse([1517, this.openOf(escrow).length > 0 || !isMet]);
    const released = amount.length === 0 ? balance : plus(amount);
    refuse([1504, !covers(balance, released)]);
    const isLast = minus(balance, released).length === 0;
    if (released.length > 0) this.release(escrow, released, isLast);
    if (isLast) this.close(escrow, "released", reason || "released");
    this.emit("EscrowReleased", escrow, { recipient, amount: released, reason });
  }

  /** Pays coins of an escrow to its recipient without usage. */
  release(escrow: Escrow, total: Coin[], isFinal: boolean): void {
    const hasFees = this.params.releaseFees;
    const { platformFee, validatorFee } = hasFees ? this.feesOf(total) : NO_FEES;
    const providerShare = minus(total, platformFee, validatorFee);
    this.move(this.at("settlement_escrow"), escrow.recipient, providerShare);
    this.moveFees("settlement_escrow", platformFee, validatorFee);
    const period = this.lifeOf(escrow);
    const parts = { total, providerShare, platformFee, validatorFee, ...period, isFinal };
    const type = isFinal ? "final" : "periodic";
    const settlement = this.addSettlement(escrow, { ...parts, type });
    this.spend(escrow, total, []);
    const counts = { records: 0, recordsRemaining: 0, stoppedAt: "" };
    this.emit("OrderSettled", settlement, { totalAmount: total, settlementType: type, ...counts });
  }

  /** The period of a settlement without usage. */
  lifeOf({ activatedAtNs }: Escrow) {
    return { periodStart: activatedAtNs / SECOND, periodEnd: this.second };
  }

  addSettlement(escrow: Escrow, fields: Partial<Settlement>): Settlement {
    const provider = escrow.recipient;
    const common = { escrowSeq: escrow.seq, provider, settledAtNs: this.now };
    const refunded = { platformFee: [], validatorFee: [], holdback: [], net: [], tax: [] };
    const record = { ...common, refunded, paramsVersion: this.version, ...fields };
    return this.add("settlement", record, "settle");
  }

  spend(escrow: Escrow, total: Coin[], tax: Coin[]): void {
    this.change(escrow, {
      ...{ balance: minus(escrow.balance, total, tax), taxPaid: plus(escrow.taxPaid, tax) },
      totalSettled: plus(escrow.totalSettled, total),
      settlementCount: escrow.settlementCount + 1,
      lastSettledAtNs: this.now,
      autoSettleAtNs: this.now + this.params.settlementPeriod * SECOND,
    });
  }

  close(escrow: Escrow, status: string, closureReason: string): void {
    this.change(escrow, { status, closureReason, closedAtNs: this.now });
  }

  /** Gives coins of an escrow back to its depositor. */
  giveBack(escrow: Escrow, amount: Coin[]): void {
    const { depositor, refunded, balance } = escrow;
    this.move(this.at("settlement_escrow"), depositor, amount);
    this.change(escrow, { balance: minus(balance, amount), refunded: plus(refunded, amount) });
  }

  MsgRefundEscrow({ sender, escrowId, reason }: wire.MsgRefundEscrow): void {
    const escrow = this.find("escrow", escrowId, 1501);
    const amount = minus(escrow.balance, escrow.reserved);
    const isKept = escrow.openDisputes > 0;
    const open = this.openOf(escrow);
    refuse(
      [1505, !this.isParty(sender, escrow)],
      [1503, !isLive(escrow)],
      [1518, this.isOver(escrow)],
      [1517, sender === escrow.depositor && open.length > 0],
      [1535, isKept && amount.length === 0],
    );
    for (const usage of open) if (!usage.disputed) this.writeOff(usage);
    if (amount.length > 0) {
      const parts = {
        total: amount,
        providerShare: amount,
        provider: escrow.depositor,
        ...this.lifeOf(escrow),
      };
      this.addSettlement(escrow, { ...parts, type: "refund", isFinal: !isKept });
    }
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
    refuse(
      [1505, sender !== escrow.depositor && sender !== escrow.recipient],
      [1518, this.isOver(escrow)],
      [1503, escrow.status !== "active"],
    );
    const dispute = { disputedAtNs: this.now, disputeEvidence: evidence, closureReason: reason };
    this.change(escrow, { status: "disputed", ...dispute });
    this.emit("EscrowDisputed", escrow, { reason });
  }

  /** The end of an escrow: what is left goes back, or to the provider. */
  finish(escrow: Escrow, status: string, reason: string): void {
    const { balance, recipient } = escrow;
    if (this.params.finalRemainder === "provider" && status === "released") {
      if (balance.length > 0) this.release(escrow, balance, true);
      this.close(escrow, status, reason);
      this.emit("EscrowReleased", escrow, { recipient, amount: balance, reason });
      return;
    }
    this.giveBack(escrow, balance);
    this.close(escrow, status, reason);
    if (status === "released")
      this.emit("EscrowReleased", escrow, { recipient, amount: [], reason });
  }

  MsgSetReleaseConditions({ sender, escrowId, conditions }: own.MsgSetReleaseConditions): void {
    const escrow = this.find("escrow", escrowId, 1501);
    refuse([1505, sender !== escrow.depositor], [1503, escrow.status !== "pending"]);
    const kept = conditions.map(({ type, ...rest }) => ({
      ...rest,
      kind: type,
      satisfiedAtNs: 0n,
    }));
    const terms = { conditions: kept, recordedUnits: 0n, signatures: [] };
    const release = { ...terms, verificationScore: 0, verifiedAtNs: 0n };
    this.change(escrow, { release: kept.length === 0 ? undefined : release });
    this.emit("ReleaseConditionsSet", escrow, {
      conditions: kept.map(({ kind }) => kind).join(","),
    });
  }

  /** Satisfies what is so now; what is satisfied stays. @returns whether all are */
  areConditionsMet(escrow: Escrow, ...kinds: string[]): boolean {
    const { release } = escrow;
    for (const condition of release?.conditions ?? []) {
      const { requiredSigners: signers, signatureThreshold, requiredVerificationScore } = condition;
      const signed = signers.filter((name) =>
        release?.signatures.some((each) => each.signer === name),
      );
      const isMet = {
        timelock: this.now > condition.unlockAfter * SECOND,
        signature: signed.length === signers.length,
        multisig: signed.length >= signatureThreshold,
        usage_threshold: (release?.recordedUnits ?? 0n) >= condition.minUsageUnits,
        verification:
          (release?.verifiedAtNs ?? 0n) > 0n &&
          (release?.verificationScore ?? 0) >= requiredVerificationScore,
      }[condition.kind];
      if (condition.satisfiedAtNs > 0n || isMet !== true || !kinds.includes(condition.kind))
        continue;
      this.change(condition, { satisfiedAtNs: this.now });
      this.emit("ReleaseConditionSatisfied", escrow, { condition: condition.kind });
    }
    return (release?.conditions ?? []).every(({ kind, satisfiedAtNs, unlockAfter }) => {
      return satisfiedAtNs > 0n || (kind === "timelock" && this.now > unlockAfter * SECOND);
    });
  }

  checkConditioned(escrow: Escrow): void {
    refuse(
      [1523, escrow.status === "disputed"],
      [1519, escrow.status !== "active"],
      [1518, this.isOver(escrow)],
      [1516, escrow.release === undefined],
    );
  }

  MsgSignRelease({ sender, escrowId }: own.MsgSignRelease): void {
    const escrow = this.find("escrow", escrowId, 1501);
    this.checkConditioned(escrow);
    const { conditions, signatures } = escrow.release as NonNullable<Escrow["release"]>;
    refuse([1505, !conditions.some(({ requiredSigners }) => requiredSigners.includes(sender))]);
    if (!signatures.some(({ signer }) => signer === sender)) {
      const signature = { signer: sender, signedAtNs: this.now };
      this.change(escrow.release as NonNullable<Escrow["release"]>, {
        signatures: [...signatures, signature],
      });
      this.emit("ReleaseSigned", escrow, { signer: sender });
    }
    this.areConditionsMet(escrow, "signature", "multisig");
  }

  MsgAttestVerification({ sender, escrowId, score }: own.MsgAttestVerification): void {
    refuse([1505, sender !== this.params.authority]);
    const escrow = this.find("escrow", escrowId, 1501);
    this.checkConditioned(escrow);
    const attested = { verificationScore: score, verifiedAtNs: this.now };
    this.change(escrow.release as NonNullable<Escrow["release"]>, attested);
    this.emit("VerificationAttested", escrow, { score });
    this.areConditionsMet(escrow, "verification");
  }
}
