import type { FullInvariant } from "../../baseapp/module.ts";
import {
  PayoutLedgerEntry,
  PayoutLedgerKind,
  PayoutState,
  PayoutStatus,
} from "../../gen/settled/settlement/v1/state.ts";
import { assert } from "../../lib/assert.ts";
import { joinKeys } from "../../lib/key.ts";
import type { Reader } from "../../store/read_view.ts";
import { addCoins, type Coins, equalCoins, formatCoins, NO_COINS } from "../../types/coins.ts";
import * as keys from "./keys.ts";
import { netToPay } from "./payout_state.ts";
import { coinsIn } from "./records.ts";

/** Invariants of the amounts in payouts' ledgers, on demand. */
export const ledgerFullInvariants: readonly FullInvariant[] = [
  { name: "I-11 payouts paid what their ledgers say", check: amountsFollow },
];

/** What a payout began with, what it paid, and what was released of its holdback. */
async function amountsFollow(reader: Reader): Promise<void> {
  for await (const [, value] of reader.range(keys.PAYOUT_PREFIX)) {
    const payout = PayoutState.decode(value);
    const { seq, net, holdbackReleased, status } = payout;
    const { created, paid, released } = await ledgerSums(reader, seq);
    same(seq, created, coinsIn(net));
    same(seq, released, coinsIn(holdbackReleased));
    const isPaid = status === PayoutStatus.PAYOUT_STATUS_COMPLETED;
    same(seq, paid, isPaid ? netToPay(payout) : NO_COINS);
  }
}

interface LedgerSums {
  readonly created: Coins;
  readonly paid: Coins;
  readonly released: Coins;
}

async function ledgerSums(reader: Reader, seq: bigint): Promise<LedgerSums> {
  let [created, paid, released]: [Coins, Coins, Coins] = [NO_COINS, NO_COINS, NO_COINS];
  const prefix = joinKeys(keys.PAYOUT_LEDGER_PREFIX, keys.seqKey(seq));
  for await (const [, value] of reader.range(prefix)) {
    const { kind, amount } = PayoutLedgerEntry.decode(value);
    const coins = coinsIn(amount);
    if (kind === PayoutLedgerKind.PAYOUT_LEDGER_KIND_CREATED) created = addCoins(created, coins);
    if (kind === PayoutLedgerKind.PAYOUT_LEDGER_KIND_COMPLETED) paid = addCoins(paid, coins);
    if (kind === PayoutLedgerKind.PAYOUT_LEDGER_KIND_HOLDBACK_RELEASED) {
      released = addCoins(released, coins);
    }
  }
  return { created, paid, released };
}

function same(payout: bigint, found: Coins, expected: Coins): void {
  const facts = { payout, left: formatCoins(found), right: formatCoins(expected) };
  assert(equalCoins(found, expected), "I-11 settlement: a payout's ledger sums differ", facts);
}
