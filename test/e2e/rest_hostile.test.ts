import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { customer } from "../testkit/accounts.ts";
import { type EverythingNode, startEverythingNode } from "./everything_node.ts";
import { get, type OpenApi, post } from "./rest_routes.ts";

let node: EverythingNode;
let paths: string[];
let bodies: string[];
let names: string[];

beforeAll(async () => {
  node = await startEverythingNode();
  const openApi = (await get(node.rest, "/openapi.json")).json as OpenApi;
  const having = (verb: string) =>
    Object.entries(openApi.paths).flatMap(([path, verbs]) => (verbs[verb] ? [path] : []));
  [paths, bodies] = [having("get"), having("post")];
  const parameters = Object.values(openApi.paths).flatMap(
    (verbs) => verbs["get"]?.parameters ?? [],
  );
  names = [
    ...new Set(
      parameters.flatMap(({ name, in: place }) => (place === "query" ? (name ?? []) : [])),
    ),
  ];
});
afterAll(() => node?.stop());

const value = fc.oneof(
  fc.constantFrom("", "-1", "0", "1", "99999999999999999999", "true", "null", "uve", "order-1"),
  fc.constantFrom(customer.address, "ve1", "'", "tx.height>0", "../..", "%00", "[]", "{}"),
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.base64String({ maxLength: 40 }),
);

/** Statuses that tell of the request; 500 would be the node's. */
const TOLD = [200, 400, 404, 409, 429, 501];

test("no address makes the node fail, and every answer is JSON", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...paths),
      fc.array(fc.tuple(fc.constantFrom(...names), value), { maxLength: 4 }),
      fc.infiniteStream(value),
      async (path, pairs, values) => {
        const filled = path.replaceAll(/\{[^}]+\}/g, () =>
          encodeURIComponent(values.next().value as string),
        );
        const answer = await get(node.rest, `${filled}?${new URLSearchParams(pairs)}`);
        expect([path, TOLD.includes(answer.status)]).toEqual([path, true]);
        expect(node.faults).toEqual([]);
      },
    ),
    { numRuns: 400 },
  );
});

test("no body makes the node fail", async () => {
  const bytes = fc.record({ tx_bytes: value, mode: fc.oneof(value, fc.integer()) });
  const body = fc.oneof(
    fc.json(),
    fc.string(),
    bytes.map((one) => JSON.stringify(one)),
  );
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...bodies), body, async (path, text) => {
      const answer = await post(node.rest, path, text);
      expect([path, TOLD.includes(answer.status)]).toEqual([path, true]);
      expect(node.faults).toEqual([]);
    }),
    { numRuns: 200 },
  );
});
