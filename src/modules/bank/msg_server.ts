import type { ChainInfo } from "../../baseapp/context.ts";
import { type MsgRoute, msgRoute } from "../../baseapp/module.ts";
import {
  MsgMultiSend,
  MsgMultiSendResponse,
  MsgSend,
  MsgSendResponse,
} from "../../gen/cosmos/bank/v1beta1/tx.ts";
import { ChainError } from "../../lib/errors.ts";
import { parseAddress } from "../../types/address.ts";
import { addCoins, equalCoins, formatCoins, NO_COINS, parseCoins } from "../../types/coins.ts";
import { ErrInvalidCoins, ErrInvalidRequest } from "../../types/sdk_errors.ts";
import { ErrBlockedAddress, ErrSelfTransfer } from "./errors.ts";
import type { BankKeeper } from "./keeper.ts";

/** Gas of a transfer, and of each output of a multi-send. */
const SEND_GAS = 10_000n;

/** @param blocked addresses that no user may fund: module accounts whose books are checked */
export function bankMsgs(keeper: BankKeeper, blocked: (address: string) => boolean): MsgRoute[] {
  const requireOpen = (address: string): void => {
    if (!blocked(address)) return;
    throw new ChainError(ErrBlockedAddress, `${address} is a module account`);
  };
  return [
    msgRoute({
      name: "cosmos.bank.v1beta1.MsgSend",
      codec: MsgSend,
      responseCodec: MsgSendResponse,
      gas: SEND_GAS,
      signers: (msg) => [msg.fromAddress],
      validate: validateSend,
      handle: (ctx, msg) => {
        const destination = parseAddress(msg.toAddress, ctx.chain.bech32Prefix);
        requireOpen(destination);
        const coins = parseCoins(msg.amount);
        keeper.send(ctx, { source: msg.fromAddress, destination, coins });
        return {};
      },
    }),
    msgRoute({
      name: "cosmos.bank.v1beta1.MsgMultiSend",
      codec: MsgMultiSend,
      responseCodec: MsgMultiSendResponse,
      gas: SEND_GAS,
      signers: (msg) => msg.inputs.map(({ address }) => address),
      validate: validateMultiSend,
      handle: (ctx, msg) => {
        const source = msg.inputs[0]?.address ?? "";
        const movements = msg.outputs.map(({ address, coins }) => {
          const destination = parseAddress(address, ctx.chain.bech32Prefix);
          requireOpen(destination);
          ctx.gas.consume(SEND_GAS, "multi-send output");
          return { source, destination, coins: parseCoins(coins) };
        });
        keeper.post(ctx, { kind: "send", reference: "", movements });
        return {};
      },
    }),
  ];
}

function validateSend(msg: MsgSend, chain: ChainInfo): void {
  const source = parseAddress(msg.fromAddress, chain.bech32Prefix);
  const destination = parseAddress(msg.toAddress, chain.bech32Prefix);
  if (parseCoins(msg.amount).length === 0) throw new ChainError(ErrInvalidCoins, "no coins");
  if (source === destination) throw new ChainError(ErrSelfTransfer, source);
}

function validateMultiSend(msg: MsgMultiSend, chain: ChainInfo): void {
  const [input, ...others] = msg.inputs;
  if (input === undefined || others.length > 0) {
    throw new ChainError(ErrInvalidRequest, "a multi-send has exactly one input");
  }
  if (msg.outputs.length === 0) throw new ChainError(ErrInvalidRequest, "no outputs");
  const source = parseAddress(input.address, chain.bech32Prefix);
  const total = msg.outputs.reduce((sum, { address, coins }) => {
    if (parseAddress(address, chain.bech32Prefix) === source) {
      throw new ChainError(ErrSelfTransfer, source);
    }
    return addCoins(sum, parseCoins(coins));
  }, NO_COINS);
  if (!equalCoins(total, parseCoins(input.coins))) {
    const detail = `inputs ${formatCoins(parseCoins(input.coins))}, outputs ${formatCoins(total)}`;
    throw new ChainError(ErrInvalidCoins, detail);
  }
}
