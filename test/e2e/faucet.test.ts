import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { testAccount } from "../testkit/accounts.ts";
import { cli } from "../unit/cli/fake_io.ts";
import { devNode } from "./dev_node.ts";
import { rpcCall } from "./node_process.ts";

const node = devNode(["--block-interval", "20ms", "--log-level", "error"], async (home) => {
  const path = join(home, "config", "config.json");
  const config = JSON.parse(await readFile(path, "utf8")) as object;
  const limits = { faucet_amounts: "500uve,70uusd", faucet_per_address: 3, faucet_per_client: 14 };
  await writeFile(path, JSON.stringify({ ...config, ...limits }));
});

interface Answer {
  readonly status: number;
  readonly body: {
    readonly message?: string;
    readonly txhash?: string;
    readonly height?: string;
    readonly amount?: unknown;
  };
}

async function ask(body: unknown, type = "application/json"): Promise<Answer> {
  const response = await fetch(`${node.rest}/faucet`, {
    ...{ method: "POST", headers: { "content-type": type } },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as Answer["body"] };
}

async function balances(address: string): Promise<unknown> {
  const response = await fetch(`${node.rest}/cosmos/bank/v1beta1/balances/${address}`);
  return ((await response.json()) as { balances: unknown }).balances;
}

test("the faucet pays, and answers with a tx that is in a block", async () => {
  const { address } = testAccount("faucet a");
  const { status, body } = await ask({ address });
  expect([status, body.amount]).toEqual([200, [{ denom: "uve", amount: "500" }]]);
  expect(await balances(address)).toEqual([{ denom: "uve", amount: "500" }]);
  const found = await fetch(`${node.rest}/cosmos/tx/v1beta1/txs/${body.txhash}`);
  expect(await found.json()).toMatchObject({ tx_response: { code: 0, height: body.height } });
  expect((await ask({ address, denom: "uusd" })).status).toBe(200);
  expect(await balances(address)).toContainEqual({ denom: "uusd", amount: "70" });
});

test("many ask at the same time, and each is paid in its turn", async () => {
  const all = Array.from({ length: 8 }, (_, n) => testAccount(`faucet many ${n}`).address);
  const answers = await Promise.all(all.map((address) => ask({ address })));
  expect(answers.map(({ status }) => status)).toEqual(all.map(() => 200));
  expect(new Set(answers.map(({ body }) => body.txhash)).size).toBe(8);
});

test.each<[string, unknown, string]>([
  ["no address", {}, "address: expected a text"],
  ["a wrong address", { address: "ve1nobody" }, "decoding bech32 failed"],
  ["an address of another chain", { address: "cosmos1x" }, "bech32"],
  ["another denom", { address: testAccount("b").address, denom: "uatom" }, "uve, uusd"],
  ["an unknown field", { address: testAccount("b").address, amount: "9" }, "unknown field"],
  ["a list", [], "expected an object"],
  ["no JSON", "{", "no JSON"],
])("%s is refused by name", async (_, body, text) => {
  const answer = await ask(body);
  expect(answer.status).toBe(400);
  expect(answer.body.message).toContain(text);
});

test("a page of another origin cannot send for one: a body that is not JSON is refused", async () => {
  const { address } = testAccount("b");
  expect((await ask(JSON.stringify({ address }), "text/plain")).status).toBe(400);
});

test("settled faucet pays by the name of a key or an address", async () => {
  const { address } = testAccount("faucet c");
  const { exit, stdout } = await cli([
    ...["faucet", address, "--denom", "uusd"],
    ...["--home", node.home, "-o", "json"],
  ]);
  expect(exit).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ address, amount: [{ denom: "uusd", amount: "70" }] });
});

test("one address, and one client, get so much an hour and no more", async () => {
  const { address } = testAccount("faucet many 0");
  expect((await ask({ address })).status).toBe(200);
  expect((await ask({ address })).status).toBe(200);
  const often = await ask({ address });
  expect(often.status).toBe(429);
  expect(often.body.message).toContain(`at most 3 payments an hour to ${address}`);
  expect((await ask({ address: testAccount("faucet d").address })).status).toBe(200);
  const client = await ask({ address: testAccount("faucet e").address });
  expect(client.status).toBe(429);
  expect(client.body.message).toContain("at most 14 payments an hour for");
});

test("neither a faucet nor dev controls are where others can reach the node, which says so", async () => {
  expect((await rpcCall(node.rpc, "dev_mine")).error).toBeUndefined();
  await node.program.end("SIGINT");
  await node.start("--host", "0.0.0.0", "--log-level", "warn");
  const { status, body } = await ask({ address: testAccount("faucet f").address });
  expect([status, body.message]).toEqual([501, "Not Implemented"]);
  for (const method of ["dev_mine", "dev_use_wall_clock"]) {
    expect((await rpcCall(node.rpc, method)).error).toMatchObject({ code: -32601 });
  }
  expect(node.program.output).toContain("it has no dev controls, and no faucet");
});
