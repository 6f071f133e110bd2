import { connect, type Socket } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { faucetDoor } from "../../../src/api/faucet/door.ts";
import { grpcWebHandler } from "../../../src/api/grpc/grpc_web.ts";
import { startGrpcServer } from "../../../src/api/grpc/server.ts";
import { openMetrics } from "../../../src/api/metrics/recorder.ts";
import { startMetricsServer } from "../../../src/api/metrics/server.ts";
import { startRpcServer } from "../../../src/api/rpc/server.ts";
import { ownMs } from "../../testkit/own_time.ts";
import { fakeNode } from "./fake_node.ts";
import { fakeServices, startFake, SUPPLY_OF } from "./rest_services.ts";

// Whoever is slow on purpose: at each door a client sends a byte now and then, in every place where
// one can. All are cut when the time of a request is over; others are answered meanwhile. And whoever
// sends more than a door takes.

/** Instead of the seconds that a request has in earnest. */
const REQUEST_MS = 200;
/** Far less than what the dripping would take. */
const CUT_MS = 3000;
const PLACE = { host: "127.0.0.1", port: 0 };

interface Door {
  readonly port: number;
  /** Whether it answers somebody else. */
  isUp(): Promise<boolean>;
  close(): Promise<void>;
}

const closing: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const faults: unknown[] = [];
const report = (error: unknown) => void faults.push(error);

async function answers(url: string): Promise<boolean> {
  return (await fetch(url)).status === 200;
}

async function rpcDoor(): Promise<Door> {
  const limits = { requestMs: REQUEST_MS, silenceMs: REQUEST_MS };
  const server = await startRpcServer({ ...PLACE, view: fakeNode(), limits, report });
  const { port, url, close } = server;
  return { port, isUp: () => answers(`${url}/health`), close };
}

/** With gRPC-Web and a faucet on it. */
async function restDoor(): Promise<Door> {
  const faucet = faucetDoor(() => Promise.reject(new Error("nobody may get as far")));
  const grpcWeb = grpcWebHandler(fakeServices(), { report });
  const limits = { requestMs: REQUEST_MS };
  const server = await startFake({ extra: [faucet], grpcWeb, limits, report });
  const { port, url, close } = server;
  return { port, isUp: () => answers(`${url}${SUPPLY_OF}?denom=uve`), close };
}

async function metricsDoor(): Promise<Door> {
  const limits = { requestMs: REQUEST_MS };
  const view = fakeNode();
  const server = await startMetricsServer({ ...PLACE, view, metrics: openMetrics(), limits });
  const { url, close } = server;
  return { port: Number(new URL(url).port), isUp: () => answers(`${url}/health`), close };
}

async function grpcDoor(): Promise<Door> {
  const limits = { idleMs: REQUEST_MS, requestMs: REQUEST_MS };
  const server = await startGrpcServer({ ...PLACE, services: fakeServices(), limits, report });
  const isUp = async () => {
    const socket = connect(server.port, "127.0.0.1");
    const isOpen = await new Promise<boolean>((resolve) => {
      socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    });
    socket.destroy();
    return isOpen;
  };
  return { port: server.port, isUp, close: () => server.close() };
}

/** Sends the text and then a byte at a time: what was answered, and after how much of our own time. */
async function drip(port: number, start: string): Promise<{ answer: string; ms: number }> {
  const socket: Socket = connect(port, "127.0.0.1");
  let answer = "";
  socket.on("data", (data) => {
    answer += data.toString("latin1");
  });
  socket.on("error", () => undefined);
  if (start !== "") socket.write(start);
  const timer = setInterval(() => start !== "" && socket.write("a"), 20);
  closing.push(() => void socket.destroy());
  const ms = await ownMs(() => new Promise((resolve) => socket.once("close", resolve)));
  clearInterval(timer);
  return { answer, ms };
}

const post = (path: string, type: string) =>
  `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Type: ${type}\r\nContent-Length: 900\r\n\r\n`;
const UPGRADE =
  "GET /websocket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
  "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
/** A text frame of 100,000 bytes, masked, of which nothing has come yet. */
const FRAME = "\x81\xff\x00\x00\x00\x00\x00\x01\x86\xa0\x00\x00\x00\x00";

