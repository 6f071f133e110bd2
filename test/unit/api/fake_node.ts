import { createHash } from "node:crypto";
import { EMPTY_BYTES, fromUtf8, toHex, utf8 } from "../../../src/lib/bytes.ts";
import { MempoolError, QueryLanguageError } from "../../../src/node/errors.ts";
import type {
  BlockCommit,
  BlockId,
  BlockMeta,
  BlockProduction,
  DevControls,
  EventBusView,
  IndexedTx,
  NodeEvent,
  NodeInfo,
  NodeStatus,
  NodeView,
  PageInput,
  StoredBlock,
  StoredResults,
} from "../../../src/node/view.ts";
import type { QueryInput, QueryOutput, StoreStats } from "../../../src/types/application.ts";
import { event } from "../../../src/types/event.ts";
import type { TimeNs } from "../../../src/types/time.ts";
import type { TxResult } from "../../../src/types/tx.ts";

export const CHAIN_ID = "settled-1";
/** 2026-01-01T00:00:00Z */
const START = 1_767_225_600_000_000_000n;

export function sha(...parts: readonly Uint8Array[]): Uint8Array {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return Uint8Array.from(hash.digest());
}

/** RFC 6962 root, written anew from the text of section 2.1. */
export function treeHash(items: readonly Uint8Array[]): Uint8Array {
  if (items.length === 0) return sha();
  const [only] = items;
  if (items.length === 1 && only !== undefined) return sha(Uint8Array.of(0), only);
  const split = 2 ** (Math.ceil(Math.log2(items.length)) - 1);
  const sides = [treeHash(items.slice(0, split)), treeHash(items.slice(split))];
  return sha(Uint8Array.of(1), ...sides);
}

type Listener = Parameters<EventBusView["subscribe"]>[1];

/** A node in memory. A tx is text: "bad…" fails its check, "fail…" fails in its block. */
export class FakeNode implements NodeView {
  readonly blocks: StoredBlock[] = [];
  readonly results: StoredResults[] = [];
  readonly indexed: IndexedTx[] = [];
  readonly waitingTxs: Uint8Array[] = [];
  readonly subscriptions = new Set<{ query: string; listener: Listener }>();
  readonly queries: QueryInput[] = [];
  dev: DevControls | undefined;
  earliest = 1n;

  readonly info: NodeInfo = {
    chainId: CHAIN_ID,
    moniker: "fake",
    nodeId: "ab".repeat(20),
    cometVersion: "0.38.17",
    appVersion: "0.1.0",
    bech32Prefix: "ve",
    bondDenom: "uve",
    validator: { address: sha(utf8("key")).slice(0, 20), publicKey: sha(utf8("pub")), power: 10n },
    txBytesMax: 1000,
  };

  readonly mempool = ((node: FakeNode) => ({
    get count() {
      return node.waitingTxs.length;
    },
    get bytes() {
      return node.waitingTxs.reduce((sum, tx) => sum + tx.length, 0);
    },
    waiting: (limit: number) => node.waitingTxs.slice(0, limit),
    check: (tx: Uint8Array) => checkResult(tx),
    add: async (tx: Uint8Array) => {
      if (tx.length > node.info.txBytesMax) {
        const sizes = `Max size is ${node.info.txBytesMax}, but got ${tx.length}`;
        throw new MempoolError("too-large", `Tx too large. ${sizes}`);
      }
      const known = [...node.waitingTxs, ...node.indexed.map((one) => one.tx)];
      if (known.some((one) => toHex(one) === toHex(tx))) {
        throw new MempoolError("in-cache", "tx already exists in cache");
      }
      const result = checkResult(tx);
      if (result.code === 0) node.waitingTxs.push(tx);
      return result;
    },
  }))(this);

  readonly events: EventBusView = {
    subscribe: (query, listener) => {
      conditionsOf(query);
      const subscription = { query, listener };
      this.subscriptions.add(subscription);
      return () => void this.subscriptions.delete(subscription);
    },
  };

