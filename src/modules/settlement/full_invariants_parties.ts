import * as state from "../../gen/settled/settlement/v1/state.ts";
import { assert } from "../../lib/assert.ts";
import { joinKeys, type Key } from "../../lib/key.ts";
import type { Reader } from "../../store/read_view.ts";
import * as keys from "./keys.ts";
import { escrowBySeq } from "./query_records.ts";

/** Every look-up of an escrow or a settlement by party is there, and there is no other. */
export async function partiesAreLookedUp(reader: Reader): Promise<void> {
  const counts = LOOK_UPS.map(() => 0);
  const expect = async (prefix: Key, text: string, seq: bigint): Promise<void> => {
    if (text === "") return;
    const key = joinKeys(keys.textIndexKey(prefix, text), keys.seqKey(seq));
    const found = await reader.get(key);
    const place = LOOK_UPS.indexOf(prefix);
    assert(found !== undefined, "settlement: a look-up by party lacks an entry", { place, seq });
    counts[place] = (counts[place] as number) + 1;
  };
  for await (const [, value] of reader.range(keys.ESCROW_PREFIX)) {
    const { seq, depositor, recipient, leaseId } = state.EscrowState.decode(value);
    await expect(keys.ESCROW_BY_DEPOSITOR_PREFIX, depositor, seq);
    await expect(keys.ESCROW_BY_RECIPIENT_PREFIX, recipient, seq);
    await expect(keys.ESCROW_BY_LEASE_PREFIX, leaseId, seq);
  }
  for await (const [, value] of reader.range(keys.SETTLEMENT_PREFIX)) {
    const { seq, escrowSeq } = state.SettlementState.decode(value);
    const { depositor, recipient } = await escrowBySeq(reader, escrowSeq);
    await expect(keys.SETTLEMENT_BY_PROVIDER_PREFIX, recipient, seq);
    await expect(keys.SETTLEMENT_BY_CUSTOMER_PREFIX, depositor, seq);
  }
  for (const [place, prefix] of LOOK_UPS.entries()) {
    let found = 0;
    for await (const _entry of reader.range(prefix)) found += 1;
    const expected = counts[place] as number;
    const facts = { place, found, expected };
    assert(found === expected, "settlement: a look-up by party has an entry too many", facts);
  }
}

const LOOK_UPS: readonly Key[] = [
  keys.ESCROW_BY_DEPOSITOR_PREFIX,
  keys.ESCROW_BY_RECIPIENT_PREFIX,
  keys.ESCROW_BY_LEASE_PREFIX,
  keys.SETTLEMENT_BY_PROVIDER_PREFIX,
  keys.SETTLEMENT_BY_CUSTOMER_PREFIX,
];
