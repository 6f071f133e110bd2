import { StargateClient } from "@cosmjs/stargate";
import {
  Comet38Client,
  connectComet,
  HttpBatchClient,
  HttpClient,
  type RpcClient,
  WebsocketClient,
} from "@cosmjs/tendermint-rpc";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type RpcServer, startRpcServer } from "../../../src/api/rpc/server.ts";
import { toHex, utf8 } from "../../../src/lib/bytes.ts";
import { CHAIN_ID, type FakeNode, fakeNode, sha, treeHash } from "./fake_node.ts";

let node: FakeNode;
let server: RpcServer;

beforeEach(async () => {
  node = fakeNode();
  server = await startRpcServer({ view: node, host: "127.0.0.1", port: 0 });
});
afterEach(() => server.close());

const transports: [string, () => RpcClient][] = [
  ["HTTP", () => new HttpClient(server.url)],
  ["HTTP in batches", () => new HttpBatchClient(server.url, { dispatchInterval: 5 })],
  ["WebSocket", () => new WebsocketClient(server.url.replace("http", "ws"))],
];

describe.each(transports)("Comet38Client over %s", (_, transport) => {
  let client: Comet38Client;
  beforeEach(() => {
    client = Comet38Client.create(transport());
  });
  afterEach(() => client.disconnect());

  test("status, abciInfo, health", async () => {
    const { nodeInfo, syncInfo, validatorInfo } = await client.status();
    expect(nodeInfo.network).toBe(CHAIN_ID);
    expect(nodeInfo.version).toMatch(/^0\.38\./);
    expect(nodeInfo.other.get("rpc_address")).toBe(`tcp://127.0.0.1:${server.port}`);
    expect(syncInfo.latestBlockHeight).toBe(3);
    expect(syncInfo.earliestBlockHeight).toBe(1);
    expect(syncInfo.latestBlockTime.toISOString()).toBe("2026-01-01T00:00:03.000Z");
    expect(validatorInfo.votingPower).toBe(10n);
    expect((await client.abciInfo()).lastBlockHeight).toBe(3);
    expect(await client.health()).toBeNull();
  });

  test("abciQuery: value, height, and a refusal as a code", async () => {
    const found = await client.abciQuery({ path: "/echo", data: utf8("hello"), prove: false });
    expect(found).toMatchObject({ code: 0, height: 3, value: utf8("hello"), key: utf8("k") });
    expect(node.queries[0]).toEqual({
      path: "/echo",
      data: utf8("hello"),
      height: 0n,
      prove: false,
    });
    const old = await client.abciQuery({ path: "/echo", data: utf8(""), height: 2 });
    expect(old).toMatchObject({ height: 2 });
    expect(old.value).toHaveLength(0);
    const unknown = await client.abciQuery({ path: "/no", data: utf8("") });
    expect(unknown).toMatchObject({ code: 6, codespace: "sdk", log: "unknown query path" });
    expect(unknown.height).toBe(3);
  });

  test("block, blockchain, commit", async () => {
    const first = await client.block(1);
    expect(first.block.lastCommit).toBeNull();
    expect(first.block.header.lastBlockId).toBeNull();
    const second = await client.block(2);
    expect(second.block.txs).toEqual([utf8("tx-one"), utf8("fail-two")]);
    expect(second.block.lastCommit?.signatures[0]?.signature).toHaveLength(64);
    expect(second.block.header.time.nanoseconds).toBe(123);
    expect((await client.block()).block.header.height).toBe(3);

    const chain = await client.blockchain();
    expect(chain.lastHeight).toBe(3);
    expect(chain.blockMetas.map((meta) => meta.header.height)).toEqual([3, 2, 1]);
    expect(chain.blockMetas.map((meta) => meta.numTxs)).toEqual([1, 2, 0]);
    expect((await client.blockchain(2, 2)).blockMetas).toHaveLength(1);

    expect((await client.commit(2)).canonical).toBe(true);
    const latest = await client.commit();
    expect(latest.canonical).toBe(false);
    expect(latest.commit.height).toBe(3);
  });

  test("blockResults and blockSearch", async () => {
    const results = await client.blockResults(2);
    expect(results.results.map((one) => one.code)).toEqual([0, 5]);
    expect(results.results[0]?.gasUsed).toBe(9_007_199_254_740_993n);
    expect(results.results[0]?.events[0]).toEqual({
      type: "transfer",
      attributes: [
        { key: "sender", value: "alice" },
        { key: "text", value: "tx-one" },
      ],
    });
    expect(results.finalizeBlockEvents[0]?.type).toBe("epoch");
    expect((await client.blockResults(1)).results).toEqual([]);
    const found = await client.blockSearch({ query: "block.height=2" });
    expect(found.totalCount).toBe(1);
    expect(found.blocks[0]?.block.header.height).toBe(2);
    expect((await client.blockSearchAll({ query: "block.height=9" })).blocks).toEqual([]);
  });

  test("genesis, validators, numUnconfirmedTxs", async () => {
    const genesis = await client.genesis();
    expect(genesis.chainId).toBe(CHAIN_ID);
    expect(genesis.consensusParams.block?.maxBytes).toBe(8_388_608);
    expect(genesis.appState).toEqual({ bank: { supply: [] } });
    const { validators, total } = await client.validatorsAll();
    expect(total).toBe(1);
    expect(validators[0]?.pubkey).toEqual({
      algorithm: "ed25519",
      data: node.info.validator.publicKey,
    });
    node.waitingTxs.push(utf8("waits"));
    expect(await client.numUnconfirmedTxs()).toEqual({ total: 1, totalBytes: 5 });
  });

  test("broadcastTxSync, broadcastTxAsync", async () => {
    const sent = await client.broadcastTxSync({ tx: utf8("new") });
    expect(sent).toMatchObject({ code: 0, hash: sha(utf8("new")) });
    const refused = await client.broadcastTxSync({ tx: utf8("bad") });
    expect(refused).toMatchObject({ code: 32, codespace: "sdk", log: "account sequence mismatch" });
    const unchecked = await client.broadcastTxAsync({ tx: utf8("bad too") });
    expect(unchecked.hash).toEqual(sha(utf8("bad too")));
    const again = client.broadcastTxSync({ tx: utf8("new") });
    await expect(again).rejects.toThrow(
      JSON.stringify({
        code: -32603,
        message: "Internal error",
        data: "tx already exists in cache",
      }),
    );
    const large = client.broadcastTxSync({ tx: new Uint8Array(1001) });
    await expect(large).rejects.toThrow("Tx too large. Max size is 1000, but got 1001");
  });

  test("broadcastTxCommit waits for the block", async () => {
    const sent = client.broadcastTxCommit({ tx: utf8("commit me") });
    await expect.poll(() => node.waitingTxs.length).toBe(1);
    node.produce();
    const { height, hash, checkTx, txResult } = await sent;
    expect(height).toBe(4);
    expect(hash).toEqual(sha(utf8("commit me")));
    expect(checkTx.code).toBe(0);
    expect(txResult?.gasWanted).toBe(200_000n);
    expect((await client.broadcastTxCommit({ tx: utf8("bad") })).checkTx.code).toBe(32);
    const again = client.broadcastTxCommit({ tx: utf8("commit me") });
    await expect(again).rejects.toThrow("error on broadcastTxCommit: tx already exists in cache");
    await expect.poll(() => node.subscriptions.size).toBe(0);
  });

  test("tx with proof, txSearch, txSearchAll", async () => {
    const hash = sha(utf8("fail-two"));
    const found = await client.tx({ hash, prove: true });
    expect(found).toMatchObject({ height: 2, index: 1, tx: utf8("fail-two") });
    expect(found.result).toMatchObject({ code: 5, codespace: "bank" });
    const hashes = [sha(utf8("tx-one")), hash];
    expect(found.proof?.rootHash).toEqual(treeHash(hashes));
    expect(found.proof?.proof).toEqual({
      total: 2,
      index: 1,
      leafHash: sha(Uint8Array.of(0), hash),
      aunts: [sha(Uint8Array.of(0), sha(utf8("tx-one")))],
    });

    const query = `tx.hash='${toHex(hash).toUpperCase()}'`;
    const search = await client.txSearch({ query, page: 1 });
    expect(search.totalCount).toBe(1);
    expect(search.txs[0]?.hash).toEqual(hash);
    expect(search.txs[0]?.proof).toBeUndefined();
    const all = await client.txSearchAll({ query: "transfer.sender='alice'", per_page: 1 });
    expect(all.txs.map((one) => one.height)).toEqual([2, 2, 3]);
    const missing = client.tx({ hash: sha() });
    await expect(missing).rejects.toThrow(`tx (${toHex(sha()).toUpperCase()}) not found`);
  });

  test("errors have CometBFT's texts", async () => {
    await expect(client.block(99)).rejects.toThrow(
      "height 99 must be less than or equal to the current blockchain height 3",
    );
    await expect(client.block(-1)).rejects.toThrow("height must be greater than 0, but got -1");
    await expect(client.txSearch({ query: "tx.height=2", page: 9 })).rejects.toThrow(
      "page should be within [1, 1] range, given 9",
    );
    await expect(client.txSearch({ query: "nonsense" })).rejects.toThrow("expected a condition");
    await expect(client.txSearch({ query: `a='${"x".repeat(512)}'` })).rejects.toThrow(
      "maximum query length exceeded",
    );
    node.earliest = 2n;
    await expect(client.block(1)).rejects.toThrow("height 1 is not available, lowest height is 2");
    node.results.length = 2;
    await expect(client.blockResults(3)).rejects.toThrow("could not find results for height #3");
  });
});

