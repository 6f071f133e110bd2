import { connect } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import type { RpcLimits } from "../../../src/api/rpc/limits.ts";
import { type RpcServer, startRpcServer } from "../../../src/api/rpc/server.ts";
import { toBase64, toHex, utf8 } from "../../../src/lib/bytes.ts";
import { ownMs } from "../../testkit/own_time.ts";
import { type FakeNode, fakeNode, sha } from "./fake_node.ts";

let node: FakeNode;
let server: RpcServer;

async function start(limits: Partial<RpcLimits> = {}): Promise<void> {
  server = await startRpcServer({ view: node, host: "127.0.0.1", port: 0, limits });
}

beforeEach(() => {
  node = fakeNode();
});
afterEach(() => server.close());

type Frame = any;

class Client {
  readonly frames: Frame[] = [];
  readonly socket: WebSocket;
  readonly closed: Promise<number>;

  constructor(options: { origin?: string; path?: string } = {}) {
    const { origin, path = "/websocket" } = options;
    const url = server.url.replace("http", "ws") + path;
    this.socket = new WebSocket(url, origin === undefined ? {} : { origin });
    this.socket.on("message", (data) => this.frames.push(JSON.parse(String(data))));
    this.socket.on("error", () => undefined);
    this.closed = new Promise((resolve) => this.socket.on("close", (code) => resolve(code)));
  }

  async open(): Promise<this> {
    await new Promise((resolve, reject) => {
      this.socket.on("open", resolve);
      this.socket.on("error", reject);
    });
    return this;
  }

  send(method: string, params?: unknown, id: unknown = 1): void {
    this.socket.send(JSON.stringify({ jsonrpc: "2.0", id, method, params }));
  }

  async next(): Promise<Frame> {
    await expect.poll(() => this.frames.length).toBeGreaterThan(0);
    return this.frames.shift();
  }

  async call(method: string, params?: unknown, id: unknown = 1): Promise<Frame> {
    this.send(method, params, id);
    return this.next();
  }
}

const open = (options?: { origin?: string }) => new Client(options).open();

describe("frames", () => {
  beforeEach(() => start());

  test("every method works, with id and list parameters as wallets send them", async () => {
    const client = await open();
    expect((await client.call("status", {}, "x")).id).toBe("x");
    expect((await client.call("block", ["2"])).result.block.header.height).toBe("2");
    const hash = toBase64(sha(utf8("tx-one")));
    expect((await client.call("tx", { hash, prove: false })).result.height).toBe("2");
    expect((await client.call("nope")).error.code).toBe(-32601);
    expect((await client.call("block", { height: "x" })).error.code).toBe(-32602);
  });

  test("what is no request is answered, and the connection lives on", async () => {
    const client = await open();
    client.socket.send("{");
    expect(await client.next()).toMatchObject({ id: null, error: { code: -32700 } });
    client.socket.send("[]");
    expect(await client.next()).toMatchObject({ id: null, error: { code: -32600 } });
    client.socket.send("[".repeat(500_000));
    expect((await client.next()).error.code).toBe(-32700);
    client.socket.send(Buffer.from([0xff, 0xfe]));
    expect((await client.next()).error.code).toBe(-32700);
    client.socket.send(JSON.stringify({ jsonrpc: "2.0", method: "status" }));
    expect((await client.call("health")).result).toEqual({});
  });

  test("a frame over the limit closes the connection", async () => {
    const client = await open();
    client.socket.send(" ".repeat(1_000_001));
    expect(await client.closed).toBe(1009);
  });

  test("a frame against the protocol closes the connection, not the server", async () => {
    const socket = connect(server.port, "127.0.0.1");
    const closed = new Promise((resolve) => socket.on("close", resolve));
    socket.on("error", () => undefined);
    const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";
    socket.write(
      `GET /websocket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${key}\r\n`,
    );
    // Reserved bits, and no mask.
    socket.once("data", () => socket.write(Buffer.from([0xff, 0x05, 1, 2, 3, 4, 5])));
    socket.resume();
    await closed;
    expect((await (await open()).call("health")).result).toEqual({});
  });
});

