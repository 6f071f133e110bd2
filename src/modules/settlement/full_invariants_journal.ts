import type { FullInvariant } from "../../baseapp/module.ts";
import type { JournalEntry } from "../../gen/settled/bank/v1/state.ts";
import {
  PayoutLedgerEntry,
  PayoutLedgerKind as Kind,
  PayoutState,
  ReceivableState,
} from "../../gen/settled/settlement/v1/state.ts";
import { assert } from "../../lib/assert.ts";
import { joinKeys } from "../../lib/key.ts";
import { KeyMap } from "../../lib/key_map.ts";
import type { Reader } from "../../store/read_view.ts";
import {
  addCoins,
  type Coins,
  coinsOf,
  equalCoins,
  formatCoins,
  NO_COINS,
} from "../../types/coins.ts";
import { accountsOf } from "./accounts.ts";
import type { BankReader } from "./expected_keepers.ts";
import { add, sumOf } from "./sums_by_key.ts";
import { all } from "./full_invariants_sums.ts";
import * as keys from "./keys.ts";
import { coinsIn } from "./records.ts";
import { receivableId } from "./refund_records.ts";

/** What the bank's journal is asked for. */
type Journal = Pick<BankReader, "journalEntry" | "journalEntries">;

/** What records say was moved, against what the bank's journal says was, on demand. */
export function journalFullInvariants(journal: Journal): readonly FullInvariant[] {
  return [
    {
      name: "I-11 what payouts' ledgers say was moved is in the journal",
      check: (reader, { bech32Prefix }) =>
        payoutsFollow(reader, journal, accountsOf(bech32Prefix).settlement),
    },
    {
      name: "I-26 what was paid of receivables is in the journal",
      check: (reader) => paymentsFollow(reader, journal),
    },
  ];
}

function same(name: string, of: object, left: Coins, right: Coins): void {
  const facts = { ...of, left: formatCoins(left), right: formatCoins(right) };
  assert(equalCoins(left, right), `${name} settlement: the journal has another amount`, facts);
}

/** Entries of a payout's ledger that move coins, and the kinds of the journal's entries that do it. */
const MOVES: Readonly<Partial<Record<Kind, readonly string[]>>> = {
  [Kind.PAYOUT_LEDGER_KIND_COMPLETED]: ["payout"],
  [Kind.PAYOUT_LEDGER_KIND_HOLDBACK_RELEASED]: ["payout"],
  [Kind.PAYOUT_LEDGER_KIND_REFUNDED]: ["payout_refund", "settlement_refund"],
};

/**
 * Each entry of a ledger is as much as its entry of the journal, and the refunds of a payout, and
 * what refunds of its settlement took of it, are what it says of them.
 * @param account the one that has the coins of payouts
 */
async function payoutsFollow(reader: Reader, journal: Journal, account: string): Promise<void> {
  for await (const payout of all(reader, keys.PAYOUT_PREFIX, PayoutState)) {
    const { seq } = payout;
    let [refunded, reversed]: [Coins, Coins] = [NO_COINS, NO_COINS];
    const ledger = joinKeys(keys.PAYOUT_LEDGER_PREFIX, keys.seqKey(seq));
    for await (const entry of all(reader, ledger, PayoutLedgerEntry)) {
      const moved = await movedBy(reader, journal, entry);
      if (moved?.kind === "payout_refund") refunded = addCoins(refunded, movedIn(moved));
      if (moved?.kind !== "settlement_refund") continue;
      // What the provider gave back, it got by the payout before.
      const own = moved.postings.filter(({ source }) => source === account);
      reversed = addCoins(reversed, movedIn({ postings: own }));
    }
    same("I-11", { payout: seq, of: "refunded" }, coinsIn(payout.refunded), refunded);
    const taken = addCoins(coinsIn(payout.reversedHoldback), coinsIn(payout.reversedNet));
    same("I-11", { payout: seq, of: "reversed" }, taken, reversed);
  }
}

/** The journal's entry of one of a ledger, of the same amount; undefined when nothing was moved. */
async function movedBy(
  reader: Reader,
  journal: Journal,
  { payoutSeq, number, kind, amount, journalSeq }: PayoutLedgerEntry,
): Promise<JournalEntry | undefined> {
  const facts = { payout: payoutSeq, number, journal: journalSeq };
  const kinds = MOVES[kind];
  const moves = kinds !== undefined && journalSeq !== 0n;
  const moved = moves ? await journal.journalEntry(reader, journalSeq) : undefined;
  const isOfKind = moves ? kinds.includes(moved?.kind ?? "") : journalSeq === 0n;
  assert(isOfKind, "I-11 settlement: the journal's entry of a payout is another", facts);
  if (kinds !== undefined) same("I-11", facts, coinsIn(amount), movedIn(moved));
  return moved;
}

/** All coins of an entry of the journal. */
function movedIn(entry: Pick<JournalEntry, "postings"> | undefined): Coins {
  return (entry?.postings ?? []).reduce<Coins>(
    (sum, { denom, amount }) => addCoins(sum, coinsOf(denom, BigInt(amount))),
    NO_COINS,
  );
}

/** A debt gets smaller by coins that its creditor got, and by nothing else. */
async function paymentsFollow(reader: Reader, journal: Journal): Promise<void> {
  const paid = new KeyMap<Coins>();
  for await (const { kind, reference, postings } of journal.journalEntries(reader)) {
    if (kind !== "receivable_payment") continue;
    for (const { destination, denom, amount } of postings) {
      add(paid, `${reference} to ${destination}`, coinsOf(denom, BigInt(amount)));
    }
  }
  for await (const receivable of all(reader, keys.RECEIVABLE_PREFIX, ReceivableState)) {
    const id = receivableId(receivable);
    const payment = `${id} to ${receivable.creditor}`;
    same("I-26", { receivable: id }, coinsIn(receivable.paid), sumOf(paid, payment));
    paid.delete(payment);
  }
  const [stray] = paid.sortedKeys();
  assert(stray === undefined, "I-26 settlement: a payment has no receivable", { payment: stray });
}
