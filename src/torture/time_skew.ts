import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "../client/client.ts";

const NS_PER_MS = 1_000_000n;
const BLOCK_MS = 100;

/**
 * Lets the time of a dev chain stand still for so many seconds while its blocks go on: it lags by
 * up to as much, and then jumps to the clock. A node that is started again meanwhile has the
 * clock's time again at once.
 */
export async function skewTime(
  client: Client,
  seconds: number,
  signal: AbortSignal,
): Promise<void> {
  const end = Date.now() + seconds * 1000;
  try {
    await client.devMine({ blocks: 1, time: BigInt(Date.now()) * NS_PER_MS });
    while (Date.now() < end && !signal.aborted) {
      await sleep(BLOCK_MS);
      await client.devMine({ blocks: 1 });
    }
  } finally {
    await client.devUseWallClock();
  }
}
