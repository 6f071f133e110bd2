import { Client, type NodeStatus } from "../../client/client.ts";
import { ConnectionError, RpcError } from "../../client/errors.ts";
import { ProviderError } from "../errors.ts";
import { NO_LOG, type ProviderLog } from "../provider_log.ts";
import { backOffMs, type BackOffBounds, type Random } from "./back_off.ts";
import { shownUrl } from "./shown_url.ts";

export interface NodePoolOptions {
  /** The chain that all nodes must be of; without it, that of the first node that answers. */
  readonly chainId?: string | undefined;
  /** Longest wait for an answer. */
  readonly timeoutMs?: number;
  /** A node that is further behind the highest one is not asked. */
  readonly lagBlocksMax?: bigint;
  /** How long a node is left alone that has failed. */
  readonly backOff?: BackOffBounds;
  /** How often the heights of all nodes are compared, when there are several. */
  readonly compareMs?: number;
  readonly random?: Random;
  /** Milliseconds of a clock that never goes back. */
  readonly steadyMs?: () => number;
  readonly log?: ProviderLog;
}

/** What is known of a node, for metrics and people. */
export interface NodeState {
  readonly url: string;
  readonly isUp: boolean;
  /** As of its last answer; undefined: it has not answered yet. */
  readonly height: bigint | undefined;
  readonly failures: number;
  readonly lastError: string;
}

interface Node {
  readonly url: string;
  client: Client | undefined;
  height: bigint | undefined;
  /** In a row. */
  failures: number;
  notBeforeMs: number;
  lastError: string;
}

const TIMEOUT_MS = 10_000;
const LAG_BLOCKS_MAX = 5n;
const BACK_OFF: BackOffBounds = { minMs: 200, maxMs: 30_000 };
const COMPARE_MS = 5000;

/**
 * Nodes of one chain. Work goes to the first one in the given order that answers and is not behind
 * the others; when it fails to answer, the same work goes to the next. So work must bear being done
 * twice: queries do, and so does sending the same tx.
 */
export class NodePool {
  readonly #nodes: readonly Node[];
  readonly #options: NodePoolOptions;
  #chainId: string | undefined;
  #highest = 0n;
  #comparedMs: number | undefined;

  /** @throws ProviderError `no_nodes` */
  constructor(urls: readonly string[], options: NodePoolOptions = {}) {
    if (urls.length === 0) {
      throw new ProviderError("no_nodes", "no node is named: give the address of one at least");
    }
    const fresh = { client: undefined, height: undefined, failures: 0, notBeforeMs: 0 };
    this.#nodes = urls.map((url) => ({ url, ...fresh, lastError: "" }));
    this.#options = options;
    this.#chainId = options.chainId;
  }

  /** undefined until a node has answered, unless it was given. */
  get chainId(): string | undefined {
    return this.#chainId;
  }

  /** The highest block that any node has told of. */
  get height(): bigint {
    return this.#highest;
  }

  get nodes(): readonly NodeState[] {
    return this.#nodes.map(({ url, height, failures, lastError }) => {
      const isUp = failures === 0 && height !== undefined;
      return { url: shownUrl(url), height, failures, lastError, isUp };
    });
  }

  /**
   * Does the work with a node, and with the next one when it does not answer.
   * @throws ConnectionError when no node answers: the last one's; ProviderError `wrong_chain` when
   *   one is of another chain; whatever else the work throws
   */
  async call<T>(work: (client: Client) => Promise<T>): Promise<T> {
    await this.#compare();
    let last: unknown;
    for (const node of this.#inTurn()) {
      try {
        const result = await work(await this.#clientOf(node));
        node.failures = 0;
        return result;
      } catch (error) {
        if (!isNoAnswer(error)) throw error;
        this.#failed(node, error);
        last = error;
      }
    }
    throw last;
  }

  /** Of the node that is asked now; keeps the heights. */
  status(): Promise<NodeStatus> {
    return this.call((client) => this.statusOf(client));
  }

  /** For work that needs the height of the very node that it asks. */
  async statusOf(client: Client): Promise<NodeStatus> {
    const status = await client.status();
    const node = this.#nodes.find((each) => each.client === client);
    if (node !== undefined) this.#learn(node, status);
    return status;
  }

  /** Those that may be asked now; all of them when each has failed: one may be back. */
  #inTurn(): Node[] {
    const now = this.#now();
    const current = this.#nodes.filter((node) => !this.#isBehind(node));
    const candidates = current.length > 0 ? current : [...this.#nodes];
    const rested = candidates.filter(({ notBeforeMs }) => notBeforeMs <= now);
    return rested.length > 0 ? rested : candidates;
  }

  #isBehind({ height }: Node): boolean {
    if (height === undefined) return false;
    return height + (this.#options.lagBlocksMax ?? LAG_BLOCKS_MAX) < this.#highest;
  }

  async #clientOf(node: Node): Promise<Client> {
    if (node.client !== undefined) return node.client;
    const timeoutMs = this.#options.timeoutMs ?? TIMEOUT_MS;
    const client = await Client.connect(node.url, { timeoutMs });
    this.#chainId ??= client.chainId;
    if (client.chainId !== this.#chainId) {
      throw new ProviderError(
        "wrong_chain",
        `${shownUrl(node.url)} is a node of chain "${client.chainId}", expected "${this.#chainId}": ` +
          "name nodes of one chain only",
      );
    }
    node.client = client;
    return client;
  }

  #failed(node: Node, error: unknown): void {
    const { random = Math.random, backOff = BACK_OFF, log = NO_LOG } = this.#options;
    node.failures += 1;
    const text = error instanceof Error ? error.message : String(error);
    const asked = error instanceof ConnectionError ? error.url : node.url;
    node.lastError = text.replaceAll(asked, shownUrl(asked));
    node.notBeforeMs = this.#now() + backOffMs(node.failures, backOff, random);
    // What answers at the address next may be a node of another chain.
    node.client = undefined;
    const facts = { node: shownUrl(node.url), failures: node.failures, error: node.lastError };
    if (node.failures === 1) log.warn("a node does not answer", facts);
    else log.debug("a node still does not answer", facts);
  }

  #learn(node: Node, { latestHeight }: NodeStatus): void {
    node.height = latestHeight;
    if (latestHeight > this.#highest) this.#highest = latestHeight;
  }

  /** Asks all nodes for their heights now and then, so that one that hangs behind is noticed. */
  async #compare(): Promise<void> {
    if (this.#nodes.length < 2) return;
    const now = this.#now();
    const due = (this.#comparedMs ?? -Infinity) + (this.#options.compareMs ?? COMPARE_MS) <= now;
    if (!due) return;
    this.#comparedMs = now;
    const rested = this.#nodes.filter(({ notBeforeMs }) => notBeforeMs <= now);
    await Promise.all(
      rested.map(async (node) => {
        try {
          await this.statusOf(await this.#clientOf(node));
          node.failures = 0;
        } catch (error) {
          if (!isNoAnswer(error)) throw error;
          this.#failed(node, error);
        }
      }),
    );
  }

  #now(): number {
    return this.#options.steadyMs?.() ?? performance.now();
  }
}

/** Whether the node did not do what it was asked, rather than refuse it: another one may. */
function isNoAnswer(error: unknown): boolean {
  if (error instanceof ConnectionError) return true;
  return error instanceof RpcError && NODE_FAULTS.test(error.message);
}

// A halted node, a fault of its own, and one that has too much to do.
const NODE_FAULTS = /the node has halted|the log of the node has the details|too many requests/;
