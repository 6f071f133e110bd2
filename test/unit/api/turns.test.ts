import { setMaxListeners } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { HeavyQueue } from "../../../src/api/heavy_queue.ts";
import { LongList } from "../../../src/api/rpc/json.ts";
import { longJson } from "../../../src/api/rpc/long_json.ts";
import { type RpcServer, startRpcServer } from "../../../src/api/rpc/server.ts";
import type { DoorMetrics } from "../../../src/node/metrics.ts";
import type { Pace } from "../../../src/node/pace.ts";
import { event } from "../../../src/types/event.ts";
import { until } from "../../testkit/until.ts";
import { fakeNode } from "./fake_node.ts";
import { StandingClock } from "./standing_clock.ts";

const { signal } = new AbortController();
setMaxListeners(0, signal);

let server: RpcServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

describe("whose calls they are", () => {
  /** Calls of two connections: how many run at the same time. */
  async function together(...addresses: (string | undefined)[]): Promise<number> {
    const queue = new HeavyQueue(4);
    let running = 0;
    const calls = addresses.map(async (remoteAddress) =>
      queue.run(
        async () => {
          running += 1;
          await sleep(20);
          return running;
        },
        signal,
        { remoteAddress },
      ),
    );
    const [first] = await Promise.all(calls);
    return first ?? 0;
  }

  test.each([
    [["10.0.0.1", "10.0.0.1"], 1],
    [["10.0.0.1", "::ffff:10.0.0.1"], 1],
    [["10.0.0.1", "10.0.0.2"], 2],
    [["2001:db8:0:1::1", "2001:db8:0:1:ffff:ffff:ffff:ffff"], 1],
    [["2001:db8::1", "2001:db8:0:0:1::"], 1],
    [["2001:db8:0:1::1", "2001:db8:0:2::1"], 2],
    [["fe80::1%eth0", "fe80::2%eth1"], 1],
    [["127.0.0.2", "127.0.0.2"], 1],
    // What all programs and proxies of this machine have in common.
    [["127.0.0.1", "127.0.0.1"], 2],
    [["::1", "::1"], 2],
    [["::ffff:127.0.0.1", "::ffff:127.0.0.1"], 2],
    [[undefined, undefined], 2],
  ])("connections from %j: %i at a time", async (addresses, expected) => {
    expect(await together(...addresses)).toBe(expected);
  });

  test("calls of one connection run one after the other", async () => {
    const queue = new HeavyQueue(4);
    const client = { remoteAddress: "127.0.0.1" };
    let running = 0;
    const call = async () => {
      running += 1;
      expect(running).toBe(1);
      await sleep(2);
      running -= 1;
    };
    await Promise.all(Array.from({ length: 5 }, async () => queue.run(call, signal, client)));
  });
});

describe("turns", () => {
  let clock: StandingClock;
  beforeEach(() => {
    clock = new StandingClock();
  });
  afterEach(() => vi.restoreAllMocks());

  /** Pieces of a millisecond. */
  async function longWork(pace: Pace, pieces: number): Promise<void> {
    for (let piece = 0; piece < pieces; piece += 1) {
      clock.ms += 1;
      if (pace.isDue()) await pace.pause();
    }
  }

  test("in one turn of the event loop two slices are worked at most, however many calls there are", async () => {
    const queue = new HeavyQueue(8);
    let slices = 0;
    let turns = 0;
    let isOver = false;
    const count = () => {
      turns += 1;
      if (!isOver) setImmediate(count);
    };
    setImmediate(count);
    const calls = Array.from({ length: 6 }, async () =>
      queue.run(async (pace) => {
        for (let slice = 0; slice < 10; slice += 1) {
          while (!pace.isDue()) clock.ms += 1;
          await pace.pause();
          slices += 1;
        }
      }, signal),
    );
    await Promise.all(calls);
    isOver = true;
    expect(slices).toBe(60);
    expect(turns).toBeGreaterThanOrEqual(28);
  });

  test("light work that turns out long takes turns with heavy work", async () => {
    const queue = new HeavyQueue(2);
    let light = false;
    const heavy = queue.run(async (pace) => {
      for (let slice = 0; slice < 50 && !light; slice += 1) await longWork(pace, 6);
      return light;
    }, signal);
    await longWork(queue.pace(signal), 30);
    light = true;
    expect(await heavy).toBe(true);
  });

  test("who has used little goes on before who has used much", async () => {
    const queue = new HeavyQueue(4);
    const greedy = {};
    let isOver = false;
    const endless = queue.run(
      async (pace) => {
        for (let count = 0; !isOver; count += 1) await longWork(pace, 6);
      },
      signal,
      greedy,
    );
    const began = clock.ms;
    await until(() => clock.ms - began > 300, "much use");
    const modest = {};
    // Known to use little, it has each slice as soon as the other's has ended.
    await queue.run(() => undefined, signal, modest);
    let turns = 0;
    await queue.run(
      async (pace) => {
        for (let slice = 0; slice < 5; slice += 1) {
          while (!pace.isDue()) clock.ms += 1;
          await pace.pause();
          turns += 1;
        }
      },
      signal,
      modest,
    );
    expect(turns).toBe(5);
    isOver = true;
    await endless;
  });

  test("work whose client has left ends at its next pause, with the signal's reason", async () => {
    const queue = new HeavyQueue(1);
    const leaving = new AbortController();
    let isOver = false;
    const call = queue.run(async (pace) => {
      while (!isOver) await longWork(pace, 6);
    }, leaving.signal);
    setTimeout(() => leaving.abort(new Error("gone")), 20);
    await expect(call).rejects.toThrow("gone");
    isOver = true;
    expect(await queue.run(() => 7, signal)).toBe(7);
  });

  test("a client has no more than so many calls waiting; others are not affected", async () => {
    const queue = new HeavyQueue(1, 2);
    const [greedy, modest] = [{}, {}];
    let release: (() => void) | undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const calls = [1, 2, 3].map(async () => queue.run(() => held, signal, greedy));
    await expect(queue.run(() => 0, signal, greedy)).rejects.toThrow(
      "2 heavy calls of this client wait for their turn: wait for their answers first",
    );
    const other = queue.run(() => 7, signal, modest);
    release?.();
    expect(await other).toBe(7);
    await Promise.all(calls);
    expect(await queue.run(() => 8, signal, greedy)).toBe(8);
  });
});

