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
  async function clientOf(queue: HeavyQueue, used: number): Promise<object> {
    const client = {};
    await queue.run(async (pace) => slices(pace, used), signal, client);
    return client;
  }

  /** How long the clients of a queue rest from now on, in milliseconds. */
  function restsFromNow(): () => number[] {
    const timeouts = vi.spyOn(globalThis, "setTimeout");
    return () => timeouts.mock.calls.map(([, ms]) => ms ?? 0);
  }

  test("rests between its slices while others want much too", async () => {
    const queue = new HeavyQueue(4);
    const greedy = await clientOf(queue, 500);
    await clientOf(queue, 110);
    const rests = restsFromNow();
    await queue.run(async (pace) => slices(pace, 5), signal, greedy);
    expect(rests().length).toBeGreaterThanOrEqual(4);
    // Twice as long as the slice, of which it was paused at the very end.
    expect(Math.max(...rests())).toBeGreaterThanOrEqual(5);
  });

  test("does not rest when it is alone, or others look in now and then", async () => {
    const queue = new HeavyQueue(4);
    const greedy = await clientOf(queue, 500);
    await clientOf(queue, 50);
    const rests = restsFromNow();
    await queue.run(async (pace) => slices(pace, 5), signal, greedy);
    expect(rests()).toEqual([]);
  });

  test("waits for its turn with short calls too, in their order; others' run at once", async () => {
    const queue = new HeavyQueue(4);
    const greedy = await clientOf(queue, 500);
    const modest = await clientOf(queue, 110);
    const seen: string[] = [];
    const call = (name: string, client: object) =>
      queue.short(() => void seen.push(name), signal, client);
    const answers = ["a", "b", "c"].map((name) => call(name, greedy));
    expect(answers.every((answer) => answer instanceof Promise)).toBe(true);
    expect(call("d", modest)).toBe(undefined);
    expect(call("e", {})).toBe(undefined);
    expect(seen).toEqual(["d", "e"]);
    await Promise.all(answers);
    expect(seen).toEqual(["d", "e", "a", "b", "c"]);
  });

  test("is known by its short calls too", async () => {
    const queue = new HeavyQueue(4);
    await clientOf(queue, 300);
    const greedy = {};
    const short = () => queue.short(() => void (clock.ms += 1), signal, greedy);
    let calls = 0;
    while (calls < 5000 && !(short() instanceof Promise)) calls += 1;
    // A second of work, less what is forgotten meanwhile.
    expect(calls).toBeGreaterThanOrEqual(1000);
    expect(calls).toBeLessThan(1200);
  });

  test("does not make others rest", async () => {
    const queue = new HeavyQueue(4);
    const greedy = await clientOf(queue, 100);
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
    const greedy = await clientOf(queue, 100);
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
