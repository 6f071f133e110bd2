import { connect as connectHttp2, constants } from "node:http2";
import { connect as connectTcp } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { Metadata } from "@grpc/grpc-js";
import { afterEach, expect, test } from "vitest";
import type { GrpcLimits } from "../../../src/api/grpc/limits.ts";
import { type GrpcServer, startGrpcServer } from "../../../src/api/grpc/server.ts";
import { PortInUseError } from "../../../src/api/port_in_use_error.ts";
import type { Services } from "../../../src/api/services/services.ts";
import { STATUS, UnaryError, type UnaryMethod } from "../../../src/api/services/unary.ts";
import { HealthCheckRequest, HealthCheckResponse } from "../../../src/gen/grpc/health/v1/health.ts";
import { ownMs } from "../../testkit/own_time.ts";
import { callUnary, openClient } from "./grpc_calls.ts";

const closing: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  waiting = undefined;
});

const faults: unknown[] = [];
/** Of the last call of test.v1.Service/Wait. */
let waiting: AbortSignal | undefined;

const SERVICES: Services = new Map(
  [
    method("Echo", async (value, height) => ({ value, height })),
    method("Big", async (value) => ({
      value: new Uint8Array(Number(Buffer.from(value))),
      height: 7n,
    })),
    method("Fault", async () => {
      throw new TypeError("secret of the node");
    }),
    method("Refuse", async (value) => {
      throw new UnaryError(STATUS.failedPrecondition, Buffer.from(value).toString());
    }),
    {
      path: "test.v1.Service/Wait",
      handle: (_, { signal }) => {
        waiting = signal;
        return new Promise<never>(() => undefined);
      },
    } satisfies UnaryMethod,
  ].map((each) => [each.path, each]),
);

function method(
  name: string,
  handle: (value: Uint8Array, height: bigint) => Promise<{ value: Uint8Array; height: bigint }>,
): UnaryMethod {
  const run: UnaryMethod["handle"] = (value, { height }) => handle(value, height);
  return { path: `test.v1.Service/${name}`, handle: run };
}

async function start(limits: Partial<GrpcLimits> = {}): Promise<GrpcServer> {
  faults.length = 0;
  const report = (error: unknown) => void faults.push(error);
  const server = await startGrpcServer({
    ...{ services: SERVICES, host: "127.0.0.1", port: 0, limits, report },
  });
  closing.push(() => server.close());
  return server;
}

async function open(limits: Partial<GrpcLimits> = {}) {
  const server = await start(limits);
  const client = openClient(server.address);
  closing.push(() => client.close());
  const call = (name: string, value: Uint8Array | string, given = {}) =>
    callUnary(client, `/test.v1.Service/${name}`, Buffer.from(value), given);
  return { server, client, call };
}

function metadataOf(name: string, value: string): Metadata {
  const metadata = new Metadata();
  metadata.set(name, value);
  return metadata;
}

test("bytes go in and come out, with the height in and out as metadata", async () => {
  const { call } = await open();
  const metadata = metadataOf("x-cosmos-block-height", "42");
  expect(await call("Echo", "abc", { metadata })).toMatchObject({
    code: 0,
    value: Buffer.from("abc"),
    headers: { "x-cosmos-block-height": "42" },
  });
  expect((await call("Echo", "")).headers).toMatchObject({ "x-cosmos-block-height": "0" });
});

test.each(["-1", "1.5", "abc", "0x10", "9223372036854775808", "1e3", "1, 2"])(
  "a height that is none (%s) is an invalid argument that names the header",
  async (height) => {
    const { call } = await open();
    const answer = await call("Echo", "", {
      metadata: metadataOf("x-cosmos-block-height", height),
    });
    expect(answer.code).toBe(STATUS.invalidArgument);
    expect(answer.details).toContain("x-cosmos-block-height");
  },
);

test("a refusal keeps its status and text, whatever characters it has", async () => {
  const { call } = await open();
  const text = "100% – „zu früh“\r\nmehr 🚀";
  expect(await call("Refuse", text)).toMatchObject({
    code: STATUS.failedPrecondition,
    details: text,
  });
  const long = await call("Refuse", "ü".repeat(100_000));
  expect([long.code, long.details.length]).toEqual([STATUS.failedPrecondition, 1001]);
});

