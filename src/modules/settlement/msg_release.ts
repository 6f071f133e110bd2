import type { ChainInfo } from "../../baseapp/context.ts";
import { type MsgRoute, msgRoute } from "../../baseapp/module.ts";
import {
  type ReleaseConditionState,
  ReleaseConditionKind,
} from "../../gen/settled/settlement/v1/state.ts";
import * as tx from "../../gen/settled/settlement/v1/tx.ts";
import type { ReleaseCondition } from "../../gen/virtengine/settlement/v1/query.ts";
import { ChainError } from "../../lib/errors.ts";
import { parseAddress } from "../../types/address.ts";
import * as errors from "./errors.ts";
import type { ReleaseKeeper } from "./keeper_release.ts";
import * as check from "./msg_validate.ts";
import { conditionKindOf } from "./status_names.ts";

const NAME = "settled.settlement.v1.Msg";
const CONDITIONS_MAX = 16;
const SIGNERS_MAX = 16;
const SCORE_MAX = 100;

/** Messages about the conditions of a release. */
export function releaseMsgs(keeper: ReleaseKeeper): MsgRoute[] {
  return [
    msgRoute({
      name: `${NAME}SetReleaseConditions`,
      codec: tx.MsgSetReleaseConditions,
      responseCodec: tx.MsgSetReleaseConditionsResponse,
      gas: 10_000n,
      signers: ({ sender }) => [sender],
      validate: (msg, chain) => {
        check.address(msg.sender, "sender", chain);
        check.text(msg.escrowId, "escrow_id", errors.ErrMsgEscrow);
        conditionsOf(msg.conditions, chain);
      },
      handle: (ctx, { sender, escrowId, conditions }) => {
        keeper.set(ctx, { sender, escrowId, conditions: conditionsOf(conditions, ctx.chain) });
        return {};
      },
    }),
    msgRoute({
      name: `${NAME}SignRelease`,
      codec: tx.MsgSignRelease,
      responseCodec: tx.MsgSignReleaseResponse,
      gas: 5000n,
      signers: ({ sender }) => [sender],
      validate: (msg, chain) => {
        check.address(msg.sender, "sender", chain);
        check.text(msg.escrowId, "escrow_id", errors.ErrMsgEscrow);
      },
      handle: (ctx, msg) => ({ satisfied: keeper.sign(ctx, msg) }),
    }),
    msgRoute({
      name: `${NAME}AttestVerification`,
      codec: tx.MsgAttestVerification,
      responseCodec: tx.MsgAttestVerificationResponse,
      gas: 5000n,
      signers: ({ sender }) => [sender],
      validate: (msg, chain) => {
        check.address(msg.sender, "sender", chain);
        check.text(msg.escrowId, "escrow_id", errors.ErrMsgEscrow);
        if (msg.score > SCORE_MAX) bad(`score: expected at most ${SCORE_MAX}, found ${msg.score}`);
      },
      handle: (ctx, msg) => ({ satisfied: keeper.attest(ctx, msg) }),
    }),
  ];
}

function bad(detail: string): never {
  throw new ChainError(errors.ErrInvalidCondition, detail);
}

/** @throws ChainError settlement/1516 naming the condition, expected and found. */
function conditionsOf(
  wire: readonly ReleaseCondition[],
  chain: ChainInfo,
): ReleaseConditionState[] {
  if (wire.length > CONDITIONS_MAX) {
    bad(`at most ${CONDITIONS_MAX} conditions, found ${wire.length}`);
  }
  return wire.map((each, index) => conditionOf(each, `conditions[${index}]`, chain));
}

function conditionOf(
  wire: ReleaseCondition,
  place: string,
  chain: ChainInfo,
): ReleaseConditionState {
  const kind = conditionKindOf(wire.type);
  if (kind === undefined) {
    const known = "timelock, signature, multisig, usage_threshold or verification";
    return bad(`${place}.type: expected ${known}, found "${wire.type.slice(0, 64)}"`);
  }
  if (wire.satisfied || wire.satisfiedAt !== 0n) bad(`${place}.satisfied: the chain says that`);
  wire.requiredSigners.forEach((signer, at) => {
    check.address(signer, `${place}.required_signers[${at}]`, chain);
  });
  const state: ReleaseConditionState = {
    kind,
    unlockAfter: wire.unlockAfter,
    requiredSigners: wire.requiredSigners.map((signer) => parseAddress(signer, chain.bech32Prefix)),
    signatureThreshold: wire.signatureThreshold,
    minUsageUnits: wire.minUsageUnits,
    requiredVerificationScore: wire.requiredVerificationScore,
    satisfiedAtNs: 0n,
  };
  requireFields(state, place);
  return state;
}

/** Latest time that nanoseconds hold. */
const SECONDS_MAX = 9_223_372_036n;

function requireFields(state: ReleaseConditionState, place: string): void {
  const Kind = ReleaseConditionKind;
  const { kind, requiredSigners: signers, signatureThreshold: threshold } = state;
  const isSigned =
    kind === Kind.RELEASE_CONDITION_KIND_SIGNATURE || kind === Kind.RELEASE_CONDITION_KIND_MULTISIG;
  within(state.unlockAfter, `${place}.unlock_after`, {
    isUsed: kind === Kind.RELEASE_CONDITION_KIND_TIMELOCK,
    max: SECONDS_MAX,
  });
  within(BigInt(signers.length), `${place}.required_signers`, {
    isUsed: isSigned,
    max: BigInt(SIGNERS_MAX),
  });
  const repeated = signers.find((signer, index) => signers.indexOf(signer) !== index);
  if (repeated !== undefined) bad(`${place}.required_signers: ${repeated} stands there twice`);
  within(BigInt(threshold), `${place}.signature_threshold`, {
    isUsed: kind === Kind.RELEASE_CONDITION_KIND_MULTISIG,
    max: BigInt(signers.length),
  });
  within(state.minUsageUnits, `${place}.min_usage_units`, {
    isUsed: kind === Kind.RELEASE_CONDITION_KIND_USAGE_THRESHOLD,
    max: (1n << 64n) - 1n,
  });
  within(BigInt(state.requiredVerificationScore), `${place}.required_verification_score`, {
    isUsed: kind === Kind.RELEASE_CONDITION_KIND_VERIFICATION,
    max: BigInt(SCORE_MAX),
  });
}

/** From 1 to `max` in a condition that uses the field, 0 in any other. */
function within(value: bigint, place: string, use: { isUsed: boolean; max: bigint }): void {
  if (!use.isUsed && value !== 0n) bad(`${place}: this type has none, found ${value}`);
  if (use.isUsed && (value < 1n || value > use.max)) {
    bad(`${place}: expected 1 to ${use.max}, found ${value}`);
  }
}