describe("subscriptions", () => {
  test("new blocks, headers and txs, as CosmJS reads them", async () => {
    const client = await Comet38Client.connect(server.url.replace("http", "ws"));
    const heights: number[] = [];
    const headers: number[] = [];
    const txs: string[] = [];
    const sub = [
      client.subscribeNewBlock().subscribe({ next: (one) => heights.push(one.header.height) }),
      client.subscribeNewBlockHeader().subscribe({ next: (one) => headers.push(one.height) }),
      client
        .subscribeTx("transfer.sender='alice'")
        .subscribe({ next: (one) => txs.push(`${one.height} ${toHex(one.hash)}`) }),
    ];
    await expect.poll(() => node.subscriptions.size).toBe(3);
    node.waitingTxs.push(utf8("event"));
    node.produce();
    node.produce();
    await expect.poll(() => heights).toEqual([4, 5]);
    await expect.poll(() => headers).toEqual([4, 5]);
    await expect.poll(() => txs).toEqual([`4 ${toHex(sha(utf8("event")))}`]);
    for (const one of sub) one.unsubscribe();
    await expect.poll(() => node.subscriptions.size).toBe(0);
    client.disconnect();
  });

  test("leaving ends them", async () => {
    const client = await Comet38Client.connect(server.url.replace("http", "ws"));
    client.subscribeNewBlock().subscribe({ next: () => undefined });
    await expect.poll(() => node.subscriptions.size).toBe(1);
    client.disconnect();
    await expect.poll(() => node.subscriptions.size).toBe(0);
  });
});

describe("version detection", () => {
  test("connectComet picks Comet38Client over HTTP and WebSocket", async () => {
    for (const url of [server.url, server.url.replace("http", "ws")]) {
      const client = await connectComet(url);
      expect(client).toBeInstanceOf(Comet38Client);
      client.disconnect();
    }
  });

  test("StargateClient connects, reads blocks and finds txs", async () => {
    const client = await StargateClient.connect(server.url);
    expect(await client.getChainId()).toBe(CHAIN_ID);
    expect(await client.getHeight()).toBe(3);
    expect((await client.getBlock(2)).txs).toHaveLength(2);
    const found = await client.getTx(toHex(sha(utf8("tx-one"))).toUpperCase());
    expect(found).toMatchObject({ height: 2, code: 0, gasWanted: 200_000n });
    expect(await client.getTx("00".repeat(32))).toBeNull();
    expect(await client.searchTx([{ key: "tx.height", value: 2 }])).toHaveLength(2);
    expect(await client.broadcastTxSync(utf8("through stargate"))).toBe(
      toHex(sha(utf8("through stargate"))).toUpperCase(),
    );
    expect(node.waitingTxs).toEqual([utf8("through stargate")]);
    client.disconnect();
  });
});
