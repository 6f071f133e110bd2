import { PageSize } from "../../node/search.ts";
import type { BlockMeta, NodeView, StoredBlock } from "../../node/view.ts";
import { encodeBlockMeta, encodeBlockResult, encodeCommit, encodeHeader } from "./encode/block.ts";
import { encodeResults } from "./encode/tx.ts";
import { failed } from "./errors.ts";
import { heightOf } from "./heights.ts";
import { type Json, LongList } from "./json.ts";
import { checkPage, type SearchParams, searchInput } from "./pages.ts";
import { required } from "./params.ts";
import type { RpcContext } from "./route.ts";

/** Headers that one blockchain call gives. */
const MAX_METAS = 20n;

export interface HeightParams {
  readonly height: bigint | undefined;
}

export interface HashParams {
  readonly hash: Uint8Array | undefined;
}

export async function block(params: HeightParams, { view, pace }: RpcContext): Promise<Json> {
  const height = heightOf(view, params.height);
  const found = await view.block(height, pace);
  // The height was checked: it can only have been pruned meanwhile.
  if (found === undefined) throw failed(`height ${height} is not available`);
  return encodeBlockResult(found);
}

export async function blockByHash(params: HashParams, { view, pace }: RpcContext): Promise<Json> {
  const height = await view.heightOfHash(required("hash", params.hash));
  return encodeBlockResult(height === undefined ? undefined : await view.block(height, pace));
}

export async function header(params: HeightParams, { view }: RpcContext): Promise<Json> {
  const found = await metaAt(view, heightOf(view, params.height));
  return { header: encodeHeader(found.header) };
}

export async function headerByHash(params: HashParams, { view }: RpcContext): Promise<Json> {
  const height = await view.heightOfHash(required("hash", params.hash));
  const found = height === undefined ? undefined : await view.blockMeta(height);
  return { header: found === undefined ? null : encodeHeader(found.header) };
}

/** The commit is canonical when the next block holds it: all but the latest. */
export async function commit(params: HeightParams, { view }: RpcContext): Promise<Json> {
  const height = heightOf(view, params.height);
  const found = await metaAt(view, height);
  return {
    signed_header: { header: encodeHeader(found.header), commit: encodeCommit(found.commit) },
    canonical: height < view.status().latestHeight,
  };
}

export async function blockResults(
  params: HeightParams,
  { view, pace }: RpcContext,
): Promise<Json> {
  const height = heightOf(view, params.height);
  const results = await view.blockResults(height, pace);
  if (results === undefined) throw failed(`could not find results for height #${height}`);
  return encodeResults(results);
}

export interface BlockchainParams {
  readonly minHeight: bigint | undefined;
  readonly maxHeight: bigint | undefined;
}

/** At most 20 headers, the highest first (CometBFT's BlockchainInfo and filterMinMax). */
export async function blockchain(
  params: BlockchainParams,
  { view, pace }: RpcContext,
): Promise<Json> {
  const { latestHeight, earliestHeight } = view.status();
  const { minHeight = 0n, maxHeight = 0n } = params;
  if (minHeight < 0n || maxHeight < 0n) throw failed("heights must be non-negative");
  const max = maxHeight === 0n || maxHeight > latestHeight ? latestHeight : maxHeight;
  const lowest = max - MAX_METAS + 1n;
  const asked = minHeight < earliestHeight ? earliestHeight : minHeight;
  const min = asked < lowest ? lowest : asked;
  if (min > max) throw failed(`min height ${min} can't be greater than max height ${max}`);
  const metas: Json[] = [];
  for (let height = max; height >= min; height -= 1n) {
    metas.push(encodeBlockMeta(await metaAt(view, height)));
    if (pace.isDue()) await pace.pause();
  }
  return { last_height: String(latestHeight), block_metas: metas };
}

export async function blockSearch(
  params: SearchParams,
  { view, signal, pace }: RpcContext,
): Promise<Json> {
  const { query, page } = searchInput(params, "desc");
  const { heights, total } = await view.searchBlocks(query, { ...page, signal, pace });
  checkPage(params.page, page.perPage, total);
  const blocks: StoredBlock[] = [];
  const size = new PageSize(heights.length);
  for (const height of heights) {
    const meta = await view.blockMeta(height);
    if (meta !== undefined) size.add(meta.size);
    const found = await view.block(height, pace);
    if (found !== undefined) blocks.push(found);
    signal.throwIfAborted();
  }
  return { blocks: LongList.of(blocks, encodeBlockResult), total_count: String(total) };
}

async function metaAt(view: NodeView, height: bigint): Promise<BlockMeta> {
  const found = await view.blockMeta(height);
  if (found === undefined) throw failed(`height ${height} is not available`);
  return found;
}