describe("long answers of the RPC", () => {
  /** Answers of a health call that came while the other client's call was under way. */
  test("others' calls are answered in between, and the bytes are those of JSON.stringify", async () => {
    const node = fakeNode();
    const events = Array.from({ length: 40_000 }, (_, no) =>
      event("transfer", { amount: `${no}uve`, sender: "älice", note: '"quoted"\u2028' }),
    );
    const { txResults, appHash } = node.results[1] ?? { txResults: [], appHash: new Uint8Array() };
    node.blockResults = async () => ({ height: 2n, txResults, events, appHash });
    server = await startRpcServer({ view: node, host: "127.0.0.1", port: 0 });
    const { url } = server;
    let isOver = false;
    let answers = 0;
    const cheap = async () => {
      while (!isOver) {
        await (await fetch(`${url}/health`)).text();
        answers += isOver ? 0 : 1;
      }
    };
    const asking = cheap();
    await expect.poll(() => answers).toBeGreaterThan(2);
    const before = answers;
    const text = await (await fetch(`${url}/block_results?height=2`)).text();
    isOver = true;
    await asking;
    // In one piece it takes some 100 ms, in which nobody else is answered.
    expect(answers - before).toBeGreaterThan(5);
    const { result } = JSON.parse(text) as { result: { finalize_block_events: unknown[] } };
    expect(result.finalize_block_events).toHaveLength(40_000);
    expect(text).toBe(JSON.stringify({ jsonrpc: "2.0", id: -1, result }));
  });

  test("long JSON is that of JSON.stringify, with a pause asked for between any two items", async () => {
    const value = {
      ...{ a: 1, none: LongList.of([], String), text: 'ü"\n' },
      list: LongList.of([1, 2, 3], (no) => ({
        no,
        ...(no === 2 ? { inner: LongList.of(["x", "y"], (each) => ({ each })) } : {}),
      })),
      last: [LongList.of([true], (each) => each)],
    };
    let pauses = 0;
    const pace = { isDue: () => true, pause: async () => void (pauses += 1) };
    const text = await longJson(value, pace);
    const json = Buffer.concat(text.pieces).toString("utf8");
    expect(json).toBe(JSON.stringify(value));
    expect(JSON.parse(json)).toEqual({
      ...{ a: 1, none: [], text: 'ü"\n' },
      list: [{ no: 1 }, { no: 2, inner: [{ each: "x" }, { each: "y" }] }, { no: 3 }],
      last: [[true]],
    });
    expect(text.bytes).toBe(Buffer.byteLength(json));
    expect(pauses).toBeGreaterThan(7);
  });

  test("one call too many of a client is refused, and counted", async () => {
    const told: string[] = [];
    const metrics: DoorMetrics = {
      began: () => () => undefined,
      refused: (door, limit) => void told.push(`${door} ${limit}`),
    };
    const node = fakeNode();
    let release: (() => void) | undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    node.blockResults = async (height) => held.then(() => node.results[Number(height) - 1]);
    const heavy = new HeavyQueue(1, 0);
    server = await startRpcServer({ view: node, host: "127.0.0.1", port: 0, heavy, metrics });
    const answer = (await (await fetch(`${server.url}/block_results`)).json()) as {
      error: { code: number; data: string };
    };
    expect(answer.error.code).toBe(-32603);
    expect(answer.error.data).toContain("wait for their turn");
    expect(told).toEqual(["rpc turns"]);
    release?.();
  });
});
