import {
  type comet38,
  Comet38Client,
  HttpBatchClient,
  HttpClient,
  type RpcClient,
  WebsocketClient,
} from "@cosmjs/tendermint-rpc";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { signerFromMnemonic } from "../../src/client/signer.ts";
import { must } from "../../src/lib/assert.ts";
import { Payer } from "./comet/payer.ts";
import { devNode } from "./dev_node.ts";

/*
 * What CosmJS expects of a CometBFT 0.38 node, case by case: the names of the tests are those of
 * its own suite (packages/tendermint-rpc, comet38client.spec.ts). Where that sends key and value
 * to CometBFT's kvstore, these send a transfer: `app.key` is the recipient, `app.creator` the
 * sender. Not here: abciQuery with a proof of the kvstore (test/e2e/proofs.test.ts has ours) and
 * connecting by URL (test/unit/api/rpc_client.test.ts).
 */

const node = devNode([
  ...["--block-mode", "interval", "--block-interval", "60ms", "--log-level", "error"],
]);
let payer: Payer;
let client: Comet38Client;

beforeAll(async () => {
  payer = await Payer.of(node, "customer-1");
  const warm = Comet38Client.create(new HttpClient(node.rpc));
  await node.program.until("six blocks", async () => ((await latest(warm)) > 5 ? true : undefined));
});

async function latest(of: Comet38Client): Promise<number> {
  return (await of.status()).syncInfo.latestBlockHeight;
}

/** An address that nobody has used. */
async function newAddress(): Promise<string> {
  const account = must(node.report.accounts[0], "a dev chain has accounts");
  newAddresses += 1;
  const hdPath = `m/44'/118'/0'/0/${newAddresses}`;
  return (await signerFromMnemonic(account.mnemonic, { hdPath })).address;
}
let newAddresses = 100;

interface Sent {
  readonly tx: Uint8Array;
  readonly done: comet38.BroadcastTxCommitResponse;
}

async function commitOne(to = payer.to): Promise<Sent> {
  const tx = payer.transfer({ to });
  const done = await client.broadcastTxCommit({ tx });
  expect(done.checkTx.code).toBe(0);
  expect(done.txResult?.code).toBe(0);
  return { tx, done };
}

const transports: [string, () => RpcClient][] = [
  ["HttpClient", () => new HttpClient(node.rpc)],
  ["HttpBatchClient", () => new HttpBatchClient(node.rpc, { dispatchInterval: 5 })],
  ["WebsocketClient", () => new WebsocketClient(node.rpc.replace("http", "ws"))],
];

