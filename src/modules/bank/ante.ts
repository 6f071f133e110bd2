import type { AnteStep } from "../../baseapp/ante.ts";
import { isCheck, showsEvents } from "../../baseapp/context.ts";
import { ChainError } from "../../lib/errors.ts";
import { divCeil } from "../../lib/int.ts";
import {
  amountOf,
  type Coins,
  formatCoins,
  NO_COINS,
  parseCoins,
  type WireCoin,
} from "../../types/coins.ts";
import { DEC_ONE, type Dec } from "../../types/dec.ts";
import { event } from "../../types/event.ts";
import * as sdk from "../../types/sdk_errors.ts";
import type { BankKeeper } from "./keeper.ts";

/**
 * Takes the fee from the first signer. On the check state it also refuses a fee below the node's
 * minimum gas price, which is the node's own setting and no part of consensus.
 * @param minimumGasPrice in 10^-18 of the bond denom's base unit per gas
 */
export function feeStep(
  bank: BankKeeper,
  options: { feeCollector: string; minimumGasPrice: Dec },
): AnteStep {
  return (ctx, tx) => {
    const { fee } = tx.authInfo;
    const payer = tx.routed[0]?.signers[0] ?? "";
    if ((fee.payer !== "" && fee.payer !== payer) || fee.granter !== "") {
      const detail = "fee payer and granter: the first signer pays the fee";
      throw new ChainError(sdk.ErrNotSupported, detail);
    }
    // Wallets write a fee of nothing as 0 coins.
    const coins = fee.amount.length === 0 ? NO_COINS : parseCoins(fee.amount.filter(isSome));
    if (isCheck(ctx)) {
      requireMinimum(
        { coins, gas: fee.gasLimit, denom: ctx.chain.bondDenom },
        options.minimumGasPrice,
      );
    }
    if (!showsEvents(ctx)) {
      bank.charge(ctx, payer, coins);
      return;
    }
    const destination = options.feeCollector;
    const movements = [{ source: payer, destination, coins }];
    bank.post(ctx, { kind: "fee", reference: "", movements });
    ctx.emit(event("tx", { fee: formatCoins(coins), fee_payer: payer }));
  };
}

function isSome({ amount }: WireCoin): boolean {
  return amount !== "0";
}

function requireMinimum(fee: { coins: Coins; gas: bigint; denom: string }, price: Dec): void {
  if (price === 0n) return;
  const required = divCeil(price * fee.gas, DEC_ONE);
  if (amountOf(fee.coins, fee.denom) >= required) return;
  const detail = `insufficient fees; got: ${formatCoins(fee.coins)} required: ${required}${fee.denom}`;
  throw new ChainError(sdk.ErrInsufficientFee, detail);
}
