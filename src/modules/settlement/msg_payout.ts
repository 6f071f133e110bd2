import { type MsgRoute, msgRoute } from "../../baseapp/module.ts";
import * as tx from "../../gen/settled/settlement/v1/tx.ts";
import { ChainError } from "../../lib/errors.ts";
import { formatCoins, parseCoins } from "../../types/coins.ts";
import * as errors from "./errors.ts";
import type { PayoutKeeper } from "./keeper_payout.ts";
import { requireAuthority, type TreasuryKeeper } from "./keeper_treasury.ts";
import * as check from "./msg_validate.ts";
import type { Records } from "./records.ts";
import { payoutStatusName } from "./status_names.ts";

const NAME = "settled.settlement.v1.Msg";
const REASON_BYTES_MAX = 1024;

/** Messages of the authority about payouts and fee accounts. */
export function payoutMsgs(
  records: Records,
  payouts: PayoutKeeper,
  treasury: TreasuryKeeper,
): MsgRoute[] {
  return [...holdMsgs(records, payouts), refundMsg(records, payouts), withdrawMsg(treasury)];
}

function holdMsgs(records: Records, payouts: PayoutKeeper): MsgRoute[] {
  return [
    msgRoute({
      name: `${NAME}HoldPayout`,
      codec: tx.MsgHoldPayout,
      responseCodec: tx.MsgHoldPayoutResponse,
      gas: 10_000n,
      signers: ({ sender }) => [sender],
      validate: (msg, chain) => {
        check.address(msg.sender, "sender", chain);
        check.text(msg.payoutId, "payout_id", errors.ErrInvalidPayout);
        check.text(msg.reason, "reason", errors.ErrInvalidPayout, REASON_BYTES_MAX);
      },
      handle: (ctx, { sender, payoutId, reason }) => {
        requireAuthority(ctx, records, sender);
        payouts.hold(ctx, payouts.byId(ctx, payoutId), reason);
        return {};
      },
    }),
    msgRoute({
      name: `${NAME}ReleasePayout`,
      codec: tx.MsgReleasePayout,
      responseCodec: tx.MsgReleasePayoutResponse,
      gas: 20_000n,
      signers: ({ sender }) => [sender],
      validate: (msg, chain) => {
        check.address(msg.sender, "sender", chain);
        check.text(msg.payoutId, "payout_id", errors.ErrInvalidPayout);
      },
      handle: (ctx, { sender, payoutId }) => {
        requireAuthority(ctx, records, sender);
        const { paid, payout } = payouts.release(ctx, payouts.byId(ctx, payoutId));
        return { paidAmount: formatCoins(paid), state: payoutStatusName(payout.status) };
      },
    }),
  ];
}

function refundMsg(records: Records, payouts: PayoutKeeper): MsgRoute {
  return msgRoute({
    name: `${NAME}RefundPayout`,
    codec: tx.MsgRefundPayout,
    responseCodec: tx.MsgRefundPayoutResponse,
    gas: 20_000n,
    signers: ({ sender }) => [sender],
    validate: (msg, chain) => {
      check.address(msg.sender, "sender", chain);
      check.text(msg.payoutId, "payout_id", errors.ErrInvalidPayout);
      check.coins(msg.amount);
      check.text(msg.reason, "reason", errors.ErrInvalidPayout, REASON_BYTES_MAX);
    },
    handle: (ctx, { sender, payoutId, amount, reason }) => {
      requireAuthority(ctx, records, sender);
      const payout = payouts.byId(ctx, payoutId);
      const refunded = payouts.refund(ctx, payout, parseCoins(amount), reason);
      return { refundedAmount: formatCoins(refunded) };
    },
  });
}

function withdrawMsg(treasury: TreasuryKeeper): MsgRoute {
  return msgRoute({
    name: `${NAME}WithdrawFees`,
    codec: tx.MsgWithdrawFees,
    responseCodec: tx.MsgWithdrawFeesResponse,
    gas: 10_000n,
    signers: ({ sender }) => [sender],
    validate: (msg, chain) => {
      check.address(msg.sender, "sender", chain);
      check.address(msg.recipient, "recipient", chain);
      if (msg.amount.length === 0) {
        throw new ChainError(errors.ErrMsgAmount, "amount is empty");
      }
      check.coins(msg.amount);
    },
    handle: (ctx, msg) => {
      const left = treasury.withdraw(ctx, { ...msg, amount: parseCoins(msg.amount) });
      return { balance: formatCoins(left) };
    },
  });
}
