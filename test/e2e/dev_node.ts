import { afterAll, beforeAll } from "vitest";
import type { DevAccount } from "../../src/cli/dev_accounts.ts";
import type { ChainReport } from "../../src/cli/running_chain.ts";
import { must } from "../../src/lib/assert.ts";
import {
  initHome,
  type NodeProcess,
  type Program,
  startNodeProcess,
  temporaryFolder,
} from "./node_process.ts";

/** The node of a dev chain, a process of its own, that the tests of a file share. */
class DevNode implements NodeProcess {
  #folder: Awaited<ReturnType<typeof temporaryFolder>> | undefined;
  #process: NodeProcess | undefined;

  /** Of the chain. It is taken away after the tests, with whatever else they put there. */
  get home(): string {
    return must(this.#folder, "tests run after the folder is made").path;
  }

  get program(): Program {
    return this.#running.program;
  }

  get report(): ChainReport {
    return this.#running.report;
  }

  get rpc(): string {
    return this.#running.rpc;
  }

  /** The URL of the REST door. */
  get rest(): string {
    return must(this.report.endpoints.rest ?? undefined, "a node has a REST door");
  }

  account(name: string): DevAccount {
    const found = this.report.accounts.find((each) => each.name === name);
    return must(found, `a dev chain has the account ${name}`);
  }

  /** Makes the home. */
  async prepare(): Promise<void> {
    this.#folder = await temporaryFolder();
    await initHome(this.home);
  }

  /** Starts the node, which does not run. @param flags of `settled start` */
  async start(...flags: readonly string[]): Promise<void> {
    this.#process = await startNodeProcess(this.home, ...flags);
  }

  async end(): Promise<void> {
    await this.#process?.program.end("SIGINT");
    await this.#folder?.remove();
  }

  get #running(): NodeProcess {
    return must(this.#process, "tests run after the node has started");
  }
}

/**
 * Starts the node of a new dev chain before the tests of a file, and ends it after them.
 * @param flags of `settled start`
 * @param change what is done to the home before the node starts
 */
export function devNode(
  flags: readonly string[] = [],
  change: (home: string) => Promise<void> = () => Promise.resolve(),
): DevNode {
  const node = new DevNode();
  beforeAll(async () => {
    await node.prepare();
    await change(node.home);
    await node.start(...flags);
  });
  afterAll(() => node.end());
  return node;
}
