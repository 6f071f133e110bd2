import { setImmediate } from "node:timers/promises";
import { merkleProof } from "../../node/comet/merkle.ts";
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
import type { Json } from "./json.ts";
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

export async function tx(params: TxLookupParams, { view }: RpcContext): Promise<Json> {
  const hash = required("hash", params.hash);
  const found = await view.tx(hash);
  if (found === undefined) throw failed(`tx (${hex(hash)}) not found`);
  return encodeIndexedTx(found, await proofOf(view, found, params.prove, {}));
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
  { view, signal }: RpcContext,
): Promise<Json> {
  const { query, page } = searchInput(params, "asc");
  const { txs, total } = await view.searchTxs(query, { ...page, signal });
  checkPage(params.page, page.perPage, total);
  const found: Json[] = [];
  const known: KnownBlock = {};
  for (const one of txs) {
    found.push(encodeIndexedTx(one, await proofOf(view, one, params.prove, known)));
    // A proof costs a hash for each tx of its block: others get their turn in between.
    if (params.prove === true) await setImmediate();
    signal.throwIfAborted();
  }
  return { txs: found, total_count: String(total) };
}

/** The block whose tx was proved last: a page has many txs of one block, in order. */
interface KnownBlock {
  last?: { readonly height: bigint; readonly root: Uint8Array; readonly leaves: Uint8Array[] };
}

async function proofOf(
  view: NodeView,
  { height, index }: IndexedTx,
  prove: boolean | undefined,
  known: KnownBlock,
): Promise<TxProof | undefined> {
  if (prove !== true) return undefined;
  if (known.last?.height !== height) {
    const block = await view.block(height);
    if (block === undefined) {
      throw failed(`height ${height} is not available, so its txs cannot be proved`);
    }
    // The leaves are the hashes of the txs (CometBFT's types/tx.go, hashList).
    known.last = { height, root: block.header.dataHash, leaves: block.txs.map(sha256) };
  }
  return { root: known.last.root, proof: merkleProof(known.last.leaves, index) };
}