test("a fault stays inside; the report has it", async () => {
  const { call } = await open();
  const answer = await call("Fault", "");
  expect(answer.code).toBe(STATUS.internal);
  expect(answer.details).not.toContain("secret");
  expect(faults).toEqual([new TypeError("secret of the node")]);
});

test("an unknown method is unimplemented, also one whose path is no text", async () => {
  const { client, server } = await open();
  const answer = await callUnary(client, "/test.v1.Service/Nope", new Uint8Array(0));
  expect(answer.code).toBe(STATUS.unimplemented);
  const session = connectHttp2(`http://${server.address}`);
  closing.push(() => session.destroy());
  session.on("error", () => undefined);
  for (const path of ["/\u00ff\u00fe", "/a\tb", "/%00%0d%0a", "*", `/${"x".repeat(10_000)}`]) {
    const stream = session.request({
      ":method": "POST",
      ":path": path,
      "content-type": "application/grpc",
    });
    stream.on("error", () => undefined);
    stream.resume();
    await new Promise((resolve) => stream.once("close", resolve));
  }
  expect((await callUnary(client, "/test.v1.Service/Echo", new Uint8Array(1))).code).toBe(0);
});

test("a request of up to the limit is taken, a larger one is refused", async () => {
  const { call } = await open();
  const most = new Uint8Array(4_194_304);
  expect((await call("Echo", most)).value?.length).toBe(most.length);
  const answer = await call("Echo", new Uint8Array(most.length + 1));
  expect(answer.code).toBe(STATUS.resourceExhausted);
});

test("the deadline of the caller ends the call, and its work", async () => {
  const { call } = await open();
  // Once more with twice the time where the call has not even arrived.
  for (let ms = 100; waiting === undefined; ms *= 2) {
    const answer = await call("Wait", "", { options: { deadline: Date.now() + ms } });
    expect(answer.code).toBe(STATUS.deadlineExceeded);
  }
  await expect.poll(() => waiting?.aborted).toBe(true);
});

test("a call without a deadline ends too", async () => {
  const { call } = await open({ callMs: 50 });
  expect(await call("Wait", "")).toMatchObject({
    code: STATUS.deadlineExceeded,
    details: "no answer within 50 ms",
  });
  expect(waiting?.aborted).toBe(true);
});

/** A stream of plain HTTP/2 whose answer nobody reads. */
function rawStream(server: GrpcServer, name: string) {
  const session = connectHttp2(`http://${server.address}`, { settings: { initialWindowSize: 0 } });
  const closed = new Promise<void>((resolve) => {
    session.once("close", () => resolve());
  });
  session.on("error", () => undefined);
  closing.push(() => session.destroy());
  const request = () => {
    const stream = session.request({
      [constants.HTTP2_HEADER_METHOD]: "POST",
      [constants.HTTP2_HEADER_PATH]: `/test.v1.Service/${name}`,
      [constants.HTTP2_HEADER_CONTENT_TYPE]: "application/grpc",
    });
    stream.on("error", () => undefined);
    return stream;
  };
  return { closed, request };
}

function frame(content: string): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(Buffer.byteLength(content), 1);
  return Buffer.concat([head, Buffer.from(content)]);
}

test("a request that does not arrive ends in time", async () => {
  const server = await start({ requestMs: 100 });
  const stream = rawStream(server, "Echo").request();
  stream.write(frame("abcdef").subarray(0, 7));
  const headers = await new Promise<Record<string, unknown>>((resolve) => {
    stream.on("response", resolve);
  });
  expect(headers["grpc-status"]).toBe(String(STATUS.deadlineExceeded));
});

test("a client that does not read its answers is cut, and others are served meanwhile", async () => {
  const { server, call } = await open({ writeMs: 300 });
  const { closed, request } = rawStream(server, "Big");
  const started = performance.now();
  request().end(frame("1000000"));
  await sleep(100);
  expect((await call("Echo", "x")).code).toBe(0);
  await closed;
  expect(performance.now() - started).toBeGreaterThan(250);
  expect((await call("Echo", "x")).code).toBe(0);
});

