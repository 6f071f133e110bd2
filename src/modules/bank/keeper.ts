import { type Context, isCheck } from "../../baseapp/context.ts";
import { DecodedCache } from "../../baseapp/decoded_cache.ts";
import { JournalEntry, JournalHead } from "../../gen/settled/bank/v1/state.ts";
import { assert } from "../../lib/assert.ts";
import { concatBytes, EMPTY_BYTES, fromUtf8, utf8 } from "../../lib/bytes.ts";
import { ChainError } from "../../lib/errors.ts";
import { joinKeys, type Key, u64Key } from "../../lib/key.ts";
import { KeyMap } from "../../lib/key_map.ts";
import { AMOUNT_MAX, type Coin, type Coins, isZeroCoins } from "../../types/coins.ts";
import { ErrInsufficientFunds } from "../../types/sdk_errors.ts";
import { ErrAmountOverflow } from "./errors.ts";
import { movementEvents } from "./events.ts";
import type { AccountKeeper } from "./expected_keepers.ts";
import * as keys from "./keys.ts";
import { BURN, MINT, type Movement, type Posting } from "./types.ts";

/** Reads of balances and supply. */
export interface BankViewKeeper {
  balance(ctx: Context, address: string, denom: string): bigint;
  supply(ctx: Context, denom: string): bigint;
}

/**
 * The only writer of balances. Every movement of coins is one journal entry: balanced by
 * construction (each posting names source and destination), chained by hash, never changed.
 */
export class BankKeeper implements BankViewKeeper {
  readonly #accounts: AccountKeeper;
  readonly #head = new DecodedCache(JournalHead, 1);
  readonly #balanceKeys = new keys.BalanceKeys();

  constructor(accounts: AccountKeeper) {
    this.#accounts = accounts;
  }

  balance(ctx: Context, address: string, denom: string): bigint {
    return readAmount(ctx, this.#balanceKeys.of(address, denom));
  }

  supply(ctx: Context, denom: string): bigint {
    return readAmount(ctx, keys.supplyKey(denom));
  }

  journalHead(ctx: Context): JournalHead {
    return this.#head.read(ctx.kv, keys.JOURNAL_HEAD_KEY) ?? { count: 0n, hash: EMPTY_BYTES };
  }

  /**
   * Moves coins by one journal entry and returns its seq, or 0 when nothing is to be moved and in
   * checks, which keep no journal.
   * All movements happen or none.
   * @throws ChainError sdk/5 naming account, denom, what is there and what is needed.
   */
  post(ctx: Context, posting: Posting): bigint {
    const movements = posting.movements.filter(({ coins }) => !isZeroCoins(coins));
    if (movements.length === 0) return 0n;
    const net = new KeyMap<{ address: string; denom: string; delta: bigint }>();
    for (const { source, destination, coins } of movements) {
      if (source === destination) {
        assert(false, "a posting moves between two accounts", { source });
      }
      for (const coin of coins) {
        if (coin.amount <= 0n) assert(false, "a posting has a positive amount", { ...coin });
        addDelta(net, source, coin, -coin.amount);
        addDelta(net, destination, coin, coin.amount);
      }
    }
    this.#applyDeltas(ctx, net);
    for (const { source, destination, coins } of movements) {
      for (const emitted of movementEvents(source, destination, coins)) ctx.emit(emitted);
    }
    // The check state is dropped after each block, and nothing on it reads the journal.
    if (isCheck(ctx)) return 0n;
    return this.#append(ctx, posting, movements);
  }

  /**
   * Takes coins from an account in a check, where it is all that counts: whoever gets them spends
   * nothing of them in a check.
   * @throws ChainError as `post`
   */
  charge(ctx: Context, address: string, coins: Coins): void {
    assert(isCheck(ctx), "coins go nowhere in checks only");
    for (const { denom, amount } of coins) {
      this.#changeBalance(ctx, { address, denom, delta: -amount });
    }
  }

  /** Moves coins between two accounts. */
  send(ctx: Context, movement: { source: string; destination: string; coins: Coins }): bigint {
    return this.post(ctx, { kind: "send", reference: "", movements: [movement] });
  }

  #applyDeltas(ctx: Context, net: KeyMap<{ address: string; denom: string; delta: bigint }>): void {
    const sums = new KeyMap<bigint>();
    for (const { address, denom, delta } of net.sortedValues()) {
      if (delta === 0n) continue;
      if (address === MINT || address === BURN) {
        this.#changeSupply(ctx, denom, -delta);
        continue;
      }
      this.#changeBalance(ctx, { address, denom, delta });
      sums.set(denom, (sums.get(denom) ?? 0n) + delta);
    }
    for (const [denom, delta] of sums.sortedEntries()) {
      if (delta === 0n) continue;
      const key = keys.balanceSumKey(denom);
      writeAmount(ctx, key, readAmount(ctx, key) + delta);
    }
  }

