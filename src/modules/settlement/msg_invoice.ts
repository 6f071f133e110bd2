import { type MsgRoute, msgRoute } from "../../baseapp/module.ts";
import * as tx from "../../gen/settled/settlement/v1/tx.ts";
import { ChainError } from "../../lib/errors.ts";
import { formatCoins, parseCoins } from "../../types/coins.ts";
import { secondsOf } from "../../types/time.ts";
import * as errors from "./errors.ts";
import type { InvoiceKeeper } from "./keeper_invoice.ts";
import * as check from "./msg_validate.ts";
import { invoiceStatusName } from "./status_names.ts";

const NAME = "settled.settlement.v1.Msg";

/** Messages about an invoice after its issue. */
export function invoiceMsgs(keeper: InvoiceKeeper): MsgRoute[] {
  return [
    msgRoute({
      name: `${NAME}PayInvoice`,
      codec: tx.MsgPayInvoice,
      responseCodec: tx.MsgPayInvoiceResponse,
      gas: 20_000n,
      signers: ({ sender }) => [sender],
      validate: (msg, chain) => {
        check.address(msg.sender, "sender", chain);
        check.text(msg.invoiceId, "invoice_id", errors.ErrMsgSettlement);
        check.coins(msg.amount);
      },
      handle: (ctx, { sender, invoiceId, amount }) => {
        const payment = keeper.pay(ctx, { sender, invoiceId, amount: parseCoins(amount) });
        return {
          payoutId: payment.payoutId,
          paidAmount: formatCoins(payment.paid),
          amountDue: formatCoins(payment.due),
          status: invoiceStatusName(payment.status),
          paidAt: secondsOf(ctx.time),
        };
      },
    }),
    msgRoute({
      name: `${NAME}VoidInvoice`,
      codec: tx.MsgVoidInvoice,
      responseCodec: tx.MsgVoidInvoiceResponse,
      gas: 10_000n,
      signers: ({ sender }) => [sender],
      validate: (msg, chain) => {
        check.address(msg.sender, "sender", chain);
        check.text(msg.invoiceId, "invoice_id", errors.ErrMsgSettlement);
        check.text(msg.reason, "reason", errors.ErrMsgSettlement, check.REASON_BYTES_MAX);
      },
      handle: (ctx, msg) => {
        keeper.void(ctx, msg);
        return { voidedAt: secondsOf(ctx.time) };
      },
    }),
    msgRoute({
      name: `${NAME}CreditInvoice`,
      codec: tx.MsgCreditInvoice,
      responseCodec: tx.MsgCreditInvoiceResponse,
      gas: 20_000n,
      signers: ({ sender }) => [sender],
      validate: (msg, chain) => {
        check.address(msg.sender, "sender", chain);
        check.text(msg.invoiceId, "invoice_id", errors.ErrMsgSettlement);
        if (msg.amount.length === 0) throw new ChainError(errors.ErrMsgAmount, "amount is empty");
        check.coins(msg.amount);
        check.text(msg.reason, "reason", errors.ErrMsgSettlement, check.REASON_BYTES_MAX);
      },
      handle: (ctx, { sender, invoiceId, amount, reason }) => {
        const coins = parseCoins(amount);
        const creditNoteId = keeper.credit(ctx, { sender, invoiceId, amount: coins, reason });
        return {
          creditNoteId,
          creditedAmount: formatCoins(coins),
          creditedAt: secondsOf(ctx.time),
        };
      },
    }),
  ];
}
