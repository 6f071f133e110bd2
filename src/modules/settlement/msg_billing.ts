import type { ChainInfo } from "../../baseapp/context.ts";
import { type MsgRoute, msgRoute } from "../../baseapp/module.ts";
import type { Discount, TaxTerms } from "../../gen/settled/settlement/v1/state.ts";
import * as tx from "../../gen/settled/settlement/v1/tx.ts";
import { parseCoins, type WireCoin, wireCoins } from "../../types/coins.ts";
import { requireDiscounts, requireTax } from "./billing_checks.ts";
import * as errors from "./errors.ts";
import type { BillingKeeper } from "./keeper_billing.ts";
import * as check from "./msg_validate.ts";

const NAME = "settled.settlement.v1.Msg";

/** Messages about discounts and tax of an order. */
export function billingMsgs(keeper: BillingKeeper): MsgRoute[] {
  return [
    msgRoute({
      name: `${NAME}SetDiscounts`,
      codec: tx.MsgSetDiscounts,
      responseCodec: tx.MsgSetDiscountsResponse,
      gas: 10_000n,
      signers: ({ sender }) => [sender],
      validate: (msg, chain) => {
        order(msg, chain);
        requireDiscounts(msg.discounts);
      },
      handle: (ctx, { sender, orderId, discounts }) => {
        keeper.setDiscounts(ctx, { sender, orderId, discounts: discounts.map(sorted) });
        return {};
      },
    }),
    msgRoute({
      name: `${NAME}SetTax`,
      codec: tx.MsgSetTax,
      responseCodec: tx.MsgSetTaxResponse,
      gas: 10_000n,
      signers: ({ sender }) => [sender],
      validate: (msg, chain) => {
        order(msg, chain);
        if (msg.tax !== undefined) requireTax(msg.tax);
      },
      handle: (ctx, { sender, orderId, tax }) => {
        keeper.setTax(ctx, { sender, orderId, tax: tax as TaxTerms | undefined });
        return {};
      },
    }),
  ];
}

function order(msg: { sender: string; orderId: string }, chain: ChainInfo): void {
  check.address(msg.sender, "sender", chain);
  check.text(msg.orderId, "order_id", errors.ErrMsgSettlement);
}

/** With its coins as the state keeps them. */
function sorted(discount: Discount): Discount {
  const coins = (wire: readonly WireCoin[]): WireCoin[] => wireCoins(parseCoins(wire));
  return {
    ...discount,
    amount: coins(discount.amount),
    minTotal: coins(discount.minTotal),
    maxDiscount: coins(discount.maxDiscount),
  };
}
