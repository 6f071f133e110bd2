import { connect } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { RpcLimits } from "../../../src/api/rpc/limits.ts";
import { type RpcServer, startRpcServer } from "../../../src/api/rpc/server.ts";
import { toBase64, toHex, utf8 } from "../../../src/lib/bytes.ts";
import type { TimeNs } from "../../../src/types/time.ts";
import { ownMs } from "../../testkit/own_time.ts";
import { type FakeNode, fakeNode, sha } from "./fake_node.ts";

let node: FakeNode;
let server: RpcServer;
let faults: unknown[];

async function start(limits: Partial<RpcLimits> = {}, cors?: string[]): Promise<void> {
  const report = (error: unknown) => faults.push(error);
  const view = node;
  server = await startRpcServer({ view, host: "127.0.0.1", port: 0, limits, cors, report });
}

beforeEach(() => {
  node = fakeNode();
  faults = [];
});
afterEach(() => server.close());

const json = { "Content-Type": "application/json" };

async function post(body: string, headers: Record<string, string> = {}) {
  const response = await fetch(server.url, {
    method: "POST",
    headers: { ...json, ...headers },
    body,
  });
  const text = await response.text();
  return { response, status: response.status, text, json: text === "" ? undefined : parse(text) };
}

function parse(text: string): any {
  return JSON.parse(text);
}

async function get(path: string, headers: Record<string, string> = {}) {
  const response = await fetch(server.url + path, { headers });
  const text = await response.text();
  const isJson = response.headers.get("content-type") === "application/json";
  return { response, status: response.status, text, json: isJson ? parse(text) : undefined };
}

const request = (method: string, params?: unknown, id: unknown = 1) =>
  JSON.stringify({ jsonrpc: "2.0", id, method, params });

