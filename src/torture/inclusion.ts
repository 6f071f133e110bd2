import { setTimeout as sleep } from "node:timers/promises";
import type { NodeDoor } from "./node_door.ts";

/** Longest wait for a tx to get into a block before its answer is lost. */
const INCLUSION_MS = 10_000;
const POLL_MS = 15;

/** Waits until txs that a node has taken are in blocks, for 10 s at most. */
export async function untilIncluded(rpc: NodeDoor, txHashes: readonly string[]): Promise<void> {
  const end = Date.now() + INCLUSION_MS;
  for (const hash of txHashes) {
    while (!(await rpc.hasTx(hash)) && Date.now() < end) await sleep(POLL_MS);
  }
}
