import type { FullInvariant } from "../../baseapp/module.ts";
import {
  PayoutLedgerEntry,
  PayoutState,
  PayoutStatus,
  SettlementState,
} from "../../gen/settled/settlement/v1/state.ts";
import { assert } from "../../lib/assert.ts";
import type { Key } from "../../lib/key.ts";
import type { Reader } from "../../store/read_view.ts";
import { addCoins, type Coins, equalCoins, formatCoins, NO_COINS } from "../../types/coins.ts";
import * as keys from "./keys.ts";
import { holdbackLeft, netToPay, queueKey, statusKey, unpaid } from "./payout_state.ts";
import { totalOf } from "./query_totals.ts";
import { coinsIn } from "./records.ts";
import { count } from "./full_invariants_sums.ts";

/** Invariants over all payouts, on demand. */
export const payoutFullInvariants: readonly FullInvariant[] = [
  { name: "I-10 every payout is its settlement's provider share", check: payoutsAreShares },
  { name: "I-11 unfinished payouts sum to their running total", check: unfinishedSum },
  { name: "I-18 every payout's ledger is numbered and leads to its state", check: ledgersLead },
  { name: "look-ups of payouts are those of the records", check: payoutsAreListed },
];

async function* payouts(reader: Reader): AsyncGenerator<PayoutState> {
  for await (const [, value] of reader.range(keys.PAYOUT_PREFIX)) yield PayoutState.decode(value);
}

function same(name: string, payout: bigint, left: Coins, right: Coins): void {
  const facts = { payout, left: formatCoins(left), right: formatCoins(right) };
  assert(equalCoins(left, right), `${name} settlement: amounts of a payout differ`, facts);
}

/** A settlement with a payout has one, which names it: its idempotency key is its alone. */
async function payoutsAreShares(reader: Reader): Promise<void> {
  for await (const payout of payouts(reader)) {
    const { seq, settlementSeq } = payout;
    // What went out of either part is not more than came in: the functions refuse it.
    holdbackLeft(payout);
    netToPay(payout);
    if (settlementSeq === 0n) continue;
    const bytes = await reader.get(keys.recordKey(keys.SETTLEMENT_PREFIX, settlementSeq));
    const settlement = bytes === undefined ? undefined : SettlementState.decode(bytes);
    const named = settlement?.payoutSeq ?? 0n;
    assert(named === seq, "I-10 settlement: a payout is not its settlement's", { seq, named });
    const share = addCoins(coinsIn(payout.net), coinsIn(payout.holdback));
    same("I-10", seq, share, coinsIn(settlement?.providerShare ?? []));
    same("I-10", seq, coinsIn(payout.gross), coinsIn(settlement?.total ?? []));
  }
  for await (const [, value] of reader.range(keys.SETTLEMENT_PREFIX)) {
    const { seq, payoutSeq } = SettlementState.decode(value);
    if (payoutSeq === 0n) continue;
    const bytes = await reader.get(keys.recordKey(keys.PAYOUT_PREFIX, payoutSeq));
    const named = bytes === undefined ? 0n : PayoutState.decode(bytes).settlementSeq;
    assert(named === seq, "I-10 settlement: its payout is another's", { seq, named });
  }
}

async function unfinishedSum(reader: Reader): Promise<void> {
  let sum: Coins = NO_COINS;
  for await (const payout of payouts(reader)) sum = addCoins(sum, unpaid(payout));
  const total = coinsIn(await totalOf(reader, "payoutsUnfinished"));
  const facts = { left: formatCoins(sum), right: formatCoins(total) };
  assert(equalCoins(sum, total), "I-11 settlement: unfinished payouts differ", facts);
}

async function ledgersLead(reader: Reader): Promise<void> {
  let entries = 0;
  for await (const payout of payouts(reader)) {
    const { seq, ledgerCount } = payout;
    let status: PayoutStatus = PayoutStatus.PAYOUT_STATUS_UNSPECIFIED;
    for (let number = 1; number <= ledgerCount; number += 1) {
      const bytes = await reader.get(keys.payoutLedgerKey(seq, number));
      const entry = bytes === undefined ? undefined : PayoutLedgerEntry.decode(bytes);
      const leads = entry?.number === number && entry.payoutSeq === seq;
      const follows = leads && entry.previousStatus === status;
      assert(follows, "I-18 settlement: a payout's ledger is broken", { seq, number });
      status = entry?.status ?? status;
    }
    entries += ledgerCount;
    if (ledgerCount === 0) continue;
    assert(status === payout.status, "I-18 settlement: a payout's ledger leads elsewhere", { seq });
  }
  const found = await count(reader, keys.PAYOUT_LEDGER_PREFIX);
  assert(found === entries, "I-18 settlement: entries of payouts' ledgers", { found, entries });
}

async function payoutsAreListed(reader: Reader): Promise<void> {
  let entries = 0;
  for await (const payout of payouts(reader)) {
    const key = statusKey(payout);
    if (key === undefined) continue;
    const found = await reader.get(key);
    assert(found !== undefined, "settlement: a payout is not listed by state", { seq: payout.seq });
    entries += 1;
  }
  const found = await count(reader, keys.PAYOUT_BY_STATUS_PREFIX);
  assert(found === entries, "settlement: payouts listed by state", { found, entries });
}

/** Keys of the queues that payouts must be in, one queue after the other (see `derivedKeysFollow`). */
export async function* payoutQueueKeys(reader: Reader, prefix: Key): AsyncGenerator<Key> {
  for await (const payout of payouts(reader)) {
    const key = queueKey(payout);
    if (key?.startsWith(prefix) === true) yield key;
  }
}