describe("subscriptions", () => {
  beforeEach(() => start());

  test("an answer, then events with the same id and the query as it was sent", async () => {
    const client = await open();
    const query = "tm.event = 'Tx'";
    expect(await client.call("subscribe", [query], 7)).toEqual({
      jsonrpc: "2.0",
      id: 7,
      result: {},
    });
    node.waitingTxs.push(utf8("news"));
    node.produce();
    const { id, result } = await client.next();
    expect(id).toBe(7);
    expect(result.query).toBe(query);
    expect(result.data.type).toBe("tendermint/event/Tx");
    expect(result.data.value.TxResult).toMatchObject({
      height: "4",
      index: 0,
      tx: toBase64(utf8("news")),
      result: { code: 0, gas_wanted: "200000" },
    });
    const hash = toHex(sha(utf8("news"))).toUpperCase();
    expect(result.events).toMatchObject({ "tm.event": ["Tx"], "tx.hash": [hash] });
    expect(await client.call("unsubscribe", { query }, 7)).toMatchObject({ id: 7, result: {} });
    node.produce();
    expect((await client.call("health", {}, 8)).id).toBe(8);
  });

  test("blocks, and the parts of them that have events of their own", async () => {
    const client = await open();
    for (const [id, name] of ["NewBlock", "NewBlockHeader", "NewBlockEvents"].entries()) {
      await client.call("subscribe", { query: `tm.event='${name}'` }, id);
    }
    node.produce();
    const [block, header, events] = [await client.next(), await client.next(), await client.next()];
    const { value } = block.result.data;
    expect(value.block.header.height).toBe("4");
    expect(value.block_id.hash).toHaveLength(64);
    expect(value.result_finalize_block.events[0].type).toBe("epoch");
    expect(header.result.data).toMatchObject({
      type: "tendermint/event/NewBlockHeader",
      value: { header: { height: "4" } },
    });
    expect(header.result.events["tm.event"]).toEqual(["NewBlockHeader"]);
    expect(events.result.data).toMatchObject({
      type: "tendermint/event/NewBlockEvents",
      value: { height: "4", num_txs: "0" },
    });
  });

  test("an event in the moment of the subscription comes after its answer", async () => {
    const client = await open();
    const subscribe = node.events.subscribe.bind(node.events);
    node.events.subscribe = (query, listener) => {
      const stop = subscribe(query, listener);
      queueMicrotask(() => node.produce());
      return stop;
    };
    expect((await client.call("subscribe", ["tm.event='NewBlock'"])).result).toEqual({});
    expect((await client.next()).result.query).toBe("tm.event='NewBlock'");
  });

  test("refusals", async () => {
    const client = await open();
    const data = async (method: string, query: string) =>
      (await client.call(method, [query])).error.data;
    expect(await data("subscribe", "nonsense")).toContain("failed to parse query: expected");
    expect(await data("subscribe", `a='${"x".repeat(600)}'`)).toBe("maximum query length exceeded");
    expect(await data("unsubscribe", "tx.height=1")).toBe("subscription not found");
    for (let count = 0; count < 5; count += 1) {
      await client.call("subscribe", [`tx.height=${count}`]);
    }
    expect(await data("subscribe", "tx.height=0")).toBe("already subscribed");
    expect(await data("subscribe", "tx.height=5")).toBe("max_subscriptions_per_client 5 reached");
    expect((await client.call("unsubscribe_all")).result).toEqual({});
    expect(node.subscriptions.size).toBe(0);
    expect((await client.call("unsubscribe_all")).error.data).toBe("subscription not found");
  });
});