test("a client that reads nothing gets no more than it is allowed to leave", async () => {
  const server = await start({ writeMs: 60_000, unsentBytes: 2_000_000 });
  const { request } = rawStream(server, "Big");
  const statuses: unknown[] = [];
  for (let each = 0; each < 5; each += 1) {
    const stream = request();
    stream.on("response", (headers) => statuses.push(headers["grpc-status"] ?? "sent"));
    stream.end(frame("900000"));
  }
  await expect.poll(() => statuses.length).toBe(5);
  const refused = String(STATUS.resourceExhausted);
  expect(statuses.sort()).toEqual([refused, refused, refused, "sent", "sent"]);
});

test("connections above the limit are not taken, and come in when others go", async () => {
  const server = await start({ connections: 2 });
  const port = server.port;
  const idle = [0, 1].map(() => connectTcp(port, "127.0.0.1"));
  await Promise.all(
    idle.map((socket) => new Promise((resolve) => socket.once("connect", resolve))),
  );
  await sleep(20);
  const third = connectTcp(port, "127.0.0.1");
  third.on("error", () => undefined);
  await new Promise((resolve) => third.once("close", resolve));
  for (const socket of idle) socket.destroy();
  const client = openClient(server.address);
  closing.push(() => client.close());
  const echo = () => callUnary(client, "/test.v1.Service/Echo", new Uint8Array(1));
  await expect.poll(async () => (await echo()).code).toBe(0);
});

test("bytes that are no HTTP/2 or no frame of gRPC end their connection or call alone", async () => {
  const { server, call } = await open();
  const socket = connectTcp(server.port, "127.0.0.1");
  socket.on("error", () => undefined);
  socket.resume();
  socket.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
  await new Promise((resolve) => socket.once("close", resolve));
  const { request } = rawStream(server, "Echo");
  for (const body of [Buffer.alloc(0), Buffer.alloc(3), Buffer.alloc(5, 0xff), frame("x")]) {
    const stream = request();
    stream.end(body);
    stream.resume();
    const headers = await new Promise<Record<string, unknown>>((resolve) => {
      stream.on("response", resolve);
    });
    if (body.length === 6) expect(headers["grpc-status"]).toBeUndefined();
    else expect(headers["grpc-status"]).not.toBe("0");
    stream.close();
  }
  expect((await call("Echo", "x")).code).toBe(0);
  expect(faults).toEqual([]);
});

test("a port in use names the flag to change", async () => {
  const server = await start();
  const again = startGrpcServer({ services: SERVICES, host: "127.0.0.1", port: server.port });
  const error = await again.catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(PortInUseError);
  expect(error).toMatchObject({ port: server.port, flag: "--grpc-port" });
});

test("the server closes within a second, whatever is open", async () => {
  const server = await start();
  const client = openClient(server.address);
  const call = callUnary(client, "/test.v1.Service/Wait", new Uint8Array(0));
  const idle = connectTcp(server.port, "127.0.0.1");
  idle.on("error", () => undefined);
  const { request } = rawStream(server, "Big");
  request().end(frame("1000000"));
  await expect.poll(() => waiting?.aborted).toBe(false);
  await sleep(50);
  expect(await ownMs(() => server.close())).toBeLessThan(1000);
  expect((await call).code).not.toBe(0);
  client.close();
});

test("the health service tells of the server and its services, and of the end", async () => {
  const server = await start();
  const client = openClient(server.address);
  closing.push(() => client.close());
  const check = async (service: string) => {
    const request = HealthCheckRequest.encode({ service }).finish();
    return callUnary(client, "/grpc.health.v1.Health/Check", request);
  };
  for (const service of ["", "test.v1.Service", "grpc.reflection.v1.ServerReflection"]) {
    const { value } = await check(service);
    expect(HealthCheckResponse.decode(value as Uint8Array)).toEqual({ status: 1 });
  }
  expect((await check("nope")).code).toBe(STATUS.notFound);
  const seen: number[] = [];
  const watch = client.makeServerStreamRequest(
    "/grpc.health.v1.Health/Watch",
    (bytes: Uint8Array) => Buffer.from(bytes),
    (bytes: Buffer) => HealthCheckResponse.decode(bytes).status,
    HealthCheckRequest.encode({ service: "" }).finish(),
  );
  watch.on("data", (status: number) => seen.push(status));
  watch.on("error", () => undefined);
  await expect.poll(() => seen).toEqual([1]);
  await server.close();
  await expect.poll(() => seen).toEqual([1, 2]);
});
