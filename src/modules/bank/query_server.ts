import type { QueryContext } from "../../baseapp/query_context.ts";
import type { QueryRoute } from "../../baseapp/module.ts";
import { queryRoute } from "../../baseapp/query_route.ts";
import type { Coin as WireCoin } from "../../gen/cosmos/base/v1beta1/coin.ts";
import * as q from "../../gen/cosmos/bank/v1beta1/query.ts";
import * as journal from "../../gen/settled/bank/v1/query.ts";
import { JournalEntry } from "../../gen/settled/bank/v1/state.ts";
import { must } from "../../lib/assert.ts";
import { fromUtf8 } from "../../lib/bytes.ts";
import { ChainError } from "../../lib/errors.ts";
import { bytesOfKey, type Key, u64FromKey } from "../../lib/key.ts";
import type { PageRequest, Reader } from "../../store/read_view.ts";
import { readAll, readPage } from "../../store/reader.ts";
import { parseAddress } from "../../types/address.ts";
import { isDenom } from "../../types/denom.ts";
import { GrpcInvalidArgument, GrpcNotFound } from "../../types/query_errors.ts";
import { decodeAmount } from "./keeper.ts";
import * as keys from "./keys.ts";

const QUERY = "/cosmos.bank.v1beta1.Query";
const JOURNAL = "/settled.bank.v1.Query";

/** Balances, supply and the journal. */
export const bankQueries: readonly QueryRoute[] = [
  queryRoute({
    path: `${QUERY}/Balance`,
    request: q.QueryBalanceRequest,
    response: q.QueryBalanceResponse,
    handle: async (ctx, { address, denom }) => {
      const owner = parseAddress(address, ctx.chain.bech32Prefix);
      requireDenom(denom);
      const bytes = await ctx.reader.get(keys.balanceKey(owner, denom));
      const amount = bytes === undefined ? 0n : decodeAmount(bytes);
      return { balance: { denom, amount: amount.toString() } };
    },
  }),
  queryRoute({
    path: `${QUERY}/AllBalances`,
    request: q.QueryAllBalancesRequest,
    response: q.QueryAllBalancesResponse,
    handle: (ctx, { address, pagination }) => allBalances(ctx, address, pagination),
  }),
  queryRoute({
    path: `${QUERY}/SpendableBalances`,
    request: q.QuerySpendableBalancesRequest,
    response: q.QuerySpendableBalancesResponse,
    handle: (ctx, { address, pagination }) => allBalances(ctx, address, pagination),
  }),
  queryRoute({
    path: `${QUERY}/TotalSupply`,
    request: q.QueryTotalSupplyRequest,
    response: q.QueryTotalSupplyResponse,
    handle: async (ctx, { pagination }) => {
      const page = await readPage(ctx.reader, keys.SUPPLY_PREFIX, pagination);
      return { supply: coinsOfEntries(page.entries, keys.SUPPLY_PREFIX), pagination: page };
    },
  }),
  queryRoute({
    path: `${QUERY}/SupplyOf`,
    request: q.QuerySupplyOfRequest,
    response: q.QuerySupplyOfResponse,
    handle: async (ctx, { denom }) => {
      requireDenom(denom);
      const bytes = await ctx.reader.get(keys.supplyKey(denom));
      const amount = bytes === undefined ? 0n : decodeAmount(bytes);
      return { amount: { denom, amount: amount.toString() } };
    },
  }),
  queryRoute({
    path: `${QUERY}/Params`,
    request: q.QueryParamsRequest,
    response: q.QueryParamsResponse,
    handle: async () => ({ params: { sendEnabled: [], defaultSendEnabled: true } }),
  }),
  queryRoute({
    path: `${JOURNAL}/JournalEntry`,
    request: journal.QueryJournalEntryRequest,
    response: journal.QueryJournalEntryResponse,
    handle: async (ctx, { seq }) => ({ entry: await journalEntry(ctx.reader, seq) }),
  }),
  queryRoute({
    path: `${JOURNAL}/JournalEntries`,
    request: journal.QueryJournalEntriesRequest,
    response: journal.QueryJournalEntriesResponse,
    handle: journalEntries,
  }),
];

/** @throws ChainError grpc/3 */
export function requireDenom(denom: string): void {
  if (isDenom(denom)) return;
  throw new ChainError(GrpcInvalidArgument, `invalid denom "${denom.slice(0, 130)}"`);
}

async function allBalances(
  ctx: QueryContext,
  address: string,
  pagination: PageRequest | undefined,
): Promise<q.QueryAllBalancesResponse> {
  const prefix = keys.balancesOfKey(parseAddress(address, ctx.chain.bech32Prefix));
  const page = await readPage(ctx.reader, prefix, pagination);
  return { balances: coinsOfEntries(page.entries, prefix), pagination: page };
}

/** All coins of an account, sorted; a module's account holds few denoms. */
export async function coinsOfAccount(reader: Reader, address: string): Promise<WireCoin[]> {
  const prefix = keys.balancesOfKey(address);
  return coinsOfEntries(await readAll(reader, prefix, `${QUERY}/AllBalances`), prefix);
}

/** The denom is the last part of the key. */
export function coinsOfEntries(entries: readonly [Key, Uint8Array][], prefix: Key): WireCoin[] {
  return entries.map(([key, value]) => {
    const denom = must(fromUtf8(bytesOfKey(key.slice(prefix.length) as Key)), "denom is text");
    return { denom, amount: decodeAmount(value).toString() };
  });
}

async function journalEntry(reader: Reader, seq: bigint): Promise<JournalEntry> {
  const bytes = seq === 0n ? undefined : await reader.get(keys.journalKey(seq));
  if (bytes === undefined) throw new ChainError(GrpcNotFound, `journal entry ${seq}`);
  return JournalEntry.decode(bytes);
}

async function journalEntries(
  ctx: QueryContext,
  { account, reference, pagination }: journal.QueryJournalEntriesRequest,
): Promise<journal.QueryJournalEntriesResponse> {
  if (account !== "" && reference !== "") {
    throw new ChainError(GrpcInvalidArgument, "filter by account or by reference, not by both");
  }
  if (account === "" && reference === "") {
    const page = await readPage(ctx.reader, keys.JOURNAL_PREFIX, pagination);
    return {
      entries: page.entries.map(([, value]) => JournalEntry.decode(value)),
      pagination: page,
    };
  }
  const prefix =
    account === ""
      ? keys.journalOfReferenceKey(reference)
      : keys.journalOfAccountKey(parseAddress(account, ctx.chain.bech32Prefix));
  const page = await readPage(ctx.reader, prefix, pagination);
  const entries: JournalEntry[] = [];
  for (const [key] of page.entries) {
    entries.push(await journalEntry(ctx.reader, u64FromKey(key, prefix.length)));
  }
  return { entries, pagination: page };
}