  /** Puts what waits into the next block and tells the subscribers. */
  produce(): StoredBlock {
    const txs = this.waitingTxs.splice(0);
    const height = BigInt(this.blocks.length + 1);
    const block = this.#block(height, txs);
    const txResults = txs.map((tx) => blockResult(tx));
    const events = height % 2n === 0n ? [event("epoch", { number: String(height) })] : [];
    const results = { height, txResults, events, appHash: appHash(height) };
    this.blocks.push(block);
    this.results.push(results);
    const indexed = txs.map((tx, index) => ({
      hash: sha(tx),
      height,
      index,
      tx,
      result: txResults[index] as TxResult,
    }));
    this.indexed.push(...indexed);
    this.#publish({ kind: "NewBlock", block, results }, new Map([["tm.event", ["NewBlock"]]]));
    for (const tx of indexed) this.#publish({ kind: "Tx", tx }, attributesOf(tx));
    return block;
  }

  status(): NodeStatus {
    const [first, last] = [this.blocks[Number(this.earliest) - 1], this.blocks.at(-1)];
    if (first === undefined || last === undefined) throw new Error("no block yet");
    return {
      latestHeight: last.header.height,
      latestBlockHash: last.id.hash,
      latestAppHash: appHash(last.header.height),
      latestTime: last.header.time,
      earliestHeight: first.header.height,
      earliestBlockHash: first.id.hash,
      earliestAppHash: appHash(first.header.height),
      earliestTime: first.header.time,
      earliestQueryHeight: first.header.height,
    };
  }

  production(): BlockProduction {
    const none = { intervalMs: undefined, lateMs: 0, sinceLastMs: 0, halted: undefined };
    return { isByHand: true, ...none };
  }

  storeStats(): StoreStats {
    return { committedKeys: 0, cacheHits: 0, diskReads: 0, cacheBytes: 0 };
  }

  genesis(): unknown {
    return {
      genesis_time: "2026-01-01T00:00:00Z",
      chain_id: CHAIN_ID,
      initial_height: "1",
      app_state: { bank: { supply: [] } },
    };
  }

  async block(height: bigint): Promise<StoredBlock | undefined> {
    return height < this.earliest ? undefined : this.blocks[Number(height) - 1];
  }

  async blockMeta(height: bigint): Promise<BlockMeta | undefined> {
    const block = await this.block(height);
    return block && { ...block, txCount: block.txs.length };
  }

  async heightOfHash(hash: Uint8Array): Promise<bigint | undefined> {
    return this.blocks.find((one) => toHex(one.id.hash) === toHex(hash))?.header.height;
  }

  async blockResults(height: bigint): Promise<StoredResults | undefined> {
    return this.results[Number(height) - 1];
  }

  async tx(hash: Uint8Array): Promise<IndexedTx | undefined> {
    return this.indexed.find((one) => toHex(one.hash) === toHex(hash));
  }

  async searchTxs(query: string, page: PageInput) {
    const all = this.indexed.filter((one) => matches(query, attributesOf(one)));
    return { txs: pageOf(all, page), total: all.length };
  }

  async searchBlocks(query: string, page: PageInput) {
    const heights = this.blocks.map((one) => one.header.height);
    const all = heights.filter((one) => matches(query, new Map([["block.height", [`${one}`]]])));
    return { heights: pageOf(all, page), total: all.length };
  }

  async query(input: QueryInput): Promise<QueryOutput> {
    this.queries.push(input);
    const height = input.height === 0n ? this.status().latestHeight : input.height;
    const base = { key: EMPTY_BYTES, value: EMPTY_BYTES, height, codespace: "sdk", log: "" };
    if (input.path === "/fault") throw new TypeError("secret of the node");
    if (input.path !== "/echo") return { ...base, code: 6, log: "unknown query path" };
    return { ...base, code: 0, codespace: "", key: utf8("k"), value: input.data };
  }

  simulate(tx: Uint8Array): TxResult {
    return checkResult(tx);
  }

