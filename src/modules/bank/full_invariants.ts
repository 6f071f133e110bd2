import type { FullInvariant } from "../../baseapp/module.ts";
import { JournalEntry, JournalHead } from "../../gen/settled/bank/v1/state.ts";
import { assert } from "../../lib/assert.ts";
import { concatBytes, EMPTY_BYTES, equalBytes } from "../../lib/bytes.ts";
import type { Key } from "../../lib/key.ts";
import { KeyMap } from "../../lib/key_map.ts";
import { sha256 } from "../../lib/sha256.ts";
import type { Reader } from "../../store/read_view.ts";
import { decodeAmount } from "./keeper.ts";
import * as keys from "./keys.ts";
import { BURN, MINT } from "./types.ts";

/** Invariants over the whole of the bank, on demand: each walks all balances or all entries. */
export const bankFullInvariants: readonly FullInvariant[] = [
  { name: "I-04 balances are the fold of the journal", check: balancesAreFold },
  { name: "I-05 supply is the sum of balances", check: supplyIsSum },
  { name: "I-18 the whole journal is chained", check: journalIsChained },
  { name: "I-26 reversals are of older entries and no more than these", check: reversalsAreLess },
];

async function balancesAreFold(reader: Reader): Promise<void> {
  const fold = new KeyMap<bigint>();
  const add = (address: string, denom: string, delta: bigint): void => {
    if (address === MINT || address === BURN) return;
    const key = keys.balanceKey(address, denom);
    fold.set(key, (fold.get(key) ?? 0n) + delta);
  };
  for await (const [, value] of reader.range(keys.JOURNAL_PREFIX)) {
    for (const { source, destination, denom, amount } of JournalEntry.decode(value).postings) {
      add(source, denom, -BigInt(amount));
      add(destination, denom, BigInt(amount));
    }
  }
  for (const [key, amount] of fold.sortedEntries()) {
    const bytes = await reader.get(key as Key);
    const balance = bytes === undefined ? 0n : decodeAmount(bytes);
    assert(balance === amount, "I-04 bank: balance differs from journal", { key, balance, amount });
  }
}

async function supplyIsSum(reader: Reader): Promise<void> {
  const sums = new KeyMap<bigint>();
  for await (const [key, value] of reader.range(keys.BALANCE_PREFIX)) {
    const denomAt = keys.BALANCE_PREFIX.length + 1 + key.charCodeAt(keys.BALANCE_PREFIX.length);
    const supplyKey = `${keys.SUPPLY_PREFIX}${key.slice(denomAt)}`;
    sums.set(supplyKey, (sums.get(supplyKey) ?? 0n) + decodeAmount(value));
  }
  for (const [key, sum] of sums.sortedEntries()) {
    const bytes = await reader.get(key as Key);
    const supply = bytes === undefined ? 0n : decodeAmount(bytes);
    assert(supply === sum, "I-05 bank: supply differs from balances", { key, supply, sum });
  }
}

async function journalIsChained(reader: Reader): Promise<void> {
  let count = 0n;
  let hash: Uint8Array = EMPTY_BYTES;
  for await (const [, value] of reader.range(keys.JOURNAL_PREFIX)) {
    const entry = JournalEntry.decode(value);
    const body = JournalEntry.encode({ ...entry, hash: EMPTY_BYTES }).finish();
    const expected = sha256(concatBytes(hash, body));
    count += 1n;
    const chained = entry.seq === count && equalBytes(entry.hash, expected);
    assert(chained, "I-18 bank: journal is broken", { seq: entry.seq, expected: count });
    hash = expected;
  }
  const bytes = await reader.get(keys.JOURNAL_HEAD_KEY);
  const head = bytes === undefined ? undefined : JournalHead.decode(bytes);
  assert((head?.count ?? 0n) === count, "I-18 bank: journal head differs", { count });
}

/** Whatever an account gives back, by one reversal or several, it got by the entry that they name. */
async function reversalsAreLess(reader: Reader): Promise<void> {
  const reversed = new KeyMap<bigint>();
  for await (const [, value] of reader.range(keys.JOURNAL_PREFIX)) {
    const { seq, reverses, postings } = JournalEntry.decode(value);
    if (reverses === 0n) continue;
    const bytes = reverses < seq ? await reader.get(keys.journalKey(reverses)) : undefined;
    if (bytes === undefined) assert(false, "I-26 bank: no older entry", { seq, reverses });
    const moved = JournalEntry.decode(bytes);
    for (const { source, denom, amount } of postings) {
      const key = `${reverses}/${source}/${denom}`;
      const sum = (reversed.get(key) ?? 0n) + BigInt(amount);
      const most = receivedOf(moved, source, denom);
      assert(sum <= most, "I-26 bank: more goes back than was moved", { seq, denom, sum, most });
      reversed.set(key, sum);
    }
  }
}

/** What an entry moves of a denom to an account, over all of its postings. */
function receivedOf({ postings }: JournalEntry, account: string, denom: string): bigint {
  return postings.reduce((sum, { destination, denom: of, amount }) => {
    return destination === account && of === denom ? sum + BigInt(amount) : sum;
  }, 0n);
}
