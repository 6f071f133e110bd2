import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { RestServer, RestServerOptions } from "../../../src/api/rest/server.ts";
import { STATUS, type UnaryCall, UnaryError } from "../../../src/api/services/unary.ts";
import { ownMs } from "../../testkit/own_time.ts";
import { fakeServices, startFake, SUPPLY_OF } from "./rest_services.ts";

let server: RestServer;
let faults: unknown[];

async function start(options: Partial<RestServerOptions> = {}): Promise<void> {
  await server?.close();
  server = await startFake({ report: (error) => faults.push(error), ...options });
}

beforeEach(async () => {
  faults = [];
  await start();
});
afterEach(() => server.close());

async function ask(path: string, init: RequestInit = {}) {
  const response = await fetch(server.url + path, init);
  const text = await response.text();
  return { response, status: response.status, json: text === "" ? undefined : JSON.parse(text) };
}

const asked = (denom: string) => `${SUPPLY_OF}?denom=${denom}`;
const TXS = "/cosmos/tx/v1beta1/txs";
const postTx = (body: string, headers: Record<string, string> = {}) =>
  ask(TXS, { method: "POST", body, headers: { "content-type": "application/json", ...headers } });

describe("answers", () => {
  test("snake_case JSON with its height", async () => {
    const { response, json } = await ask(asked("uve"));
    expect(json).toEqual({ amount: { denom: "uve", amount: "5" } });
    expect(response.headers.get("content-type")).toBe("application/json");
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(response.headers.get("x-cosmos-block-height")).toBe("5");
  });

  test("a refused tx is HTTP 200 with the code in the answer", async () => {
    const { status, json } = await postTx('{"tx_bytes":"AQ==","mode":2}');
    expect(status).toBe(200);
    expect(json.tx_response).toMatchObject({ code: 32, raw_log: "refused", height: "0", logs: [] });
  });

  test("HEAD has the headers of GET and no body", async () => {
    const { response, json } = await ask(asked("uve"), { method: "HEAD" });
    expect([response.status, json]).toEqual([200, undefined]);
    expect(Number(response.headers.get("content-length"))).toBeGreaterThan(10);
  });

  test.each([
    ...[
      [1, 408],
      [2, 500],
      [3, 400],
      [4, 504],
      [5, 404],
      [6, 409],
      [7, 403],
      [8, 429],
    ],
    ...[
      [9, 400],
      [10, 409],
      [11, 400],
      [12, 501],
      [13, 500],
      [14, 503],
    ],
  ])("gRPC status %i is HTTP %i", async (code, http) => {
    const { status, json } = await ask(asked(`status${code}`));
    expect(status).toBe(http);
    expect(json).toEqual({ code, message: `status ${code}`, details: [] });
    expect(faults).toEqual([]);
  });

  test("a fault of the node stays inside", async () => {
    for (const denom of ["fault", "garbage"]) {
      const { status, json } = await ask(asked(denom));
      expect([status, json.code]).toEqual([500, 13]);
      expect(json.message).toBe("internal error; the log of the node has the details");
    }
    expect(faults.length).toBe(2);
    expect(String(faults[0])).toContain("secret of the node");
  });

  test("unknown routes, verbs and methods that are not offered are 501", async () => {
    const bank = "/cosmos/bank/v1beta1";
    const unknown: [string, string][] = [
      ["GET", "/cosmos/staking/v1beta1/params"],
      ["GET", `${bank}/params`],
      ["POST", asked("uve")],
      ["PUT", asked("uve")],
      ["DELETE", "/"],
      ["GET", "/../../package.json"],
      ["GET", "/page/../page.html"],
    ];
    for (const [method, path] of unknown) {
      const { status, json } = await ask(path, { method });
      expect([path, status]).toEqual([path, 501]);
      expect(json).toEqual({ code: 12, message: "Not Implemented", details: [] });
    }
    expect((await ask("/cosmos/bank/v1beta1/balances/%zz")).status).toBe(400);
  });
});

