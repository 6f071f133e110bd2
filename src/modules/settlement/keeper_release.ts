import type { Context } from "../../baseapp/context.ts";
import {
  type EscrowState,
  EscrowStatus,
  type ReleaseConditionState,
  ReleaseConditionKind,
  type ReleaseTerms,
} from "../../gen/settled/settlement/v1/state.ts";
import { must } from "../../lib/assert.ts";
import { ChainError } from "../../lib/errors.ts";
import { minBigint, UINT64_MAX } from "../../lib/int.ts";
import { formatTime, type TimeNs, timeOfSeconds } from "../../types/time.ts";
import * as errors from "./errors.ts";
import * as events from "./events_release.ts";
import { escrowId } from "./ids.ts";
import {
  type EscrowKeeper,
  requireActive,
  requireUnexpired,
  unauthorized,
} from "./keeper_escrow.ts";
import type { Records } from "./records.ts";
import { conditionName, statusName } from "./status_names.ts";

const Kind = ReleaseConditionKind;

/** What has to be so before a depositor, or the authority, releases an active escrow. */
export class ReleaseKeeper {
  readonly #records: Records;
  readonly #escrows: EscrowKeeper;

  constructor(records: Records, escrows: EscrowKeeper) {
    this.#records = records;
    this.#escrows = escrows;
  }

  /**
   * Replaces the conditions of a pending escrow.
   * @throws ChainError settlement/1501, 1505, 1518 or 1503
   */
  set(
    ctx: Context,
    request: { sender: string; escrowId: string; conditions: ReleaseConditionState[] },
  ): void {
    const before = this.#escrows.byId(ctx, request.escrowId);
    const { depositor, status, seq, orderId } = before;
    if (request.sender !== depositor) throw unauthorized(request.sender, `depositor ${depositor}`);
    requireUnexpired(ctx, before);
    if (status !== EscrowStatus.ESCROW_STATUS_PENDING) {
      const detail = `${escrowId(seq)}: conditions are set while it is pending, found ${statusName(status)}`;
      throw new ChainError(errors.ErrInvalidStateTransition, detail);
    }
    const { conditions } = request;
    const release = conditions.length === 0 ? undefined : termsOf(conditions);
    this.#records.setEscrow(ctx, before, { ...before, release });
    const names = conditions.map(({ kind }) => conditionName(kind));
    ctx.emit(events.releaseConditionsSet({ escrowId: escrowId(seq), orderId, names }));
  }

