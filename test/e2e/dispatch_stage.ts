import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach } from "vitest";
import { must } from "../../src/lib/assert.ts";
import { type LevelOutbox, openOutbox } from "../../src/provider/outbox/level_outbox.ts";
import { type FlakyProxy, flakyProxy } from "./flaky_proxy.ts";
import {
  makeUsageHome,
  removeHome,
  startUsageNode,
  type UsageNode,
  type UsageNodeOptions,
} from "./usage_node.ts";

/** A node behind a proxy, which the tests of a file share, and an outbox of each test's own. */
class DispatchStage {
  #home: string | undefined;
  #folder: string | undefined;
  #node: UsageNode | undefined;
  #proxy: FlakyProxy | undefined;
  #outbox: LevelOutbox | undefined;

  get node(): UsageNode {
    return must(this.#node, "tests run after the node has started");
  }

  /** Lets everything through at the start of a test. */
  get proxy(): FlakyProxy {
    return must(this.#proxy, "tests run after the proxy has started");
  }

  /** It is closed and taken away after the test. */
  get outbox(): LevelOutbox {
    return must(this.#outbox, "tests run with an outbox");
  }

  /** Of the test, taken away after it. The outbox is in "outbox". */
  get folder(): string {
    return must(this.#folder, "tests run with a folder");
  }

  /** Closes the outbox and opens it, as a start of the daemon does. */
  async reopen(): Promise<LevelOutbox> {
    await this.#outbox?.close();
    this.#outbox = await openOutbox(join(this.folder, "outbox"));
    return this.#outbox;
  }

  async start(options: UsageNodeOptions): Promise<void> {
    this.#home = await mkdtemp(join(tmpdir(), "settled-stage-"));
    await makeUsageHome(this.#home, options);
    this.#node = await startUsageNode(this.#home, { minimumGasPrice: "0" });
    this.#proxy = await flakyProxy(this.#node.rpc);
  }

  async end(): Promise<void> {
    await this.#proxy?.close();
    await this.#node?.stop();
    if (this.#home !== undefined) await removeHome(this.#home);
  }

  async begin(): Promise<void> {
    this.proxy.decide = () => "none";
    this.#folder = await mkdtemp(join(tmpdir(), "settled-outbox-"));
    await this.reopen();
  }

  async clear(): Promise<void> {
    await this.#outbox?.close();
    this.#outbox = undefined;
    await removeHome(this.folder);
  }
}

/** Starts it before the tests of a file, and ends it after them. */
export function dispatchStage(options: UsageNodeOptions): DispatchStage {
  const stage = new DispatchStage();
  beforeAll(() => stage.start(options));
  afterAll(() => stage.end());
  beforeEach(() => stage.begin());
  afterEach(() => stage.clear());
  return stage;
}