describe("web pages", () => {
  const origin = "http://localhost:3000";
  const evil = "https://evil.example";

  test("pages of this machine may read, others may not, unless they are named", async () => {
    const allowed = async (from: string) =>
      (await ask(asked("uve"), { headers: { origin: from } })).response.headers.get(
        "access-control-allow-origin",
      );
    expect(await allowed(origin)).toBe(origin);
    expect(await allowed(evil)).toBeNull();
    await start({ cors: [evil] });
    expect(await allowed(evil)).toBe(evil);
    expect(await allowed(origin)).toBeNull();
  });

  test("OPTIONS says what may be sent; errors and answers show the height", async () => {
    const { response } = await ask(TXS, {
      method: "OPTIONS",
      headers: {
        ...{ origin, "access-control-request-method": "POST" },
        "access-control-request-private-network": "true",
      },
    });
    expect(response.status).toBe(204);
    expect(response.headers.get("access-control-allow-methods")).toContain("POST");
    const headers = response.headers.get("access-control-allow-headers")?.toLowerCase();
    expect(headers).toContain("x-cosmos-block-height");
    expect(headers).toContain("content-type");
    expect(response.headers.get("access-control-allow-private-network")).toBe("true");
    for (const denom of ["uve", "status5"]) {
      const { response: answer } = await ask(asked(denom), { headers: { origin } });
      expect(answer.headers.get("access-control-allow-origin")).toBe(origin);
      const exposed = answer.headers.get("access-control-expose-headers")?.toLowerCase();
      expect(exposed).toContain("x-cosmos-block-height");
      expect(answer.headers.get("vary")).toBe("Origin");
    }
    const other = await ask(TXS, { method: "OPTIONS", headers: { origin: evil } });
    expect(other.response.headers.get("access-control-allow-methods")).toBeNull();
  });
});

describe("hostile input", () => {
  test.each([
    ["", "the body is empty"],
    ["{", "the body is no JSON"],
    ["5", "the body is no JSON object"],
    [`{"tx":${'{"body":'.repeat(9000)}1${"}".repeat(9000)}}`, "unknown field"],
    ["[".repeat(400_000), "the body is nested deeper than 10000"],
    [`{"a":${"[".repeat(9000)}${"]".repeat(9000)}}`, "a: unknown field"],
    ['{"__proto__":{"tx_bytes":"AQ=="}}', "__proto__: unknown field"],
    ['{"tx_bytes":"A"}', "tx_bytes: expected base64 text"],
  ])("body %#", async (body, message) => {
    const { status, json } = await postTx(body);
    expect(status).toBe(400);
    expect(json.code).toBe(3);
    expect(json.message).toContain(message);
    expect(json.message.length).toBeLessThan(300);
    expect(faults).toEqual([]);
  });

  test("Any within Any is read 48 deep at most", async () => {
    const type = "/cosmos.tx.v1beta1.TxBody";
    const nested = `{"@type":"${type}","messages":[`.repeat(100) + "]}".repeat(100);
    await start({
      services: new Map([...fakeServices(), ["cosmos.tx.v1beta1.Service/Simulate", never]]),
    });
    const { status, json } = await ask("/cosmos/tx/v1beta1/simulate", {
      method: "POST",
      body: `{"tx":{"body":{"messages":[${nested}]}}}`,
    });
    expect(status).toBe(400);
    expect(json.message).toContain("nested deeper than 48");
  });

  test("a body over 1 MB is 413, an address over 16 KiB 414, headers over their limit 431", async () => {
    const refused: string[] = [];
    await start({ metrics: { refused: (door, limit) => void refused.push(`${door} ${limit}`) } });
    const { status, json } = await postTx(`{"tx_bytes":"${"A".repeat(1_100_000)}"}`);
    expect([status, json.message]).toEqual([413, "the body is longer than 1000000 bytes"]);
    const long = await ask(asked("a".repeat(17_000)));
    expect([long.status, long.json.code]).toEqual([414, 3]);
    expect(refused).toEqual(["rest body", "rest address"]);
    const fat = await fetch(server.url, { headers: { "x-fat": "a".repeat(40_000) } });
    expect(fat.status).toBe(431);
    expect((await ask(asked("uve"))).status).toBe(200);
  });

  test("a body that comes slowly is cut when its time is over", async () => {
    await start({ limits: { requestMs: 200 } });
    const socket = connect(server.port, "127.0.0.1");
    socket.write(`POST ${TXS} HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n`);
    const drip = setInterval(() => socket.write(" "), 20);
    let answer = "";
    const ms = await ownMs(async () => {
      answer = await untilClosed(socket);
    });
    clearInterval(drip);
    expect(ms).toBeLessThan(2000);
    expect(answer).toMatch(/^HTTP\/1\.1 408 /);
    expect(faults).toEqual([]);
  });

  test("headers that come slowly, or never, are cut as well", async () => {
    await start({ limits: { requestMs: 200 } });
    const socket = connect(server.port, "127.0.0.1");
    socket.write("GET / HTTP/1.1\r\nHost: a\r\n");
    expect(await untilClosed(socket)).toMatch(/^HTTP\/1\.1 408 /);
  });

  test("connections above the limit are closed, and the others go on", async () => {
    await start({ limits: { connections: 20 } });
    const sockets = Array.from({ length: 60 }, () => connect(server.port, "127.0.0.1"));
    const closed = sockets.map(
      (socket) =>
        new Promise<void>((resolve) => {
          socket.on("error", () => undefined).once("close", () => resolve());
        }),
    );
    let count = 0;
    for (const one of closed) void one.then(() => (count += 1));
    while (count < 40) await sleep(10);
    await sleep(50);
    expect(count).toBe(40);
    for (const socket of sockets) socket.destroy();
    await Promise.all(closed);
    expect((await ask(asked("uve"))).status).toBe(200);
  });

  test("what takes too long is 504, and its work is told to end", async () => {
    const calls: UnaryCall[] = [];
    await start({ limits: { callMs: 50 }, services: fakeServices(calls) });
    const { status, json } = await ask(asked("never"));
    expect([status, json.code]).toEqual([504, 4]);
    expect(json.message).toContain("no answer within 50 ms");
    expect(calls[0]?.signal?.aborted).toBe(true);
    expect(faults).toEqual([]);
  });

  test("a caller who leaves ends the work", async () => {
    const calls: UnaryCall[] = [];
    await start({ services: fakeServices(calls) });
    const leaving = new AbortController();
    const gone = ask(asked("never"), { signal: leaving.signal }).catch(() => "gone");
    while (calls.length === 0) await sleep(5);
    expect((await ask(asked("uve"))).status).toBe(200);
    expect((await postTx('{"tx_bytes":"AQ=="}')).status).toBe(200);
    leaving.abort();
    expect(await gone).toBe("gone");
    while (calls[0]?.signal?.aborted !== true) await sleep(5);
    expect(faults).toEqual([]);
  });
});