describe.each(transports)("Comet38Client with a Settled node over %s", (_, transport) => {
  beforeEach(async () => {
    client = Comet38Client.create(transport());
    // A WebsocketClient of CosmJS never sends when this process is busy while it connects, as it is
    // when a key is derived from a mnemonic on a loaded machine.
    await client.status();
  });
  afterEach(() => client.disconnect());

  test("abciInfo works; genesis works", async () => {
    const { lastBlockHeight, lastBlockAppHash, data } = await client.abciInfo();
    expect(lastBlockHeight).toBeGreaterThan(0);
    expect(lastBlockAppHash).toHaveLength(32);
    expect(data).toBe("settled");
    const genesis = await client.genesis();
    expect(genesis).toMatchObject({ chainId: node.report.chainId });
    expect(genesis.appState).toHaveProperty("bank");
  });

  test("broadcastTxCommit can broadcast a transaction; the same tx hash as locally", async () => {
    const { done, tx } = await commitOne();
    expect(done.height).toBeGreaterThan(2);
    const sha = new Uint8Array(await crypto.subtle.digest("SHA-256", Uint8Array.from(tx)));
    expect(done.hash).toEqual(sha);
  });

  test("broadcastTxSync, broadcastTxAsync can broadcast a transaction", async () => {
    const sync = await client.broadcastTxSync({ tx: payer.transfer() });
    expect(sync.hash).toHaveLength(32);
    expect(sync).toMatchObject({ code: 0, codespace: "" });
    const unchecked = await client.broadcastTxAsync({ tx: payer.transfer() });
    expect(unchecked.hash).toHaveLength(32);
  });

  test("can get a commit", async () => {
    const { commit, header, canonical } = await client.commit(4);
    expect(header.height).toBe(4);
    expect(canonical).toBe(true);
    expect(commit.signatures).toHaveLength(1);
    const [first] = commit.signatures;
    expect(first?.blockIdFlag).toBe(2);
    expect(first?.validatorAddress).toHaveLength(20);
    expect(first?.timestamp).toBeInstanceOf(Date);
    expect(first?.signature).toHaveLength(64);
  });

  test.each(["validators", "validatorsAll"] as const)("can get %s", async (method) => {
    const response =
      method === "validators" ? await client.validators({}) : await client.validatorsAll();
    expect(response.blockHeight).toBeGreaterThanOrEqual(1);
    expect(response).toMatchObject({ count: 1, total: 1 });
    const [first] = response.validators;
    expect(first?.address).toHaveLength(20);
    expect(first?.pubkey).toMatchObject({ algorithm: "ed25519" });
    expect(first?.votingPower).toBeGreaterThanOrEqual(0n);
    expect(first?.proposerPriority).toBeGreaterThanOrEqual(0);
  });

  test("can call a bunch of methods", async () => {
    expect((await client.block()).block.header.chainId).toBe(node.report.chainId);
    expect(await client.health()).toBeNull();
  });

  test("status works", async () => {
    const { nodeInfo, syncInfo, validatorInfo } = await client.status();
    expect(nodeInfo.version).toMatch(/^0\.38\.[0-9]+$/);
    expect(nodeInfo.protocolVersion).toEqual({ p2p: 8, block: 11, app: 0 });
    expect(nodeInfo.network).toBe(node.report.chainId);
    expect(nodeInfo.other.size).toBeGreaterThanOrEqual(2);
    expect(nodeInfo.other.get("tx_index")).toBe("on");
    expect(syncInfo.catchingUp).toBe(false);
    expect(syncInfo.latestBlockHeight).toBeGreaterThanOrEqual(1);
    expect(syncInfo.latestBlockTime).toBeInstanceOf(Date);
    expect(syncInfo.earliestBlockHeight).toBe(1);
    expect(syncInfo.earliestBlockTime?.getTime()).toBeLessThanOrEqual(
      syncInfo.latestBlockTime.getTime(),
    );
    expect(validatorInfo.pubkey).toBeTruthy();
    expect(validatorInfo.votingPower).toBeGreaterThan(0n);
  });

  test("numUnconfirmedTxs works", async () => {
    const { total, totalBytes } = await client.numUnconfirmedTxs();
    expect(total).toBeGreaterThanOrEqual(0);
    expect(totalBytes).toBeGreaterThanOrEqual(0);
  });

  test("blockResults works", async () => {
    expect(await client.blockResults(3)).toMatchObject({
      ...{ height: 3, results: [], finalizeBlockEvents: [], validatorUpdates: [] },
    });
  });

  describe("blockSearch", () => {
    const query = "block.height >= 1 AND block.height <= 3";

    test("can paginate over blockSearch results", async () => {
      const first = await client.blockSearch({ query, page: 1, per_page: 2 });
      expect(first.totalCount).toBe(3);
      expect(first.blocks).toHaveLength(2);
      const second = await client.blockSearch({ query, page: 2, per_page: 2 });
      expect(second.totalCount).toBe(3);
      expect(second.blocks).toHaveLength(1);
    });

    test("can get all search results in one call", async () => {
      const { totalCount, blocks } = await client.blockSearchAll({ query, per_page: 2 });
      expect(totalCount).toBe(3);
      expect(blocks.map(({ block }) => block.header.height)).toEqual([1, 2, 3]);
    });
  });

  describe("blockchain", () => {
    const heightsOf = ({ blockMetas }: comet38.BlockchainResponse) =>
      blockMetas.map(({ header }) => header.height);

    test("returns latest in descending order by default", async () => {
      const before = await latest(client);
      const found = await client.blockchain();
      expect(found.lastHeight).toBeGreaterThanOrEqual(before);
      const last = found.lastHeight;
      expect(heightsOf(found).slice(0, 3)).toEqual([last, last - 1, last - 2]);
    });

    test("can limit by maxHeight; works with maxHeight in the future", async () => {
      const height = await latest(client);
      const past = await client.blockchain(undefined, height - 1);
      expect(past.lastHeight).toBeGreaterThanOrEqual(height);
      expect(heightsOf(past).slice(0, 2)).toEqual([height - 1, height - 2]);
      const future = await client.blockchain(undefined, height + 2000);
      const last = future.lastHeight;
      expect(heightsOf(future).slice(0, 3)).toEqual([last, last - 1, last - 2]);
    });

    test("can limit by minHeight and maxHeight; contains all the info", async () => {
      const height = await latest(client);
      const two = await client.blockchain(height - 2, height - 1);
      expect(heightsOf(two)).toEqual([height - 1, height - 2]);
      const one = await client.blockchain(height - 1, height - 1);
      expect(one.blockMetas).toHaveLength(1);
      const { blockId, blockSize, header, numTxs } = must(one.blockMetas[0], "one");
      expect(blockId.hash).toHaveLength(32);
      expect(blockSize).toBeGreaterThan(100);
      expect(header).toMatchObject({
        version: { block: 11, app: 0 },
        chainId: node.report.chainId,
      });
      expect(numTxs).toBeGreaterThanOrEqual(0);
    });
  });

  test("tx can query a tx properly", async () => {
    const { tx, done } = await commitOne();
    const found = await client.tx({ hash: done.hash, prove: true });
    expect(found).toMatchObject({ hash: done.hash, tx, height: done.height });
    expect(found.proof?.rootHash).toHaveLength(32);
    const { block } = await client.block(done.height);
    expect(block.txs).toContainEqual(tx);
  });

  describe("txSearch", () => {
    let sent: Sent[];
    let query: string;

    beforeEach(async () => {
      const to = await newAddress();
      query = `transfer.recipient='${to}'`;
      sent = [await commitOne(to), await commitOne(to), await commitOne(to)];
    });

    test("finds a single tx by hash; finds a single tx by tags", async () => {
      const to = await newAddress();
      const { tx, done } = await commitOne(to);
      const { height, hash, txResult: result } = done;
      const expected = { hash, height, index: 0, tx, result, proof: undefined };
      const text = Buffer.from(hash).toString("hex").toUpperCase();
      for (const wanted of [`tx.hash='${text}'`, `transfer.recipient='${to}'`]) {
        const found = await client.txSearch({ query: wanted, page: 1, per_page: 30 });
        expect(found).toEqual({ totalCount: 1, txs: [expected] });
        expect(await client.txSearchAll({ query: wanted })).toEqual(found);
      }
    });

    test("returns transactions in ascending order by default; can set the order", async () => {
      const ascending = await client.txSearch({ query, order_by: "asc" });
      expect(ascending.txs.map(({ hash }) => hash)).toEqual(sent.map(({ done }) => done.hash));
      expect(await client.txSearch({ query })).toEqual(ascending);
      const descending = await client.txSearch({ query, order_by: "desc" });
      expect(descending.totalCount).toBe(ascending.totalCount);
      expect(descending.txs.toReversed()).toEqual(ascending.txs);
    });

    test("can paginate over txSearch results; can get all search results in one call", async () => {
      const first = await client.txSearch({ query, page: 1, per_page: 2 });
      const second = await client.txSearch({ query, page: 2, per_page: 2 });
      expect([first.totalCount, first.txs.length]).toEqual([3, 2]);
      expect([second.totalCount, second.txs.length]).toEqual([3, 1]);
      const all = await client.txSearchAll({ query, per_page: 2 });
      expect(all.totalCount).toBe(3);
      expect(all.txs).toEqual([...first.txs, ...second.txs]);
    });
  });
});