  #block(height: bigint, txs: readonly Uint8Array[]): StoredBlock {
    const previous = this.blocks.at(-1);
    const time = (START + height * 1_000_000_000n + 123n) as TimeNs;
    const id: BlockId = {
      hash: sha(utf8(`block ${height}`)),
      partsTotal: 1,
      partsHash: sha(utf8(`parts ${height}`)),
    };
    const fixed = sha(utf8("fixed"));
    const header = {
      chainId: CHAIN_ID,
      height,
      time,
      lastBlockId: previous?.id,
      lastCommitHash: fixed,
      dataHash: treeHash(txs.map((tx) => sha(tx))),
      validatorsHash: fixed,
      nextValidatorsHash: fixed,
      consensusHash: fixed,
      appHash: appHash(height - 1n),
      lastResultsHash: fixed,
      evidenceHash: fixed,
      proposer: this.info.validator.address,
    };
    const commit: BlockCommit = {
      height,
      round: 0,
      blockId: id,
      validatorAddress: this.info.validator.address,
      timestamp: time,
      signature: new Uint8Array(64).fill(7),
    };
    return { id, header, txs, lastCommit: previous?.commit, commit, size: 500 };
  }

  #publish(what: NodeEvent, attributes: Map<string, string[]>): void {
    for (const { query, listener } of [...this.subscriptions]) {
      if (matches(query, attributes)) listener(what, attributes);
    }
  }
}

/** A node with three blocks: two txs in the second, one in the third. */
export function fakeNode(): FakeNode {
  const node = new FakeNode();
  node.produce();
  node.waitingTxs.push(utf8("tx-one"), utf8("fail-two"));
  node.produce();
  node.waitingTxs.push(utf8("tx-three"));
  node.produce();
  return node;
}

function appHash(height: bigint): Uint8Array {
  return sha(utf8(`app ${height}`));
}

function checkResult(tx: Uint8Array): TxResult {
  return fromUtf8(tx)?.startsWith("bad")
    ? result(tx, { code: 32, codespace: "sdk", log: "account sequence mismatch" })
    : result(tx, { code: 0, codespace: "", log: "" });
}

function blockResult(tx: Uint8Array): TxResult {
  return fromUtf8(tx)?.startsWith("fail")
    ? result(tx, { code: 5, codespace: "bank", log: "insufficient funds" })
    : result(tx, { code: 0, codespace: "", log: "" });
}

function result(
  tx: Uint8Array,
  outcome: { code: number; codespace: string; log: string },
): TxResult {
  const data = outcome.code === 0 ? Uint8Array.of(18, 0) : EMPTY_BYTES;
  const events = [event("transfer", { sender: "alice", text: fromUtf8(tx) })];
  return {
    ...outcome,
    info: "",
    data,
    gasWanted: 200_000n,
    gasUsed: 9_007_199_254_740_993n,
    events,
  };
}

function attributesOf(tx: IndexedTx): Map<string, string[]> {
  return new Map([
    ["tm.event", ["Tx"]],
    ["tx.hash", [toHex(tx.hash).toUpperCase()]],
    ["tx.height", [String(tx.height)]],
    ["transfer.sender", ["alice"]],
  ]);
}

function pageOf<T>(all: readonly T[], { page, perPage, descending }: PageInput): T[] {
  const ordered = descending ? all.toReversed() : all;
  return ordered.slice((page - 1) * perPage, page * perPage);
}

function conditionsOf(query: string): [string, string][] {
  return query.split(" AND ").map((text) => {
    const match = /^\s*([a-z._]+)\s*=\s*(?:'([^']*)'|([0-9]+))\s*$/i.exec(text);
    if (match === null) throw new QueryLanguageError("expected a condition", 0);
    return [match[1] as string, match[2] ?? (match[3] as string)];
  });
}

function matches(query: string, attributes: ReadonlyMap<string, readonly string[]>): boolean {
  return conditionsOf(query).every(([tag, value]) => attributes.get(tag)?.includes(value) === true);
}
