import { DirectSecp256k1Wallet } from "@cosmjs/proto-signing";
import { SigningStargateClient } from "@cosmjs/stargate";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { TxRaw } from "../../src/gen/cosmos/tx/v1beta1/tx.ts";
import { toBase64, toHex, utf8 } from "../../src/lib/bytes.ts";
import { must } from "../../src/lib/assert.ts";
import { sha256 } from "../../src/lib/sha256.ts";
import { customer, provider, stranger, testAccount } from "../testkit/accounts.ts";
import { ceiling } from "../testkit/corrections.ts";
import { msg } from "../testkit/messages.ts";
import { type EverythingNode, startEverythingNode } from "./everything_node.ts";
import { type Answer, get, type OpenApi, post, Seen } from "./rest_routes.ts";

// A real node in this process whose state holds a record of every kind; everything goes through its
// REST port, and every answer is held against the document that the same port gives out.

let node: EverythingNode;
let openApi: OpenApi;
let ajv: Ajv2020;
let txHash: string;
const seen = new Seen();

beforeAll(async () => {
  node = await startEverythingNode();
  openApi = (await get(node.rest, "/openapi.json")).json as OpenApi;
  ajv = new Ajv2020({ strict: false, allErrors: true });
  formats.default(ajv);
  // Of text: its pattern says it all.
  for (const name of ["int64", "uint64"]) ajv.addFormat(name, true);
  ajv.addSchema(closed(openApi) as object, "document");
  await openOrder();
  txHash = must((await broadcast()).json.tx_response.txhash as string, "a hash");
  await untilFound(txHash);
});

afterAll(async () => {
  await node?.stop();
  // No request of this file was a fault of the node.
  expect(node?.faults).toEqual([]);
});

const LIVE = { order: "order-live", lease: "lease-live" };

/** An order that runs now: those of the genesis have been ended by the wall clock. */
async function openOrder(): Promise<void> {
  const now = BigInt(Math.floor(Date.now() / 1000));
  await node.send(msg.create(customer, "10000uve", LIVE));
  const { json } = await get(node.rest, `/virtengine/settlement/v1/escrows/by-order/${LIVE.order}`);
  const escrowId = String(json.escrows[0].escrow_id);
  await node.send(msg.activate(customer, escrowId, provider.address, LIVE.lease));
  await node.send(ceiling("50uve", LIVE));
  const period = { start: now - 120n, end: now - 60n };
  await node.send(msg.record(provider, { ...LIVE, ...period, price: "5uve" }));
}

/** The document with objects that may have nothing but what they say. */
function closed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(closed);
  if (typeof value !== "object" || value === null) return value;
  const copy = Object.fromEntries(Object.entries(value).map(([name, one]) => [name, closed(one)]));
  const isSchema = copy["type"] === "object" && copy["properties"] !== undefined;
  return isSchema ? { additionalProperties: false, ...copy } : copy;
}

function validator(pointer: string): ValidateFunction {
  return ajv.compile({ $ref: `document#${pointer}` });
}

/** What is wrong with an answer by the document; empty when nothing is. */
function faultsOf(path: string, verb: string, { status, json }: Answer): string[] {
  const place = `/paths/${path.replaceAll("~", "~0").replaceAll("/", "~1").replaceAll("{", "%7B").replaceAll("}", "%7D")}`;
  const pointer =
    status === 200
      ? `${place}/${verb}/responses/200/content/application~1json/schema`
      : "/components/schemas/Error";
  const validate = validator(pointer);
  if (validate(json)) return [];
  return (validate.errors ?? []).map((one) => `${path} ${one.instancePath} ${one.message}`);
}

/** A tx that sends coins, signed by CosmJS. */
async function signedSend(amount = "5", sequence?: number): Promise<Uint8Array> {
  const wallet = await DirectSecp256k1Wallet.fromKey(sha256(utf8("test account stranger")), "ve");
  const rpc = node.chain.report.endpoints.rpc;
  const client = await SigningStargateClient.connectWithSigner(rpc, wallet);
  const account = await client.getSequence(stranger.address);
  const value = {
    fromAddress: stranger.address,
    toAddress: customer.address,
    amount: [{ denom: "uve", amount }],
  };
  const message = { typeUrl: "/cosmos.bank.v1beta1.MsgSend", value };
  const fee = { amount: [], gas: "300000" };
  const chainId = await client.getChainId();
  const signed = await client.sign(stranger.address, [message], fee, "by REST", {
    ...{ chainId, accountNumber: account.accountNumber, sequence: sequence ?? account.sequence },
  });
  client.disconnect();
  return TxRaw.encode(TxRaw.fromPartial(signed)).finish();
}

