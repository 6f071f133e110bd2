import { wireBlock, wireBlockId } from "../../codec/tendermint.ts";
import * as wire from "../../gen/cosmos/tx/v1beta1/service.ts";
import { fromHex } from "../../lib/bytes.ts";
import type { Pace } from "../../node/pace.ts";
import type { IndexedTx, NodeView } from "../../node/view.ts";
import type { TimeNs } from "../../types/time.ts";
import type { HeavyQueue } from "../heavy_queue.ts";
import { checkPage, queryOf } from "../rpc/pages.ts";
import { RpcError } from "../rpc/errors.ts";
import { keptBlock } from "./kept_block.ts";
import { txMessage, txResponse } from "./tx_response.ts";
import { typedMethod } from "./typed_method.ts";
import { NEVER, STATUS, type UnaryCall, UnaryError, type UnaryMethod } from "./unary.ts";

const SERVICE = "cosmos.tx.v1beta1.Service";
/** Txs of one page, when nothing is said and at most (the Cosmos SDK's default, CometBFT's most). */
const PER_PAGE = 100;
const MAX_PAGE = 1_000_000_000n;
/** Bytes of the txs of one answer; an answer has each of them twice, and its events. */
const TX_BYTES_MAX = 1024 * 1024;

/** What is told of txs in blocks. */
export function txReadMethods(view: NodeView, heavy: HeavyQueue): UnaryMethod[] {
  const height = () => view.status().latestHeight;
  const inTurn = <T>(work: (pace: Pace) => Promise<T>, call: UnaryCall): Promise<T> =>
    heavy.run(work, call.signal ?? NEVER, call.client);
  return [
    typedMethod({
      path: `${SERVICE}/GetTx`,
      request: wire.GetTxRequest,
      response: wire.GetTxResponse,
      height,
      handle: ({ hash }, { signal, client }) =>
        txOfHash(view, hash, heavy.pace(signal ?? NEVER, client)),
    }),
    typedMethod({
      path: `${SERVICE}/GetTxsEvent`,
      request: wire.GetTxsEventRequest,
      response: wire.GetTxsEventResponse,
      height,
      handle: (request, call) => inTurn((pace) => searched(view, request, call, pace), call),
    }),
    typedMethod({
      path: `${SERVICE}/GetBlockWithTxs`,
      request: wire.GetBlockWithTxsRequest,
      response: wire.GetBlockWithTxsResponse,
      height,
      handle: (request, call) => inTurn((pace) => blockWithTxs(view, request, pace), call),
    }),
  ];
}

function invalid(text: string): UnaryError {
  return new UnaryError(STATUS.invalidArgument, text);
}

async function txOfHash(view: NodeView, text: string, pace: Pace): Promise<wire.GetTxResponse> {
  if (text === "") throw invalid("hash is empty: it is the 64 hex characters of a tx hash");
  const hash = fromHex(text.toLowerCase());
  if (hash?.length !== 32) throw invalid("hash is the 64 hex characters of a tx hash");
  const found = await view.tx(hash, pace);
  if (found === undefined) throw new UnaryError(STATUS.notFound, `tx not found: ${text}`);
  const block = await view.blockMeta(found.height);
  return { tx: txMessage(found.tx), txResponse: txResponse(found, block?.header.time) };
}

async function searched(
  view: NodeView,
  request: wire.GetTxsEventRequest,
  { signal }: UnaryCall,
  pace: Pace,
): Promise<wire.GetTxsEventResponse> {
  const query = searchText(request);
  const { page, limit } = pageOf(request);
  const descending = request.orderBy === wire.OrderBy.ORDER_BY_DESC;
  const found = await asArgument(async () => {
    const input = { page: Number(page), perPage: limit, descending, signal, pace };
    const result = await view.searchTxs(queryOf(query), input);
    checkPage(page, limit, result.total);
    return result;
  });
  checkBytes(found.txs);
  const times = await timesOf(view, found.txs);
  const txs = await paced(found.txs, ({ tx }) => txMessage(tx), pace);
  const total = BigInt(found.total);
  return {
    txs,
    txResponses: found.txs.map((tx) => txResponse(tx, times.get(tx.height))),
    pagination: { nextKey: new Uint8Array(0), total },
    total,
  };
}

/** The query; the deprecated `events` all have to hold. */
function searchText({ query, events }: wire.GetTxsEventRequest): string {
  const text = query === "" ? events.join(" AND ") : query;
  if (text === "") throw invalid("query is empty: give such as \"message.sender='ve1…'\"");
  return text;
}

/** Page and limit, or what the deprecated `pagination` says. */
function pageOf(request: wire.GetTxsEventRequest): { page: bigint; limit: number } {
  const { pagination } = request;
  if (pagination !== undefined && pagination.key.length > 0) {
    throw invalid("pagination.key is not offered for txs: use page and limit");
  }
  const asked = request.limit === 0n ? (pagination?.limit ?? 0n) : request.limit;
  const limit = asked === 0n || asked > BigInt(PER_PAGE) ? PER_PAGE : Number(asked);
  const fromOffset = (pagination?.offset ?? 0n) / BigInt(limit) + 1n;
  const page = request.page === 0n ? fromOffset : request.page;
  return { page: page > MAX_PAGE ? MAX_PAGE : page, limit };
}

/** A refusal in the words of the RPC is one of this call's arguments. */
async function asArgument<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof RpcError ? invalid(error.data) : error;
  }
}

function checkBytes(txs: readonly IndexedTx[]): void {
  const bytes = txs.reduce((sum, { tx }) => sum + tx.length, 0);
  if (txs.length > 1 && bytes > TX_BYTES_MAX) {
    const text = `the page has ${bytes} bytes of txs, at most ${TX_BYTES_MAX} are sent: ask for less with limit`;
    throw new UnaryError(STATUS.resourceExhausted, text);
  }
}

async function timesOf(
  view: NodeView,
  txs: readonly IndexedTx[],
): Promise<ReadonlyMap<bigint, TimeNs>> {
  const times = new Map<bigint, TimeNs>();
  for (const { height } of txs) {
    if (times.has(height)) continue;
    const block = await view.blockMeta(height);
    if (block !== undefined) times.set(height, block.header.time);
  }
  return times;
}

async function blockWithTxs(
  view: NodeView,
  { height, pagination }: wire.GetBlockWithTxsRequest,
  pace: Pace,
): Promise<wire.GetBlockWithTxsResponse> {
  const block = await keptBlock(view, height, pace);
  const offset = pagination?.offset ?? 0n;
  const limit = pagination === undefined || pagination.limit === 0n ? 100n : pagination.limit;
  const total = BigInt(block.txs.length);
  if (offset >= total && total > 0n) {
    throw invalid(`pagination.offset is below the ${total} txs of the block, found ${offset}`);
  }
  const ordered = pagination?.reverse === true ? block.txs.toReversed() : block.txs;
  const last = offset + limit > total ? total : offset + limit;
  const txs = await paced(ordered.slice(Number(offset), Number(last)), txMessage, pace);
  return {
    txs,
    blockId: wireBlockId(block.id),
    block: wireBlock(block),
    pagination: { nextKey: new Uint8Array(0), total },
  };
}

async function paced<T, R>(items: readonly T[], each: (item: T) => R, pace: Pace): Promise<R[]> {
  const done: R[] = [];
  for (const item of items) {
    done.push(each(item));
    if (pace.isDue()) await pace.pause();
  }
  return done;
}
