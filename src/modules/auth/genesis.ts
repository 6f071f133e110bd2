import type { Context } from "../../baseapp/context.ts";
import { fieldError, genesisField } from "../../baseapp/genesis_error.ts";
import { messageFromJson } from "../../codec/proto_json.ts";
import type { GenesisState } from "../../gen/settled/auth/v1/state.ts";
import { parseAddress } from "../../types/address.ts";
import type { AuthKeeper } from "./keeper.ts";

/**
 * Writes params and accounts. Accounts without a number of their own get the next ones in order.
 * @throws ChainError naming the field at fault.
 */
export function initAuthGenesis(ctx: Context, keeper: AuthKeeper, json: unknown): void {
  const genesis = messageFromJson<GenesisState>("settled.auth.v1.GenesisState", json ?? {});
  if (genesis.params !== undefined) keeper.setParams(ctx, genesis.params);
  const numbered = genesis.nextAccountNumber > 0n;
  genesis.accounts.forEach((account, index) => {
    const field = `auth.accounts[${index}]`;
    genesisField(field, () => parseAddress(account.address, ctx.chain.bech32Prefix));
    if (keeper.account(ctx, account.address) !== undefined) {
      throw fieldError(`${field}.address`, `${account.address} appears twice`);
    }
    if (![0, 33].includes(account.publicKey.length)) {
      throw fieldError(`${field}.public_key`, "a compressed key has 33 bytes");
    }
    if (numbered && account.accountNumber >= genesis.nextAccountNumber) {
      throw fieldError(`${field}.account_number`, "not below auth.next_account_number");
    }
    const accountNumber = numbered ? account.accountNumber : BigInt(index);
    keeper.setAccount(ctx, { ...account, accountNumber });
  });
  const next = numbered ? genesis.nextAccountNumber : BigInt(genesis.accounts.length);
  keeper.setNextNumber(ctx, next);
}
