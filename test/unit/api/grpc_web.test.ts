import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { grpcWebHandler } from "../../../src/api/grpc/grpc_web.ts";
import type { Services } from "../../../src/api/services/services.ts";
import { STATUS, UnaryError } from "../../../src/api/services/unary.ts";

let server: Server;
let url: string;
const faults: unknown[] = [];
let waiting: AbortSignal | undefined;

const SERVICES: Services = new Map(
  [
    {
      path: "test.v1.Service/Echo",
      handle: async (value: Uint8Array, { height }: { height: bigint }) => ({ value, height }),
    },
    {
      path: "test.v1.Service/Refuse",
      handle: async (value: Uint8Array) => {
        throw new UnaryError(STATUS.notFound, Buffer.from(value).toString());
      },
    },
    {
      path: "test.v1.Service/Fault",
      handle: async () => {
        throw new TypeError("secret of the node");
      },
    },
    {
      path: "test.v1.Service/Wait",
      handle: (_: Uint8Array, { signal }: { signal?: AbortSignal | undefined }) => {
        waiting = signal;
        return new Promise<never>(() => undefined);
      },
    },
  ].map((method) => [method.path, method]),
);

beforeEach(async () => {
  faults.length = 0;
  const report = (error: unknown) => void faults.push(error);
  server = createServer(grpcWebHandler(SERVICES, { report, requestBytes: 1000 }));
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const BINARY = "application/grpc-web+proto";
const TEXT = "application/grpc-web-text";

function frame(content: string | Uint8Array, flags = 0): Buffer {
  const bytes = Buffer.from(content);
  const head = Buffer.alloc(5);
  head.writeUInt8(flags, 0);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

/** Message and trailers of a body, read anew from the protocol's description. */
function framesOf(body: Buffer): { message: string | undefined; trailers: Record<string, string> } {
  let message: string | undefined;
  let trailers: Record<string, string> | undefined;
  for (let at = 0; at < body.length; ) {
    expect(trailers).toBeUndefined();
    const [flags, length] = [body.readUInt8(at), body.readUInt32BE(at + 1)];
    const content = body.subarray(at + 5, at + 5 + length).toString();
    expect(at + 5 + length).toBeLessThanOrEqual(body.length);
    if (flags === 0x80) {
      const lines = content.split("\r\n").filter((line) => line !== "");
      trailers = Object.fromEntries(lines.map((line) => line.split(/:(.*)/s).slice(0, 2)));
    } else {
      expect([flags, message]).toEqual([0, undefined]);
      message = content;
    }
    at += 5 + length;
  }
  return { message, trailers: trailers ?? {} };
}

async function call(
  name: string,
  body: Uint8Array | string,
  headers: Record<string, string> = {},
): Promise<ReturnType<typeof framesOf> & { headers: Headers; status: number }> {
  const all = { "content-type": BINARY, ...headers };
  const options = { method: "POST", body: Buffer.from(body), headers: all };
  const response = await fetch(`${url}/test.v1.Service/${name}`, options);
  const bytes = Buffer.from(await response.arrayBuffer());
  const isText = response.headers.get("content-type")?.includes("-text") === true;
  const decoded = isText
    ? Buffer.concat(
        (bytes.toString().match(/[^=]+=*/g) ?? []).map((it) => Buffer.from(it, "base64")),
      )
    : bytes;
  return { ...framesOf(decoded), headers: response.headers, status: response.status };
}

test("binary: a message frame, then a frame of trailers, with the height in and out", async () => {
  const answer = await call("Echo", frame("hello"), { "x-cosmos-block-height": "12" });
  expect(answer).toMatchObject({
    status: 200,
    message: "hello",
    trailers: { "grpc-status": "0", "grpc-message": "" },
  });
  expect(answer.headers.get("content-type")).toBe("application/grpc-web+proto");
  expect(answer.headers.get("x-cosmos-block-height")).toBe("12");
});

test("an empty message is a frame too", async () => {
  expect(await call("Echo", frame(""))).toMatchObject({
    message: "",
    trailers: { "grpc-status": "0" },
  });
});

test("text: base64 in, in one piece or several, and base64 out", async () => {
  const whole = frame("hello").toString("base64");
  const answer = await call("Echo", whole, { "content-type": TEXT });
  expect(answer).toMatchObject({ message: "hello", trailers: { "grpc-status": "0" } });
  expect(answer.headers.get("content-type")).toBe("application/grpc-web-text+proto");
  const [head, rest] = [frame("hello").subarray(0, 5), frame("hello").subarray(5)];
  const pieces = head.toString("base64") + rest.toString("base64");
  const again = await call("Echo", pieces, { "content-type": `${TEXT}+proto` });
  expect(again.message).toBe("hello");
  const bad = await call("Echo", "not base64!", { "content-type": TEXT });
  expect(bad.trailers["grpc-status"]).toBe(String(STATUS.invalidArgument));
});

test("a refusal is HTTP 200 with its status in the trailers, its text percent-encoded", async () => {
  const answer = await call("Refuse", frame("100% weg\r\ngrpc-status: 0 – „ü“"));
  expect(answer.status).toBe(200);
  expect(answer.message).toBeUndefined();
  expect(answer.trailers["grpc-status"]).toBe(String(STATUS.notFound));
  expect(decodeURIComponent(answer.trailers["grpc-message"] ?? "")).toBe(
    "100% weg\r\ngrpc-status: 0 – „ü“",
  );
});

test("a fault stays inside, an unknown method is unimplemented, a bad height invalid", async () => {
  const fault = await call("Fault", frame(""));
  expect(fault.trailers["grpc-status"]).toBe(String(STATUS.internal));
  expect(fault.trailers["grpc-message"]).not.toContain("secret");
  expect(faults).toEqual([new TypeError("secret of the node")]);
  const unknown = await call("Nope", frame(""));
  expect(unknown.trailers["grpc-status"]).toBe(String(STATUS.unimplemented));
  const height = await call("Echo", frame(""), { "x-cosmos-block-height": "-3" });
  expect(height.trailers["grpc-status"]).toBe(String(STATUS.invalidArgument));
});

test.each([
  ["nothing", Buffer.alloc(0), STATUS.invalidArgument],
  ["half a head", Buffer.alloc(3), STATUS.invalidArgument],
  ["less than it says", frame("hello").subarray(0, 8), STATUS.invalidArgument],
  ["two messages", Buffer.concat([frame("a"), frame("b")]), STATUS.invalidArgument],
  ["trailers", frame("a", 0x80), STATUS.invalidArgument],
  ["a compressed message", frame("a", 1), STATUS.unimplemented],
  ["too much", frame("x".repeat(1001)), STATUS.resourceExhausted],
])("a body with %s is refused with a status", async (_, body, status) => {
  const answer = await call("Echo", body);
  expect([answer.status, answer.trailers["grpc-status"]]).toEqual([200, String(status)]);
  expect((await call("Echo", frame("x".repeat(1000)))).message?.length).toBe(1000);
});

test("grpc-timeout ends a call, and its work; one that is none is refused", async () => {
  waiting = undefined;
  // Once more with twice the time where the call has not even arrived.
  for (let ms = 50; waiting === undefined; ms *= 2) {
    const answer = await call("Wait", frame(""), { "grpc-timeout": `${ms}m` });
    expect(answer.trailers["grpc-status"]).toBe(String(STATUS.deadlineExceeded));
  }
  await expect.poll(() => waiting?.aborted).toBe(true);
  const bad = await call("Echo", frame(""), { "grpc-timeout": "soon" });
  expect(bad.trailers["grpc-status"]).toBe(String(STATUS.invalidArgument));
});

test("the work of a client that has left ends", async () => {
  waiting = undefined;
  const leaving = new AbortController();
  const gone = fetch(`${url}/test.v1.Service/Wait`, {
    method: "POST",
    body: new Uint8Array(5),
    headers: { "content-type": BINARY },
    signal: leaving.signal,
  });
  await expect.poll(() => waiting?.aborted).toBe(false);
  leaving.abort();
  await expect(gone).rejects.toThrow();
  await expect.poll(() => waiting?.aborted).toBe(true);
  expect(faults).toEqual([]);
});

test("what is no gRPC-Web is refused over HTTP", async () => {
  const post = (type: string) =>
    fetch(url, { method: "POST", body: "{}", headers: { "content-type": type } });
  expect((await post("application/json")).status).toBe(415);
  expect((await post("application/grpc-web+json")).status).toBe(415);
  const get = await fetch(url);
  expect([get.status, get.headers.get("allow")]).toEqual([405, "POST"]);
});
