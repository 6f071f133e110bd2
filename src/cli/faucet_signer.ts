import { join } from "node:path";
import type { FaucetLimits, FaucetSigner } from "../api/faucet/faucet.ts";
import { buildTx } from "../client/tx_builder.ts";
import { packAny } from "../codec/any.ts";
import type { NodeConfig } from "../node/config.ts";
import type { NodeView } from "../node/view.ts";
import { parseCoinsText } from "../types/coins.ts";
import { isLoopbackHost } from "./endpoints.ts";
import { chainOfGenesis } from "./home.ts";
import { feeOf, parseFeeFlags } from "./gas.ts";
import { openTestKeyring } from "./keyring/test_keyring.ts";

/** More than a payment to a new account takes. */
const GAS = 200_000n;

/** Whether a node has a faucet: on dev chains that only this machine can reach. */
export function hasFaucet(config: NodeConfig, view: NodeView): boolean {
  const isDev = view.dev !== undefined && chainOfGenesis(view.genesis()).dev;
  return config.faucet && isDev && isLoopbackHost(config.host);
}

/** @throws ChainError sdk/10 for amounts that are none */
export function faucetLimits(config: NodeConfig, bondDenom: string): FaucetLimits {
  const amounts = [...parseCoinsText(config.faucetAmounts)];
  // Without a denom the coin is paid that fees are paid in.
  const place = ({ denom }: { denom: string }) => (denom === bondDenom ? 0 : 1);
  amounts.sort((a, b) => place(a) - place(b));
  const { faucetPerAddress: perAddress, faucetPerClient: perClient } = config;
  return { amounts, perAddress, perClient };
}

/**
 * The dev key of a home that pays for the faucet.
 * @throws CliError for a key that the home does not have
 */
export async function faucetSigner(
  home: string,
  config: NodeConfig,
  { info }: NodeView,
): Promise<FaucetSigner> {
  const keyring = openTestKeyring(join(home, "keyring-test"), info.bech32Prefix);
  const signer = await keyring.signer(config.faucetKey);
  const price = config.minimumGasPrice === "0" ? `0${info.bondDenom}` : config.minimumGasPrice;
  const fee = feeOf(parseFeeFlags({ gasPrices: price }, info.bondDenom), GAS);
  const { address } = signer;
  return {
    address,
    async sign({ to, coin, ...facts }) {
      const amount = [{ denom: coin.denom, amount: coin.amount.toString() }];
      const value = { fromAddress: address, toAddress: to, amount };
      const messages = [packAny("cosmos.bank.v1beta1.MsgSend", value)];
      return buildTx({ ...facts, messages, signer, fee, memo: "faucet" });
    },
  };
}
