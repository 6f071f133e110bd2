import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as page from "../../../src/api/rest/page/request.mjs";
import type { RestServer } from "../../../src/api/rest/server.ts";
import { must } from "../../../src/lib/assert.ts";
import { startFake } from "./rest_services.ts";

let server: RestServer;
let openApi: any;
const files = new Map<string, { text: string; headers: Headers }>();

beforeAll(async () => {
  server = await startFake();
  for (const path of ["/", "/page/page.css", "/page/page.mjs", "/page/request.mjs"]) {
    const response = await fetch(server.url + path);
    expect([path, response.status]).toEqual([path, 200]);
    files.set(path, { text: await response.text(), headers: response.headers });
  }
  openApi = await (await fetch(`${server.url}/openapi.json`)).json();
});
afterAll(() => server.close());

const textOf = (path: string) => must(files.get(path), path).text;

test("the page and its parts need no other host, and may use none", () => {
  for (const [path, { text, headers }] of files) {
    expect([path, /https?:\/\//.test(text)]).toEqual([path, false]);
    const policy = headers.get("content-security-policy");
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toContain("unsafe");
    expect(headers.get("x-content-type-options")).toBe("nosniff");
  }
  expect(files.get("/page/page.mjs")?.headers.get("content-type")).toContain("text/javascript");
  expect(textOf("/")).not.toMatch(/<script>|style=|\son[a-z]+=/);
  expect(textOf("/page/page.mjs")).not.toMatch(/innerHTML|outerHTML|insertAdjacentHTML|eval\(/);
});

test("every element that the script looks for is in the page, and every label has its field", () => {
  const [html, script] = [textOf("/"), textOf("/page/page.mjs")];
  const ids = [...script.matchAll(/byId\("([a-z]+)"\)/g)].map(([, id]) => id);
  expect(ids.length).toBeGreaterThan(5);
  expect(ids.filter((id) => !html.includes(`id="${id}"`))).toEqual([]);
  const parts = [...script.matchAll(/part\("([a-z]+)"\)/g)].map(([, name]) => name);
  expect(parts.length).toBeGreaterThan(8);
  expect(parts.filter((name) => !html.includes(`class="${name}"`))).toEqual([]);
  const labels = [...html.matchAll(/for="([a-z]+)"/g)].map(([, id]) => id);
  expect(labels.filter((id) => !html.includes(`id="${id}"`))).toEqual([]);
  const closed = [
    ...html.matchAll(/<(\/?)(details|form|section|div|label|main|template|header)\b/g),
  ];
  const open: string[] = [];
  for (const [, slash, name = ""] of closed) {
    if (slash === "") open.push(name);
    else expect(open.pop()).toBe(name);
  }
  expect(open).toEqual([]);
});

describe("what the page makes of the document", () => {
  const find = (id: string) =>
    must(
      page
        .operationsByTag(openApi)
        .flatMap(({ operations }) => operations)
        .find(({ operation }) => operation.operationId === id),
      id,
    );

  test("every operation is under one tag, with fields, a curl line and a shape", () => {
    const groups = page.operationsByTag(openApi);
    const all = groups.flatMap(({ operations }) => operations);
    const paths = Object.values<object>(openApi.paths);
    expect(all.length).toBe(paths.flatMap((verbs) => Object.keys(verbs)).length);
    for (const one of all) {
      const needed = page.fieldsOf(openApi, one).filter(({ required }: any) => required);
      const values = Object.fromEntries(needed.map(({ name }: any) => [name, "x/y"]));
      const body = page.bodyExample(openApi, one);
      const request = page.requestOf(openApi, one, { values, body });
      expect(request.address).not.toMatch(/[{}]/);
      expect(page.curlOf(server.url, request)).toMatch(/^curl [^]*'http:\/\/127\.0\.0\.1/);
      expect(page.answerShape(openApi, one)).not.toContain("undefined");
    }
  });

  test("a form becomes a request, and the same line for a shell", () => {
    const one = find("cosmos_bank_v1beta1_Query_Balance");
    const values = { address: "ve1", denom: "it's" };
    const request = page.requestOf(openApi, one, { values, height: "7" });
    expect(request.address).toBe("/cosmos/bank/v1beta1/balances/ve1/by_denom?denom=it%27s");
    expect(page.curlOf("http://node", { ...request, headers: { a: "it's" } })).toBe(
      `curl -H 'a: it'\\''s' 'http://node${request.address}'`,
    );
    expect(request.headers).toEqual({ "x-cosmos-block-height": "7" });
    expect(() => page.requestOf(openApi, one, {})).toThrow("address is needed");
    const events = find("cosmos_tx_v1beta1_Service_GetTxsEvent");
    const list = page.requestOf(openApi, events, { values: { events: "a=1\r\n\r\nb=2" } });
    expect(list.address).toBe("/cosmos/tx/v1beta1/txs?events=a%3D1&events=b%3D2");
    const post = find("cosmos_tx_v1beta1_Service_BroadcastTx");
    const body = must(page.bodyExample(openApi, post), "a body");
    expect(Object.keys(JSON.parse(body))).toEqual(["tx_bytes", "mode"]);
    expect(page.curlOf("http://node", page.requestOf(openApi, post, { body }))).toContain(
      "-X POST",
    );
  });

  test("words find operations; shapes show lists, nesting and what fields mean", () => {
    const one = find("settled_settlement_v1_Query_Invoices");
    expect(page.isFound(one, "INVOICES settled")).toBe(true);
    expect(page.isFound(one, "bank")).toBe(false);
    expect(page.isFound(one, "")).toBe(true);
    const shape = page.answerShape(openApi, one);
    expect(shape).toContain("invoices: list of Invoice");
    expect(shape).toContain(
      "\n  overdue_at_ns: int64 as text  — When it became overdue; 0 for never.",
    );
    expect(shape).toContain("\n  total: list of Coin\n    denom: string");
    expect(shape).toContain("pagination: PageResponse or null");
  });
});
