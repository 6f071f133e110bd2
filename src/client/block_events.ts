import type { Client, TxEvent } from "./client.ts";
import { RpcError } from "./errors.ts";

/**
 * All events of a block in order: those of its txs, then those of its end. Events of failed txs are
 * left out. undefined: the node has pruned the block.
 * @throws RpcError when the block is not there yet; ConnectionError
 */
export async function eventsOfBlock(
  client: Client,
  height: bigint,
): Promise<TxEvent[] | undefined> {
  try {
    const answer = (await client.rpc.call("block_results", { height: height.toString() })) as {
      txs_results?: { code?: number; events?: TxEvent[] | null }[] | null;
      finalize_block_events?: TxEvent[] | null;
    };
    const txs = (answer.txs_results ?? []).filter(({ code = 0 }) => code === 0);
    return [...txs.flatMap(({ events }) => events ?? []), ...(answer.finalize_block_events ?? [])];
  } catch (error) {
    if (error instanceof RpcError && /is not available/.test(error.message)) return undefined;
    throw error;
  }
}

/** The attributes of an event by name. Values that typed events of other chains quote are bare. */
export function attributesOf(event: TxEvent): Readonly<Record<string, string>> {
  const entries = event.attributes.map(({ key, value }) => [key, unquoted(value)] as const);
  return Object.fromEntries(entries);
}

function unquoted(value: string): string {
  return value.length >= 2 && value.startsWith('"') && value.endsWith('"')
    ? value.slice(1, -1)
    : value;
}
