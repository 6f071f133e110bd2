import { ProviderError } from "../errors.ts";
import type { Outbox } from "../outbox/outbox.ts";
import type { OutboxRecord } from "../outbox/outbox_record.ts";
import { type FlyingTx, FRESH } from "./flight.ts";

const SIGNER_NOTE = "dispatch/signer";

/**
 * The txs that the run before left in flight, by sequence.
 * @throws ProviderError `signer_changed`; whatever the outbox throws
 */
export async function takeUp(outbox: Outbox, address: string): Promise<FlyingTx[]> {
  const noted = await outbox.note(SIGNER_NOTE);
  // A write: what is read from here on is what the disk has, also after one that failed.
  await outbox.write({ notes: new Map([[SIGNER_NOTE, noted ?? address]]) });
  const sent = await outbox.sentTxs();
  if (sent.length > 0 && noted !== undefined && noted !== address) {
    throw new ProviderError(
      "signer_changed",
      `${sent.length} txs of ${noted} are in flight, and the key is that of ${address}: ` +
        "start once more with the key of before, and let it drain",
    );
  }
  await outbox.write({ notes: new Map([[SIGNER_NOTE, address]]) });
  const txs: FlyingTx[] = [];
  for (const tx of sent) {
    const records: OutboxRecord[] = [];
    for (const key of tx.keys) {
      const record = await outbox.record(key);
      if (record !== undefined) records.push(record);
    }
    txs.push({ ...FRESH, sent: tx, records, gasFactor: 1n, absentHeight: 0n });
  }
  return txs;
}
