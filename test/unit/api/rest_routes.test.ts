import { describe, expect, test } from "vitest";
import { parseTemplate } from "../../../src/api/rest/path_template.ts";
import { requestMessage } from "../../../src/api/rest/request_message.ts";
import { type Match, type Route, RouteTable } from "../../../src/api/rest/route_table.ts";
import { messageTypeNamed } from "../../../src/codec/message_types.ts";
import { messageToJson } from "../../../src/codec/proto_json.ts";
import { must } from "../../../src/lib/assert.ts";
import { read } from "../../architecture/repository.ts";

const table = new RouteTable();

function match(path: string, verb = "GET", routes = table): Match {
  return must(routes.match(verb, path), `a route for ${path}`);
}

/** What the request message holds, without its defaults. */
function asked(path: string, query = "", options: { verb?: string; body?: unknown } = {}): object {
  const found = match(path, options.verb);
  const bytes = requestMessage(found, new URLSearchParams(query), options.body);
  const type = messageTypeNamed(found.route.method.input);
  const message = type.codec.decode(bytes) as object;
  return messageToJson(type.name, message, { emitDefaults: false });
}

function routeOf(path: string, template: string): Route {
  const [first] = table.routes;
  const { method } = must(first, "there are routes");
  return {
    ...{ path, method, rule: { verb: "get", path: template } },
    template: parseTemplate(template),
  };
}

describe("path templates", () => {
  const paths = [
    "/a/{id}",
    "/a/summary",
    "/a/{x}/{y}",
    "/a/b/{rest=**}",
    "/{any}/c",
    "/a/{v=k/*}/z",
  ];
  const target = (routes: RouteTable, path: string) => {
    const found = routes.match("GET", path);
    return found === undefined
      ? undefined
      : [found.route.path, Object.fromEntries(found.variables)];
  };

  test.each([
    ["as written", paths],
    ["the other way round", paths.toReversed()],
  ])("a literal wins over a variable, whatever the order: %s", (_, order) => {
    const routes = new RouteTable(order.map((path) => routeOf(path, path)));
    expect(target(routes, "/a/summary")).toEqual(["/a/summary", {}]);
    expect(target(routes, "/a/7")).toEqual(["/a/{id}", { id: "7" }]);
    expect(target(routes, "/a/7/8")).toEqual(["/a/{x}/{y}", { x: "7", y: "8" }]);
    expect(target(routes, "/a/b/1")).toEqual(["/a/b/{rest=**}", { rest: "1" }]);
    expect(target(routes, "/a/b/1/2/3")).toEqual(["/a/b/{rest=**}", { rest: "1/2/3" }]);
    expect(target(routes, "/q/c")).toEqual(["/{any}/c", { any: "q" }]);
    expect(target(routes, "/a/k/v/z")).toEqual(["/a/{v=k/*}/z", { v: "k/v" }]);
    for (const path of ["/", "/a", "/a/", "/a/1/2/3", "/a//8", "/a/b/"]) {
      expect([path, target(routes, path)]).toEqual([path, undefined]);
    }
  });

  test("escapes are read after the path has been cut at its slashes", () => {
    const routes = new RouteTable([routeOf("one", "/d/{a}"), routeOf("rest", "/r/{a=**}")]);
    expect(target(routes, "/d/a%2Fb%20c")).toEqual(["one", { a: "a/b c" }]);
    expect(target(routes, "/r/ibc%2FAB/c")).toEqual(["rest", { a: "ibc/AB/c" }]);
    expect(() => routes.match("GET", "/d/%zz")).toThrow(URIError);
  });

  test("a template that cannot be read is a fault of the annotation", () => {
    for (const template of ["a", "/a/{", "/{a=**}/b", "//"]) {
      expect(() => parseTemplate(template)).toThrow(/path template/);
    }
  });

  test("a denom with slashes, and a summary beside usage ids", () => {
    expect(match("/cosmos/bank/v1beta1/denoms_metadata/ibc/AB").variables.get("denom")).toBe(
      "ibc/AB",
    );
    expect(match("/virtengine/settlement/v1/usage/summary").route.path).toMatch(/UsageSummary$/);
    expect(match("/virtengine/settlement/v1/usage/use-1").route.path).toMatch(/UsageRecord$/);
    expect(table.match("POST", "/cosmos/bank/v1beta1/params")).toBeUndefined();
    expect(match("/cosmos/tx/v1beta1/txs", "POST").route.path).toMatch(/BroadcastTx$/);
    expect(match("/cosmos/tx/v1beta1/txs").route.path).toMatch(/GetTxsEvent$/);
  });
});

