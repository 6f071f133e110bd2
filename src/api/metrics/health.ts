import type { IncomingMessage, ServerResponse } from "node:http";
import type { NodeView } from "../../node/view.ts";

/** A node is late when a block is due for this many intervals, and for this long at least. */
const LATE_INTERVALS = 3;
const LATE_LEAST_MS = 5000;

export interface HealthAnswer {
  /** 200, or 503 with a reason. */
  readonly status: 200 | 503;
  readonly body: {
    readonly status: "ok" | "halted" | "ready" | "not ready";
    readonly chain_id: string;
    /** Of the last block. */
    readonly height: string;
    /** Why it is not ready, or what to know of one that is. */
    readonly reason?: string;
  };
}

/** Whether the process works: it answers, and its node has not halted. */
export function healthOf(view: NodeView): HealthAnswer {
  const { halted } = view.production();
  const place = placeOf(view);
  if (halted === undefined) return { status: 200, body: { status: "ok", ...place } };
  return { status: 503, body: { status: "halted", ...place, reason: halted } };
}

/**
 * Whether the node does its work: there is a block, and the next is not long overdue. Where blocks
 * come by hand, or with txs only, none is ever overdue, and the answer says so.
 */
export function readinessOf(view: NodeView, lateLeastMs = LATE_LEAST_MS): HealthAnswer {
  const { halted, lateMs, intervalMs, isByHand } = view.production();
  const place = placeOf(view);
  const notReady = (reason: string): HealthAnswer => {
    return { status: 503, body: { status: "not ready", ...place, reason } };
  };
  if (halted !== undefined) return notReady(halted);
  const lateMax = Math.max(lateLeastMs, LATE_INTERVALS * (intervalMs ?? 0));
  if (lateMs > lateMax) {
    const late = `a block has been due for ${Math.round(lateMs)} ms`;
    return notReady(`${late}, more than ${lateMax} ms: see the node's log and its disk`);
  }
  const note = isByHand
    ? { reason: "blocks are made by hand: none is ever overdue" }
    : intervalMs === undefined
      ? { reason: "blocks are made when txs come: none is due" }
      : {};
  return { status: 200, body: { status: "ready", ...place, ...note } };
}

function placeOf(view: NodeView): { chain_id: string; height: string } {
  return { chain_id: view.info.chainId, height: view.status().latestHeight.toString() };
}

/** The answer of a path of health, for any HTTP door; undefined for another path. */
export function healthAnswer(view: NodeView, path: string): HealthAnswer | undefined {
  if (path === "/health") return healthOf(view);
  return path === "/ready" ? readinessOf(view) : undefined;
}

/**
 * Answers GET and HEAD of /health and /ready, for any HTTP server to mount.
 * @returns whether the path was one of them
 */
export function serveHealth(
  view: NodeView,
  request: IncomingMessage,
  response: ServerResponse,
): boolean {
  const [path = ""] = (request.url ?? "").split("?", 1);
  const answer = healthAnswer(view, path);
  if (answer === undefined) return false;
  const text = `${JSON.stringify(answer.body)}\n`;
  response.writeHead(answer.status, {
    "Content-Type": "application/json",
    "Content-Length": Buffer.byteLength(text),
    "Cache-Control": "no-store",
  });
  response.end(request.method === "HEAD" ? undefined : text);
  return true;
}
