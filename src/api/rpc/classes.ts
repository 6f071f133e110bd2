import type { RequestClass } from "../../node/metrics.ts";
import type { Routes } from "./routes.ts";

const TXS: readonly string[] = [
  ...["broadcast_tx_sync", "broadcast_tx_async", "broadcast_tx_commit", "check_tx"],
];

/** What kind of work a method is, for counts: a method that does not exist is "unknown". */
export function classOf(routes: Routes, method: string): RequestClass {
  const route = routes.get(method);
  if (route === undefined) return "unknown";
  if (TXS.includes(method)) return "tx";
  if (method === "abci_query") return "query";
  if (route.access === "websocket") return "subscribe";
  if (route.access === "control") return "control";
  return route.isHeavy ? "search" : "read";
}
