import type { DispatcherOptions } from "../../src/provider/dispatch/dispatch_options.ts";
import { Dispatcher } from "../../src/provider/dispatch/dispatcher.ts";
import { NodePool } from "../../src/provider/dispatch/node_pool.ts";
import { parseGasPrice } from "../../src/provider/gas.ts";
import type { Outbox } from "../../src/provider/outbox/outbox.ts";
import { seededRandom } from "../crash/random.ts";
import { provider } from "../testkit/accounts.ts";
import { PATIENCE_MS } from "../testkit/until.ts";

/** Quick enough for tests. */
export const LIMITS = { recordsPerTx: 40, batchAgeMs: 0, pollMs: 10, offerAgainMs: 300 };

export function quickPool(url: string, seed: number): NodePool {
  const draw = seededRandom(seed);
  const random = () => draw(1000) / 1000;
  return new NodePool([url], { random, backOff: { minMs: 5, maxMs: 20 }, timeoutMs: 2000 });
}

/** The test provider's dispatcher, which pays no fees. */
export function quickDispatcher(
  outbox: Outbox,
  pool: NodePool,
  seed: number,
  more: Partial<DispatcherOptions> = {},
): Dispatcher {
  const draw = seededRandom(seed + 1);
  const random = () => draw(1000) / 1000;
  const gasPrice = parseGasPrice("0uve");
  const common = { outbox, pool, signer: provider, gasPrice, random, now: () => Date.now() };
  return new Dispatcher({ ...common, limits: LIMITS, ...more });
}

/** Runs a dispatcher until nothing is left to send, or for so long. */
export async function runDry(subject: Dispatcher, ms = PATIENCE_MS): Promise<boolean> {
  const stop = new AbortController();
  const running = subject.run(stop.signal);
  const isDone = await Promise.race([subject.drain(Date.now() + ms), running.then(() => false)]);
  stop.abort();
  await running;
  return isDone;
}