  /** A signer agrees; a repeat changes nothing. Returns whether all conditions are satisfied. */
  sign(ctx: Context, request: { sender: string; escrowId: string }): boolean {
    const { escrow, release } = this.#active(ctx, request.escrowId);
    const { sender } = request;
    const named = release.conditions.some(({ requiredSigners }) =>
      requiredSigners.includes(sender),
    );
    if (!named) throw unauthorized(sender, "a signer whom a release condition names");
    if (release.signatures.some(({ signer }) => signer === sender)) {
      return allSatisfied(ctx.time, release);
    }
    const signatures = [...release.signatures, { signer: sender, signedAtNs: ctx.time }];
    ctx.emit(
      events.releaseSigned({ escrowId: escrowId(escrow.seq), signer: sender, at: ctx.time }),
    );
    return update(ctx, this.#records, escrow, { ...release, signatures });
  }

  /** Stores how well the service was verified. Returns whether all conditions are satisfied. */
  attest(ctx: Context, request: { sender: string; escrowId: string; score: number }): boolean {
    const { authority } = this.#records.params(ctx).extended;
    if (authority === "" || request.sender !== authority) {
      throw unauthorized(
        request.sender,
        authority === "" ? "an authority, none is set" : authority,
      );
    }
    const { escrow, release } = this.#active(ctx, request.escrowId);
    const { score } = request;
    ctx.emit(events.verificationAttested({ escrowId: escrowId(escrow.seq), score, at: ctx.time }));
    const verified = { verificationScore: score, verifiedAtNs: ctx.time };
    return update(ctx, this.#records, escrow, { ...release, ...verified });
  }

  #active(ctx: Context, id: string): { escrow: EscrowState; release: ReleaseTerms } {
    const escrow = this.#escrows.byId(ctx, id);
    requireActive(ctx, escrow);
    if (escrow.release === undefined) {
      throw new ChainError(errors.ErrInvalidCondition, `${id} has no release conditions`);
    }
    return { escrow, release: escrow.release };
  }
}

/** Counts the units of a record, when a condition of its escrow asks for them. */
export function countUnits(
  ctx: Context,
  records: Records,
  escrow: EscrowState,
  units: bigint,
): void {
  const { release } = escrow;
  const asked = release?.conditions.some(
    ({ kind, satisfiedAtNs }) =>
      kind === Kind.RELEASE_CONDITION_KIND_USAGE_THRESHOLD && satisfiedAtNs === 0n,
  );
  if (release === undefined || asked !== true) return;
  // No threshold is above 2^64 - 1, so there it has been reached.
  const recordedUnits = minBigint(release.recordedUnits + units, UINT64_MAX);
  update(ctx, records, escrow, { ...release, recordedUnits });
}

/** @throws ChainError settlement/1517 naming the first condition that is not satisfied. */
export function requireConditions(ctx: Context, escrow: EscrowState): void {
  const { release, seq } = escrow;
  const open = release?.conditions.find((each) => !isSatisfied(ctx.time, each));
  if (release === undefined || open === undefined) return;
  const rule = ruleOf(open);
  const found = rule.found(open, release, ctx.time);
  const detail = `${escrowId(seq)}: ${conditionName(open.kind)} expects ${rule.wanted(open)}, found ${found}`;
  throw new ChainError(errors.ErrConditionsNotMet, detail, { condition: conditionName(open.kind) });
}

/** A time lock by the time alone, strictly after it; every other condition once it was met. */
export function isSatisfied(time: TimeNs, condition: ReleaseConditionState): boolean {
  return condition.kind === Kind.RELEASE_CONDITION_KIND_TIMELOCK
    ? time > timeOfSeconds(condition.unlockAfter)
    : condition.satisfiedAtNs !== 0n;
}

function allSatisfied(time: TimeNs, { conditions }: ReleaseTerms): boolean {
  return conditions.every((each) => isSatisfied(time, each));
}

function termsOf(conditions: ReleaseConditionState[]): ReleaseTerms {
  return {
    conditions,
    recordedUnits: 0n,
    signatures: [],
    verificationScore: 0,
    verifiedAtNs: 0n,
  };
}

/** Stores the terms, with what has become true by them. */
function update(ctx: Context, records: Records, escrow: EscrowState, terms: ReleaseTerms): boolean {
  const id = escrowId(escrow.seq);
  const conditions = terms.conditions.map((each) => {
    if (each.satisfiedAtNs !== 0n || !ruleOf(each).isMet(each, terms)) return each;
    const condition = conditionName(each.kind);
    ctx.emit(events.releaseConditionSatisfied({ escrowId: id, condition, at: ctx.time }));
    return { ...each, satisfiedAtNs: ctx.time };
  });
  const release = { ...terms, conditions };
  records.setEscrow(ctx, escrow, { ...escrow, release });
  return allSatisfied(ctx.time, release);
}

/** What one kind of condition expects, and finds. */
interface Rule {
  isMet(condition: ReleaseConditionState, terms: ReleaseTerms): boolean;
  wanted(condition: ReleaseConditionState): string;
  found(condition: ReleaseConditionState, terms: ReleaseTerms, now: TimeNs): string;
}

const SIGNATURE: Rule = {
  isMet: (condition, terms) => agreed(condition, terms) === condition.requiredSigners.length,
  wanted: ({ requiredSigners }) => `${requiredSigners.length} signatures`,
  found: (condition, terms) => agreed(condition, terms).toString(),
};

const RULES: Readonly<Record<number, Rule>> = {
  [Kind.RELEASE_CONDITION_KIND_TIMELOCK]: {
    // By the time alone: see isSatisfied.
    isMet: () => false,
    wanted: ({ unlockAfter }) => `a time after ${formatTime(timeOfSeconds(unlockAfter))}`,
    found: (_condition, _terms, now) => formatTime(now),
  },
  [Kind.RELEASE_CONDITION_KIND_SIGNATURE]: SIGNATURE,
  [Kind.RELEASE_CONDITION_KIND_MULTISIG]: {
    ...SIGNATURE,
    isMet: (condition, terms) => agreed(condition, terms) >= condition.signatureThreshold,
    wanted: ({ signatureThreshold }) => `${signatureThreshold} signatures`,
  },
  [Kind.RELEASE_CONDITION_KIND_USAGE_THRESHOLD]: {
    isMet: ({ minUsageUnits }, { recordedUnits }) => recordedUnits >= minUsageUnits,
    wanted: ({ minUsageUnits }) => `${minUsageUnits} units`,
    found: (_condition, { recordedUnits }) => recordedUnits.toString(),
  },
  [Kind.RELEASE_CONDITION_KIND_VERIFICATION]: {
    isMet: ({ requiredVerificationScore: score }, { verifiedAtNs, verificationScore }) =>
      verifiedAtNs !== 0n && verificationScore >= score,
    wanted: ({ requiredVerificationScore }) => `a score of ${requiredVerificationScore}`,
    found: (_condition, { verifiedAtNs, verificationScore }) =>
      verifiedAtNs === 0n ? "none" : verificationScore.toString(),
  },
};

function ruleOf({ kind }: ReleaseConditionState): Rule {
  return must(RULES[kind], "settlement: a condition has a known kind");
}

function agreed({ requiredSigners }: ReleaseConditionState, { signatures }: ReleaseTerms): number {
  return signatures.filter(({ signer }) => requiredSigners.includes(signer)).length;
}