describe("POST", () => {
  beforeEach(() => start());

  test("the id is echoed as it came; other headers are CometBFT's", async () => {
    const before = Math.floor(Date.now() / 1000);
    const { json: body, response } = await post(request("health", undefined, "a-b"));
    expect(body).toEqual({ jsonrpc: "2.0", id: "a-b", result: {} });
    expect(response.headers.get("content-type")).toBe("application/json");
    const seconds = Number(response.headers.get("x-server-time"));
    expect(seconds).toBeGreaterThanOrEqual(before);
    expect(seconds).toBeLessThanOrEqual(Date.now() / 1000);
  });

  test("parameters by position, by name, as text, as number, or null", async () => {
    for (const params of [["2"], [2], { height: "2" }, { height: 2, other: [] }]) {
      const { json: body } = await post(request("block", params));
      expect(body.result.block.header.height).toBe("2");
    }
    for (const params of [undefined, null, [], {}, { height: null }, [null]]) {
      const { json: body } = await post(request("block", params));
      expect(body.result.block.header.height).toBe("3");
    }
  });

  test("parameters that do not parse are -32602 and named", async () => {
    const cases: [string, unknown, string][] = [
      ["block", { height: "two" }, 'height: expected a whole number of at most 64 bits, got "two"'],
      ["block", { height: 1.5 }, "height: expected a whole number"],
      ["block", { height: "9223372036854775808" }, "height: expected a whole number"],
      ["block", { height: {} }, "height: expected a whole number of at most 64 bits, got"],
      ["block", ["1", "2"], "expected 1 parameters ([height]), got 2"],
      ["block", "1", "expected an object or a list"],
      ["abci_query", { path: "/echo", data: "xyz" }, "data: expected bytes in hex"],
      ["broadcast_tx_sync", { tx: "***" }, "tx: expected bytes in base64"],
      ["broadcast_tx_sync", {}, "tx is missing"],
      ["tx", { hash: "abcd" }, "hash: expected a hash of 32 bytes"],
      ["tx", { hash: toHex(sha()), prove: "yes" }, "prove: expected true or false"],
    ];
    for (const [method, params, text] of cases) {
      const { json: body, status } = await post(request(method, params));
      expect(status).toBe(200);
      expect(body.error).toMatchObject({ code: -32602, message: "Invalid params" });
      expect(body.error.data).toContain(text);
    }
  });

  test("names of object prototypes are neither methods nor parameters", async () => {
    for (const method of ["constructor", "__proto__", "toString"]) {
      expect((await post(request(method))).json.error.code).toBe(-32601);
    }
    const polluted =
      '{"jsonrpc":"2.0","id":1,"method":"block","params":{"__proto__":{"height":"1"}}}';
    expect((await post(polluted)).json.result.block.header.height).toBe("3");
  });

  test("a batch keeps its order; one request in a batch is answered as an object", async () => {
    const batch = `[${request("health", {}, 1)},${request("nope", {}, 2)},${request("status", {}, 3)}]`;
    const { json: body, status } = await post(batch);
    expect(status).toBe(200);
    expect(body.map((one: { id: number }) => one.id)).toEqual([1, 2, 3]);
    expect(body[1].error).toEqual({ code: -32601, message: "Method not found", data: "" });
    expect((await post(`[${request("health")}]`)).json).toEqual({
      jsonrpc: "2.0",
      id: 1,
      result: {},
    });
  });

  test("batches: 20 are allowed, 21 and none are not, broken parts are answered", async () => {
    const twenty = Array.from({ length: 20 }, (_, id) => request("health", {}, id));
    expect((await post(`[${twenty}]`)).json).toHaveLength(20);
    const more = await post(`[${[...twenty, request("health")]}]`);
    expect(more.status).toBe(400);
    expect(more.json.error.data).toBe("maximum JSON-RPC batch size exceeded, got: 21, max: 20");
    expect((await post("[]")).status).toBe(400);
    const { json: body } = await post(`[1, ${request("health")}]`);
    expect(body[0]).toMatchObject({ id: null, error: { code: -32600 } });
    expect(body[1].result).toEqual({});
  });

  test("txs of one batch enter the mempool in order", async () => {
    const txs = ["a", "b", "c", "d"].map(utf8);
    const batch = txs.map((tx, id) => request("broadcast_tx_sync", { tx: toBase64(tx) }, id));
    const { json: body } = await post(`[${batch}]`);
    expect(body.every((one: { result: { data: string } }) => one.result.data === "")).toBe(true);
    expect(node.waitingTxs).toEqual(txs);
  });

  test("notifications are neither run nor answered", async () => {
    const tx = toBase64(utf8("unseen"));
    const notification = { jsonrpc: "2.0", method: "broadcast_tx_sync", params: { tx } };
    for (const one of [notification, { ...notification, id: null }]) {
      const answer = await post(JSON.stringify(one));
      expect(answer).toMatchObject({ status: 200, text: "" });
    }
    const mixed = await post(`[${JSON.stringify(notification)},${request("health")}]`);
    expect(mixed.json.result).toEqual({});
    expect(node.waitingTxs).toEqual([]);
  });

  test("what is not JSON, or no request", async () => {
    for (const text of ["{", '{"id":1', "nonsense", "[".repeat(900_000)]) {
      const { json: body, status } = await post(text);
      expect(status).toBe(500);
      expect(body).toMatchObject({ id: null, error: { code: -32700 } });
      expect(body.error.data).toContain("error unmarshaling request");
    }
    for (const text of ["1", "null", '"x"', '{"id":1}', '{"id":{},"method":"health"}']) {
      const { json: body, status } = await post(text);
      expect(status).toBe(400);
      expect(body.error.code).toBe(-32600);
    }
  });

  test("deep nesting in parameters does no harm", async () => {
    const code = async (depth: number) => {
      const deep = `${"[".repeat(depth)}${"]".repeat(depth)}`;
      const params = `{"text":"[[[ \\" [","height":${deep}}`;
      const { json: body } = await post(
        `{"jsonrpc":"2.0","id":1,"method":"block","params":${params}}`,
      );
      return body.error.code;
    };
    // Two levels are around it; above 10,000 Go's decoder gives up, too.
    expect(await code(9998)).toBe(-32602);
    expect(await code(9999)).toBe(-32700);
    expect(await code(400_000)).toBe(-32700);
    expect((await post(request("health"))).json.result).toEqual({});
  });

  test("a body over the limit is 413", async () => {
    const { status, json: body } = await post(" ".repeat(1_000_001));
    expect(status).toBe(413);
    expect(body.error.data).toContain("request body too large");
    const padded = request("health").padEnd(1_000_000, " ");
    expect((await post(padded)).status).toBe(200);
  });

  test("WebSocket methods, other paths and other HTTP methods", async () => {
    const { json: body } = await post(request("subscribe", { query: "tm.event='Tx'" }));
    expect(body.error.code).toBe(-32601);
    const options = { method: "POST", body: request("health") };
    expect((await fetch(`${server.url}/status`, options)).status).toBe(404);
    expect((await fetch(server.url, { method: "DELETE" })).status).toBe(405);
  });

  test("a fault of the node is reported, and hidden from the client", async () => {
    const { json: body, text } = await post(request("abci_query", { path: "/fault", data: "" }));
    expect(body.error).toMatchObject({ code: -32603, message: "Internal error" });
    expect(text).not.toContain("secret");
    expect(String(faults[0])).toContain("secret of the node");
  });

  test("methods beyond CosmJS", async () => {
    const call = async (method: string, params?: unknown) =>
      (await post(request(method, params))).json.result;
    expect(await call("net_info")).toMatchObject({ listening: true, n_peers: "0", peers: [] });
    expect((await call("header", { height: 2 })).header.height).toBe("2");
    const hash = toHex(node.blocks[1]?.id.hash as Uint8Array).toUpperCase();
    expect((await call("header_by_hash", { hash })).header.height).toBe("2");
    const raw = toBase64(node.blocks[1]?.id.hash as Uint8Array);
    expect((await call("block_by_hash", { hash: raw })).block.header.height).toBe("2");
    expect((await call("block_by_hash", { hash: toHex(sha()) })).block).toBeNull();
    expect(await call("header_by_hash", { hash: toHex(sha()) })).toEqual({ header: null });
    expect((await call("consensus_params")).consensus_params.block.max_gas).toBe("-1");
    const chunk = await call("genesis_chunked", ["0"]);
    expect(chunk).toMatchObject({ chunk: "0", total: "1" });
    const whole = await call("genesis");
    expect(parse(Buffer.from(chunk.data, "base64").toString())).toEqual(whole.genesis);
    expect((await call("check_tx", { tx: toBase64(utf8("bad")) })).code).toBe(32);
    node.waitingTxs.push(utf8("w1"), utf8("w2"));
    const waiting = await call("unconfirmed_txs", { limit: "1" });
    expect(waiting).toEqual({
      n_txs: "1",
      total: "2",
      total_bytes: "4",
      txs: [toBase64(utf8("w1"))],
    });
    const { json: body } = await post(request("genesis_chunked", { chunk: 5 }));
    expect(body.error.data).toBe("there are 0 chunks, 5 is invalid");
  });
});

