import type { Context } from "../../baseapp/context.ts";
import { type Codec, type MsgRoute, msgRoute } from "../../baseapp/module.ts";
import { EscrowStatus } from "../../gen/settled/settlement/v1/state.ts";
import * as tx from "../../gen/virtengine/settlement/v1/tx.ts";
import type { ChainInfo } from "../../baseapp/context.ts";
import { ChainError } from "../../lib/errors.ts";
import { type Coins, coversCoins, equalCoins, formatCoins, parseCoins } from "../../types/coins.ts";
import { parseAddress } from "../../types/address.ts";
import { secondsOf } from "../../types/time.ts";
import type { BlockWorkers } from "./block_work.ts";
import * as errors from "./errors.ts";
import * as events from "./events.ts";
import { escrowId } from "./ids.ts";
import { requireUnexpired } from "./keeper_escrow.ts";
import { requireConditions } from "./keeper_release.ts";
import * as check from "./msg_validate.ts";
import { coinsIn } from "./records.ts";
import { settleOrder } from "./settle_order.ts";
import { sourceOf, statusName } from "./status_names.ts";

const NAME = "virtengine.settlement.v1.Msg";

/** Gas of each message; records of a settlement and entries of a claim cost extra. */
export const MESSAGE_GAS = {
  CreateEscrow: 20_000n,
  ActivateEscrow: 10_000n,
  ReleaseEscrow: 20_000n,
  RefundEscrow: 20_000n,
  DisputeEscrow: 10_000n,
  SettleOrder: 20_000n,
  RecordUsage: 2000n,
  AcknowledgeUsage: 1000n,
  ClaimRewards: 10_000n,
} as const;

type MsgName = keyof typeof MESSAGE_GAS;

/** The nine messages of virtengine.settlement.v1. Every one is signed by its `sender`. */
export function settlementMsgs(workers: BlockWorkers): MsgRoute[] {
  return [...escrowMsgs(workers), ...usageMsgs(workers), ...paymentMsgs(workers)];
}

function route<M extends { sender: string }, R>(
  name: MsgName,
  codecs: [Codec<M>, Codec<R>],
  validate: (message: M, chain: ChainInfo) => void,
  handle: (ctx: Context, message: M) => R,
): MsgRoute {
  const [codec, responseCodec] = codecs;
  return msgRoute({
    name: `${NAME}${name}`,
    codec,
    responseCodec,
    gas: MESSAGE_GAS[name],
    signers: ({ sender }) => [sender],
    validate,
    handle,
  });
}

function escrowMsgs({ escrows, settlements }: BlockWorkers): MsgRoute[] {
  return [
    route(
      "CreateEscrow",
      [tx.MsgCreateEscrow, tx.MsgCreateEscrowResponse],
      check.validateCreateEscrow,
      (ctx, { sender: depositor, orderId, amount, expiresIn }) => {
        const request = { depositor, orderId, amount: parseCoins(amount), expiresIn };
        const escrow = escrows.create(ctx, request);
        return { escrowId: escrowId(escrow.seq), createdAt: secondsOf(ctx.time) };
      },
    ),
    route(
      "ActivateEscrow",
      [tx.MsgActivateEscrow, tx.MsgActivateEscrowResponse],
      check.validateActivateEscrow,
      (ctx, msg) => {
        // Capital letters are another spelling of the same address.
        const recipient = parseAddress(msg.recipient, ctx.chain.bech32Prefix);
        escrows.activate(ctx, { ...msg, recipient });
        return { activatedAt: secondsOf(ctx.time) };
      },
    ),
    route(
      "RefundEscrow",
      [tx.MsgRefundEscrow, tx.MsgRefundEscrowResponse],
      check.validateRefundEscrow,
      (ctx, msg) => {
        const before = escrows.byId(ctx, msg.escrowId);
        const refunded = escrows.refund(ctx, msg);
        settlements.recordRefund(ctx, before, refunded);
        return { refundedAmount: formatCoins(refunded), refundedAt: secondsOf(ctx.time) };
      },
    ),
    route(
      "DisputeEscrow",
      [tx.MsgDisputeEscrow, tx.MsgDisputeEscrowResponse],
      check.validateDisputeEscrow,
      (ctx, msg) => {
        escrows.dispute(ctx, msg);
        return { disputedAt: secondsOf(ctx.time) };
      },
    ),
  ];
}

