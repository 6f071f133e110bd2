import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { routesOf } from "../../../src/api/rpc/routes.ts";
import { type RpcServer, startRpcServer } from "../../../src/api/rpc/server.ts";
import { fakeNode } from "./fake_node.ts";

let server: RpcServer;
let faults: unknown[];

beforeEach(async () => {
  faults = [];
  server = await startRpcServer({
    view: fakeNode(),
    host: "127.0.0.1",
    port: 0,
    limits: { commitMs: 1 },
    report: (error) => faults.push(error),
  });
});
afterEach(() => server.close());

// Hundreds of requests each, on machines that may have other work.

const routes = routesOf(true);
const methods = [...routes.keys()];
const names = [...new Set([...routes.values()].flatMap((one) => Object.keys(one.params)))];
const hostile = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  fc.bigInt().map(String),
  fc.integer(),
  fc.base64String(),
  fc.constantFrom("0x", "0xzz", '"', '"\\', "-0", "1e3", "2", "tm.event='Tx'", "tx.height=2"),
);

test("no parameters make the node fail, or an answer that is none", async () => {
  const params = fc.oneof(
    fc.dictionary(fc.constantFrom(...names), hostile, { maxKeys: 6 }),
    fc.array(hostile, { maxLength: 6 }),
    hostile,
  );
  const one = fc.record({ method: fc.constantFrom(...methods), params });
  await fc.assert(
    fc.asyncProperty(fc.array(one, { minLength: 2, maxLength: 20 }), async (calls) => {
      const body = JSON.stringify(calls.map((call, id) => ({ jsonrpc: "2.0", id, ...call })));
      const response = await fetch(server.url, { method: "POST", body });
      expect(response.status).toBe(200);
      const answers = (await response.json()) as { id: number; result?: object; error?: object }[];
      expect(answers.map((answer) => answer.id)).toEqual([...calls.keys()]);
      for (const { result, error } of answers) expect(typeof (result ?? error)).toBe("object");
      expect(faults).toEqual([]);
    }),
    { numRuns: 200 },
  );
});

/** Not String(): an object may have a toString that is none. */
function asText(value: unknown): string {
  return typeof value === "string" ? value : (JSON.stringify(value) ?? "");
}

test("no address makes the node fail", async () => {
  const value = fc.oneof(hostile.map(asText), fc.string({ unit: "binary" }));
  const search = fc.array(fc.tuple(fc.constantFrom(...names), value), { maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...methods), search, async (method, pairs) => {
      const query = new URLSearchParams(pairs);
      const response = await fetch(`${server.url}/${method}?${query}`);
      expect([200, 404, 500]).toContain(response.status);
      expect(await response.json()).toMatchObject({ jsonrpc: "2.0", id: -1 });
      expect(faults).toEqual([]);
    }),
    { numRuns: 300 },
  );
});

test("no body makes the node fail", async () => {
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.json(), fc.string(), fc.uint8Array()), async (sent) => {
      const body = typeof sent === "string" ? sent : Buffer.from(sent);
      const response = await fetch(server.url, { method: "POST", body });
      expect([200, 400, 500]).toContain(response.status);
      await response.text();
      expect(faults).toEqual([]);
    }),
    { numRuns: 300 },
  );
});