describe("GET", () => {
  beforeEach(() => start());

  test("the page at / lists the methods", async () => {
    const { status, text, response } = await get("/");
    expect(status).toBe(200);
    expect(response.headers.get("content-type")).toContain("text/html");
    expect(text).toContain('<a href="/status">');
    expect(text).toContain("/abci_query?path=_&amp;data=_&amp;height=_&amp;prove=_");
    expect(text).not.toContain("subscribe");
  });

  test("the forms of CometBFT's addresses", async () => {
    expect((await get("/status")).json).toMatchObject({ jsonrpc: "2.0", id: -1 });
    for (const path of ["/block?height=2", '/block?height="2"', "/block/?height=2&height=3"]) {
      expect((await get(path)).json.result.block.header.height).toBe("2");
    }
    expect((await get("/block?height=")).json.result.block.header.height).toBe("3");
    const query = '/abci_query?path="/echo"&data=0x6869&height=0&prove=false';
    expect((await get(query)).json.result.response.value).toBe(toBase64(utf8("hi")));
    const quoted = await get('/abci_query?path="/echo"&data="raw text"');
    expect(quoted.json.result.response.value).toBe(toBase64(utf8("raw text")));
    expect((await get("/abci_query?path=/echo&data=6869")).json.result.response.code).toBe(0);
    const hash = toHex(sha(utf8("tx-one")));
    for (const form of [
      `0x${hash}`,
      hash,
      `"${hash}"`,
      encodeURIComponent(toBase64(sha(utf8("tx-one")))),
    ]) {
      expect((await get(`/tx?hash=${form}`)).json.result.height).toBe("2");
    }
    const search = '/tx_search?query="tx.height=2"&per_page=1&page=2&order_by="asc"';
    expect((await get(search)).json.result).toMatchObject({ total_count: "2" });
    const descending = '/tx_search?query="tx.height=2"&per_page=1&order_by="desc"';
    expect((await get(descending)).json.result.txs[0].index).toBe(1);
    expect((await get(`/broadcast_tx_sync?tx=0x${toHex(utf8("by get"))}`)).status).toBe(200);
    expect((await get('/broadcast_tx_sync?tx="quoted"')).status).toBe(200);
    expect(node.waitingTxs).toEqual([utf8("by get"), utf8("quoted")]);
  });

  test("errors are 500 with a body, unknown and WebSocket methods 404", async () => {
    const far = await get("/block?height=99");
    expect(far.status).toBe(500);
    expect(far.json).toMatchObject({ id: -1, error: { code: -32603 } });
    const broken = await get("/block?height=abc");
    expect(broken.json.error.code).toBe(-32602);
    expect(broken.json.error.data).toContain("error converting http params to arguments: height");
    expect((await get('/block?height=0x10"')).status).toBe(500);
    expect((await get('/tx_search?query="open')).json.error.code).toBe(-32602);
    expect((await get("/nope")).status).toBe(404);
    expect((await get("/subscribe?query=x")).status).toBe(404);
    expect((await get("/websocket")).status).toBe(426);
    expect((await get("/%00%ff//..?%%%")).status).toBe(404);
    const order = await get('/tx_search?query="tx.height=2"&order_by="up"');
    expect(order.json.error.data).toContain("expected order_by to be either");
  });

  test("HEAD has no body", async () => {
    const response = await fetch(`${server.url}/status`, { method: "HEAD" });
    expect(response.status).toBe(200);
    expect(await response.text()).toBe("");
  });

  test("only final answers may be cached", async () => {
    const cached = async (path: string) => (await get(path)).response.headers.get("cache-control");
    const day = "public, max-age=86400";
    expect(await cached("/block?height=2")).toBe(day);
    expect(await cached("/commit?height=2")).toBe(day);
    expect(await cached(`/tx?hash=0x${toHex(sha(utf8("tx-one")))}`)).toBe(day);
    expect(await cached("/genesis")).toBe(day);
    const changing = ["/block", "/status", "/commit?height=3", "/block?height=99", "/blockchain"];
    for (const path of [...changing, `/block_by_hash?hash=${toHex(sha())}`]) {
      expect(await cached(path)).toBeNull();
    }
  });
});

