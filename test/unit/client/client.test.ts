import { afterEach, expect, test } from "vitest";
import { Client } from "../../../src/client/client.ts";
import { QueryError, TxTimeoutError } from "../../../src/client/errors.ts";
import { RpcClient } from "../../../src/client/rpc.ts";
import { fakeRpc, JsonRpcFailure, type RpcHandlers } from "../cli/fake_rpc.ts";

const HASH = "AB".repeat(32);

let close: (() => Promise<void>) | undefined;
afterEach(async () => {
  await close?.();
  close = undefined;
});

async function connected(handlers: RpcHandlers) {
  const rpc = await fakeRpc(handlers);
  close = rpc.close;
  return { client: await Client.connect(rpc.url), calls: rpc.calls };
}

test("learns the chain id when it connects", async () => {
  const { client } = await connected({});
  expect(client.chainId).toBe("settled-test");
  expect((await client.status()).latestHeight).toBe(7n);
});

test("tells a JSON-RPC error, a dead port and a server of another kind apart", async () => {
  const { client } = await connected({
    health: () => {
      throw new JsonRpcFailure("why");
    },
  });
  await expect(client.rpc.call("health")).rejects.toMatchObject({ code: -32_603, data: "why" });
  await expect(new RpcClient("http://127.0.0.1:9").call("status")).rejects.toMatchObject({
    name: "ConnectionError",
  });
  expect(() => new RpcClient("ftp://x")).toThrow(/not an http address/);
  expect(new RpcClient("tcp://127.0.0.1:26657").url).toBe("http://127.0.0.1:26657");
});

test("a query that fails is an error with codespace and code; a missing account is undefined", async () => {
  const log = "rpc error: code = NotFound desc = account ve1x not found: key not found";
  const { client } = await connected({
    abci_query: () => ({ response: { code: 22, codespace: "sdk", log, height: "7" } }),
  });
  const failed = client.queryRaw("/a.B/C", new Uint8Array(0));
  await expect(failed).rejects.toBeInstanceOf(QueryError);
  await expect(failed).rejects.toMatchObject({ code: 22, codespace: "sdk", notFound: true });
  expect(await client.account("ve1x")).toBeUndefined();
});

test("waits for a tx with short pauses, and gives up in time", async () => {
  let asked = 0;
  const { client } = await connected({
    tx: () => {
      asked += 1;
      if (asked < 4) throw new JsonRpcFailure(`tx (${HASH}) not found`);
      const result = { code: 5, codespace: "sdk", log: "no", gas_used: "3", gas_wanted: "9" };
      return { hash: HASH, height: "8", index: 1, tx: "AAE=", tx_result: result };
    },
  });
  const started = Date.now();
  const info = await client.waitForTx(HASH);
  expect(Date.now() - started).toBeLessThan(1000);
  expect(info).toMatchObject({ height: 8n, index: 1, code: 5, gasUsed: 3n });
  asked = -1000;
  await expect(client.waitForTx(HASH, { timeoutMs: 50 })).rejects.toBeInstanceOf(TxTimeoutError);
  await expect(client.tx("zz")).rejects.toMatchObject({ code: "bad_hash" });
});