const never = {
  path: "cosmos.tx.v1beta1.Service/Simulate",
  handle: () => Promise.reject(new Error("is not called")),
};

async function untilClosed(socket: ReturnType<typeof connect>): Promise<string> {
  let text = "";
  socket.on("data", (chunk) => {
    text += chunk.toString();
  });
  socket.on("error", () => undefined);
  await new Promise((resolve) => socket.once("close", resolve));
  return text;
}

describe("what else is mounted", () => {
  test("a door gets what is under its prefix, with CORS, limits and errors made for it", async () => {
    const extra = {
      prefix: "/faucet",
      handle: async (_: unknown, __: unknown, call: any) => {
        if (call.path === "/fault") throw new Error("secret");
        if (call.path === "/empty") throw new UnaryError(STATUS.resourceExhausted, "come back");
        call.sendJson(201, { path: call.path, body: await call.readJson() });
      },
    };
    await start({ extra: [extra] });
    const send = (path: string, body: string) => ask(path, { method: "POST", body });
    const { status, json } = await send("/faucet/x?a=1", '{"to":1}');
    expect([status, json]).toEqual([201, { path: "/x", body: { to: 1 } }]);
    expect((await send("/faucet", "{}")).json.path).toBe("");
    expect((await send("/faucet/x", "{")).status).toBe(400);
    expect((await send("/faucet/empty", "{}")).status).toBe(429);
    expect((await send("/faucet/fault", "{}")).json.message).toContain("internal error");
    expect((await send("/faucets", "{}")).status).toBe(501);
    expect(String(faults[0])).toContain("secret");
  });

  test("gRPC-Web goes to its handler", async () => {
    const headers = { "content-type": "application/grpc-web+proto" };
    expect((await ask("/a.B/C", { method: "POST", headers })).status).toBe(501);
    await start({ grpcWeb: (_, response) => void response.writeHead(200).end('"web"') });
    expect((await ask("/a.B/C", { method: "POST", headers })).json).toBe("web");
  });
});

test("closing takes less than a second, also with a caller who waits", async () => {
  const waiting = ask(asked("never")).catch(() => "cut");
  await sleep(50);
  expect(await ownMs(() => server.close())).toBeLessThan(1000);
  expect(await waiting).toBe("cut");
  await start();
});

test("a port in use names the flag that chooses another", async () => {
  const error = await startFake({ port: server.port }).catch((caught: unknown) => caught);
  expect(error).toMatchObject({ port: server.port, flag: "--rest-port" });
});