describe("web pages", () => {
  const allowed = (response: Response) => response.headers.get("access-control-allow-origin");
  const preflight = (origin: string, headers: Record<string, string> = {}) =>
    fetch(server.url, {
      method: "OPTIONS",
      headers: {
        Origin: origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
        ...headers,
      },
    });

  test("of this machine may by default, others may not", async () => {
    await start();
    const local = ["http://localhost:3000", "https://127.0.0.1", "http://[::1]:8080"];
    for (const origin of [...local, "chrome-extension://dmkamcknogkgcdfhhbddcghachkejeap"]) {
      const response = await preflight(origin);
      expect(response.status).toBe(204);
      expect(allowed(response)).toBe(origin);
      expect(response.headers.get("access-control-allow-methods")).toBe("HEAD, GET, POST");
      expect(response.headers.get("access-control-allow-headers")).toContain("Content-Type");
      expect(allowed((await post(request("health"), { Origin: origin })).response)).toBe(origin);
    }
    const foreign = [
      "https://example.com",
      "http://localhost.example.com",
      "null",
      "http://1270.0.0.1",
    ];
    for (const origin of foreign) {
      const response = await preflight(origin);
      expect(allowed(response)).toBeNull();
      expect(response.headers.get("access-control-allow-methods")).toBeNull();
    }
  });

  test("an explicit list replaces the default", async () => {
    await start({}, ["https://app.example.com"]);
    const listed = await preflight("https://app.example.com", {
      "Access-Control-Request-Private-Network": "true",
    });
    expect(allowed(listed)).toBe("https://app.example.com");
    expect(listed.headers.get("access-control-allow-private-network")).toBe("true");
    expect(allowed(await preflight("http://localhost:3000"))).toBeNull();
  });
});

