import * as state from "../../gen/settled/settlement/v1/state.ts";
import { assert } from "../../lib/assert.ts";
import { joinKeys, type Key, u64OfBytes } from "../../lib/key.ts";
import { KeyMap } from "../../lib/key_map.ts";
import type { Reader } from "../../store/read_view.ts";
import type { TimeNs } from "../../types/time.ts";
import * as keys from "./keys.ts";
import { expires } from "./records.ts";
import { normaliseUsageType } from "./usage_type.ts";

/**
 * The keys that the machine reads and the app hash does not cover (0x83) against the records that
 * they follow from: each is there, and there is no other. A state that comes from elsewhere is not
 * run before this holds, because a key that is missing lets usage or an expiry be forgotten.
 */
export async function derivedKeysFollow(reader: Reader): Promise<void> {
  await usageFollows(reader);
  await queueFollows(reader, keys.EXPIRY_QUEUE_PREFIX, expiryKeys(reader));
  await queueFollows(reader, keys.REWARD_QUEUE_PREFIX, rewardKeys(reader));
}

interface EscrowFacts {
  readonly orderId: string;
  readonly leaseId: string;
  open: bigint;
}

/** Open records, how many of them each escrow has, natural keys, and the first one not listed. */
async function usageFollows(reader: Reader): Promise<void> {
  const escrows = new KeyMap<EscrowFacts>();
  for await (const [, value] of reader.range(keys.ESCROW_PREFIX)) {
    const { seq, orderId, leaseId } = state.EscrowState.decode(value);
    escrows.set(seq.toString(), { orderId, leaseId, open: 0n });
  }
  const counts = { records: 0, open: 0 };
  let next = 1n;
  for await (const [, value] of reader.range(keys.USAGE_PREFIX)) {
    const usage = state.UsageState.decode(value);
    counts.records += 1;
    next = usage.seq + 1n;
    const escrow = escrows.get(usage.escrowSeq.toString());
    if (escrow === undefined) return wrong("a record has no escrow", usage.seq);
    await naturalKeyFollows(reader, usage, escrow);
    if (usage.status !== state.UsageStatus.USAGE_STATUS_OPEN) continue;
    counts.open += 1;
    escrow.open += 1n;
    const open = joinKeys(
      keys.recordKey(keys.OPEN_USAGE_PREFIX, usage.escrowSeq),
      keys.seqKey(usage.seq),
    );
    if ((await reader.get(open)) === undefined) wrong("an open record does not wait", usage.seq);
  }
  sameCount("records that wait", await count(reader, keys.OPEN_USAGE_PREFIX), counts.open);
  sameCount("natural keys", await count(reader, keys.NATURAL_KEY_PREFIX), counts.records);
  for (const [seq, { open }] of escrows.sortedEntries()) {
    const stored = await reader.get(keys.recordKey(keys.OPEN_COUNT_PREFIX, BigInt(seq)));
    const found = stored === undefined ? 0n : u64OfBytes(stored);
    if (found !== open) wrong("the count of open records differs", BigInt(seq));
  }
  const listed = await reader.get(keys.LISTED_KEY);
  if (listed !== undefined && u64OfBytes(listed) < next) wrong("records are not listed", next);
}

async function naturalKeyFollows(
  reader: Reader,
  usage: state.UsageState,
  { orderId, leaseId }: EscrowFacts,
): Promise<void> {
  const { usageType, periodStart: start, periodEnd: end, seq } = usage;
  const meter = keys.meterKey({ orderId, leaseId, type: normaliseUsageType(usageType) });
  const stored = await reader.get(keys.naturalKey(meter, { start, end }));
  if (stored === undefined || u64OfBytes(stored) !== seq) wrong("no natural key", seq);
}

async function* expiryKeys(reader: Reader): AsyncGenerator<Key> {
  for await (const [, value] of reader.range(keys.ESCROW_PREFIX)) {
    const { status, expiresAtNs, seq } = state.EscrowState.decode(value);
    if (expires(status)) yield keys.expiryQueueKey(expiresAtNs as TimeNs, seq);
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

async function count(reader: Reader, prefix: Key): Promise<number> {
  let entries = 0;
  for await (const _entry of reader.range(prefix)) entries += 1;
  return entries;
}

function sameCount(what: string, found: number, expected: number): void {
  assert(found === expected, `derived keys settlement: ${what}`, { found, expected });
}

function wrong(what: string, seq: bigint): void {
  assert(false, `derived keys settlement: ${what}`, { seq });
}
