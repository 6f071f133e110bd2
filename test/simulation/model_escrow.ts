import { EscrowState } from "../../src/gen/settled/settlement/v1/state.ts";
import type * as own from "../../src/gen/settled/settlement/v1/tx.ts";
import type * as wire from "../../src/gen/virtengine/settlement/v1/tx.ts";
import { close, giveBack, release, writeSettlement } from "./model_settle.ts";
import { costOf, type Escrow, escrowId, isExpired, isTerminal, made, need } from "./model_state.ts";
import { needActive, type Rules, spendable, usageId, type World } from "./model_state.ts";
import { type Coins, min, minus, parsed, SECOND, text, UNITS_MAX } from "./model_sums.ts";

// RULES 10 to 13; README, "Release conditions".

export const escrowRules: Rules = {
  MsgCreateEscrow: (w, { sender: depositor, orderId, ...m }: wire.MsgCreateEscrow) => {
    const amount = parsed(m.amount) as Coins;
    const former = w.newest(orderId);
    const isOver = former === undefined || isTerminal(former);
    need(isOver && (former === undefined || w.openOf(former).length === 0), 1502);
    const { minEscrowDuration: least, maxEscrowDuration: most } = w.params;
    need(m.expiresIn >= least && m.expiresIn <= most, 1500);
    need(w.has(depositor, amount), 1504);
    const times = { createdAtNs: w.now, expiresAtNs: w.after(m.expiresIn), height: w.height };
    const facts = { seq: w.next("escrow"), orderId, depositor, amount, balance: amount, ...times };
    const record: Partial<Escrow> = { ...facts, status: "pending" };
    const escrow = w.push(w.escrows, made<Escrow>(EscrowState, record));
    w.move(depositor, w.module("settlement_escrow"), amount);
    // Terms were agreed with the former customer.
    if (former !== undefined && former.depositor !== depositor) w.put(w.terms, orderId, undefined);
    const expires_at = escrow.expiresAtNs / SECOND;
    w.emit("EscrowCreated", { amount, expires_at, block_height: w.height }, escrow);
    return { escrowId: escrowId(escrow), createdAt: w.seconds };
  },
  MsgActivateEscrow: (w, { sender, escrowId: id, leaseId, recipient }: wire.MsgActivateEscrow) => {
    const escrow = w.escrowById(id);
    need(sender === escrow.depositor || sender === w.params.authority, 1505);
    need(!isExpired(w, escrow), 1518);
    need(escrow.status === "pending" && recipient !== escrow.depositor, 1503);
    need(!w.isModule(recipient), 1521);
    const autoSettleAtNs = w.after(w.params.settlementPeriod);
    w.set(escrow, { status: "active", recipient, leaseId, activatedAtNs: w.now, autoSettleAtNs });
    w.emit("EscrowActivated", { lease_id: leaseId }, escrow);
    return { activatedAt: w.seconds };
  },
  MsgReleaseEscrow: (w, { sender, escrowId: id, amount: asked, reason }: wire.MsgReleaseEscrow) => {
    const escrow = w.escrowById(id);
    need(sender === escrow.depositor || sender === w.params.authority, 1505);
    need(!isExpired(w, escrow), 1518);
    need(escrow.status === "active" || escrow.status === "disputed", 1519);
    need(w.openOf(escrow).length === 0, 1517);
    need(escrow.status === "disputed" || isSatisfied(w, escrow), 1517);
    const amount = asked.length === 0 ? escrow.balance : (parsed(asked) as Coins);
    need(minus(escrow.balance, amount) !== undefined, 1504);
    release(w, escrow, amount, reason);
    return { releasedAmount: text(amount), releasedAt: w.seconds };
  },
  MsgRefundEscrow: (w, { sender, escrowId: id, reason }: wire.MsgRefundEscrow) => {
    const escrow = w.escrowById(id);
    const { depositor, recipient, openDisputes } = escrow;
    need([depositor, recipient, w.params.authority].includes(sender), 1505);
    need(!isTerminal(escrow), 1503);
    need(!isExpired(w, escrow), 1518);
    const open = w.openOf(escrow);
    // Of a depositor who is the authority, too: no document says so.
    need(sender !== depositor || open.length === 0, 1517);
    for (const usage of open) {
      if (usage.disputed) continue;
      w.set(usage, { status: "written_off" });
      w.emit("UsageWrittenOff", { usage_id: usageId(usage), total_cost: costOf(usage) });
    }
    const [amount, isFinal] = [spendable(escrow), openDisputes === 0];
    need(isFinal || amount.size > 0, 1535);
    giveBack(w, escrow);
    if (amount.size > 0) {
      const facts = { seq: w.next("settlement"), provider: depositor, total: amount };
      writeSettlement(w, escrow, { ...facts, providerShare: amount, type: "refund", isFinal });
    }
    if (isFinal) close(w, escrow, "refunded", reason);
    w.emit("EscrowRefunded", { amount, reason }, escrow);
    return { refundedAmount: text(amount), refundedAt: w.seconds };
  },
  MsgDisputeEscrow: (w, { sender, escrowId: id, reason, evidence }: wire.MsgDisputeEscrow) => {
    const escrow = w.escrowById(id);
    need(sender === escrow.depositor || sender === escrow.recipient, 1505);
    need(!isExpired(w, escrow), 1518);
    need(escrow.status === "active", 1503);
    const facts = { closureReason: reason, disputedAtNs: w.now, disputeEvidence: evidence };
    w.set(escrow, { status: "disputed", ...facts });
    w.emit("EscrowDisputed", { reason }, escrow);
    return { disputedAt: w.seconds };
  },
  MsgSetReleaseConditions: (w, m: own.MsgSetReleaseConditions) => {
    const escrow = w.escrowById(m.escrowId);
    need(m.sender === escrow.depositor, 1505);
    need(escrow.status === "pending", 1503);
    const conditions = m.conditions.map(({ type: kind, ...rest }) => {
      const { unlockAfter, requiredSigners, signatureThreshold, minUsageUnits } = rest;
      const facts = { kind, unlockAfter, requiredSigners, signatureThreshold, minUsageUnits };
      const { requiredVerificationScore } = rest;
      return { ...facts, requiredVerificationScore, satisfiedAtNs: 0n };
    });
    const empty = { recordedUnits: 0n, signatures: [], verificationScore: 0, verifiedAtNs: 0n };
    w.set(escrow, { release: conditions.length > 0 ? { conditions, ...empty } : undefined });
    const kinds = conditions.map(({ kind }) => kind).join(",");
    w.emit("ReleaseConditionsSet", { conditions: kinds }, escrow);
    return {};
  },
  MsgSignRelease: (w, { sender: signer, escrowId: id }: own.MsgSignRelease) => {
    const { escrow, release } = termsOf(w, id);
    need(
      release.conditions.some((each) => each.requiredSigners.includes(signer)),
      1505,
    );
    const { signatures } = release;
    if (signatures.some((each) => each.signer === signer)) {
      return { satisfied: isSatisfied(w, escrow) };
    }
    w.emit("ReleaseSigned", { signer }, escrow);
    return become(w, escrow, { signatures: [...signatures, { signer, signedAtNs: w.now }] });
  },
  MsgAttestVerification: (w, { sender, escrowId: id, score }: own.MsgAttestVerification) => {
    w.needAuthority(sender);
    const { escrow } = termsOf(w, id);
    w.emit("VerificationAttested", { score }, escrow);
    return become(w, escrow, { verificationScore: score, verifiedAtNs: w.now });
  },
};

