import type { NodePool } from "../dispatch/node_pool.ts";
import { Pause } from "../dispatch/pause.ts";
import type { NodeFacts } from "./status.ts";
import { shownUrl } from "../dispatch/shown_url.ts";

const LOOK_MS = 5000;

export interface NodeWatchOptions {
  readonly pool: NodePool;
  /** Whose balance pays for gas. */
  readonly address: string;
  readonly gasDenom: string;
  readonly nowMs: () => number;
}

/** Asks the nodes now and then how they are and what the key has left for gas. */
export class NodeWatch {
  readonly #options: NodeWatchOptions;
  readonly #answeredMs = new Map<string, number>();
  #funds: string | undefined;

  constructor(options: NodeWatchOptions) {
    this.#options = options;
  }

  async run(signal: AbortSignal): Promise<void> {
    const pause = new Pause();
    while (!signal.aborted) {
      await this.#look();
      await pause.wait(LOOK_MS, signal);
    }
  }

  async #look(): Promise<void> {
    const { pool, address, gasDenom, nowMs } = this.#options;
    try {
      this.#funds = await pool.call(async (client) => {
        await pool.statusOf(client);
        const balance = await client.balance(address, gasDenom);
        this.#answeredMs.set(shownUrl(client.rpc.url), nowMs());
        return balance.toString();
      });
    } catch {
      // The pool keeps what went wrong with each node; the next look may find one.
    }
  }

  nodes(): NodeFacts[] {
    return this.#options.pool.nodes.map(({ url, isUp, height, lastError, failures }) => ({
      ...{ url, isUp, height: height?.toString() ?? "" },
      answeredMs: this.#answeredMs.get(url),
      fault: failures > 0 ? lastError : "",
    }));
  }

  funds(): { denom: string; amount: string } | undefined {
    const denom = this.#options.gasDenom;
    return this.#funds === undefined ? undefined : { denom, amount: this.#funds };
  }
}
