import * as state from "../../gen/settled/settlement/v1/state.ts";
import { assert } from "../../lib/assert.ts";
import { type Key, u64OfBytes } from "../../lib/key.ts";
import { KeyMap } from "../../lib/key_map.ts";
import { Memo } from "../../lib/memo.ts";
import type { Reader } from "../../store/read_view.ts";
import type { TimeNs } from "../../types/time.ts";
import { disputeQueueKeys } from "./full_invariants_dispute.ts";
import { autoSettleKeys, invoiceDueKeys } from "./full_invariants_invoices.ts";
import { payoutQueueKeys } from "./full_invariants_payout.ts";
import * as keys from "./keys.ts";
import { OPEN_LIST_MAX, openHeadKey, openListKey, readHead } from "./open_usage.ts";
import { expires } from "./records.ts";
import { numbersOfEntry } from "./seq_list.ts";
import { holdsKey } from "./usage_facts.ts";
import { normaliseUsageType } from "../../types/usage_type.ts";
import { count } from "./full_invariants_sums.ts";

/**
 * The keys that the machine reads and the app hash does not cover (0x83) against the records that
 * they follow from: each is there, and there is no other. A state that comes from elsewhere is not
 * run before this holds, because a key that is missing lets usage or an expiry be forgotten.
 */
export async function derivedKeysFollow(reader: Reader): Promise<void> {
  await usageFollows(reader);
  await queueFollows(reader, keys.EXPIRY_QUEUE_PREFIX, expiryKeys(reader));
  await queueFollows(reader, keys.REWARD_QUEUE_PREFIX, rewardKeys(reader));
  await queueFollows(reader, keys.AUTO_SETTLE_QUEUE_PREFIX, autoSettleKeys(reader));
  await queueFollows(reader, keys.INVOICE_DUE_QUEUE_PREFIX, invoiceDueKeys(reader));
  await queueFollows(reader, keys.DISPUTE_QUEUE_PREFIX, disputeQueueKeys(reader));
  for (const queue of PAYOUT_QUEUES) {
    await queueFollows(reader, queue, payoutQueueKeys(reader, queue));
  }
}

const PAYOUT_QUEUES: readonly Key[] = [
  keys.PAYOUT_QUEUE_PREFIX,
  keys.PAYOUT_RETRY_QUEUE_PREFIX,
  keys.HOLDBACK_QUEUE_PREFIX,
];

/** Meters whose numbers are kept while records are read. */
const METERS_MAX = 65_536;

interface EscrowFacts {
  readonly orderId: string;
  readonly leaseId: string;
  /** Open records, and those that the lists of open records have. */
  open: number;
  listed: number;
  /** The last number that they have, and the first of the last one. */
  last: number;
  tail: number;
}

/** Open records, how many of them each escrow has, natural keys, and the first one not listed. */
async function usageFollows(reader: Reader): Promise<void> {
  const escrows = new KeyMap<EscrowFacts>();
  for await (const [, value] of reader.range(keys.ESCROW_PREFIX)) {
    const { seq, orderId, leaseId } = state.EscrowState.decode(value);
    const nothing = { open: 0, listed: 0, last: 0, tail: 0 };
    escrows.set(seq.toString(), { orderId, leaseId, ...nothing });
  }
  const meters = new Memo<bigint>(METERS_MAX);
  let natural = 0;
  for await (const [, value] of reader.range(keys.USAGE_PREFIX)) {
    const usage = state.UsageState.decode(value);
    const escrow = escrows.get(usage.escrowSeq.toString());
    if (escrow === undefined) return wrong("a record has no escrow", usage.seq);
    if (holdsKey(usage)) {
      natural += 1;
      await naturalKeyFollows(reader, usage, { escrow, meters });
    }
    if (usage.status === state.UsageStatus.USAGE_STATUS_OPEN) escrow.open += 1;
  }
  sameCount("natural keys", await count(reader, keys.NATURAL_KEY_PREFIX), natural);
  for await (const entry of reader.range(keys.OPEN_USAGE_PREFIX)) {
    await openListFollows(reader, escrows, entry);
  }
  await headsFollow(reader, escrows);
  // At the end of a block all is listed: lists go on where the numbers of records do.
  const next = await reader.get(keys.sequenceKey("usage"));
  const listed = await reader.get(keys.LISTED_KEY);
  const [from, to] = [listed, next].map((it) => (it === undefined ? 1n : u64OfBytes(it)));
  if (from !== to) wrong("what is listed ends elsewhere than the records", from as bigint);
}

