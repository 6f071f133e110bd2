import type { QueryRoute } from "../../baseapp/module.ts";
import { queryRoute } from "../../baseapp/query_route.ts";
import * as ext from "../../gen/settled/settlement/v1/query.ts";
import { EscrowStatus, PayoutStatus } from "../../gen/settled/settlement/v1/state.ts";
import { byteKey, joinKeys, type Key } from "../../lib/key.ts";
import type { Reader } from "../../store/read_view.ts";
import * as keys from "./keys.ts";
import { readHead } from "./open_usage.ts";

/** Entries that are looked at for one count: what a monitor asks for every few seconds stays cheap. */
export const COUNTED_MAX = 10_000;

const LIVE_ESCROWS = [
  EscrowStatus.ESCROW_STATUS_PENDING,
  EscrowStatus.ESCROW_STATUS_ACTIVE,
  EscrowStatus.ESCROW_STATUS_DISPUTED,
];
const WAITING_PAYOUTS = [
  PayoutStatus.PAYOUT_STATUS_PENDING,
  PayoutStatus.PAYOUT_STATUS_PROCESSING,
  PayoutStatus.PAYOUT_STATUS_HELD,
];
const FAILED_PAYOUTS = [PayoutStatus.PAYOUT_STATUS_FAILED];

export const workQuery: QueryRoute = queryRoute({
  path: "/settled.settlement.v1.Query/OpenWork",
  request: ext.QueryOpenWorkRequest,
  response: ext.QueryOpenWorkResponse,
  handle: ({ reader }) => openWork(reader),
});

async function openWork(reader: Reader): Promise<ext.QueryOpenWorkResponse> {
  const incomplete: string[] = [];
  const count = async (
    name: string,
    prefixes: readonly Key[],
    of: (value: Uint8Array) => bigint = one,
  ): Promise<bigint> => {
    const { sum, isComplete } = await countUnder(reader, prefixes, of);
    if (!isComplete) incomplete.push(name);
    return sum;
  };
  return {
    escrows: await count("escrows", byStatus(keys.ESCROW_BY_STATUS_PREFIX, LIVE_ESCROWS)),
    // One entry per escrow with open records, which says how many.
    usageRecords: await count("usage_records", [keys.OPEN_COUNT_PREFIX], recordsOfHead),
    disputes: await count("disputes", [keys.DISPUTE_QUEUE_PREFIX]),
    payoutsWaiting: await count(
      "payouts_waiting",
      byStatus(keys.PAYOUT_BY_STATUS_PREFIX, WAITING_PAYOUTS),
    ),
    payoutsFailed: await count(
      "payouts_failed",
      byStatus(keys.PAYOUT_BY_STATUS_PREFIX, FAILED_PAYOUTS),
    ),
    incomplete,
  };
}

function byStatus(prefix: Key, statuses: readonly number[]): Key[] {
  return statuses.map((status) => joinKeys(prefix, byteKey(status)));
}

function one(): bigint {
  return 1n;
}

function recordsOfHead(value: Uint8Array): bigint {
  return BigInt(readHead(value).count);
}

async function countUnder(
  reader: Reader,
  prefixes: readonly Key[],
  of: (value: Uint8Array) => bigint,
): Promise<{ sum: bigint; isComplete: boolean }> {
  let sum = 0n;
  let seen = 0;
  for (const prefix of prefixes) {
    for await (const [, value] of reader.range(prefix, { limit: COUNTED_MAX + 1 - seen })) {
      seen += 1;
      if (seen > COUNTED_MAX) return { sum, isComplete: false };
      sum += of(value);
    }
  }
  return { sum, isComplete: true };
}
