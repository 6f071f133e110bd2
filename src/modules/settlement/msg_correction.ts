import type { ChainInfo } from "../../baseapp/context.ts";
import { type MsgRoute, msgRoute } from "../../baseapp/module.ts";
import * as tx from "../../gen/settled/settlement/v1/tx.ts";
import { ChainError } from "../../lib/errors.ts";
import { secondsOf } from "../../types/time.ts";
import * as errors from "./errors.ts";
import type { UnitPrice } from "./keeper_ceiling.ts";
import { CorrectionKeeper } from "./keeper_correction.ts";
import type { UsageKeeper } from "./keeper_usage.ts";
import * as check from "./msg_validate.ts";
import type { Records } from "./records.ts";
import { normaliseUsageType, USAGE_TYPE_BYTES_MAX } from "../../types/usage_type.ts";

const NAME = "settled.settlement.v1.Msg";

/** Messages about usage after its report, and about its price. */
export function correctionMsgs({
  records,
  usage,
}: {
  records: Records;
  usage: UsageKeeper;
}): MsgRoute[] {
  const corrections = new CorrectionKeeper(records, usage);
  return [
    msgRoute({
      name: `${NAME}CorrectUsage`,
      codec: tx.MsgCorrectUsage,
      responseCodec: tx.MsgCorrectUsageResponse,
      gas: 4000n,
      signers: ({ sender }) => [sender],
      validate: validateCorrectUsage,
      handle: (ctx, msg) => {
        const correctedAt = secondsOf(ctx.time);
        if (msg.usageUnits === 0n) {
          corrections.withdraw(ctx, msg);
          return { usageId: "", totalCost: "", correctedAt };
        }
        const request = { ...msg, units: msg.usageUnits, unitPrice: priceOf(msg) };
        return { ...corrections.correct(ctx, request), correctedAt };
      },
    }),
    msgRoute({
      name: `${NAME}SetPriceCeiling`,
      codec: tx.MsgSetPriceCeiling,
      responseCodec: tx.MsgSetPriceCeilingResponse,
      gas: 5000n,
      signers: ({ sender }) => [sender],
      validate: validateSetPriceCeiling,
      handle: (ctx, { sender, orderId, usageType, maxUnitPrice }) => {
        const max = maxUnitPrice === undefined ? undefined : priceOf({ unitPrice: maxUnitPrice });
        const request = { sender, orderId, usageType, max };
        return { effectiveFrom: usage.ceilings.set(ctx, request) };
      },
    }),
    msgRoute({
      name: `${NAME}ClearAnomaly`,
      codec: tx.MsgClearAnomaly,
      responseCodec: tx.MsgClearAnomalyResponse,
      gas: 1000n,
      signers: ({ sender }) => [sender],
      validate: (msg, chain) => {
        check.address(msg.sender, "sender", chain);
        check.text(msg.usageId, "usage_id", errors.ErrMsgUsageRecord);
      },
      handle: (ctx, msg) => {
        corrections.clearAnomaly(ctx, msg);
        return {};
      },
    }),
  ];
}

function validateCorrectUsage(msg: tx.MsgCorrectUsage, chain: ChainInfo): void {
  const kind = errors.ErrMsgUsageRecord;
  check.address(msg.sender, "sender", chain);
  check.text(msg.usageId, "usage_id", kind);
  check.limited(msg.reason, "reason", kind, check.REASON_BYTES_MAX);
  check.signature(msg.signature);
  if (msg.usageUnits !== 0n) check.unitPrice(msg);
}

function validateSetPriceCeiling(msg: tx.MsgSetPriceCeiling, chain: ChainInfo): void {
  const kind = errors.ErrMsgUsageRecord;
  check.address(msg.sender, "sender", chain);
  check.text(msg.orderId, "order_id", kind);
  check.text(msg.usageType, "usage_type", kind, USAGE_TYPE_BYTES_MAX);
  if (normaliseUsageType(msg.usageType) === "") {
    throw new ChainError(kind, "usage_type is empty but for blanks");
  }
  if (msg.maxUnitPrice !== undefined) check.unitPrice({ unitPrice: msg.maxUnitPrice });
}

/** Of a validated message. */
function priceOf(msg: { unitPrice?: { denom: string; amount: string } | undefined }): UnitPrice {
  return { denom: msg.unitPrice?.denom ?? "", price: check.priceOf(msg) };
}
