import { request as httpRequest } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { HeavyQueue } from "../../../src/api/heavy_queue.ts";
import type { RpcLimits } from "../../../src/api/rpc/limits.ts";
import { type RpcServer, startRpcServer } from "../../../src/api/rpc/server.ts";
import { SearchTooWideError } from "../../../src/node/search.ts";
import type { PageInput, StoredResults } from "../../../src/node/view.ts";
import { processorMs } from "../../testkit/own_time.ts";
import { until } from "../../testkit/until.ts";
import { type FakeNode, fakeNode } from "./fake_node.ts";

let node: FakeNode;
let server: RpcServer;
let faults: unknown[];

async function start(limits: Partial<RpcLimits> = {}): Promise<void> {
  const report = (error: unknown) => faults.push(error);
  server = await startRpcServer({ view: node, host: "127.0.0.1", port: 0, limits, report });
}

beforeEach(() => {
  node = fakeNode();
  faults = [];
});
afterEach(() => server.close());

async function batch(methods: readonly [string, object][]): Promise<any> {
  const calls = methods.map(([method, params], id) => ({ jsonrpc: "2.0", id, method, params }));
  const response = await fetch(server.url, { method: "POST", body: JSON.stringify(calls) });
  return response.json();
}

/** Node's own fetch would tidy the address. */
async function rawGet(path: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest({ host: "127.0.0.1", port: server.port, path }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    sent.once("error", reject);
    sent.end();
  });
}

describe("paths", () => {
  beforeEach(() => start());

  test("60 kB of slashes are refused at once", async () => {
    const before = processorMs();
    expect(await rawGet(`${"/".repeat(60_000)}x`)).toBe(414);
    expect(await rawGet(`/x${"/".repeat(60_000)}x`)).toBe(414);
    expect(processorMs() - before).toBeLessThan(1000);
  });

  test("slashes around a method do not count; a long query is no long path", async () => {
    expect(await rawGet("///health//")).toBe(200);
    expect(await rawGet("//")).toBe(200);
    expect(await rawGet(`/health?x=${"y".repeat(1000)}`)).toBe(200);
    expect(await rawGet(`/${"x".repeat(127)}`)).toBe(404);
    expect(await rawGet(`/${"x".repeat(128)}`)).toBe(414);
  });
});

describe("batches", () => {
  test("one after another, refused unrun above the budget", async () => {
    await start({ responseBytes: 1000 });
    const heights: bigint[] = [];
    let running = 0;
    node.blockResults = async (height) => {
      running += 1;
      expect(running).toBe(1);
      heights.push(height);
      await sleep(2);
      running -= 1;
      return node.results[Number(height) - 1];
    };
    const asked = [2, 2, 2, 2, 2, 2].map((height): [string, object] => [
      "block_results",
      { height },
    ]);
    const answers = await batch(asked);
    expect(answers.map((one: { id: number }) => one.id)).toEqual([0, 1, 2, 3, 4, 5]);
    const run = answers.filter((one: { result?: object }) => one.result !== undefined);
    expect(run.length).toBeGreaterThan(0);
    expect(run.length).toBeLessThan(6);
    expect(heights).toHaveLength(run.length);
    expect(answers[5].error).toMatchObject({ code: -32603 });
    expect(answers[5].error.data).toMatch(/^response too large: /);
  });

  test("a large answer alone is given", async () => {
    await start({ responseBytes: 10 });
    expect((await batch([["block_results", { height: 2 }]])).result.height).toBe("2");
  });
});

describe("heavy methods", () => {
  test("four run at a time; who has left is not run; others do not wait", async () => {
    await start();
    const open: (() => void)[] = [];
    let started = 0;
    node.blockResults = async (height): Promise<StoredResults | undefined> => {
      started += 1;
      await new Promise<void>((resolve) => open.push(resolve));
      return node.results[Number(height) - 1];
    };
    const url = `${server.url}/block_results?height=2`;
    const calls = Array.from({ length: 5 }, async () => (await fetch(url)).status);
    await until(() => started === 4, "four calls");
    const leaving = new AbortController();
    const left = fetch(url, { signal: leaving.signal }).catch(() => "left");
    await sleep(50);
    leaving.abort();
    expect(await left).toBe("left");
    expect((await fetch(`${server.url}/status`)).status).toBe(200);
    expect(started).toBe(4);
    while (started < 5 || open.length > 0) {
      open.shift()?.();
      await sleep(5);
    }
    expect(await Promise.all(calls)).toEqual([200, 200, 200, 200, 200]);
    await sleep(20);
    expect(started).toBe(5);
    expect(faults).toEqual([]);
  });

  test("the queue is first in, first out, and goes on after a failure", async () => {
    await start();
    const queue = new HeavyQueue(1);
    const { signal } = new AbortController();
    const order: number[] = [];
    const calls = [0, 1, 2, 3].map((at) =>
      queue.run(async () => {
        order.push(at);
        await sleep(1);
        if (at === 1) throw new Error("broken");
        return at;
      }, signal),
    );
    const leaving = new AbortController();
    const gone = queue.run(() => order.push(99), leaving.signal);
    leaving.abort(new Error("gone"));
    await expect(gone).rejects.toThrow("gone");
    const ends = await Promise.allSettled(calls);
    expect(ends.map((end) => end.status)).toEqual([
      "fulfilled",
      "rejected",
      "fulfilled",
      "fulfilled",
    ]);
    expect(order).toEqual([0, 1, 2, 3]);
    expect(await queue.run(() => 7, signal)).toBe(7);
  });
});

describe("searches", () => {
  test.each(["tx_search", "block_search"])("%s ends when the client has left", async (method) => {
    await start();
    let signal: AbortSignal | undefined;
    const search = async (_: string, page: PageInput): Promise<never> => {
      signal = page.signal;
      return new Promise((_resolve, reject) => {
        page.signal?.addEventListener("abort", () => reject(page.signal?.reason as Error));
      });
    };
    node.searchTxs = search;
    node.searchBlocks = search;
    const leaving = new AbortController();
    const url = `${server.url}/${method}?query="tx.height=2"`;
    const left = fetch(url, { signal: leaving.signal }).catch(() => "left");
    await until(() => signal !== undefined, "the search");
    leaving.abort();
    expect(await left).toBe("left");
    await until(() => signal?.aborted === true, "its end");
    await sleep(10);
    expect(faults).toEqual([]);
  });

  test("one that is too wide says so to the client", async () => {
    await start();
    node.searchTxs = async () => Promise.reject(new SearchTooWideError());
    const response = await fetch(`${server.url}/tx_search?query="tx.height=2"`);
    const { error } = (await response.json()) as { error: { data: string } };
    expect(error.data).toContain("narrow it");
    expect(faults).toEqual([]);
  });
});
