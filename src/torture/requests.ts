import { createHash } from "node:crypto";
import type { RequestClass } from "./fault.ts";

/** What an HTTP request to a node asks for, as far as the proxy needs it. */
export interface NodeRequest {
  readonly requestClass: Exclude<RequestClass, "any">;
  /** Upper-case hex of the txs that it hands to the node. */
  readonly txHashes: readonly string[];
  /** Equal for requests that ask the same, whatever their JSON-RPC ids. */
  readonly question: string;
  /** The JSON-RPC id; undefined for requests without (addresses, batches). */
  readonly id: unknown;
}

const LOOKUPS = /^(tx|tx_search|block|block_by_hash|block_results|block_search|blockchain|commit)$/;
const REST_TXS = "/cosmos/tx/v1beta1/txs";

/** Reads a request: JSON-RPC in the body, alone or in a list, or a method in the address. */
export function readRequest(method: string, path: string, body: Uint8Array): NodeRequest {
  const address = new URL(path, "http://node");
  if (method === "POST") {
    const calls = parseCalls(body);
    if (address.pathname === REST_TXS) {
      const tx = (calls[0] as { tx_bytes?: unknown } | undefined)?.tx_bytes;
      return request("broadcast", [tx], `${path} ${String(tx)}`, undefined);
    }
    return ofCalls(calls, `${path} ${Buffer.from(body).toString("utf8")}`);
  }
  const name = address.pathname.slice(1);
  const tx = address.searchParams.get("tx") ?? "";
  return request(classOf(name), [tx.replace(/^"|"$/g, "")], path, undefined);
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
  return [createHash("sha256").update(bytes).digest("hex").toUpperCase()];
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
