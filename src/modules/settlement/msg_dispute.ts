import { type MsgRoute, msgRoute } from "../../baseapp/module.ts";
import * as tx from "../../gen/settled/settlement/v1/tx.ts";
import { DisputeStatus } from "../../gen/settled/settlement/v1/state.ts";
import { ChainError } from "../../lib/errors.ts";
import { secondsOf, type TimeNs } from "../../types/time.ts";
import { disputeId } from "./dispute_records.ts";
import * as errors from "./errors.ts";
import { timedId } from "./ids.ts";
import type { DisputeKeeper } from "./keeper_dispute.ts";
import * as check from "./msg_validate.ts";
import type { Records } from "./records.ts";
import { disputeStatusName, resolutionStatusOf } from "./status_names.ts";
import { usageIdOf } from "./usage_facts.ts";

const NAME = "settled.settlement.v1.Msg";
const HASH_BYTES = 32;

/** Messages about disputes of single usage records. */
export function disputeMsgs(records: Records, disputes: DisputeKeeper): MsgRoute[] {
  return [
    msgRoute({
      name: `${NAME}DisputeUsage`,
      codec: tx.MsgDisputeUsage,
      responseCodec: tx.MsgDisputeUsageResponse,
      gas: 20_000n,
      signers: ({ sender }) => [sender],
      validate: (msg, chain) => {
        const kind = errors.ErrMsgUsageRecord;
        check.address(msg.sender, "sender", chain);
        check.text(msg.usageId, "usage_id", kind);
        check.text(msg.reason, "reason", kind, check.REASON_BYTES_MAX);
        const { length } = msg.evidenceHash;
        if (length !== 0 && length !== HASH_BYTES) {
          const detail = `evidence_hash must have 32 bytes or none, found ${length}`;
          throw new ChainError(kind, detail);
        }
      },
      handle: (ctx, msg) => {
        const { seq, expiresAtNs } = disputes.open(ctx, msg);
        return { disputeId: disputeId(seq), expiresAt: secondsOf(expiresAtNs as TimeNs) };
      },
    }),
    resolveMsg(records, disputes),
  ];
}

function resolveMsg(records: Records, disputes: DisputeKeeper): MsgRoute {
  return msgRoute({
    name: `${NAME}ResolveDispute`,
    codec: tx.MsgResolveDispute,
    responseCodec: tx.MsgResolveDisputeResponse,
    gas: 50_000n,
    signers: ({ sender }) => [sender],
    validate: (msg, chain) => {
      check.address(msg.sender, "sender", chain);
      check.text(msg.disputeId, "dispute_id", errors.ErrMsgUsageRecord);
      requireResolution(msg);
    },
    handle: (ctx, msg) => {
      const { unitPrice: wire, usageUnits: units } = msg;
      const status = resolutionStatusOf(msg.resolution) ?? DisputeStatus.DISPUTE_STATUS_UNSPECIFIED;
      const price = wire && { denom: wire.denom, price: check.priceOf(msg) };
      const resolution = { status, units, unitPrice: price };
      const { sender } = msg;
      const after = disputes.resolve(ctx, { sender, disputeId: msg.disputeId, resolution });
      const amended = after.amendedSeq === 0n ? undefined : records.usage(ctx, after.amendedSeq);
      return {
        state: disputeStatusName(after.status),
        usageId: amended === undefined ? "" : usageIdOf(amended),
        refundId: after.refundSeq === 0n ? "" : timedId("refund", ctx.time, after.refundSeq),
      };
    },
  });
}

/** @throws ChainError settlement/5 */
function requireResolution(msg: tx.MsgResolveDispute): void {
  const kind = errors.ErrMsgUsageRecord;
  const status = resolutionStatusOf(msg.resolution);
  if (status === undefined) {
    const found = msg.resolution.slice(0, 64);
    const detail = `resolution must be accepted, rejected or amended, found "${found}"`;
    throw new ChainError(kind, detail);
  }
  const { usageUnits, unitPrice } = msg;
  if (status === DisputeStatus.DISPUTE_STATUS_AMENDED) {
    if (usageUnits === 0n) {
      throw new ChainError(kind, "usage_units is 0: accept the dispute instead");
    }
    if (unitPrice !== undefined) check.unitPrice({ unitPrice });
  } else if (usageUnits !== 0n || unitPrice !== undefined) {
    const detail = `usage_units and unit_price are of an amended record, found resolution ${msg.resolution}`;
    throw new ChainError(kind, detail);
  }
}