describe("dev controls", () => {
  const mined: unknown[] = [];
  beforeEach(() => {
    mined.length = 0;
    node.dev = {
      mine: async (input) => {
        mined.push(input);
        const block = node.produce();
        return { height: block.header.height, time: block.header.time };
      },
      useWallClock: async () => void mined.push("wall clock"),
    };
  });

  test("mine blocks at a time, and go back to the wall clock", async () => {
    await start();
    const { json: body } = await post(
      request("dev_mine", { blocks: 2, time: "2026-02-01T00:00:00.5Z" }),
    );
    expect(body.result).toEqual({ height: "4", time: "2026-01-01T00:00:04.000000123Z" });
    await post(request("dev_mine", ["1", "1769904000500000000"]));
    await post(request("dev_mine"));
    await post(request("dev_use_wall_clock"));
    const time = 1_769_904_000_500_000_000n as TimeNs;
    expect(mined).toEqual([{ blocks: 2, time }, { blocks: 1, time }, { blocks: 1 }, "wall clock"]);
    const { json: none } = await post(request("dev_mine", { blocks: 0 }));
    expect(none.error.code).toBe(-32602);
    const { json: never } = await post(request("dev_mine", { time: "soon" }));
    expect(never.error.data).toContain("time: expected a time in RFC 3339");
    expect((await get("/block?height=1")).response.headers.get("cache-control")).toBeNull();
  });

  test("no web page of elsewhere can reach them, and nobody by GET", async () => {
    await start({}, ["*"]);
    for (const origin of ["https://example.com", "null"]) {
      const { json: body } = await post(request("dev_mine"), { Origin: origin });
      expect(body.error.code).toBe(-32601);
    }
    expect((await get("/dev_mine?blocks=1")).status).toBe(404);
    expect(mined).toEqual([]);
    await post(request("dev_mine"), { Origin: "http://localhost:1317" });
    expect(mined).toHaveLength(1);
  });

  test("are not there beyond loopback, or on other chains", async () => {
    const open = await startRpcServer({ view: node, host: "0.0.0.0", port: 0 });
    server = open;
    expect((await post(request("dev_mine"))).json.error.code).toBe(-32601);
    await open.close();
    node.dev = undefined;
    await start();
    expect((await post(request("dev_mine"))).json.error.code).toBe(-32601);
  });
});

describe("clients that do not behave", () => {
  function raw(text: string): Promise<string> {
    return new Promise((resolve) => {
      const socket = connect(server.port, "127.0.0.1", () => socket.write(text));
      let received = "";
      socket.on("data", (data) => {
        received += data.toString();
      });
      socket.on("error", () => undefined);
      socket.on("close", () => resolve(received));
    });
  }

  test("a body that does not come is cut", async () => {
    await start({ requestMs: 200 });
    const ms = await ownMs(async () => {
      const answer = await raw("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\n{");
      expect(answer).toContain("408");
    });
    expect(ms).toBeLessThan(2000);
    expect(await raw("GET /status HT")).toContain("408");
    expect(await raw("")).toContain("408");
    expect(faults).toEqual([]);
  });

  test("headers over the limit are 431, and what is not HTTP is 400", async () => {
    await start();
    expect(await raw(`GET / HTTP/1.1\r\nHost: a\r\nX: ${"x".repeat(70_000)}\r\n\r\n`)).toContain(
      "431",
    );
    expect(await raw("\x16\x03\x01 hello\r\n\r\n")).toContain("400");
  });

  test("a body announced far over the limit is refused at once", async () => {
    await start({ bodyBytes: 100 });
    const answer = await raw("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 999999\r\n\r\n");
    expect(answer).toContain("413");
  });

  test("broadcast_tx_commit: time, and number of waits", async () => {
    await start({ commitMs: 100, commitWaits: 1 });
    const send = (text: string) => post(request("broadcast_tx_commit", [toBase64(utf8(text))]));
    const [first, second] = await Promise.all([send("one"), send("two")]);
    const errors = [first, second].map((one) => one.json.error.data).sort();
    expect(errors).toEqual([
      "max_subscription_clients 1 reached",
      "timed out waiting for tx to be included in a block",
    ]);
  });

  test("the wait of broadcast_tx_commit ends when the client leaves", async () => {
    await start();
    const leave = new AbortController();
    const body = request("broadcast_tx_commit", [toBase64(utf8("three"))]);
    const left = fetch(server.url, { method: "POST", body, signal: leave.signal });
    left.catch(() => undefined);
    await expect.poll(() => node.subscriptions.size).toBe(1);
    leave.abort();
    await expect.poll(() => node.subscriptions.size).toBe(0);
  });
});
