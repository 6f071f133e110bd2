import type { Client, TxInfo } from "../../client/client.ts";
import { type ChainUsage, usageByNaturalKey } from "../../client/usage_queries.ts";
import { parallel } from "../ahead.ts";
import type { OutboxRecord } from "../outbox/outbox_record.ts";
import type { FlyingTx } from "./flight.ts";
import type { NodePool } from "./node_pool.ts";

/** Natural keys that are asked for at a time. */
const LOOKUP_WIDTH = 8;

/** What a node says of txs in flight: those that it has in blocks, and up to where it looked. */
export interface Sighting {
  /** Those without one are in no block up to this height. */
  readonly height: bigint;
  readonly found: readonly (TxInfo | undefined)[];
}

/** Asks one node for txs. The height is asked first: what is absent then, is absent up to there. */
export async function lookFor(
  pool: NodePool,
  client: Client,
  txs: readonly FlyingTx[],
): Promise<Sighting> {
  const { latestHeight: height } = await pool.statusOf(client);
  const found = await Promise.all(txs.map(({ sent }) => client.tx(sent.hash)));
  return { height, found };
}

/**
 * Whether a tx that a node does not have can be in no block of the chain any more: the chain is past
 * its last block, or has taken another tx of its sequence. A node that hangs behind says neither.
 */
export async function isPast(
  client: Client,
  { sent }: FlyingTx,
  height: bigint,
  address: string,
): Promise<"timeout" | "sequence" | undefined> {
  if (height >= sent.timeoutHeight) return "timeout";
  const account = await client.account(address);
  return account !== undefined && account.sequence > sent.sequence ? "sequence" : undefined;
}

/** Whether a tx is in a block, or another one of its sequence is. */
export async function isKnown(
  client: Client,
  { sent }: FlyingTx,
  address: string,
): Promise<boolean> {
  const account = await client.account(address);
  if (account !== undefined && account.sequence > sent.sequence) return true;
  return (await client.tx(sent.hash)) !== undefined;
}

/** What the chain has for the periods of records. Its index of txs may be pruned; this is not. */
export function lookUp(
  client: Client,
  records: readonly OutboxRecord[],
): Promise<(ChainUsage | undefined)[]> {
  return parallel(records, LOOKUP_WIDTH, (record) => usageByNaturalKey(client, record));
}