async function broadcast(): Promise<Answer> {
  const tx_bytes = toBase64(await signedSend());
  return post(node.rest, "/cosmos/tx/v1beta1/txs", { tx_bytes, mode: "BROADCAST_MODE_SYNC" });
}

async function untilFound(hash: string): Promise<Answer> {
  for (;;) {
    const answer = await get(node.rest, `/cosmos/tx/v1beta1/txs/${hash}`);
    if (answer.status !== 404) return answer;
  }
}

async function latestHeight(): Promise<string> {
  const path = "/cosmos/base/tendermint/v1beta1/blocks/latest";
  return (await get(node.rest, path)).json.block.header.height as string;
}

/** What routes need that cannot be asked without: queries by path. */
async function queriesOf(): Promise<Readonly<Record<string, string>>> {
  const { json } = await get(node.rest, "/virtengine/settlement/v1/usage/by-order/order-1");
  const [record] = json.usage_records as [Record<string, string>];
  const names = ["order_id", "lease_id", "usage_type", "period_start", "period_end"];
  const naturalKey = names.map((name) => `${name}=${record[name]}`).join("&");
  const order = "order_id=order-1";
  const live = `order_id=${LIVE.order}`;
  return {
    "/cosmos/bank/v1beta1/supply/by_denom": "denom=uve",
    "/cosmos/bank/v1beta1/balances/{address}/by_denom": "denom=uve",
    "/cosmos/base/tendermint/v1beta1/abci_query": "path=/cosmos.bank.v1beta1.Query/Params",
    "/cosmos/tx/v1beta1/txs": `query=message.sender='${stranger.address}'`,
    "/settled/settlement/v1/usage/by_natural_key": naturalKey,
    "/settled/settlement/v1/price_ceilings": live,
    "/settled/settlement/v1/invoices/by_order": order,
    "/settled/settlement/v1/estimate_settlement": live,
    "/settled/settlement/v1/billing_terms": order,
    "/settled/settlement/v1/usage": order,
    "/settled/settlement/v1/statement": `address=${provider.address}`,
    "/settled/settlement/v1/next_settlement": order,
    "/settled/settlement/v1/reward_entries": `address=${provider.address}`,
    "/settled/settlement/v1/reward_rows": `address=${provider.address}`,
  };
}

/** Routes that this chain answers otherwise, and with what. */
const NOT_OK: Readonly<Record<string, number>> = {
  // Fiat is not part of Settled.
  "/virtengine/settlement/v1/fiat/conversions/{conversion_id}": 501,
  "/virtengine/settlement/v1/fiat/conversions/by-provider/{provider}": 501,
  "/virtengine/settlement/v1/fiat/preferences/{provider}": 501,
};

/** What is counted but to a limit, by name: nothing of a chain as small as this one. */
const EMPTY = ["/settled/settlement/v1/open_work"];

/** Whether all lists of an answer are empty, and there are some. */
function isEmpty({ json }: Answer): boolean {
  const lists = Object.values<unknown>(json).filter(Array.isArray);
  return lists.length > 0 && lists.flat().length === 0;
}

/** The answer to a route with the first of the values seen that it has something for. */
async function answerOf(path: string, query: string | undefined): Promise<Answer> {
  let answer: Answer | undefined;
  for (const one of seen.paths(path)) {
    const next = await get(node.rest, query === undefined ? one : `${one}?${query}`);
    // A list that is empty is better than nothing, but not looked for.
    if (answer?.status !== 200 || next.status === 200) answer = next;
    if (answer.status === (NOT_OK[path] ?? 200) && !isEmpty(answer)) break;
  }
  return must(answer, `no value was seen for ${path}`);
}

