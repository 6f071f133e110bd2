import type { Context } from "../../baseapp/context.ts";
import { DecodedCache } from "../../baseapp/decoded_cache.ts";
import { AccountState, Params } from "../../gen/settled/auth/v1/state.ts";
import { bytesOfKey, type Key, keyOfBytes, u64FromKey, u64Key } from "../../lib/key.ts";
import { Memo } from "../../lib/memo.ts";
import { type Address, moduleAddress } from "../../types/address.ts";
import { accountKey, NEXT_NUMBER_KEY, PARAMS_KEY } from "./keys.ts";
import { DEFAULT_PARAMS } from "./params.ts";

/** Accounts that are kept decoded. */
const ACCOUNTS_MAX = 4096;

export type Permission = "minter" | "burner";

/** The only writer of accounts: number, key and sequence of every address. */
export class AuthKeeper {
  readonly #params = new DecodedCache(Params, 1);
  readonly #accounts = new DecodedCache(AccountState, ACCOUNTS_MAX);
  // A key that is put together anew has to be hashed anew for each look-up.
  readonly #keys = new Memo<Key>(ACCOUNTS_MAX);

  params(ctx: Context): Params {
    return this.#params.read(ctx.kv, PARAMS_KEY) ?? DEFAULT_PARAMS;
  }

  setParams(ctx: Context, params: Params): void {
    ctx.kv.set(PARAMS_KEY, Params.encode(params).finish());
  }

  account(ctx: Context, address: string): AccountState | undefined {
    return this.#accounts.read(ctx.kv, this.#keyOf(address));
  }

  setAccount(ctx: Context, account: AccountState): void {
    this.#accounts.write(ctx.kv, this.#keyOf(account.address), account);
  }

  /** Notes that an account has signed: its key is known, its next sequence is one more. */
  setUsed(
    ctx: Context,
    account: AccountState,
    key: Pick<AccountState, "publicKey" | "multisigKey">,
  ): void {
    const { address, accountNumber, moduleName, permissions } = account;
    const { publicKey, multisigKey } = key;
    const sequence = account.sequence + 1n;
    this.setAccount(ctx, {
      ...{ address, publicKey, accountNumber, sequence, moduleName, permissions, multisigKey },
    });
  }

  /** The account of an address, made with the next number when it does not exist. */
  ensureAccount(ctx: Context, address: string): void {
    if (!ctx.kv.has(this.#keyOf(address))) this.#create(ctx, { address });
  }

  /** The account of a module, made when it does not exist. */
  ensureModuleAccount(ctx: Context, name: string, permissions: readonly Permission[]): Address {
    const address = moduleAddress(name, ctx.chain.bech32Prefix);
    if (this.account(ctx, address) === undefined) {
      this.#create(ctx, { address, moduleName: name, permissions: [...permissions] });
    }
    return address;
  }

  nextNumber(ctx: Context): bigint {
    const bytes = ctx.kv.get(NEXT_NUMBER_KEY);
    return bytes === undefined ? 0n : u64FromKey(keyOfBytes(bytes), 0);
  }

  setNextNumber(ctx: Context, number: bigint): void {
    ctx.kv.set(NEXT_NUMBER_KEY, bytesOfKey(u64Key(number)));
  }

  #keyOf(address: string): Key {
    let key = this.#keys.get(address);
    if (key === undefined) {
      key = accountKey(address);
      this.#keys.set(address, key);
    }
    return key;
  }

  #create(ctx: Context, facts: Partial<AccountState>): void {
    const accountNumber = this.nextNumber(ctx);
    this.setNextNumber(ctx, accountNumber + 1n);
    this.setAccount(ctx, AccountState.fromPartial({ ...facts, accountNumber }));
  }
}
