import { setTimeout as sleep } from "node:timers/promises";
import { ConnectionError } from "../client/errors.ts";

const PATIENCE_MS = 30_000;
const PAUSE_MS = 50;

/**
 * Asks again while the node cannot be reached: somebody may just be starting it again.
 * @throws ConnectionError when it stays away for 30 s
 */
export async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof ConnectionError) || Date.now() > end) throw error;
      await sleep(PAUSE_MS);
    }
  }
}