/** Each record of a list is open, of the list's escrow, and in no list before. */
async function openListFollows(
  reader: Reader,
  escrows: KeyMap<EscrowFacts>,
  entry: readonly [Key, Uint8Array],
): Promise<void> {
  const [key] = entry;
  const numbers = numbersOfEntry(entry);
  const escrowSeq = keys.seqAtEnd(key.slice(0, -6) as Key);
  const escrow = escrows.get(escrowSeq.toString());
  const isOfEscrow = escrow !== undefined && key.slice(0, -6) === openListKey(escrowSeq);
  if (!isOfEscrow) return wrong("a list of open records has no escrow", escrowSeq);
  if (numbers.length > OPEN_LIST_MAX) wrong("a list of open records is too long", escrowSeq);
  for (const number of numbers) {
    const seq = BigInt(number);
    if (number <= escrow.last) wrong("lists of open records overlap", seq);
    const bytes = await reader.get(keys.recordKey(keys.USAGE_PREFIX, seq));
    const usage = bytes === undefined ? undefined : state.UsageState.decode(bytes);
    const isOpen = usage?.status === state.UsageStatus.USAGE_STATUS_OPEN;
    if (!isOpen || usage.escrowSeq !== escrowSeq) wrong("a record that waits is not open", seq);
    escrow.last = number;
  }
  escrow.listed += numbers.length;
  escrow.tail = numbers[0] as number;
}

/** As many open records are listed as there are, so all of them; and the head says so. */
async function headsFollow(reader: Reader, escrows: KeyMap<EscrowFacts>): Promise<void> {
  let heads = 0;
  for (const [text, { open, listed, tail }] of escrows.sortedEntries()) {
    const seq = BigInt(text);
    if (listed !== open) wrong("an open record does not wait", seq);
    const head = readHead(await reader.get(openHeadKey(seq)));
    if (head.count !== open) wrong("the count of open records differs", seq);
    if (head.tail !== tail) wrong("the last list of open records is another", seq);
    if (open > 0) heads += 1;
  }
  sameCount("escrows with open records", await count(reader, keys.OPEN_COUNT_PREFIX), heads);
}

/** @param meters numbers of meters by the key of their coverage */
async function naturalKeyFollows(
  reader: Reader,
  { usageType, periodStart, seq }: state.UsageState,
  { escrow, meters }: { escrow: EscrowFacts; meters: Memo<bigint> },
): Promise<void> {
  const { orderId, leaseId } = escrow;
  const key = keys.meterKey({ orderId, leaseId, type: normaliseUsageType(usageType) });
  let meter = meters.get(key);
  if (meter === undefined) {
    const bytes = await reader.get(key);
    meter = bytes === undefined ? 0n : state.Coverage.decode(bytes).meter;
    meters.set(key, meter);
  }
  const stored = await reader.get(keys.naturalKey(meter, periodStart));
  if (stored === undefined || BigInt(keys.numberAt(stored, 0)) !== seq)
    wrong("no natural key", seq);
}

async function* expiryKeys(reader: Reader): AsyncGenerator<Key> {
  for await (const [, value] of reader.range(keys.ESCROW_PREFIX)) {
    const escrow = state.EscrowState.decode(value);
    const { expiresAtNs, seq } = escrow;
    if (expires(escrow)) yield keys.expiryQueueKey(expiresAtNs as TimeNs, seq);
  }
}

async function* rewardKeys(reader: Reader): AsyncGenerator<Key> {
  for await (const [, value] of reader.range(keys.REWARD_ENTRY_PREFIX)) {
    const { address, expiresAtNs, seq } = state.RewardEntryState.decode(value);
    if (expiresAtNs !== 0n) yield keys.rewardQueueKey(expiresAtNs as TimeNs, address, seq);
  }
}

async function queueFollows(
  reader: Reader,
  prefix: Key,
  expected: AsyncIterable<Key>,
): Promise<void> {
  let entries = 0;
  for await (const key of expected) {
    entries += 1;
    if ((await reader.get(key)) === undefined) wrong("a queue lacks an entry", keys.seqAtEnd(key));
  }
  sameCount("entries of a queue", await count(reader, prefix), entries);
}

function sameCount(what: string, found: number, expected: number): void {
  assert(found === expected, `derived keys settlement: ${what}`, { found, expected });
}

function wrong(what: string, seq: bigint): void {
  assert(false, `derived keys settlement: ${what}`, { seq });
}
