import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type RpcServer, startRpcServer } from "../../src/api/rpc/server.ts";
import { makeDevHome } from "../../src/cli/commands/init.ts";
import { loadOpenApp } from "../../src/cli/open_app.ts";
import { readConfig } from "../../src/node/config.ts";
import { type RunningNode, startNode } from "../../src/node/node.ts";

/** How long broadcast_tx_commit waits: no input may take a second. */
const COMMIT_MS = 100;

/** A real node in this process, not a dev chain: nobody may ask it for ten thousand blocks. */
export class FuzzNode {
  readonly server: RpcServer;
  /** What was behind an "internal error". */
  readonly faults: unknown[];
  readonly #node: RunningNode;
  readonly #home: string;

  private constructor(node: RunningNode, server: RpcServer, home: string, faults: unknown[]) {
    this.#node = node;
    this.server = server;
    this.#home = home;
    this.faults = faults;
  }

  static async open(): Promise<FuzzNode> {
    const home = await mkdtemp(join(tmpdir(), "settled-fuzz-"));
    await makeDevHome(home, "2026-01-01T00:00:00Z");
    const config = await readConfig(home, {
      ...{ dev: false, time: "wall", verifyThreads: 0, stateCacheMib: 8, dbCacheMib: 8 },
      ...{ keepHistory: 10, keepBlocks: 10, emptyBlockIntervalMs: 86_400_000 },
    });
    const node = await startNode({
      ...{ home, config, openApp: await loadOpenApp(), appVersion: "0.1.0" },
    });
    const faults: unknown[] = [];
    const server = await startRpcServer({
      ...{ view: node.view, host: "127.0.0.1", port: 0, limits: { commitMs: COMMIT_MS } },
      report: (error) => void faults.push(error),
    });
    return new FuzzNode(node, server, home, faults);
  }

  /** @throws the first fault that the node has reported since the last look */
  checkFaults(): void {
    const [fault] = this.faults.splice(0);
    if (fault !== undefined) throw fault;
  }

  async close(): Promise<void> {
    await this.server.close();
    await this.#node.stop();
    await rm(this.#home, { recursive: true, force: true });
  }
}
