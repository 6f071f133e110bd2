/** Kinds of requests, counted apart from 1 on. A request of any kind counts as `any` as well. */
export const REQUEST_CLASSES = ["broadcast", "query", "lookup", "other", "any"] as const;

/**
 * - `broadcast`: hands a tx to the node (broadcast_tx_sync, _async, _commit; POST of a tx to REST;
 *   BroadcastTx of gRPC).
 * - `query`: asks the modules' state, or simulates (abci_query; services named Query; their REST).
 * - `lookup`: txs and blocks (tx, tx_search, block; GetTx, GetBlockByHeight; their REST).
 * - `other`: status, health, and all else, WebSocket connections included.
 */
export type RequestClass = (typeof REQUEST_CLASSES)[number];

/** What happens to a request or its answer, in the order in which it happens. */
export const REQUEST_FAULTS = [
  "delay",
  "hold",
  "cut_request",
  "unavailable",
  "stale",
  "duplicate",
  "lose_answer",
  "cut_answer",
  "bad_gateway",
  "garbage",
  "truncated",
  "drip",
] as const;

/** What happens to the world around the requests. */
export const WORLD_FAULTS = ["kill_node", "kill_daemon", "skew_time"] as const;

export type RequestFaultKind = (typeof REQUEST_FAULTS)[number];
export type WorldFaultKind = (typeof WORLD_FAULTS)[number];
export type FaultKind = RequestFaultKind | WorldFaultKind;

export const FAULT_KINDS: readonly FaultKind[] = [...REQUEST_FAULTS, ...WORLD_FAULTS];

/** What a fault does, for people, and what its `ms` and `seconds` mean when it has them. */
export const FAULT_MEANINGS: Readonly<Record<FaultKind, string>> = {
  delay: "the request reaches the node `ms` later",
  hold: "the request waits until a later one has been answered, `ms` at most",
  cut_request: "the connection is cut before the node sees the request",
  unavailable: "HTTP 503, of gRPC status 14, and the node does not see the request",
  stale: "an earlier answer to the same question instead of the node's",
  duplicate: "the node gets the request twice; the client gets the second answer",
  lose_answer: "the node does it (a tx: until it is in a block); then the connection is cut",
  cut_answer: "the connection is cut in the middle of the answer",
  bad_gateway: "the node does it; the client gets HTTP 502",
  garbage: "the node does it; the client gets HTTP 200 and no JSON, of gRPC no message",
  truncated: "the node does it; the client gets the first half of the answer as if it were all",
  drip: "the answer comes in small pieces over `ms`",
  kill_node: "the node is killed (SIGKILL) and started again after `ms`",
  kill_daemon: "the daemon is killed (SIGKILL) and started again after `ms`",
  skew_time: "the chain's time stands still for `seconds` while blocks go on, then jumps on",
};

/** The `nth` request of a class since the daemon was first started, and `plusMs` later. */
export interface RequestPoint {
  readonly of: RequestClass;
  readonly nth: number;
  /** Only of world faults. */
  readonly plusMs?: number;
}

/** So many milliseconds after the daemon was first started. */
export interface TimePoint {
  readonly afterMs: number;
}

export interface Fault {
  readonly kind: FaultKind;
  /** Request faults happen to requests; world faults at either kind of point. */
  readonly at: RequestPoint | TimePoint;
  readonly ms?: number;
  readonly seconds?: number;
}

export function isRequestFault(
  fault: Fault,
): fault is Fault & { readonly kind: RequestFaultKind; readonly at: RequestPoint } {
  return (REQUEST_FAULTS as readonly string[]).includes(fault.kind);
}

/** One line for people: "lose_answer of broadcast 2". */
export function faultText(fault: Fault): string {
  const { at, kind, ms, seconds } = fault;
  const later = "of" in at && at.plusMs !== undefined ? ` + ${at.plusMs} ms` : "";
  const point = "of" in at ? `${at.of} ${at.nth}${later}` : `${at.afterMs} ms`;
  const size = [
    ...(ms === undefined ? [] : [`${ms} ms`]),
    ...(seconds === undefined ? [] : [`${seconds} s`]),
  ];
  const more = size.length === 0 ? "" : ` (${size.join(", ")})`;
  return `${kind} at ${point}${more}`;
}