const JSON_TYPE = "application/json";
const CASES: [string, () => Promise<Door>, Record<string, string>][] = [
  [
    "RPC",
    rpcDoor,
    {
      nothing: "",
      "a request line": "GET /sta",
      headers: "GET /status HTTP/1.1\r\nHost: a\r\nX-Slow: ",
      "a body": post("/", JSON_TYPE),
      "the headers of a WebSocket": UPGRADE,
    },
  ],
  [
    "REST",
    restDoor,
    {
      nothing: "",
      headers: `GET ${SUPPLY_OF} HTTP/1.1\r\nX-Slow: `,
      "the body of a tx": post("/cosmos/tx/v1beta1/txs", JSON_TYPE),
      "a gRPC-Web message": post("/cosmos.tx.v1beta1.Service/BroadcastTx", "application/grpc-web"),
      "a body for the faucet": post("/faucet", JSON_TYPE),
    },
  ],
  [
    "metrics",
    metricsDoor,
    {
      nothing: "",
      headers: "GET /metrics HTTP/1.1\r\nX-Slow: ",
      "a body": post("/metrics", "text/plain"),
    },
  ],
];

describe.each(CASES)("the door of %s", (_, open, starts) => {
  test.each(Object.entries(starts))("cuts a client that drips %s", async (_name, start) => {
    const door = await open();
    closing.push(() => door.close());
    const slow = drip(door.port, start);
    await expect.poll(door.isUp).toBe(true);
    const { answer, ms } = await slow;
    expect(answer).toMatch(/^HTTP\/1\.1 (408|405) /);
    expect(ms).toBeLessThan(CUT_MS);
    await expect.poll(door.isUp).toBe(true);
    expect(faults).toEqual([]);
  });
});

test("the RPC cuts a WebSocket that drips one frame", async () => {
  const door = await rpcDoor();
  closing.push(() => door.close());
  const socket = connect(door.port, "127.0.0.1");
  closing.push(() => void socket.destroy());
  socket.on("error", () => undefined).resume();
  socket.write(`${UPGRADE}\r\n`);
  await new Promise((resolve) => socket.once("data", resolve));
  socket.write(Buffer.from(FRAME, "latin1"));
  const timer = setInterval(() => socket.write("a"), 20);
  const ms = await ownMs(() => new Promise((resolve) => socket.once("close", resolve)));
  clearInterval(timer);
  expect(ms).toBeLessThan(CUT_MS);
  await expect.poll(door.isUp).toBe(true);
});

test.each([
  ["nothing", ""],
  ["the preface of HTTP/2", "PRI * HTTP/2.0\r\n"],
  [
    "no call after the preface",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
  ],
])("gRPC cuts a connection that brings %s", async (_, start) => {
  const door = await grpcDoor();
  closing.push(() => door.close());
  const slow = drip(door.port, start);
  await expect.poll(door.isUp).toBe(true);
  expect((await slow).ms).toBeLessThan(CUT_MS);
  await expect.poll(door.isUp).toBe(true);
});

/** What a request is answered that is sent as it stands. */
async function answerTo(port: number, text: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  let answer = "";
  socket.on("data", (data) => {
    answer += data.toString("latin1");
  });
  socket.on("error", () => undefined);
  socket.write(text);
  await new Promise((resolve) => socket.once("close", resolve));
  return answer;
}

const announced = (path: string, type: string) =>
  post(path, type).replace("900", "90000000").replace("\r\n\r\n", "\r\n\r\n{");
const FAT = `X-Fat: ${"a".repeat(70_000)}\r\n\r\n`;

test.each<[string, () => Promise<Door>, string, RegExp]>([
  ["a body for the RPC", rpcDoor, announced("/", JSON_TYPE), /^HTTP\/1\.1 413 /],
  ["headers for the RPC", rpcDoor, `GET /status HTTP/1.1\r\n${FAT}`, /^HTTP\/1\.1 431 /],
  ["a body for REST", restDoor, announced("/cosmos/tx/v1beta1/txs", JSON_TYPE), /^HTTP\/1\.1 413 /],
  ["headers for REST", restDoor, `GET / HTTP/1.1\r\n${FAT}`, /^HTTP\/1\.1 431 /],
  ["a body for the faucet", restDoor, announced("/faucet", JSON_TYPE), /^HTTP\/1\.1 413 /],
  [
    "a message for gRPC-Web",
    restDoor,
    announced("/cosmos.tx.v1beta1.Service/BroadcastTx", "application/grpc-web"),
    /grpc-status:8\r\n/,
  ],
  ["headers for metrics", metricsDoor, `GET /metrics HTTP/1.1\r\n${FAT}`, /^HTTP\/1\.1 431 /],
])("%s that is too large is refused before it has come", async (_, open, text, answer) => {
  const door = await open();
  closing.push(() => door.close());
  expect(await answerTo(door.port, text)).toMatch(answer);
  await expect.poll(door.isUp).toBe(true);
  expect(faults).toEqual([]);
});