/** The first events of a stream, after which it is left. */
function take<T>(
  stream: ReturnType<Comet38Client["subscribeNewBlockHeader"]> | { subscribe: unknown },
  count: number,
): Promise<T[]> {
  const events: T[] = [];
  const typed = stream as {
    subscribe(listener: object): { unsubscribe(): void };
  };
  return new Promise((resolve, reject) => {
    const subscription = typed.subscribe({
      next: (event: T) => {
        events.push(event);
        if (events.length < count) return;
        // Not from within: the subscription may not be known yet.
        queueMicrotask(() => subscription.unsubscribe());
        resolve(events);
      },
      error: reject,
      complete: () => reject(new Error("completed before we are done")),
    });
  });
}

describe("Comet38Client with a Settled node: subscriptions", () => {
  beforeEach(() => {
    client = Comet38Client.create(new WebsocketClient(node.rpc.replace("http", "ws")));
  });
  afterEach(() => client.disconnect());

  const ROOTS = [
    ...(["appHash", "consensusHash", "dataHash", "evidenceHash", "lastCommitHash"] as const),
    ...(["lastResultsHash", "validatorsHash"] as const),
  ] as const;

  /** A header that came as an event, in the time since `start`. */
  function expectHeader(header: comet38.Header, start: number): void {
    expect(header.chainId).toBe(node.report.chainId);
    expect(header.height).toBeGreaterThan(0);
    expect(header.time.getTime()).toBeGreaterThan(start - 60_000);
    expect(header.time.getTime()).toBeLessThanOrEqual(Date.now() + 10);
    expect(header.lastBlockId?.hash).toHaveLength(32);
    for (const root of ROOTS) expect(header[root], root).toHaveLength(32);
  }

  test("can subscribe to block header events", async () => {
    const start = Date.now();
    const stream = client.subscribeNewBlockHeader();
    const [one, two] = await take<comet38.NewBlockHeaderEvent>(stream, 2);
    const [a, b] = [must(one, "two came"), must(two, "two came")];
    for (const event of [a, b]) expectHeader(event, start);
    expect(b.height).toBe(a.height + 1);
    expect(b.time.getTime()).toBeGreaterThan(a.time.getTime());
    expect(b.lastCommitHash).not.toEqual(a.lastCommitHash);
    // Both are empty, so nothing else has changed.
    for (const root of ["consensusHash", "dataHash", "evidenceHash", "validatorsHash"] as const) {
      expect(b[root], root).toEqual(a[root]);
    }
  });

  test("can subscribe to block events", async () => {
    const start = Date.now();
    const events: comet38.NewBlockEvent[] = [];
    const errors: unknown[] = [];
    const subscription = client.subscribeNewBlock().subscribe({
      next: (event) => void events.push(event),
      error: (error) => void errors.push(error),
    });
    const sent = [await commitOne(), await commitOne()];
    const withTx = () => events.filter(({ txs }) => txs.length > 0);
    await expect.poll(() => withTx().length).toBe(2);
    subscription.unsubscribe();
    expect(errors).toEqual([]);
    for (const { header } of events) expectHeader(header, start);
    expect(withTx().map(({ txs }) => txs)).toEqual(sent.map(({ tx }) => [tx]));
    const [a, b] = withTx().map(({ header }) => header);
    expect(b?.height).toBeGreaterThan(a?.height ?? 0);
    expect(b?.time.getTime()).toBeGreaterThan(a?.time.getTime() ?? 0);
    expect(b?.appHash).not.toEqual(a?.appHash);
    expect(b?.validatorsHash).toEqual(a?.validatorsHash);
  });

  test.each([
    ["can subscribe to transaction events", () => undefined],
    [
      "can subscribe to transaction events filtered by creator",
      () => `message.sender='${payer.signer.address}'`,
    ],
  ])("%s", async (_, query) => {
    const coming = take<comet38.TxEvent>(client.subscribeTx(query()), 2);
    const sent = [await commitOne(), await commitOne()];
    const [a, b] = (await coming).map((event) => event);
    expect([a?.tx, b?.tx]).toEqual(sent.map(({ tx }) => tx));
    expect([a?.hash, b?.hash]).toEqual(sent.map(({ done }) => done.hash));
    expect(b?.height).toBeGreaterThan(a?.height ?? 0);
    expect(a?.result.events.length).toBeGreaterThanOrEqual(1);
    expect(b?.result.events).not.toEqual(a?.result.events);
  });

  test("can unsubscribe and re-subscribe to the same stream", async () => {
    const stream = client.subscribeNewBlockHeader();
    let last = { height: 0, time: 0 };
    // At once; while the producer is being stopped; when it has been stopped over the network.
    for (const pauseMs of [0, 0, 5, 150]) {
      if (pauseMs > 0) await sleep(pauseMs);
      const [event] = await take<comet38.NewBlockHeaderEvent>(stream, 1);
      const next = { height: event?.height ?? 0, time: event?.time.getTime() ?? 0 };
      expect(next.height).toBeGreaterThan(last.height);
      expect(next.time).toBeGreaterThan(last.time);
      last = next;
    }
  });

  test("can subscribe twice", async () => {
    const both = [client.subscribeNewBlockHeader(), client.subscribeNewBlockHeader()];
    const [one, two] = await Promise.all(
      both.map((stream) => take<comet38.NewBlockHeaderEvent>(stream, 2)),
    );
    const heights = (events?: comet38.NewBlockHeaderEvent[]) => events?.map(({ height }) => height);
    expect(heights(one)).toHaveLength(2);
    expect(heights(two)).toEqual(heights(one));
  });
});