test("every GET route of the document is answered as the document says", async () => {
  const paths = Object.entries(openApi.paths).flatMap(([path, verbs]) =>
    verbs["get"] === undefined ? [] : [path],
  );
  expect(paths.length).toBeGreaterThan(70);
  // Lists first: what they show is what the others are asked for.
  for (const path of paths.filter((one) => !one.includes("{"))) {
    seen.add((await get(node.rest, path)).json);
  }
  for (const [name, value] of [
    ...[
      ["address", provider.address],
      ["denom", "uve"],
      ["conversion_id", "1"],
    ],
    ...[
      ["hash", txHash],
      ["height", await latestHeight()],
      ["state", "active"],
    ],
  ] as const) {
    seen.note(name as string, value as string);
  }
  const queries = await queriesOf();
  const faults: string[] = [];
  const empty: string[] = [];
  for (const path of paths) {
    const answer = await answerOf(path, queries[path]);
    if (answer.status === 200 && isEmpty(answer)) empty.push(path);
    const expected = NOT_OK[path] ?? 200;
    if (answer.status !== expected) {
      faults.push(`${path}: HTTP ${answer.status} ${JSON.stringify(answer.json)}`);
    }
    faults.push(...faultsOf(path, "get", answer));
  }
  expect(faults).toEqual([]);
  expect(empty.sort()).toEqual(EMPTY);
});

test("an answer with a field too many, one too few or one of a wrong kind is found", async () => {
  const path = "/cosmos/bank/v1beta1/supply/by_denom";
  const answer = await get(node.rest, `${path}?denom=uve`);
  const { amount } = answer.json;
  const faulty = [{ amount, more: 1 }, {}, { amount: { ...amount, amount: 5 } }, { amount: [] }];
  for (const json of faulty) expect(faultsOf(path, "get", { ...answer, json })).not.toEqual([]);
  expect(faultsOf(path, "get", answer)).toEqual([]);
});

describe("txs", () => {
  const TXS = "/cosmos/tx/v1beta1/txs";

  test("one that CosmJS signed is taken, put into a block and found by its hash", async () => {
    const answer = await broadcast();
    expect(answer.status).toBe(200);
    expect(faultsOf(TXS, "post", answer)).toEqual([]);
    const { txhash, code, height } = answer.json.tx_response;
    expect({ code, height }).toEqual({ code: 0, height: "0" });
    const found = await untilFound(txhash);
    expect(faultsOf(`${TXS}/{hash}`, "get", found)).toEqual([]);
    const { tx, tx_response } = found.json;
    expect(tx.body.memo).toBe("by REST");
    expect(tx.body.messages).toEqual([
      {
        "@type": "/cosmos.bank.v1beta1.MsgSend",
        from_address: stranger.address,
        to_address: customer.address,
        amount: [{ denom: "uve", amount: "5" }],
      },
    ]);
    expect(tx_response).toMatchObject({ txhash, code: 0, raw_log: "", gas_wanted: "300000" });
    const block = await get(node.rest, `${TXS}/block/${tx_response.height}`);
    expect(block.json.txs).toEqual([tx]);
    const search = await get(node.rest, `${TXS}?query=tx.hash='${txhash}'&order_by=2&limit=1`);
    expect(search.json.total).toBe("1");
    expect(search.json.tx_responses[0].txhash).toBe(txhash);
  });

  test("one that fails its check, or is there already, is an answer with a code", async () => {
    const early = toBase64(await signedSend("6", 999));
    const wrong = await post(node.rest, TXS, { tx_bytes: early, mode: "BROADCAST_MODE_SYNC" });
    expect(wrong.status).toBe(200);
    expect(faultsOf(TXS, "post", wrong)).toEqual([]);
    expect(wrong.json.tx_response).toMatchObject({ code: 32, codespace: "sdk" });
    expect(wrong.json.tx_response.raw_log).toContain("account sequence mismatch");
    const bytes = await signedSend("7");
    const body = { tx_bytes: toBase64(bytes), mode: "BROADCAST_MODE_SYNC" };
    const first = await post(node.rest, TXS, body);
    expect(first.json.tx_response.txhash).toBe(toHex(sha256(bytes)).toUpperCase());
    const again = await post(node.rest, TXS, body);
    expect(again.status).toBe(200);
    expect(again.json.tx_response).toMatchObject({ code: 19, codespace: "sdk" });
    await untilFound(first.json.tx_response.txhash);
  });

  test("a simulation tells the gas, and what would fail", async () => {
    const path = "/cosmos/tx/v1beta1/simulate";
    const done = await post(node.rest, path, { tx_bytes: toBase64(await signedSend()) });
    expect(done.status).toBe(200);
    expect(faultsOf(path, "post", done)).toEqual([]);
    expect(Number(done.json.gas_info.gas_used)).toBeGreaterThan(10_000);
    const poor = await signedSend("9000000000000000000");
    const failed = await post(node.rest, path, { tx_bytes: toBase64(poor) });
    expect(failed.status).toBeGreaterThanOrEqual(400);
    expect(failed.json.message).toContain("insufficient funds");
    expect(faultsOf(path, "post", failed)).toEqual([]);
  });

  test("the bytes of a tx are shown as what they say", async () => {
    const path = "/cosmos/tx/v1beta1/decode";
    const answer = await post(node.rest, path, { tx_bytes: toBase64(await signedSend()) });
    expect(faultsOf(path, "post", answer)).toEqual([]);
    expect(answer.json.tx.body.memo).toBe("by REST");
  });

  test("a hash that no tx has, and one that is none", async () => {
    const none = await get(node.rest, `${TXS}/${"AB".repeat(32)}`);
    expect(none.status).toBe(404);
    expect(none.json).toMatchObject({ code: 5, details: [] });
    expect((await get(node.rest, `${TXS}/xyz`)).status).toBe(400);
  });
});

