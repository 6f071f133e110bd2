import type { Context } from "../../baseapp/context.ts";
import { fieldError, genesisField } from "../../baseapp/genesis_error.ts";
import { messageFromJson, messageToJson } from "../../codec/proto_json.ts";
import { multisigAddress, readMultisigKey } from "../../codec/multisig_key.ts";
import type { AccountState, GenesisState } from "../../gen/settled/auth/v1/state.ts";
import { ChainError } from "../../lib/errors.ts";
import { KeyMap } from "../../lib/key_map.ts";
import { parseAddress } from "../../types/address.ts";
import { ErrInvalidPubKey } from "../../types/sdk_errors.ts";
import type { AuthKeeper } from "./keeper.ts";
import { DEFAULT_PARAMS } from "./params.ts";

const NAME = "settled.auth.v1.GenesisState";

/**
 * Writes params and accounts. Params that genesis leaves out have their defaults, field by field;
 * accounts without a number of their own get the next ones in order.
 * @throws ChainError naming the field at fault.
 */
export function initAuthGenesis(ctx: Context, keeper: AuthKeeper, json: unknown): void {
  const genesis = messageFromJson<GenesisState>(NAME, withDefaults(json));
  keeper.setParams(ctx, genesis.params ?? DEFAULT_PARAMS);
  const numbered = genesis.nextAccountNumber > 0n;
  const numbers = new KeyMap<true>();
  genesis.accounts.forEach((account, index) => {
    const field = `auth.accounts[${index}]`;
    const { bech32Prefix } = ctx.chain;
    const address = genesisField(field, () => parseAddress(account.address, bech32Prefix));
    if (keeper.account(ctx, address) !== undefined) {
      throw fieldError(`${field}.address`, `${address} appears twice`);
    }
    if (![0, 33].includes(account.publicKey.length)) {
      throw fieldError(`${field}.public_key`, "a compressed key has 33 bytes");
    }
    if (account.multisigKey.length > 0) {
      genesisField(`${field}.multisig_key`, () => checkMultisig(account, address, bech32Prefix));
    }
    if (numbered && account.accountNumber >= genesis.nextAccountNumber) {
      throw fieldError(`${field}.account_number`, "not below auth.next_account_number");
    }
    const accountNumber = numbered ? account.accountNumber : BigInt(index);
    if (numbers.has(accountNumber.toString())) {
      throw fieldError(`${field}.account_number`, `${accountNumber} appears twice`);
    }
    numbers.set(accountNumber.toString(), true);
    keeper.setAccount(ctx, { ...account, address, accountNumber });
  });
  const next = numbered ? genesis.nextAccountNumber : BigInt(genesis.accounts.length);
  keeper.setNextNumber(ctx, next);
}

/** @throws ChainError sdk/8 */
function checkMultisig({ publicKey, multisigKey }: AccountState, address: string, prefix: string) {
  if (publicKey.length > 0) throw new ChainError(ErrInvalidPubKey, "public_key is set as well");
  const derived = multisigAddress(readMultisigKey(multisigKey), prefix);
  if (derived !== address) throw new ChainError(ErrInvalidPubKey, `it is of ${derived}`);
}

/** Fills the params that a hand-written genesis does not name. */
function withDefaults(json: unknown): unknown {
  if (typeof json !== "object" || json === null) return {};
  const given = json as { params?: object };
  const params = messageToJson("settled.auth.v1.Params", DEFAULT_PARAMS);
  return { ...given, params: { ...params, ...given.params } };
}
