import { once, setMaxListeners } from "node:events";
import { setImmediate as turn } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { HeavyQueue } from "../../../src/api/heavy_queue.ts";
import { startRestServer } from "../../../src/api/rest/server.ts";
import { startRpcServer } from "../../../src/api/rpc/server.ts";
import { openServices } from "../../../src/api/services/open_services.ts";
import type { Pace } from "../../../src/node/pace.ts";
import { fakeNode } from "./fake_node.ts";
import { StandingClock } from "./standing_clock.ts";

const { signal } = new AbortController();
setMaxListeners(0, signal);

describe("who has used most of the time", () => {
  let clock: StandingClock;
  beforeEach(() => {
    clock = new StandingClock();
  });
  afterEach(() => void vi.restoreAllMocks());

  /** Works for so many slices. */
  async function slices(pace: Pace, count: number): Promise<void> {
    for (let slice = 0; slice < count; slice += 1) {
      while (!pace.isDue()) clock.ms += 1;
      await pace.pause();
    }
  }

  /** A client of which it is known that it has used so many slices. */
  async function greedyClient(queue: HeavyQueue, used: number): Promise<object> {
    const greedy = {};
    await queue.run(async (pace) => slices(pace, used), signal, greedy);
    return greedy;
  }

  test("rests between its slices while others call, and not when it is alone", async () => {
    const queue = new HeavyQueue(4);
    const greedy = await greedyClient(queue, 500);
    const timeouts = vi.spyOn(globalThis, "setTimeout");
    await queue.run(async (pace) => slices(pace, 5), signal, greedy);
    expect(timeouts).not.toHaveBeenCalled();
    queue.pace(signal, {});
    await queue.run(async (pace) => slices(pace, 5), signal, greedy);
    const rests = timeouts.mock.calls.map(([, ms]) => ms ?? 0);
    expect(rests.length).toBeGreaterThanOrEqual(4);
    // Twice as long as the slice, of which it was paused at the very end.
    expect(Math.max(...rests)).toBeGreaterThanOrEqual(5);
  });

  test("does not make others rest", async () => {
    const queue = new HeavyQueue(4);
    const greedy = await greedyClient(queue, 100);
    const order: string[] = [];
    const one = async (name: string, client: object) =>
      queue.run(
        async (pace) => {
          await slices(pace, 20);
          order.push(name);
        },
        signal,
        client,
      );
    await Promise.all([one("greedy", greedy), one("modest", {})]);
    expect(order).toEqual(["modest", "greedy"]);
  });

  test("has not one short call after the other run in one turn of the event loop", async () => {
    const queue = new HeavyQueue(4);
    const greedy = await greedyClient(queue, 100);
    let turns = 0;
    let isOver = false;
    const counted = (async () => {
      for (; !isOver; turns += 1) await turn();
    })();
    const seen: number[] = [];
    const calls = Array.from({ length: 20 }, async () =>
      queue.run(
        () => {
          clock.ms += 2;
          seen.push(turns);
        },
        signal,
        greedy,
      ),
    );
    await Promise.all(calls);
    isOver = true;
    await counted;
    expect(new Set(seen).size).toBeGreaterThanOrEqual(10);
  });
});

describe("long requests", () => {
  const LONG = "x".repeat(100_000);
  const closing: (() => Promise<void>)[] = [];
  afterEach(async () => {
    await Promise.all(closing.splice(0).map(async (close) => close()));
  });

  async function startDoors() {
    const heavy = new HeavyQueue(4);
    const run = vi.spyOn(heavy, "run");
    const node = fakeNode();
    const host = { host: "127.0.0.1", port: 0 };
    const rpc = await startRpcServer({ view: node, ...host, heavy });
    const services = openServices(node, undefined, heavy);
    const rest = await startRestServer({ services, ...host, heavy });
    closing.push(rpc.close, rest.close);
    return { heavy: run, rpc: rpc.url, rest: rest.url };
  }

  const status = (more: object) => ({
    jsonrpc: "2.0",
    id: 1,
    method: "status",
    params: {},
    ...more,
  });

  test.each(["", LONG])("take a turn to be parsed, at the RPC (%#)", async (memo) => {
    const { heavy, rpc } = await startDoors();
    const body = JSON.stringify(status({ memo }));
    const answer = (await (await fetch(rpc, { method: "POST", body })).json()) as object;
    expect(answer).toMatchObject({ id: 1, result: { sync_info: {} } });
    expect(heavy).toHaveBeenCalledTimes(memo === "" ? 0 : 1);
    const broken = await fetch(rpc, { method: "POST", body: `{"memo":"${memo}"` });
    expect(await broken.json()).toMatchObject({ error: { code: -32700 } });
  });

  test("are answered in their order over a WebSocket", async () => {
    const { heavy, rpc } = await startDoors();
    const socket = new WebSocket(`${rpc.replace("http", "ws")}/websocket`);
    closing.push(async () => socket.close());
    await once(socket, "open");
    const ids: unknown[] = [];
    socket.on("message", (data: Buffer) => {
      const { id, error } = JSON.parse(data.toString("utf8")) as { id: unknown; error?: object };
      ids.push(error === undefined ? id : "error");
    });
    socket.send(JSON.stringify(status({ id: 1 })));
    socket.send(JSON.stringify(status({ id: 2, memo: LONG })));
    socket.send(JSON.stringify(status({ id: 3 })));
    socket.send(`{"memo":"${LONG}"`);
    socket.send(JSON.stringify(status({ id: 4 })));
    await expect.poll(() => ids).toEqual([1, 2, 3, "error", 4]);
    expect(heavy).toHaveBeenCalledTimes(2);
  });

  test("take a turn at the REST API too", async () => {
    const { heavy, rest } = await startDoors();
    const url = `${rest}/cosmos/tx/v1beta1/txs`;
    const post = async (body: string) => (await fetch(url, { method: "POST", body })).json();
    expect(await post(`{"memo":"${LONG}"`)).toMatchObject({ code: 3 });
    expect(heavy).toHaveBeenCalledTimes(1);
    expect(await post(`{"memo":""`)).toMatchObject({ code: 3 });
    expect(heavy).toHaveBeenCalledTimes(1);
  });
});
