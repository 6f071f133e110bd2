import { afterEach, beforeEach, expect, test } from "vitest";
import { type RpcServer, startRpcServer } from "../../../src/api/rpc/server.ts";
import { utf8 } from "../../../src/lib/bytes.ts";
import { type FakeNode, fakeNode } from "./fake_node.ts";

let node: FakeNode;
let server: RpcServer;

beforeEach(async () => {
  node = fakeNode();
  node.waitingTxs.push(...Array.from({ length: 130 }, (_, no) => utf8(`many-${no}`)));
  node.produce();
  server = await startRpcServer({ view: node, host: "127.0.0.1", port: 0 });
});
afterEach(() => server.close());

async function search(params: object): Promise<any> {
  const call = { jsonrpc: "2.0", id: 1, method: "tx_search", params };
  const response = await fetch(server.url, { method: "POST", body: JSON.stringify(call) });
  return response.json();
}

const query = "tx.height=4";

test("a page has 30 entries unless told, and 100 at most, as CometBFT has it", async () => {
  for (const [params, count] of [
    [{}, 30],
    [{ per_page: "0" }, 30],
    [{ per_page: "-3" }, 30],
    [{ per_page: "1" }, 1],
    [{ per_page: 100 }, 100],
    [{ per_page: "1000" }, 100],
    [{ per_page: "1000", page: "2" }, 30],
    [{ page: "5" }, 10],
  ] as const) {
    const { result } = await search({ query, ...params });
    expect([params, result.txs.length, result.total_count]).toEqual([params, count, "130"]);
  }
});

test("a page that is not there names the range", async () => {
  for (const [params, text] of [
    [{ page: "0" }, "page should be within [1, 5] range, given 0"],
    [{ page: "6" }, "page should be within [1, 5] range, given 6"],
    [{ page: "3", per_page: "999" }, "page should be within [1, 2] range, given 3"],
    [
      { page: "9223372036854775807" },
      "page should be within [1, 5] range, given 9223372036854775807",
    ],
  ] as const) {
    const { error } = await search({ query, ...params });
    expect(error).toMatchObject({ code: -32603, message: "Internal error", data: text });
  }
});
