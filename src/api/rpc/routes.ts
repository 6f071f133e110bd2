import { abciInfo, abciQuery } from "./abci.ts";
import * as blocks from "./blocks.ts";
import { devMine, devUseWallClock } from "./dev.ts";
import { isObject, type Json, own } from "./json.ts";
import * as net from "./net.ts";
import { type Route, route } from "./route.ts";
import { health, status } from "./status.ts";
import { subscribe, unsubscribe, unsubscribeAll } from "./subscriptions.ts";
import * as txs from "./txs.ts";

export type Routes = ReadonlyMap<string, Route>;

const height = { height: "int" } as const;
const search = { page: "int", per_page: "int", order_by: "text" } as const;
const ofHeight = (params: { readonly height: bigint | undefined }) => params.height !== undefined;
const always = () => true;
const found =
  (name: string) =>
  (_: object, result: Json): boolean =>
    isObject(result) && own(result, name) !== null;

/** CometBFT 0.38's methods (rpc/core/routes.go), less consensus internals, evidence and peers. */
const common: Readonly<Record<string, Route>> = {
  subscribe: route({ params: { query: "text" }, handler: subscribe, access: "websocket" }),
  unsubscribe: route({ params: { query: "text" }, handler: unsubscribe, access: "websocket" }),
  unsubscribe_all: route({ params: {}, handler: unsubscribeAll, access: "websocket" }),

  health: route({ params: {}, handler: health }),
  status: route({ params: {}, handler: status }),
  net_info: route({ params: {}, handler: net.netInfo }),
  genesis: route({ params: {}, handler: net.genesis, isFinal: always }),
  genesis_chunked: route({
    params: { chunk: "int" },
    handler: net.genesisChunked,
    isFinal: always,
  }),
  consensus_params: route({ params: height, handler: net.consensusParams, isFinal: ofHeight }),
  validators: route({
    params: { ...height, page: "int", per_page: "int" },
    handler: net.validators,
    isFinal: ofHeight,
  }),

  // Not final with both heights given either: the answer has the latest height in it.
  blockchain: route({
    params: { minHeight: "int", maxHeight: "int" },
    handler: blocks.blockchain,
    isHeavy: true,
  }),
  block: route({ params: height, handler: blocks.block, isFinal: ofHeight }),
  block_by_hash: route({
    params: { hash: "hash" },
    handler: blocks.blockByHash,
    isFinal: found("block"),
  }),
  block_results: route({
    params: height,
    handler: blocks.blockResults,
    isFinal: ofHeight,
    isHeavy: true,
  }),
  block_search: route({
    params: { query: "text", ...search },
    handler: blocks.blockSearch,
    isHeavy: true,
  }),
  commit: route({
    params: height,
    handler: blocks.commit,
    isFinal: (params, result) =>
      ofHeight(params) && isObject(result) && own(result, "canonical") === true,
  }),
  header: route({ params: height, handler: blocks.header, isFinal: ofHeight }),
  header_by_hash: route({
    params: { hash: "hash" },
    handler: blocks.headerByHash,
    isFinal: found("header"),
  }),

  tx: route({ params: { hash: "hash", prove: "flag" }, handler: txs.tx, isFinal: always }),
  tx_search: route({
    params: { query: "text", prove: "flag", ...search },
    handler: txs.txSearch,
    isHeavy: true,
    isLight: ({ query }) => query !== undefined && txs.asksForOneTx(query),
  }),
  check_tx: route({ params: { tx: "base64" }, handler: txs.checkTx }),
  unconfirmed_txs: route({ params: { limit: "int" }, handler: txs.unconfirmedTxs }),
  num_unconfirmed_txs: route({ params: {}, handler: txs.numUnconfirmedTxs }),
  broadcast_tx_commit: route({ params: { tx: "base64" }, handler: txs.broadcastTxCommit }),
  // The signatures of one batch are verified together; the txs are checked in order all the same.
  broadcast_tx_sync: route({
    params: { tx: "base64" },
    handler: txs.broadcastTxSync,
    runsTogether: true,
  }),
  broadcast_tx_async: route({
    params: { tx: "base64" },
    handler: txs.broadcastTxAsync,
    runsTogether: true,
  }),

  abci_query: route({
    params: { path: "text", data: "hex", height: "int", prove: "flag" },
    handler: abciQuery,
  }),
  abci_info: route({ params: {}, handler: abciInfo }),
};

const dev: Readonly<Record<string, Route>> = {
  dev_mine: route({
    params: { blocks: "int", time: "time" },
    handler: devMine,
    access: "control",
  }),
  dev_use_wall_clock: route({ params: {}, handler: devUseWallClock, access: "control" }),
};

/** @param withDev whether blocks and time may be moved by hand: a dev chain, on loopback */
export function routesOf(withDev: boolean): Routes {
  return new Map(Object.entries(withDev ? { ...common, ...dev } : common));
}