describe("requests", () => {
  test("nested, repeated, enums by name and number, base64 of both alphabets", () => {
    const txs = "/cosmos/tx/v1beta1/txs";
    expect(asked(txs, "events=a%3D1&events=b&order_by=ORDER_BY_DESC&page=2&limit=3")).toEqual({
      ...{ events: ["a=1", "b"], order_by: "ORDER_BY_DESC", page: "2", limit: "3" },
    });
    expect(asked(txs, "order_by=2")).toEqual({ order_by: "ORDER_BY_DESC" });
    const list = "/cosmos/bank/v1beta1/supply";
    for (const key of ["%2B%2F8%3D", "-_8", "-_8%3D", "+/8="]) {
      const query = `pagination.key=${key}&pagination.limit=5&pagination.reverse=True`;
      expect(asked(list, query)).toEqual({
        pagination: { key: "+/8=", limit: "5", reverse: true },
      });
    }
    expect(asked(list, "pagination.countTotal=1")).toEqual({ pagination: { count_total: true } });
  });

  test("what a newer client sends to services of Cosmos is passed over", () => {
    const query = "resolve_denom=true&pagination.limit.more=1&_=5";
    expect(asked("/cosmos/bank/v1beta1/supply", query)).toEqual({});
  });

  test("variables of the path go where their names say", () => {
    expect(asked("/cosmos/bank/v1beta1/balances/ve1abc/by_denom", "denom=uve")).toEqual({
      ...{ address: "ve1abc", denom: "uve" },
    });
    expect(asked("/cosmos/tx/v1beta1/txs/block/7")).toEqual({ height: "7" });
  });

  test("a whole body", () => {
    const body = { txBytes: "AQI=", mode: "BROADCAST_MODE_SYNC" };
    const given = { verb: "POST", body };
    expect(asked("/cosmos/tx/v1beta1/txs", "ignored=1", given)).toEqual({
      ...{ tx_bytes: "AQI=", mode: "BROADCAST_MODE_SYNC" },
    });
  });

  test.each([
    ["/cosmos/tx/v1beta1/txs/block/x", "", 'height: expected integer (int64), found "x"'],
    ["/cosmos/tx/v1beta1/txs/block/7", "height=8", "height: it stands in the path already"],
    ["/cosmos/tx/v1beta1/txs", "order_by=UP", "order_by: expected a value of"],
    ["/cosmos/bank/v1beta1/supply", "pagination.limit=18446744073709551616", "out of range"],
    ["/settled/settlement/v1/totals", "__proto__=1", 'unknown parameter "__proto__"; known: none'],
    ["/settled/settlement/v1/orders", "constructor.name=1", "unknown parameter"],
  ])("%s?%s is refused by name", (path, query, message) => {
    expect(() => asked(path, query)).toThrow(message);
  });

  test.each([
    [{ tx_bytes: "AQ==", more: 1 }, "more: unknown field"],
    [{ tx_bytes: "AQ==", txBytes: "AQ==" }, "txBytes: given twice"],
    [{ tx_bytes: 5 }, "tx_bytes: expected base64 text, found 5"],
    [[], "the body is no JSON object"],
    ["text", "the body is no JSON object"],
    [null, "the body is no JSON object"],
  ])("the body %j is refused", (body, message) => {
    expect(() => asked("/cosmos/tx/v1beta1/txs", "", { verb: "POST", body })).toThrow(message);
  });
});

describe("the OpenAPI document", () => {
  const document = JSON.parse(read("docs/openapi.json")) as {
    openapi: string;
    tags: { name: string }[];
    paths: Record<string, Record<string, any>>;
    components: { schemas: Record<string, any>; parameters: Record<string, any> };
  };
  const operations = Object.entries(document.paths).flatMap(([path, verbs]) =>
    Object.entries(verbs).map(([verb, operation]) => ({ path, verb, operation })),
  );

  test("has every route of the table, and no other", () => {
    const shown = table.routes.map(({ rule }) => `${rule.verb} ${rule.path.replace("=**", "")}`);
    expect(operations.map(({ path, verb }) => `${verb} ${path}`).sort()).toEqual(shown.sort());
    expect(document.openapi).toBe("3.1.0");
  });

  test("names each operation once, under a tag that it has, and refers to nothing that is not there", () => {
    const ids = operations.map(({ operation }) => operation.operationId as string);
    expect(new Set(ids).size).toBe(ids.length);
    const tags = document.tags.map(({ name }) => name);
    expect(operations.filter(({ operation }) => !tags.includes(operation.tags[0]))).toEqual([]);
    const refs = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)];
    const missing = refs.filter(
      ([, ref = ""]) =>
        ref.split("/").reduce<any>((at, name) => at?.[name], document) === undefined,
    );
    expect(missing.map(([ref]) => ref)).toEqual([]);
  });

  test("lists parameters that requests have: a value of each one's schema is taken", () => {
    const wrong: string[] = [];
    for (const { path, verb, operation } of operations) {
      const filled = path.replaceAll(/\{([^}]+)\}/g, "1");
      const given = operation.parameters.filter((one: any) => one.in === "query");
      for (const { name, schema } of given) {
        const query = new URLSearchParams([[name, exampleOf(schema.items ?? schema)]]);
        const message = asked(filled, query.toString(), { verb: verb.toUpperCase(), body: {} });
        const value = name.split(".").reduce((at: any, part: string) => at?.[part], message);
        if (value === undefined) wrong.push(`${path} ${name}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  test("shows 64-bit integers as text with their format, and says what fields mean", () => {
    const { Error: error, ...schemas } = document.components.schemas;
    expect(error.required).toEqual(["code", "message", "details"]);
    const invoice = schemas["settled.settlement.v1.Invoice"];
    expect(invoice.properties.issued_at_ns).toMatchObject({ type: "string", format: "int64" });
    expect(invoice.properties.overdue_at_ns.description).toBe(
      "When it became overdue; 0 for never.",
    );
    expect(invoice.required).toContain("credited");
  });
});

/** Text that is not the default of a schema. */
function exampleOf(schema: { type: string; enum?: string[]; contentEncoding?: string }): string {
  if (schema.enum !== undefined) return must(schema.enum[1], "an enum has more than its default");
  if (schema.contentEncoding !== undefined) return "AQ==";
  if ((schema as { format?: string }).format === "date-time") return "2026-01-01T00:00:00Z";
  return schema.type === "boolean" ? "true" : "1";
}