function usageMsgs({ usage }: BlockWorkers): MsgRoute[] {
  return [
    route(
      "RecordUsage",
      [tx.MsgRecordUsage, tx.MsgRecordUsageResponse],
      check.validateRecordUsage,
      (ctx, msg) => {
        const { usageId, totalCost } = usage.record(ctx, msg, check.priceOf(msg));
        return { usageId, totalCost, recordedAt: secondsOf(ctx.time) };
      },
    ),
    route(
      "AcknowledgeUsage",
      [tx.MsgAcknowledgeUsage, tx.MsgAcknowledgeUsageResponse],
      check.validateAcknowledgeUsage,
      (ctx, msg) => {
        usage.acknowledge(ctx, msg);
        return { acknowledgedAt: secondsOf(ctx.time) };
      },
    ),
  ];
}

function paymentMsgs(workers: BlockWorkers): MsgRoute[] {
  return [
    route(
      "SettleOrder",
      [tx.MsgSettleOrder, tx.MsgSettleOrderResponse],
      check.validateSettleOrder,
      (ctx, { sender, orderId, usageRecordIds: usageIds, isFinal }) => {
        const outcome = settleOrder(ctx, workers, { sender, orderId, usageIds, isFinal });
        return {
          settlementId: outcome.settlementId,
          totalAmount: formatCoins(outcome.total),
          providerShare: formatCoins(outcome.shares.providerShare),
          platformFee: formatCoins(outcome.shares.platformFee),
          settledAt: secondsOf(ctx.time),
        };
      },
    ),
    route(
      "ReleaseEscrow",
      [tx.MsgReleaseEscrow, tx.MsgReleaseEscrowResponse],
      check.validateReleaseEscrow,
      (ctx, msg) => {
        const released = release(ctx, workers, msg);
        return { releasedAmount: formatCoins(released), releasedAt: secondsOf(ctx.time) };
      },
    ),
    route(
      "ClaimRewards",
      [tx.MsgClaimRewards, tx.MsgClaimRewardsResponse],
      check.validateClaimRewards,
      (ctx, { sender, source }) => {
        const claimed = workers.rewards.claim(ctx, sender, sourceOf(source));
        return { claimedAmount: formatCoins(claimed), claimedAt: secondsOf(ctx.time) };
      },
    ),
  ];
}

/** Pays an escrow's balance, or a part of it, to the recipient without usage (RULES 13). */
function release(ctx: Context, workers: BlockWorkers, msg: tx.MsgReleaseEscrow): Coins {
  const { escrows, settlements, records } = workers;
  const escrow = escrows.byId(ctx, msg.escrowId);
  escrows.requireParty(ctx, msg.sender, { depositor: escrow.depositor });
  requireUnexpired(ctx, escrow);
  const { ESCROW_STATUS_ACTIVE: active, ESCROW_STATUS_DISPUTED: disputed } = EscrowStatus;
  if (escrow.status !== active && escrow.status !== disputed) {
    const detail = `${msg.escrowId}: expected active or disputed, found ${statusName(escrow.status)}`;
    throw new ChainError(errors.ErrEscrowNotActive, detail);
  }
  // A dispute is decided by whoever may release: the conditions were for the case that all agree.
  if (escrow.status === active) requireConditions(ctx, escrow);
  escrows.requireNoOpenUsage(ctx, escrow);
  const balance = coinsIn(escrow.balance);
  const amount = msg.amount.length === 0 ? balance : parseCoins(msg.amount);
  if (!coversCoins(balance, amount)) {
    const detail = `${msg.escrowId} holds ${formatCoins(balance)}, asked for ${formatCoins(amount)}`;
    throw new ChainError(errors.ErrInsufficientFunds, detail);
  }
  const isFinal = equalCoins(balance, amount);
  const paid =
    amount.length === 0 ? escrow : settlements.release(ctx, { escrow, amount, isFinal }).escrow;
  if (isFinal) {
    const reason = msg.reason === "" ? "released" : msg.reason;
    const status = EscrowStatus.ESCROW_STATUS_RELEASED;
    records.setEscrow(ctx, paid, { ...paid, status, closedAtNs: ctx.time, closureReason: reason });
  }
  const { orderId, recipient: party } = escrow;
  const { escrowId: id, reason } = msg;
  ctx.emit(events.escrowReleased({ escrowId: id, orderId, party, amount, reason, at: ctx.time }));
  return amount;
}
