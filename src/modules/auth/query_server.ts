import type { QueryRoute } from "../../baseapp/module.ts";
import type { QueryContext } from "../../baseapp/query_context.ts";
import { queryRoute } from "../../baseapp/query_route.ts";
import { MULTISIG_TYPE } from "../../codec/multisig_key.ts";
import { BaseAccount, ModuleAccount } from "../../gen/cosmos/auth/v1beta1/auth.ts";
import * as q from "../../gen/cosmos/auth/v1beta1/query.ts";
import { PubKey } from "../../gen/cosmos/crypto/secp256k1/keys.ts";
import type { Any } from "../../gen/google/protobuf/any.ts";
import { AccountState, Params } from "../../gen/settled/auth/v1/state.ts";
import { ChainError } from "../../lib/errors.ts";
import { readAll, readPage } from "../../store/reader.ts";
import { parseAddress } from "../../types/address.ts";
import { GrpcNotFound } from "../../types/query_errors.ts";
import { ACCOUNT_PREFIX, accountKey, PARAMS_KEY } from "./keys.ts";
import { DEFAULT_PARAMS } from "./params.ts";

const QUERY = "/cosmos.auth.v1beta1.Query";

/** Accounts and the limits of txs, as Cosmos clients ask for them. */
export const authQueries: readonly QueryRoute[] = [
  queryRoute({
    path: `${QUERY}/Account`,
    request: q.QueryAccountRequest,
    response: q.QueryAccountResponse,
    handle: async (ctx, { address }) => ({ account: anyAccount(await account(ctx, address)) }),
  }),
  queryRoute({
    path: `${QUERY}/AccountInfo`,
    request: q.QueryAccountInfoRequest,
    response: q.QueryAccountInfoResponse,
    handle: async (ctx, { address }) => ({ info: baseAccount(await account(ctx, address)) }),
  }),
  queryRoute({
    path: `${QUERY}/Accounts`,
    request: q.QueryAccountsRequest,
    response: q.QueryAccountsResponse,
    handle: async (ctx, { pagination }) => {
      const page = await readPage(ctx.reader, ACCOUNT_PREFIX, pagination);
      const accounts = page.entries.map(([, value]) => anyAccount(AccountState.decode(value)));
      return { accounts, pagination: page };
    },
  }),
  queryRoute({
    path: `${QUERY}/ModuleAccounts`,
    request: q.QueryModuleAccountsRequest,
    response: q.QueryModuleAccountsResponse,
    handle: async (ctx) => {
      const entries = await readAll(ctx.reader, ACCOUNT_PREFIX, `${QUERY}/Accounts`);
      const all = entries.map(([, value]) => AccountState.decode(value));
      return { accounts: all.filter(({ moduleName }) => moduleName !== "").map(anyAccount) };
    },
  }),
  queryRoute({
    path: `${QUERY}/Params`,
    request: q.QueryParamsRequest,
    response: q.QueryParamsResponse,
    handle: async (ctx) => {
      const bytes = await ctx.reader.get(PARAMS_KEY);
      const params = bytes === undefined ? DEFAULT_PARAMS : Params.decode(bytes);
      return { params: { ...params, sigVerifyCostEd25519: 0n } };
    },
  }),
  queryRoute({
    path: `${QUERY}/Bech32Prefix`,
    request: q.Bech32PrefixRequest,
    response: q.Bech32PrefixResponse,
    handle: async (ctx) => ({ bech32Prefix: ctx.chain.bech32Prefix }),
  }),
];

async function account(ctx: QueryContext, address: string): Promise<AccountState> {
  const owner = parseAddress(address, ctx.chain.bech32Prefix);
  const bytes = await ctx.reader.get(accountKey(owner));
  if (bytes === undefined) throw new ChainError(GrpcNotFound, `account ${address} not found`);
  return AccountState.decode(bytes);
}

function baseAccount(state: AccountState): BaseAccount {
  const { address, accountNumber, sequence } = state;
  return { address, pubKey: anyKey(state), accountNumber, sequence };
}

/** undefined until the account has signed. */
function anyKey({ publicKey, multisigKey }: AccountState): Any | undefined {
  if (multisigKey.length > 0) return { typeUrl: MULTISIG_TYPE, value: multisigKey };
  if (publicKey.length === 0) return undefined;
  const value = PubKey.encode({ key: publicKey }).finish();
  return { typeUrl: "/cosmos.crypto.secp256k1.PubKey", value };
}

function anyAccount(state: AccountState): Any {
  const base = baseAccount(state);
  if (state.moduleName === "") {
    return {
      typeUrl: "/cosmos.auth.v1beta1.BaseAccount",
      value: BaseAccount.encode(base).finish(),
    };
  }
  const module = { baseAccount: base, name: state.moduleName, permissions: state.permissions };
  return {
    typeUrl: "/cosmos.auth.v1beta1.ModuleAccount",
    value: ModuleAccount.encode(module).finish(),
  };
}
