import { MerkleTree } from "../../node/comet/merkle.ts";
import type { Pace } from "../../node/pace.ts";
import type { IndexedTx, NodeView } from "../../node/view.ts";
import type { TxResult } from "../../types/tx.ts";
import { base64, hex } from "./encode/bytes.ts";
import {
  encodeBroadcast,
  encodeIndexedTx,
  encodeTxResult,
  NO_RESULT,
  type TxProof,
} from "./encode/tx.ts";
import { failed, isRefusal } from "./errors.ts";
import { type Json, LongList } from "./json.ts";
import { MAX_QUERY_BYTES } from "./limits.ts";
import { checkPage, perPageOf, type SearchParams, searchInput } from "./pages.ts";
import { required } from "./params.ts";
import type { RpcContext } from "./route.ts";
import { sha256 } from "./sha256.ts";

export interface TxParams {
  readonly tx: Uint8Array | undefined;
}

/** Answers with the result of the check; a failed check is a code, not an error of JSON-RPC. */
export async function broadcastTxSync(params: TxParams, { view }: RpcContext): Promise<Json> {
  const bytes = required("tx", params.tx);
  return encodeBroadcast(sha256(bytes), await view.mempool.add(bytes));
}

/** Answers without the result of the check, whatever it was. */
export async function broadcastTxAsync(params: TxParams, { view }: RpcContext): Promise<Json> {
  const bytes = required("tx", params.tx);
  await view.mempool.add(bytes);
  return encodeBroadcast(sha256(bytes), { code: 0, log: "", codespace: "" });
}

/** Answers when the tx is in a block on disk, or at once when its check failed. */
export async function broadcastTxCommit(params: TxParams, context: RpcContext): Promise<Json> {
  const bytes = required("tx", params.tx);
  const hash = hex(sha256(bytes));
  const query = `tm.event='Tx' AND tx.hash='${hash}'`;
  const wait = context.commitWaits.open(query, context.signal);
  try {
    const check = await addForCommit(context.view, bytes);
    const check_tx = encodeTxResult(check);
    if (check.code !== 0) return { check_tx, tx_result: NO_RESULT, hash, height: "0" };
    const { tx: done, reason } = await wait.outcome;
    if (done === undefined) throw failed(reason);
    return { check_tx, tx_result: encodeTxResult(done.result), hash, height: String(done.height) };
  } finally {
    wait.close();
  }
}

async function addForCommit(view: NodeView, bytes: Uint8Array): Promise<TxResult> {
  try {
    return await view.mempool.add(bytes);
  } catch (error) {
    if (!isRefusal(error)) throw error;
    throw failed(`error on broadcastTxCommit: ${error.message}`);
  }
}

export function checkTx(params: TxParams, { view }: RpcContext): Json {
  return encodeTxResult(view.mempool.check(required("tx", params.tx)));
}

export function unconfirmedTxs(
  params: { readonly limit: bigint | undefined },
  { view }: RpcContext,
): Json {
  const txs = view.mempool.waiting(perPageOf(params.limit));
  return { ...waitingCount(view, txs.length), txs: txs.map(base64) };
}

export function numUnconfirmedTxs(_: object, { view }: RpcContext): Json {
  return { ...waitingCount(view, view.mempool.count), txs: null };
}

function waitingCount(view: NodeView, shown: number) {
  const { count, bytes } = view.mempool;
  return { n_txs: String(shown), total: String(count), total_bytes: String(bytes) };
}

export interface TxLookupParams {
  readonly hash: Uint8Array | undefined;
  readonly prove: boolean | undefined;
}

export async function tx(params: TxLookupParams, { view, pace }: RpcContext): Promise<Json> {
  const hash = required("hash", params.hash);
  const found = await view.tx(hash, pace);
  if (found === undefined) throw failed(`tx (${hex(hash)}) not found`);
  const proof = params.prove === true ? await new Prover(view, pace).proofOf(found) : undefined;
  return encodeIndexedTx(found, proof);
}

export interface TxSearchParams extends SearchParams {
  readonly prove: boolean | undefined;
}

const HASH_CONDITION = /(^\s*|\s[Aa][Nn][Dd]\s+)tx\.hash\s*=\s*'/;

/**
 * Whether a search is for the tx of one hash, as CosmJS waits for its txs: that is looked up, and
 * nothing is searched. A quoted value cannot hold a quote, so that no condition is found inside one.
 */
export function asksForOneTx(query: string): boolean {
  return query.length <= MAX_QUERY_BYTES && HASH_CONDITION.test(query);
}

export async function txSearch(
  params: TxSearchParams,
  { view, signal, pace }: RpcContext,
): Promise<Json> {
  const { query, page } = searchInput(params, "asc");
  const { txs, total } = await view.searchTxs(query, { ...page, signal, pace });
  checkPage(params.page, page.perPage, total);
  const found: { readonly tx: IndexedTx; readonly proof: TxProof | undefined }[] = [];
  const prover = params.prove === true ? new Prover(view, pace) : undefined;
  for (const one of txs) {
    found.push({ tx: one, proof: await prover?.proofOf(one) });
    signal.throwIfAborted();
  }
  const list = LongList.of(found, ({ tx: one, proof }) => encodeIndexedTx(one, proof));
  return { txs: list, total_count: String(total) };
}

/** Proves txs. A page has many txs of one block, in order: the tree of the last one is kept. */
class Prover {
  readonly #view: NodeView;
  readonly #pace: Pace;
  #last:
    | { readonly height: bigint; readonly root: Uint8Array; readonly tree: MerkleTree }
    | undefined;

  constructor(view: NodeView, pace: Pace) {
    this.#view = view;
    this.#pace = pace;
  }

  /** @throws RpcError when the block has been pruned meanwhile */
  async proofOf({ height, index }: IndexedTx): Promise<TxProof> {
    const last = this.#last?.height === height ? this.#last : await this.#treeOf(height);
    this.#last = last;
    return { root: last.root, proof: last.tree.proof(index) };
  }

  async #treeOf(height: bigint) {
    const block = await this.#view.block(height, this.#pace);
    if (block === undefined) {
      throw failed(`height ${height} is not available, so its txs cannot be proved`);
    }
    // The leaves are the hashes of the txs (CometBFT's types/tx.go, hashList).
    const leaves: Uint8Array[] = [];
    for (const bytes of block.txs) {
      leaves.push(sha256(bytes));
      if (this.#pace.isDue()) await this.#pace.pause();
    }
    const tree = await MerkleTree.over(leaves, this.#pace);
    return { height, root: block.header.dataHash, tree };
  }
}