type Terms = NonNullable<Escrow["release"]>;

function termsOf(w: World, id: string) {
  const escrow = w.escrowById(id);
  needActive(w, escrow);
  const { release } = escrow;
  need(release !== undefined, 1516);
  return { escrow, release };
}

/** A time lock by the time, strictly after it; the others stay satisfied. */
function isSatisfied(w: World, { release }: Escrow): boolean {
  return (release?.conditions ?? []).every((c) => {
    return c.kind === "timelock" ? w.now > c.unlockAfter * SECOND : c.satisfiedAtNs !== 0n;
  });
}

/** Terms after something happened. @returns whether all conditions are satisfied */
function become(w: World, escrow: Escrow, change: Partial<Terms>): { satisfied: boolean } {
  const terms = { ...(escrow.release as Terms), ...change };
  const conditions = terms.conditions.map((condition) => {
    if (condition.satisfiedAtNs !== 0n || !isMet(condition, terms)) return condition;
    w.emit("ReleaseConditionSatisfied", { condition: condition.kind }, escrow);
    return { ...condition, satisfiedAtNs: w.now };
  });
  w.set(escrow, { release: { ...terms, conditions } });
  return { satisfied: isSatisfied(w, escrow) };
}

function isMet(c: Terms["conditions"][number], terms: Terms): boolean {
  const agreed = terms.signatures.filter(({ signer }) => c.requiredSigners.includes(signer)).length;
  if (c.kind === "signature") return agreed === c.requiredSigners.length;
  if (c.kind === "multisig") return agreed >= c.signatureThreshold;
  if (c.kind === "usage_threshold") return terms.recordedUnits >= c.minUsageUnits;
  const { verifiedAtNs, verificationScore: score } = terms;
  return c.kind === "verification" && verifiedAtNs !== 0n && score >= c.requiredVerificationScore;
}

/** Units of new usage, or less of it, while a condition asks for them. */
export function countUnits(w: World, escrow: Escrow, units: bigint): void {
  const { release } = escrow;
  const asks = release?.conditions.some((c) => c.kind === "usage_threshold" && !c.satisfiedAtNs);
  if (release === undefined || asks !== true) return;
  become(w, escrow, { recordedUnits: min(release.recordedUnits + units, UNITS_MAX) });
}