describe("limits", () => {
  test("clients over the number, foreign pages and other paths are refused", async () => {
    await start({ socketClients: 1 });
    await expect(open({ origin: "https://example.com" })).rejects.toThrow("403");
    await expect(new Client({ path: "/other" }).open()).rejects.toThrow("404");
    const first = await open({ origin: "http://localhost:3000" });
    await expect(open()).rejects.toThrow("503");
    first.socket.close();
    await first.closed;
    await expect.poll(async () => (await open().catch(() => undefined)) !== undefined).toBe(true);
  });

  test("pings, and silence is cut", async () => {
    // A machine may be too busy for any time: who answers is not cut where there is enough of it.
    const isCutFirst = async (silenceMs: number) => {
      await start({ pingMs: 20, silenceMs });
      const alive = await open();
      const silent = new WebSocket(`${server.url.replace("http", "ws")}/websocket`, {
        autoPong: false,
      });
      silent.on("error", () => undefined);
      await new Promise((resolve) => silent.on("close", resolve));
      return alive.socket.readyState === WebSocket.OPEN;
    };
    for (let silenceMs = 150; !(await isCutFirst(silenceMs)); silenceMs *= 4) await server.close();
  });

  test("pings come as often as they should", async () => {
    await start({ pingMs: 20 });
    const client = await open();
    let pings = 0;
    client.socket.on("ping", () => {
      pings += 1;
    });
    await expect.poll(() => pings).toBeGreaterThan(2);
  });

  test("a slow subscriber is told and cut", async () => {
    await start({ unsentBytes: 100_000 });
    const client = await open();
    await client.call("subscribe", ["tm.event='NewBlock'"], 3);
    client.socket.pause();
    for (let count = 0; count < 400 && node.subscriptions.size > 0; count += 1) {
      node.waitingTxs.push(new Uint8Array(100_000));
      node.produce();
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(node.subscriptions.size).toBe(0);
    client.socket.resume();
    expect(await client.closed).toBe(1008);
    expect(client.frames.at(-1)).toEqual({
      jsonrpc: "2.0",
      id: 3,
      error: {
        code: -32000,
        message: "Server error",
        data: "subscription was canceled (reason: slow client)",
      },
    });
  });

  test("requests over the number wait, and all are answered", async () => {
    await start({ socketRequests: 2 });
    const client = await open();
    for (let id = 0; id < 50; id += 1) client.send("block", ["2"], id);
    await expect.poll(() => client.frames.length).toBe(50);
    expect(new Set(client.frames.map((frame) => frame.id)).size).toBe(50);
  });
});

describe("close", () => {
  test("ends within a second, with open connections, sockets and waits", async () => {
    await start();
    const client = await open();
    await client.call("subscribe", ["tm.event='NewBlock'"], 5);
    await (await fetch(`${server.url}/status`)).text();
    const waiting = fetch(`${server.url}/broadcast_tx_commit?tx="waits"`);
    const idle = connect(server.port, "127.0.0.1");
    idle.on("error", () => undefined);
    const half = connect(server.port, "127.0.0.1", () =>
      half.write("POST / HTTP/1.1\r\nHost: a\r\n"),
    );
    half.on("error", () => undefined);
    await expect.poll(() => node.waitingTxs.length).toBe(1);
    expect(await ownMs(() => server.close())).toBeLessThan(1000);
    const answer = (await (await waiting).json()) as Frame;
    expect(answer.error.data).toContain("the node is stopping");
    expect(await client.next()).toMatchObject({
      id: 5,
      error: { code: -32000, data: "subscription was canceled (reason: the node is stopping)" },
    });
    expect(await client.closed).toBe(1001);
    expect(node.subscriptions.size).toBe(0);
    await expect(fetch(`${server.url}/status`)).rejects.toThrow();
  });

  test("a client that ignores the farewell does not hold it up", async () => {
    await start();
    const client = await open();
    client.socket.pause();
    expect(await ownMs(() => server.close())).toBeLessThan(1000);
    client.socket.terminate();
  });
});
