import { beforeEach, expect, test } from "vitest";
import { BaseAccount, ModuleAccount } from "../../../src/gen/cosmos/auth/v1beta1/auth.ts";
import type {
  QueryAccountResponse,
  QueryAccountsResponse,
  QueryModuleAccountsResponse,
  QueryParamsResponse,
} from "../../../src/gen/cosmos/auth/v1beta1/query.ts";
import { PubKey } from "../../../src/gen/cosmos/crypto/secp256k1/keys.ts";
import { customer, provider, testAccount } from "../../testkit/accounts.ts";
import { moduleAccount, openChain, type TestChain } from "../../testkit/chain.ts";
import { msg } from "../../testkit/messages.ts";

const QUERY = "cosmos.auth.v1beta1.Query";

let chain: TestChain;
beforeEach(async () => {
  chain = await openChain();
});

async function account(address: string): Promise<BaseAccount> {
  const { account } = await chain.query<QueryAccountResponse>(`${QUERY}/Account`, { address });
  expect(account?.typeUrl).toBe("/cosmos.auth.v1beta1.BaseAccount");
  return BaseAccount.decode(account?.value ?? new Uint8Array(0));
}

test("an account has its number from genesis, and its key and sequence from its first tx", async () => {
  expect(await account(customer.address)).toEqual({
    ...{ address: customer.address, pubKey: undefined, accountNumber: 0n, sequence: 0n },
  });
  await chain.ok(msg.send(customer, provider.address, "1uve"));
  const after = await account(customer.address);
  expect([after.accountNumber, after.sequence]).toEqual([0n, 1n]);
  expect(after.pubKey?.typeUrl).toBe("/cosmos.crypto.secp256k1.PubKey");
  const { key } = PubKey.decode(after.pubKey?.value ?? new Uint8Array(0));
  expect(key).toEqual(customer.publicKey);
});

test("an address in capital letters is the same account", async () => {
  expect(await account(customer.address.toUpperCase())).toEqual(await account(customer.address));
});

test("new accounts get numbers in order of their first coins", async () => {
  const [first, second] = [testAccount("first new"), testAccount("second new")];
  await chain.ok(msg.send(customer, first.address, "1uve"));
  await chain.ok(msg.send(customer, second.address, "1uve"));
  const [a, b] = [await account(first.address), await account(second.address)];
  expect(b.accountNumber - a.accountNumber).toBe(1n);
});

test("an unknown account is NotFound", async () => {
  const { address } = testAccount("unknown");
  const answer = await chain.ask(`${QUERY}/Account`, { address });
  expect(answer).toMatchObject({ code: 22, codespace: "sdk" });
  expect(answer.log).toContain(`rpc error: code = NotFound desc = account ${address} not found`);
});

test("module accounts say their name and permissions", async () => {
  const { accounts } = await chain.query<QueryModuleAccountsResponse>(`${QUERY}/ModuleAccounts`);
  const found = accounts.map(({ value }) => ModuleAccount.decode(value));
  const byName = Object.fromEntries(found.map((each) => [each.name, each.permissions]));
  expect(byName).toEqual({
    fee_collector: [],
    settlement_escrow: [],
    settlement: [],
    settlement_platform_fee: [],
    settlement_tax: [],
    settlement_validator_fee: [],
    rewards: ["minter", "burner"],
    reward_pool: [],
  });
  for (const { name, baseAccount } of found) expect(baseAccount?.address).toBe(moduleAccount(name));
});

test("accounts are listed in pages, each once", async () => {
  const seen: string[] = [];
  let key = new Uint8Array(0);
  do {
    const page = await chain.query<QueryAccountsResponse>(`${QUERY}/Accounts`, {
      pagination: { key, limit: 4n },
    });
    seen.push(...page.accounts.map(({ value }) => Buffer.from(value).toString("hex")));
    key = Uint8Array.from(page.pagination?.nextKey ?? []);
  } while (key.length > 0);
  expect([seen.length, new Set(seen).size]).toEqual([14, 14]);
});

test("params and prefix are told", async () => {
  const { params } = await chain.query<QueryParamsResponse>(`${QUERY}/Params`);
  expect(params).toMatchObject({
    ...{ maxMemoCharacters: 256n, txSigLimit: 7n, txSizeCostPerByte: 10n },
    sigVerifyCostSecp256k1: 1000n,
  });
  const answer = await chain.query<{ bech32Prefix: string }>(`${QUERY}/Bech32Prefix`);
  expect(answer).toEqual({ bech32Prefix: "ve" });
});
