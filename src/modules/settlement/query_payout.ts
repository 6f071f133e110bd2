import type { QueryRoute } from "../../baseapp/module.ts";
import type { QueryContext } from "../../baseapp/query_context.ts";
import { queryRoute } from "../../baseapp/query_route.ts";
import * as ext from "../../gen/settled/settlement/v1/query.ts";
import {
  PayoutLedgerEntry,
  PayoutState,
  PayoutStatus,
} from "../../gen/settled/settlement/v1/state.ts";
import { byteKey, joinKeys, type Key } from "../../lib/key.ts";
import type { Reader } from "../../store/read_view.ts";
import { readPage } from "../../store/reader.ts";
import { addCoins, wireCoins } from "../../types/coins.ts";
import { accountsOf } from "./accounts.ts";
import type { BankReader } from "./expected_keepers.ts";
import * as keys from "./keys.ts";
import { addressAsked, filteredPage, wordAsked } from "./query_page.ts";
import * as records from "./query_records.ts";
import { readPayout } from "./query_server.ts";
import { boundsIn, spanAsked, type Timed } from "./query_time.ts";
import { totalOf } from "./query_totals.ts";
import { coinsIn } from "./records.ts";
import { payoutLedgerKindName, payoutStatusName, payoutStatusOf } from "./status_names.ts";

const QUERY = "/settled.settlement.v1.Query";

/** Payouts by party, state and time, what happened to one, and what the accounts hold. */
export function payoutQueries(bank: BankReader): QueryRoute[] {
  return [
    queryRoute({
      path: `${QUERY}/Payouts`,
      request: ext.QueryPayoutsRequest,
      response: ext.QueryPayoutsResponse,
      handle: payoutPage,
    }),
    queryRoute({
      path: `${QUERY}/PayoutLedger`,
      request: ext.QueryPayoutLedgerRequest,
      response: ext.QueryPayoutLedgerResponse,
      handle: async ({ reader }, { payoutId, pagination }) => {
        const { seq } = await records.payoutById(reader, payoutId);
        const prefix = keys.recordKey(keys.PAYOUT_LEDGER_PREFIX, seq);
        const page = await readPage(reader, prefix, pagination);
        const entries = page.entries.map(([, value]) => lineOf(PayoutLedgerEntry.decode(value)));
        return { entries, pagination: page };
      },
    }),
    queryRoute({
      path: `${QUERY}/Treasury`,
      request: ext.QueryTreasuryRequest,
      response: ext.QueryTreasuryResponse,
      handle: async (ctx) => ({ accounts: await treasury(ctx, bank) }),
    }),
  ];
}

function lineOf(entry: PayoutLedgerEntry): ext.PayoutLedgerLine {
  return {
    number: entry.number,
    kind: payoutLedgerKindName(entry.kind),
    previousState: payoutStatusName(entry.previousStatus),
    state: payoutStatusName(entry.status),
    amount: entry.amount,
    reason: entry.reason,
    blockHeight: entry.height,
    timeNs: entry.timeNs,
    journalSeq: entry.journalSeq,
  };
}

async function treasury(
  { reader, chain }: QueryContext,
  bank: BankReader,
): Promise<ext.TreasuryAccount[]> {
  const accounts = accountsOf(chain.bech32Prefix);
  const plain = async (name: string, address: string): Promise<ext.TreasuryAccount> => {
    const balance = await bank.coinsOf(reader, address);
    return { name, address, balance, credited: [], withdrawn: [] };
  };
  const fees = async (
    name: string,
    address: string,
    total: keys.TotalName,
  ): Promise<ext.TreasuryAccount> => {
    const account = await plain(name, address);
    const withdrawn = await totalOf(reader, total);
    // What came in, and did not go back by a refund, is there or was withdrawn.
    const credited = wireCoins(addCoins(coinsIn(account.balance), coinsIn(withdrawn)));
    return { ...account, credited, withdrawn };
  };
  return [
    await fees("platform_fee", accounts.platformFee, "platformFeesWithdrawn"),
    await fees("validator_fee", accounts.validatorFee, "validatorFeesWithdrawn"),
    await fees("tax", accounts.tax, "taxesWithdrawn"),
    await plain("settlement", accounts.settlement),
    await plain("escrow", accounts.escrow),
    await plain("rewards", accounts.rewards),
    await plain("reward_pool", accounts.rewardPool),
  ];
}

/** What a payout must be to be shown; undefined: anything. */
interface PayoutFilter {
  readonly provider: string | undefined;
  readonly customer: string | undefined;
  readonly status: PayoutStatus | undefined;
}

export const PAYOUT_TIMES: Timed = {
  prefix: keys.PAYOUT_PREFIX,
  sequence: "payout",
  timeOf: (value) => PayoutState.decode(value).createdAtNs,
};

async function payoutPage(
  ctx: QueryContext,
  request: ext.QueryPayoutsRequest,
): Promise<ext.QueryPayoutsResponse> {
  const { reader } = ctx;
  const filter = {
    provider: addressAsked(ctx, request.provider),
    customer: addressAsked(ctx, request.customer),
    status: wordAsked("payout state", request.state, payoutStatusOf),
  };
  const prefix = prefixOf(filter);
  const span = spanAsked(request.createdFrom, request.createdTo);
  const bounds = await boundsIn(reader, prefix, { of: PAYOUT_TIMES, span });
  const sections = [{ reader, prefix, ...bounds }];
  const page = await filteredPage(sections, request.pagination, async (key) => {
    const payout = await records.payoutBySeq(reader, keys.seqAtEnd(key));
    return (await matches(reader, payout, filter)) ? readPayout(reader, payout) : undefined;
  });
  return { payouts: page.rows, pagination: page.pagination };
}

/** The look-up that leaves least to look at; all payouts when there is none. */
function prefixOf({ provider, customer, status }: PayoutFilter): Key {
  if (status !== undefined && status !== PayoutStatus.PAYOUT_STATUS_COMPLETED) {
    return joinKeys(keys.PAYOUT_BY_STATUS_PREFIX, byteKey(status));
  }
  if (provider !== undefined) return keys.textIndexKey(keys.PAYOUT_BY_PROVIDER_PREFIX, provider);
  if (customer !== undefined) return keys.textIndexKey(keys.PAYOUT_BY_CUSTOMER_PREFIX, customer);
  return keys.PAYOUT_PREFIX;
}

async function matches(
  reader: Reader,
  payout: PayoutState,
  { provider, customer, status }: PayoutFilter,
): Promise<boolean> {
  if (status !== undefined && payout.status !== status) return false;
  if (provider === undefined && customer === undefined) return true;
  const escrow = await records.escrowBySeq(reader, payout.escrowSeq);
  const isOfProvider = provider === undefined || escrow.recipient === provider;
  return isOfProvider && (customer === undefined || escrow.depositor === customer);
}
