import type { QueryRoute } from "../../baseapp/module.ts";
import type { QueryContext } from "../../baseapp/query_context.ts";
import { queryRoute } from "../../baseapp/query_route.ts";
import * as ext from "../../gen/settled/settlement/v1/query.ts";
import {
  PayoutLedgerEntry,
  PayoutState,
  PayoutStatus,
} from "../../gen/settled/settlement/v1/state.ts";
import type { PayoutRecord } from "../../gen/virtengine/settlement/v1/query.ts";
import { ChainError } from "../../lib/errors.ts";
import { minBigint } from "../../lib/int.ts";
import { byteKey, bytesOfKey, joinKeys, type Key, keyOfBytes, u64OfBytes } from "../../lib/key.ts";
import type { PageRequest, Reader } from "../../store/read_view.ts";
import { readPage } from "../../store/reader.ts";
import { parseAddress } from "../../types/address.ts";
import { addCoins, wireCoins } from "../../types/coins.ts";
import { GrpcInvalidArgument } from "../../types/query_errors.ts";
import { secondsOf, type TimeNs } from "../../types/time.ts";
import { accountsOf } from "./accounts.ts";
import type { BankReader } from "./expected_keepers.ts";
import * as keys from "./keys.ts";
import * as records from "./query_records.ts";
import { readPayout } from "./query_server.ts";
import { totalOf } from "./query_totals.ts";
import { coinsIn } from "./records.ts";
import { payoutLedgerKindName, payoutStatusName, payoutStatusOf } from "./status_names.ts";

const QUERY = "/settled.settlement.v1.Query";
const PAGE_ROWS_DEFAULT = 100n;
const PAGE_ROWS_MAX = 1000n;
/** Payouts that are looked at for one page: with few matches the page is short, not the wait long. */
const SCAN_MAX = 2000;

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
    // All that ever came in is there or was withdrawn: nothing else moves coins out.
    const credited = wireCoins(addCoins(coinsIn(account.balance), coinsIn(withdrawn)));
    return { ...account, credited, withdrawn };
  };
  return [
    await fees("platform_fee", accounts.platformFee, "platformFeesWithdrawn"),
    await fees("validator_fee", accounts.validatorFee, "validatorFeesWithdrawn"),
    await plain("settlement", accounts.settlement),
    await plain("escrow", accounts.escrow),
    await plain("rewards", accounts.rewards),
    await plain("reward_pool", accounts.rewardPool),
  ];
}

/** What a payout must be to be shown. */
interface PayoutFilter {
  readonly provider: string;
  readonly customer: string;
  readonly status: PayoutStatus | undefined;
  /** Unix seconds; 0n for no bound. */
  readonly from: bigint;
  readonly to: bigint;
}

async function payoutPage(
  { reader, chain }: QueryContext,
  request: ext.QueryPayoutsRequest,
): Promise<ext.QueryPayoutsResponse> {
  const address = (text: string): string =>
    text === "" ? "" : parseAddress(text, chain.bech32Prefix);
  const filter = {
    provider: address(request.provider),
    customer: address(request.customer),
    status: statusAsked(request.state),
    from: request.createdFrom,
    to: request.createdTo,
  };
  const prefix = prefixOf(filter);
  const bounds = {
    from: filter.from === 0n ? undefined : await keyAtTime(reader, prefix, filter.from),
    to: filter.to === 0n ? undefined : await keyAtTime(reader, prefix, filter.to),
  };
  const page = pageOf(prefix, request.pagination, bounds);
  const payouts: PayoutRecord[] = [];
  let scanned = 0;
  let skipped = 0n;
  let next: Key | undefined;
  for await (const [key] of reader.range(prefix, page.range)) {
    scanned += 1;
    if (scanned > SCAN_MAX) {
      next = key;
      break;
    }
    const payout = await records.payoutBySeq(reader, keys.seqAtEnd(key));
    if (!(await matches(reader, payout, filter))) continue;
    if (skipped < page.offset) {
      skipped += 1n;
    } else if (BigInt(payouts.length) === page.limit) {
      next = key;
      break;
    } else payouts.push(await readPayout(reader, payout));
  }
  const nextKey = next === undefined ? new Uint8Array(0) : bytesOfKey(next);
  return { payouts, pagination: { nextKey, total: 0n } };
}