describe("pages", () => {
  const LIST = "/settled/settlement/v1/usage_records";
  const idsOf = ({ json }: Answer) =>
    json.usage_records.map(({ usage_id }: { usage_id: string }) => usage_id) as string[];

  test("following next_key shows what one page shows, in both alphabets of base64", async () => {
    const all = await get(node.rest, `${LIST}?pagination.limit=1000`);
    const ids = idsOf(all);
    expect(ids.length).toBeGreaterThan(10);
    expect(all.json.pagination.next_key).toBeNull();
    for (const alphabet of ["standard", "url"] as const) {
      const found: string[] = [];
      for (let key: string | null = ""; key !== null; ) {
        const text: string = alphabet === "url" ? urlSafe(key) : encodeURIComponent(key);
        const page = await get(node.rest, `${LIST}?pagination.limit=3&pagination.key=${text}`);
        found.push(...idsOf(page));
        key = page.json.pagination.next_key;
      }
      expect(found).toEqual(ids);
    }
  });

  test("limit, reverse and count_total, and parameters that make no sense", async () => {
    const two = await get(
      node.rest,
      `${LIST}?pagination.limit=2&pagination.reverse=true&pagination.count_total=1`,
    );
    const all = idsOf(await get(node.rest, `${LIST}?pagination.limit=1000`));
    expect(idsOf(two)).toEqual(all.toReversed().slice(0, 2));
    expect(two.json.pagination.total).toBe(String(all.length));
    const bad = [
      ["pagination.limit=many", 'pagination.limit: expected integer (uint64), found "many"'],
      ["pagination.limit=-1", "pagination.limit: -1 is out of range"],
      ["pagination.limit=1&pagination.limit=2", "pagination.limit: given twice"],
      ["pagination.reverse=yes", "pagination.reverse: expected true or false"],
      ["pagination.key=%00", "pagination.key: expected base64 text"],
      ["pagination=1", "pagination: a message; give its fields"],
      ["oder_id=order-1", 'unknown parameter "oder_id"; known: order_id, lease_id'],
    ];
    for (const [query, message] of bad) {
      const answer = await get(node.rest, `${LIST}?${query}`);
      expect([query, answer.status]).toEqual([query, 400]);
      expect(answer.json.message).toContain(message);
    }
  });
});

