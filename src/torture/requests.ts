import { createHash } from "node:crypto";
import type { RequestClass } from "./fault.ts";
import { bytesField, firstMessage } from "./grpc_frames.ts";

/** What a request to a node asks for, as far as the proxy needs it. */
export interface NodeRequest {
  readonly requestClass: Exclude<RequestClass, "any">;
  /** Upper-case hex of the txs that it hands to the node. */
  readonly txHashes: readonly string[];
  /** Equal for requests that ask the same, whatever their JSON-RPC ids. */
  readonly question: string;
  /** The JSON-RPC id; undefined for requests without (addresses, batches, other doors). */
  readonly id: unknown;
}

const LOOKUPS = /^(tx|tx_search|block|block_by_hash|block_results|block_search|blockchain|commit)$/;
/** "/cosmos.tx.v1beta1.Service/BroadcastTx" */
const GRPC_PATH = /^\/((?:\w+\.)+\w+)\/(\w+)$/;
const REST_TXS = "/cosmos/tx/v1beta1/txs";
const REST_QUERIES = /^\/cosmos\/(tx\/v1beta1\/simulate|base\/tendermint\/v1beta1\/abci_query)$/;
const REST_LOOKUPS = /^\/cosmos\/(tx\/v1beta1\/txs|base\/tendermint\/v1beta1\/blocks)(\/|$)/;
/** Of the node itself: who it is, whether it is syncing. */
const REST_OF_NODE = /^\/cosmos\/base\//;
const REST_MODULE = /^\/\w+\/(?:\w+\/)*v[0-9]\w*\//;

/**
 * Reads a request over HTTP/1.1: JSON-RPC in the body, alone or in a list, or a method in the
 * address; REST; gRPC-Web.
 */
export function readRequest(method: string, path: string, body: Buffer): NodeRequest {
  const address = new URL(path, "http://node");
  const { pathname } = address;
  if (method === "POST" && GRPC_PATH.test(pathname)) {
    return readGrpcRequest(pathname, "", isFrame(body) ? body : ofBase64(body));
  }
  const rest = restClassOf(method, pathname);
  const question = `${path} ${body.toString("utf8")}`;
  if (rest !== undefined) {
    const tx = (parseCalls(body)[0] as { tx_bytes?: unknown } | undefined)?.tx_bytes;
    return request(rest, [tx], question, undefined);
  }
  if (method === "POST") return ofCalls(parseCalls(body), question);
  const name = pathname.slice(1);
  const tx = address.searchParams.get("tx") ?? "";
  return request(classOf(name), [tx.replace(/^"|"$/g, "")], path, undefined);
}

/**
 * Reads a gRPC request.
 * @param height that it asks for, as the header has it; "" for none
 * @param body its first message, with its head
 */
export function readGrpcRequest(path: string, height: string, body: Buffer): NodeRequest {
  const [, service = "", method = ""] = GRPC_PATH.exec(path) ?? [];
  const requestClass = grpcClassOf(service, method);
  const message = firstMessage(body);
  // The Cosmos SDK's and CometBFT's own have it in the same field.
  const tx = message === undefined ? undefined : bytesField(message, 1);
  const txHashes = requestClass === "broadcast" && tx !== undefined ? [sha256Hex(tx)] : [];
  const question = `${path} ${height} ${body.toString("base64")}`;
  return { requestClass, txHashes, question, id: undefined };
}

function grpcClassOf(service: string, method: string): NodeRequest["requestClass"] {
  if (method === "BroadcastTx") return "broadcast";
  if (/^Get(Tx|\w*Block)/.test(method)) return "lookup";
  return /\.Query$/.test(service) || /^(Simulate|ABCIQuery)/.test(method) ? "query" : "other";
}

/** undefined: not REST. */
function restClassOf(method: string, path: string): NodeRequest["requestClass"] | undefined {
  if (method === "POST" && path === REST_TXS) return "broadcast";
  if (REST_LOOKUPS.test(path)) return "lookup";
  if (REST_QUERIES.test(path)) return "query";
  if (REST_OF_NODE.test(path)) return "other";
  return REST_MODULE.test(path) ? "query" : undefined;
}

/** Of gRPC-Web: flags of a frame, which are no letter of base64. */
function isFrame(body: Buffer): boolean {
  return (body[0] ?? 0) < 0x20;
}

function ofBase64(body: Buffer): Buffer {
  return Buffer.from(body.toString("latin1"), "base64");
}

interface Call {
  readonly id?: unknown;
  readonly method?: unknown;
  readonly params?: unknown;
}

function ofCalls(calls: readonly unknown[], whole: string): NodeRequest {
  const read = calls.map((call) => {
    const { id, method, params } = (call ?? {}) as Call;
    const tx = Array.isArray(params) ? params[0] : (params as { tx?: unknown } | null)?.tx;
    const name = typeof method === "string" ? method : "";
    return request(classOf(name), [tx], `${name} ${JSON.stringify(params)}`, id);
  });
  const [first] = read;
  if (read.length === 1 && first !== undefined) return first;
  // A batch is one request of the class of its weightiest call.
  const classes = (["broadcast", "query", "lookup", "other"] as const).filter((each) =>
    read.some(({ requestClass }) => requestClass === each),
  );
  const txHashes = read.flatMap((each) => each.txHashes);
  return { requestClass: classes[0] ?? "other", txHashes, question: whole, id: undefined };
}

function request(
  requestClass: NodeRequest["requestClass"],
  txs: readonly unknown[],
  question: string,
  id: unknown,
): NodeRequest {
  const hashes = requestClass === "broadcast" ? txs.flatMap(hashOf) : [];
  return { requestClass, txHashes: hashes, question, id };
}

function classOf(method: string): NodeRequest["requestClass"] {
  if (/^broadcast_tx_/.test(method)) return "broadcast";
  if (method === "abci_query") return "query";
  return LOOKUPS.test(method) ? "lookup" : "other";
}

/** Of base64, or of hex with 0x as addresses have it. */
function hashOf(tx: unknown): string[] {
  if (typeof tx !== "string" || tx === "") return [];
  const bytes = tx.startsWith("0x") ? Buffer.from(tx.slice(2), "hex") : Buffer.from(tx, "base64");
  return [sha256Hex(bytes)];
}

function sha256Hex(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex").toUpperCase();
}

function parseCalls(body: Uint8Array): unknown[] {
  try {
    const value: unknown = JSON.parse(Buffer.from(body).toString("utf8"));
    return Array.isArray(value) ? value : [value];
  } catch {
    return [];
  }
}

/** An answer with the id of another request: an old answer to a new question. */
export function withId(answer: Uint8Array, id: unknown): Uint8Array {
  if (id === undefined) return answer;
  try {
    const value = JSON.parse(Buffer.from(answer).toString("utf8")) as object;
    return Buffer.from(JSON.stringify({ ...value, id }));
  } catch {
    return answer;
  }
}