function statusAsked(name: string): PayoutStatus | undefined {
  if (name === "") return undefined;
  const status = payoutStatusOf(name);
  if (status !== undefined) return status;
  throw new ChainError(GrpcInvalidArgument, `unknown payout state "${name.slice(0, 64)}"`);
}

/** The look-up that leaves least to look at; all payouts when there is none. */
function prefixOf({ provider, customer, status }: PayoutFilter): Key {
  if (status !== undefined && status !== PayoutStatus.PAYOUT_STATUS_COMPLETED) {
    return joinKeys(keys.PAYOUT_BY_STATUS_PREFIX, byteKey(status));
  }
  if (provider !== "") return keys.textIndexKey(keys.PAYOUT_BY_PROVIDER_PREFIX, provider);
  if (customer !== "") return keys.textIndexKey(keys.PAYOUT_BY_CUSTOMER_PREFIX, customer);
  return keys.PAYOUT_PREFIX;
}

async function matches(
  reader: Reader,
  payout: PayoutState,
  filter: PayoutFilter,
): Promise<boolean> {
  const { provider, customer, status, from, to } = filter;
  const at = secondsOf(payout.createdAtNs as TimeNs);
  if (status !== undefined && payout.status !== status) return false;
  if ((from !== 0n && at < from) || (to !== 0n && at >= to)) return false;
  if (provider === "" && customer === "") return true;
  const escrow = await records.escrowBySeq(reader, payout.escrowSeq);
  const isOfProvider = provider === "" || escrow.recipient === provider;
  return isOfProvider && (customer === "" || escrow.depositor === customer);
}

/** The look-up's key of the first payout that was made at a time or later: numbers follow time. */
async function keyAtTime(reader: Reader, prefix: Key, seconds: bigint): Promise<Key> {
  const next = await reader.get(keys.sequenceKey("payout"));
  let low = 1n;
  let high = next === undefined ? 1n : u64OfBytes(next);
  while (low < high) {
    const middle = (low + high) >> 1n;
    const found = await firstFrom(reader, middle);
    const isBefore = found !== undefined && secondsOf(found.createdAtNs as TimeNs) < seconds;
    if (isBefore) low = found.seq + 1n;
    else high = middle;
  }
  return joinKeys(prefix, keys.seqKey(low));
}

/** The payout with this number or the next one that there is. */
async function firstFrom(reader: Reader, seq: bigint): Promise<PayoutState | undefined> {
  const from = keys.recordKey(keys.PAYOUT_PREFIX, seq);
  for await (const [, value] of reader.range(keys.PAYOUT_PREFIX, { from, limit: 1 })) {
    return PayoutState.decode(value);
  }
  return undefined;
}

interface PageBounds {
  readonly range: {
    readonly from: Key | undefined;
    readonly to: Key | undefined;
    readonly reverse: boolean;
  };
  readonly limit: bigint;
  readonly offset: bigint;
}

function pageOf(
  prefix: Key,
  request: PageRequest | undefined,
  bounds: { from: Key | undefined; to: Key | undefined },
): PageBounds {
  const reverse = request?.reverse ?? false;
  const asked = request?.limit ?? 0n;
  const limit = minBigint(asked === 0n ? PAGE_ROWS_DEFAULT : asked, PAGE_ROWS_MAX);
  const offset = request?.offset ?? 0n;
  if (request === undefined || request.key.length === 0) {
    return { range: { ...bounds, reverse }, limit, offset };
  }
  if (offset > 0n) {
    throw new ChainError(GrpcInvalidArgument, "pagination: either key or offset, not both");
  }
  const start = keyOfBytes(request.key);
  if (!start.startsWith(prefix)) {
    throw new ChainError(GrpcInvalidArgument, "pagination: this key is not of this query");
  }
  const range = reverse
    ? { from: bounds.from, to: `${start}\0` as Key, reverse }
    : { from: start, to: bounds.to, reverse };
  return { range, limit, offset };
}