  #changeSupply(ctx: Context, denom: string, delta: bigint): void {
    const supply = this.supply(ctx, denom) + delta;
    assert(supply >= 0n, "supply would be negative", { denom, supply });
    if (supply > AMOUNT_MAX) throw new ChainError(ErrAmountOverflow, `supply of ${denom}`);
    writeAmount(ctx, keys.supplyKey(denom), supply);
  }

  #changeBalance(ctx: Context, change: { address: string; denom: string; delta: bigint }): void {
    const { address, denom, delta } = change;
    const key = this.#balanceKeys.of(address, denom);
    const before = readAmount(ctx, key);
    const after = before + delta;
    if (after < 0n) {
      const detail = `spendable balance ${before}${denom} is smaller than ${-delta}${denom}`;
      throw new ChainError(ErrInsufficientFunds, detail, { address, denom, have: before });
    }
    if (before === 0n) this.#accounts.ensureAccount(ctx, address);
    writeAmount(ctx, key, after);
  }

  #append(ctx: Context, posting: Posting, movements: readonly Movement[]): bigint {
    const head = this.journalHead(ctx);
    const seq = head.count + 1n;
    const postings = movements.flatMap(({ source, destination, coins }) =>
      coins.map(({ denom, amount }) => ({ source, destination, denom, amount: amount.toString() })),
    );
    const entry: JournalEntry = {
      seq,
      height: ctx.height,
      timeNs: ctx.time,
      txHash: ctx.txHash,
      kind: posting.kind,
      reference: posting.reference,
      postings,
      reverses: posting.reverses ?? 0n,
      hash: EMPTY_BYTES,
    };
    const body = JournalEntry.encode(entry).finish();
    const hash = ctx.hasher.sha256(concatBytes(head.hash, body));
    // The head counts all entries, so this number has none: an entry is never overwritten.
    ctx.kv.create(keys.journalKey(seq), concatBytes(body, HASH_FIELD, hash));
    this.#head.write(ctx.kv, keys.JOURNAL_HEAD_KEY, { count: seq, hash });
    indexEntry(ctx, entry);
    return seq;
  }
}

/** Tag and length of an entry's hash. It is the last field, so it follows the entry without it. */
const HASH_FIELD = Uint8Array.of((9 << 3) | 2, 32);

/** sha256(hash of the entry before ‖ the entry without its hash). */
export function journalHash(
  ctx: Pick<Context, "hasher">,
  previous: Uint8Array,
  entry: JournalEntry,
): Uint8Array {
  const body = JournalEntry.encode({ ...entry, hash: EMPTY_BYTES }).finish();
  return ctx.hasher.sha256(concatBytes(previous, body));
}

/** Writes the look-ups of an entry by account and by reference. */
export function indexEntry(ctx: Context, entry: JournalEntry): void {
  const seq = u64Key(entry.seq);
  const addresses: string[] = [];
  for (const { source, destination } of entry.postings) {
    for (const address of [source, destination]) {
      if (address === MINT || address === BURN || addresses.includes(address)) continue;
      addresses.push(address);
      ctx.kv.create(joinKeys(keys.journalOfAccountKey(address), seq), EMPTY_BYTES);
    }
  }
  if (entry.reference === "") return;
  ctx.kv.create(joinKeys(keys.journalOfReferenceKey(entry.reference), seq), EMPTY_BYTES);
}

function addDelta(
  net: KeyMap<{ address: string; denom: string; delta: bigint }>,
  address: string,
  { denom }: Coin,
  delta: bigint,
): void {
  const key = `${address}/${denom}`;
  const before = net.get(key)?.delta ?? 0n;
  net.set(key, { address, denom, delta: before + delta });
}

export function readAmount(ctx: Context, key: Key): bigint {
  const bytes = ctx.kv.get(key);
  return bytes === undefined ? 0n : decodeAmount(bytes);
}

/** Amounts are stored as decimal text; zero is no entry. */
export function writeAmount(ctx: Context, key: Key, amount: bigint): void {
  if (amount === 0n) ctx.kv.delete(key);
  else ctx.kv.set(key, utf8(amount.toString()));
}

export function decodeAmount(bytes: Uint8Array): bigint {
  if (bytes.length > EXACT_DIGITS_MAX) return BigInt(fromUtf8(bytes) ?? "");
  let amount = 0;
  for (let index = 0; index < bytes.length; index += 1) {
    amount = amount * 10 + ((bytes[index] as number) - DIGIT_ZERO);
  }
  return BigInt(amount);
}

/** Digits that a number holds exactly, and the code of the first of them. */
const EXACT_DIGITS_MAX = 15;
const DIGIT_ZERO = 48;
