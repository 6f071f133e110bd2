import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { ConnectionError, QueryError } from "../../../../src/client/errors.ts";
import { NodePool, type NodePoolOptions } from "../../../../src/provider/dispatch/node_pool.ts";
import { NO_LOG } from "../../../../src/provider/provider_log.ts";

/** A server that answers `status` as a node does, and nothing else. */
interface StatusNode {
  readonly url: string;
  height: number;
  chainId: string;
  /** HTTP status of its answers; 0: it hangs up. */
  http: number;
  asked: number;
}

const servers: Server[] = [];

async function statusNode(more: Partial<StatusNode> = {}): Promise<StatusNode> {
  const node = { url: "", height: 100, chainId: "chain-a", http: 200, asked: 0, ...more };
  const server = createServer((request, response) => {
    node.asked += 1;
    if (node.http === 0) return void request.socket.destroy();
    if (node.http !== 200) return void response.writeHead(node.http).end("busy");
    const sync_info = { latest_block_height: String(node.height), latest_block_time: "" };
    const result = { node_info: { network: node.chainId }, sync_info };
    response.end(JSON.stringify({ jsonrpc: "2.0", id: 1, result }));
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  node.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return node;
}

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
});

let clock = 0;
const pool = (nodes: readonly StatusNode[], options: NodePoolOptions = {}) => {
  const urls = nodes.map(({ url }) => url);
  const backOff = { minMs: 1000, maxMs: 8000 };
  return new NodePool(urls, { random: () => 0.5, steadyMs: () => clock, backOff, ...options });
};
const urlOf = (subject: NodePool) => subject.call((client) => Promise.resolve(client.rpc.url));

describe("a pool of nodes", () => {
  it("asks the first that answers, leaves a failed one alone for a while, and comes back to it", async () => {
    clock = 0;
    const [first, second] = [await statusNode(), await statusNode()];
    const subject = pool([first, second]);
    expect((await subject.status()).latestHeight).toBe(100n);
    expect(await urlOf(subject)).toBe(first.url);
    first.http = 0;
    expect((await subject.call((client) => client.status())).chainId).toBe("chain-a");
    expect(subject.nodes.map(({ isUp }) => isUp)).toEqual([false, true]);
    const { asked } = first;
    await subject.call((client) => client.status());
    expect(first.asked).toBe(asked);
    first.http = 200;
    clock = 20_000;
    expect(await urlOf(subject)).toBe(first.url);
    expect(subject.nodes[0]).toMatchObject({ isUp: true, failures: 0 });
  });

  it("fails over when a node answers with an HTTP error, or not in time", async () => {
    const [first, second] = [await statusNode({ http: 503 }), await statusNode()];
    expect(await urlOf(pool([first, second]))).toBe(second.url);
  });

  it("throws what the last node did when none answers, and tries all again", async () => {
    clock = 0;
    const nodes = [await statusNode({ http: 0 }), await statusNode({ http: 0 })];
    const subject = pool(nodes);
    await expect(subject.status()).rejects.toThrow(ConnectionError);
    (nodes[1] as StatusNode).http = 200;
    // Both are left alone still, and yet there is nobody else.
    expect((await subject.status()).latestHeight).toBe(100n);
  });

  it("does not ask a node that is behind, so that what it lacks is not taken for absent", async () => {
    clock = 0;
    const [behind, current] = [await statusNode({ height: 94 }), await statusNode()];
    const subject = pool([behind, current], { lagBlocksMax: 5n, compareMs: 1000 });
    expect(await urlOf(subject)).toBe(current.url);
    expect(subject.height).toBe(100n);
    behind.height = 99;
    clock = 2000;
    expect(await urlOf(subject)).toBe(behind.url);
  });

  it("shows neither path nor password of an address, in logs or states", async () => {
    const node = await statusNode({ http: 0 });
    const url = `${node.url.replace("//", "//user:secret@")}/v1/secret?key=secret`;
    const lines: unknown[] = [];
    const log = { ...NO_LOG, warn: (...line: unknown[]) => void lines.push(line) };
    const subject = new NodePool([url, node.url], {
      random: () => 0.5,
      steadyMs: () => clock,
      log,
    });
    await expect(urlOf(subject)).rejects.toThrow(ConnectionError);
    const shown = JSON.stringify([lines, subject.nodes], (_, value: unknown) => {
      return typeof value === "bigint" ? value.toString() : value;
    });
    expect(shown).toContain(`${node.url}/…`);
    expect(shown).not.toContain("secret");
  });

  it("refuses nodes of two chains", async () => {
    const [first, second] = [await statusNode(), await statusNode({ chainId: "chain-b" })];
    await expect(pool([first, second]).status()).rejects.toMatchObject({ code: "wrong_chain" });
    const wanted = pool([first], { chainId: "chain-c" });
    await expect(wanted.status()).rejects.toThrow(/chain "chain-a", expected "chain-c"/);
    expect(() => new NodePool([])).toThrow(/no node is named/);
  });

  it("does not take a refusal for a node that fails", async () => {
    const nodes = [await statusNode(), await statusNode()];
    const subject = pool(nodes);
    const refused = new QueryError("/x", "sdk", 18, "no");
    const asked: string[] = [];
    const work = subject.call((client) => {
      asked.push(client.rpc.url);
      return Promise.reject(refused);
    });
    await expect(work).rejects.toBe(refused);
    expect(asked).toHaveLength(1);
  });
});
