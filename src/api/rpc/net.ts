import { utf8 } from "../../lib/bytes.ts";
import { DEFAULT_BLOCK_PARAMS } from "../../node/genesis_file.ts";
import type { NodeView } from "../../node/view.ts";
import { base64 } from "./encode/bytes.ts";
import { encodeValidator } from "./encode/node.ts";
import { failed } from "./errors.ts";
import { heightOf } from "./heights.ts";
import { isObject, type Json, type JsonObject } from "./json.ts";
import { checkPage, perPageOf } from "./pages.ts";
import type { RpcContext } from "./route.ts";

/** Bytes of one chunk of the genesis document, as in CometBFT. */
const CHUNK_BYTES = 16 * 1024 * 1024;

/** A node of Settled has no peers of its own. */
export function netInfo(_: object, { listenAddress }: RpcContext): Json {
  return { listening: true, listeners: [`Listener(@${listenAddress})`], n_peers: "0", peers: [] };
}

const { maxBytes, maxGas } = DEFAULT_BLOCK_PARAMS;

/** What holds where a genesis file leaves consensus params out. */
const DEFAULT_CONSENSUS_PARAMS: JsonObject = {
  block: { max_bytes: String(maxBytes), max_gas: String(maxGas) },
  evidence: {
    max_age_num_blocks: "100000",
    max_age_duration: "172800000000000",
    max_bytes: "1048576",
  },
  validator: { pub_key_types: ["ed25519"] },
  version: { app: "0" },
  abci: { vote_extensions_enable_height: "0" },
};

/** The genesis document, with the fields filled in that clients insist on. */
export function genesis(_: object, { view }: RpcContext): Json {
  return { genesis: genesisOf(view) };
}

function genesisOf(view: NodeView): JsonObject {
  return { app_hash: "", ...fieldsOf(view.genesis()), consensus_params: consensusParamsOf(view) };
}

function consensusParamsOf(view: NodeView): JsonObject {
  const given = fieldsOf(fieldsOf(view.genesis())["consensus_params"]);
  return { ...DEFAULT_CONSENSUS_PARAMS, ...given };
}

// The node has parsed its genesis file as JSON and checked it: only its type is lost.
function fieldsOf(value: unknown): JsonObject {
  return isObject(value) ? (value as JsonObject) : {};
}

/** `chunk` counts from 0; the joined bytes of all chunks are the document as JSON. */
export function genesisChunked(
  params: { readonly chunk: bigint | undefined },
  { view }: RpcContext,
): Json {
  const bytes = utf8(JSON.stringify(genesisOf(view)));
  const total = Math.max(1, Math.ceil(bytes.length / CHUNK_BYTES));
  const chunk = params.chunk ?? 0n;
  if (chunk < 0n || chunk >= BigInt(total)) {
    throw failed(`there are ${total - 1} chunks, ${chunk} is invalid`);
  }
  const start = Number(chunk) * CHUNK_BYTES;
  return {
    chunk: String(chunk),
    total: String(total),
    data: base64(bytes.subarray(start, start + CHUNK_BYTES)),
  };
}

/** Without a height those of the next block, as in CometBFT. */
export function consensusParams(
  params: { readonly height: bigint | undefined },
  { view }: RpcContext,
): Json {
  const height = heightOf(view, params.height, 1n);
  return { block_height: String(height), consensus_params: consensusParamsOf(view) };
}

export interface ValidatorsParams {
  readonly height: bigint | undefined;
  readonly page: bigint | undefined;
  readonly per_page: bigint | undefined;
}

/** Without a height those of the next block, as in CometBFT. */
export function validators(params: ValidatorsParams, { view }: RpcContext): Json {
  const height = heightOf(view, params.height, 1n);
  checkPage(params.page, perPageOf(params.per_page), 1);
  return {
    block_height: String(height),
    validators: [encodeValidator(view.info.validator)],
    count: "1",
    total: "1",
  };
}