function urlSafe(text: string): string {
  return text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

describe("heights", () => {
  const path = () => `/cosmos/bank/v1beta1/balances/${customer.address}/by_denom?denom=uve`;
  const HEADER = "x-cosmos-block-height";

  test("an answer tells its height, and one can be asked for", async () => {
    const before = await get(node.rest, path());
    const height = before.headers.get(HEADER) ?? "";
    expect(height).toBe(await latestHeight());
    await untilFound((await broadcast()).json.tx_response.txhash);
    const after = await get(node.rest, path());
    const change = BigInt(after.json.balance.amount) - BigInt(before.json.balance.amount);
    expect(change).toBe(5n);
    for (const name of [HEADER, "Grpc-Metadata-X-Cosmos-Block-Height"]) {
      const old = await get(node.rest, path(), { [name]: height });
      expect(old.json).toEqual(before.json);
      expect(old.headers.get(HEADER)).toBe(height);
      expect(old.headers.get("grpc-metadata-x-cosmos-block-height")).toBe(height);
    }
  });

  test("a height that is none, or not there, is refused", async () => {
    for (const height of ["-1", "one", "1.5", "9223372036854775808", "9223372036854775807"]) {
      const answer = await get(node.rest, path(), { [HEADER]: height });
      expect([height, answer.status, answer.json.code]).toEqual([height, 400, 3]);
    }
  });
});

describe("what wallets and explorers ask for", () => {
  const address = customer.address;
  const AUTH = "/cosmos/auth/v1beta1";
  const BANK = "/cosmos/bank/v1beta1";
  const COMET = "/cosmos/base/tendermint/v1beta1";

  test.each([
    ...["node_info", "syncing", "blocks/latest", "validatorsets/latest"].map(
      (it) => `${COMET}/${it}`,
    ),
    ...["config", "status"].map((it) => `/cosmos/base/node/v1beta1/${it}`),
    ...["params", "accounts", "bech32", "module_accounts"].map((it) => `${AUTH}/${it}`),
    ...[`${AUTH}/accounts/${address}`, `${AUTH}/account_info/${address}`],
    ...[`${BANK}/balances/${address}?pagination.limit=1000`, `${BANK}/supply`, `${BANK}/params`],
    ...[`${BANK}/balances/${address}/by_denom?denom=uve`, `${BANK}/supply/by_denom?denom=uve`],
    ...[`${BANK}/spendable_balances/${address}`, `${BANK}/denoms_metadata`],
    // Keplr of a newer SDK sends what this one does not know.
    `${BANK}/balances/${address}?resolve_denom=true`,
  ])("%s", async (path) => {
    const answer = await get(node.rest, path);
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toBe("application/json");
  });

  test("Keplr compares the chain id of node_info, and reads account and balances", async () => {
    const info = (await get(node.rest, `${COMET}/node_info`)).json;
    expect(info.default_node_info.network).toBe("settled-test");
    const { account } = (await get(node.rest, `${AUTH}/accounts/${stranger.address}`)).json;
    expect(account).toMatchObject({
      "@type": "/cosmos.auth.v1beta1.BaseAccount",
      address: stranger.address,
      pub_key: { "@type": "/cosmos.crypto.secp256k1.PubKey" },
    });
    expect(account.sequence).toMatch(/^[1-9][0-9]*$/);
    const { balances } = (await get(node.rest, `${BANK}/balances/${address}`)).json;
    expect(balances.map(({ denom }: { denom: string }) => denom)).toEqual(["uusd", "uve"]);
    const { block_id } = (await get(node.rest, `${COMET}/blocks/latest`)).json;
    expect(Buffer.from(block_id.hash as string, "base64").length).toBe(32);
  });

  test.each([
    ...["params", "validators", `delegations/${address}`].map(
      (it) => `/cosmos/staking/v1beta1/${it}`,
    ),
    ...["/cosmos/distribution/v1beta1/params", "/cosmos/mint/v1beta1/inflation"],
    ...["/cosmos/gov/v1/proposals", "/ibc/core/client/v1/client_states", "/nothing"],
  ])("%s is not there: 501 that says so", async (path) => {
    const answer = await get(node.rest, path);
    expect(answer.status).toBe(501);
    expect(answer.json).toEqual({ code: 12, message: "Not Implemented", details: [] });
  });

  test("an account that is not there is 404, an address that is none 400", async () => {
    const unknown = await get(node.rest, `${AUTH}/accounts/${testAccount("nobody").address}`);
    expect([unknown.status, unknown.json.code]).toEqual([404, 5]);
    expect((await get(node.rest, `${AUTH}/accounts/nobody`)).json.code).toBe(3);
  });
});
