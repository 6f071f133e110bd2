import { type MsgRoute, msgRoute } from "../../baseapp/module.ts";
import * as tx from "../../gen/settled/settlement/v1/tx.ts";
import { addCoins, formatCoins, parseCoins, subCoins } from "../../types/coins.ts";
import * as errors from "./errors.ts";
import type { ReceivableKeeper } from "./keeper_receivable.ts";
import type { RefundKeeper } from "./keeper_refund.ts";
import { requireAuthority } from "./keeper_treasury.ts";
import * as check from "./msg_validate.ts";
import { coinsIn, type Records } from "./records.ts";
import { refundId } from "./refund_records.ts";

const NAME = "settled.settlement.v1.Msg";

/** Messages that give shares of settlements back, and that pay what is owed of these. */
export function refundMsgs(
  records: Records,
  refunds: RefundKeeper,
  receivables: ReceivableKeeper,
): MsgRoute[] {
  return [
    msgRoute({
      name: `${NAME}RefundSettlement`,
      codec: tx.MsgRefundSettlement,
      responseCodec: tx.MsgRefundSettlementResponse,
      gas: 50_000n,
      signers: ({ sender }) => [sender],
      validate: (msg, chain) => {
        check.address(msg.sender, "sender", chain);
        check.text(msg.settlementId, "settlement_id", errors.ErrMsgSettlement);
        check.coins(msg.amount);
        check.text(msg.reason, "reason", errors.ErrMsgSettlement, check.REASON_BYTES_MAX);
      },
      handle: (ctx, { sender, settlementId, amount, reason }) => {
        requireAuthority(ctx, records, sender);
        const settlementSeq = refunds.seqOf(ctx, settlementId);
        const facts = { amount: parseCoins(amount), reason, initiator: sender, disputeSeq: 0n };
        const refund = refunds.refund(ctx, { settlementSeq, ...facts });
        const owed = coinsIn(refund.owed);
        const due = addCoins(coinsIn(refund.amount), coinsIn(refund.legs?.tax ?? []));
        return {
          refundId: refundId(refund),
          refundedAmount: formatCoins(subCoins(due, owed)),
          owedAmount: formatCoins(owed),
        };
      },
    }),
    msgRoute({
      name: `${NAME}PayReceivable`,
      codec: tx.MsgPayReceivable,
      responseCodec: tx.MsgPayReceivableResponse,
      gas: 10_000n,
      signers: ({ sender }) => [sender],
      validate: (msg, chain) => {
        check.address(msg.sender, "sender", chain);
        check.text(msg.receivableId, "receivable_id", errors.ErrMsgSettlement);
        check.coins(msg.amount);
      },
      handle: (ctx, { sender, receivableId, amount }) => {
        const request = { sender, receivableId, amount: parseCoins(amount) };
        const { paid, owed } = receivables.pay(ctx, request);
        return { paidAmount: formatCoins(paid), owedAmount: formatCoins(owed) };
      },
    }),
  ];
}
