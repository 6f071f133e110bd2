import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { routesOf } from "../../src/api/rpc/routes.ts";
import { SERVICES } from "../../src/gen/schema.ts";
import { inRoot } from "./repository.ts";

// What the doors have that does more than read. A method that is new stands in none of these lists:
// whoever adds one says here whether it moves anything, and only txs with a signature may.

/** They hand a tx to the mempool, which checks its signatures. */
const TAKES_TX = ["broadcast_tx_async", "broadcast_tx_commit", "broadcast_tx_sync"];
/** They run a tx against a copy of the state that is thrown away, or take it apart. */
const TRIES_TX = ["check_tx"];
/** Blocks and time of dev chains that only this machine can reach; never by GET. */
const DEV_CONTROLS = ["dev_mine", "dev_use_wall_clock"];
const READS = [
  ...["abci_info", "abci_query", "block", "block_by_hash", "block_results", "block_search"],
  ...["blockchain", "commit", "consensus_params", "genesis", "genesis_chunked", "header"],
  ...["header_by_hash", "health", "net_info", "num_unconfirmed_txs", "status", "tx", "tx_search"],
  ...["unconfirmed_txs", "validators"],
];
const SUBSCRIBES = ["subscribe", "unsubscribe", "unsubscribe_all"];

test("nothing of the RPC moves money or time but signed txs and the dev controls", () => {
  const routes = routesOf(true);
  const known = [...TAKES_TX, ...TRIES_TX, ...DEV_CONTROLS, ...READS, ...SUBSCRIBES];
  expect([...routes.keys()].sort()).toEqual(known.sort());
  const controls = [...routes].filter(([, { access }]) => access === "control");
  expect(controls.map(([name]) => name).sort()).toEqual(DEV_CONTROLS);
  expect([...routesOf(false).keys()].filter((name) => DEV_CONTROLS.includes(name))).toEqual([]);
});

test("every method of gRPC and gRPC-Web reads, but for the one that takes signed txs", () => {
  // Services of messages are for txs only: no door has them.
  const services = SERVICES.filter(({ isMsg }) => isMsg !== true).map(({ name }) => name);
  const readers = services.filter((name) => name.endsWith(".Query"));
  const others = services.filter((name) => !name.endsWith(".Query")).sort();
  expect(readers.length).toBeGreaterThan(4);
  expect(others).toEqual([
    ...["cosmos.base.node.v1beta1.Service", "cosmos.base.tendermint.v1beta1.Service"],
    ...["cosmos.tx.v1beta1.Service", "grpc.health.v1.Health"],
    ...["grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"],
    ...["settled.tx.v1.Service", "tendermint.abci.ABCI"],
  ]);
  const ofTxs = SERVICES.filter(({ name }) => /\.tx\.v1(beta1)?\.Service$/.test(name));
  expect(ofTxs.flatMap(({ methods }) => methods.map(({ name }) => name)).sort()).toEqual([
    ...["BroadcastTx", "GetBlockWithTxs", "GetTx", "GetTxsEvent", "Simulate", "SimulateEffects"],
    ...["TxDecode", "TxDecodeAmino", "TxEncode", "TxEncodeAmino"],
  ]);
});

test("REST takes POST for txs alone", async () => {
  const text = await readFile(inRoot("docs/openapi.json"), "utf8");
  const paths = (JSON.parse(text) as { paths: Record<string, object> }).paths;
  const posts = Object.entries(paths).flatMap(([path, verbs]) =>
    Object.keys(verbs).flatMap((verb) => (verb === "get" ? [] : [`${verb} ${path}`])),
  );
  const tx = "post /cosmos/tx/v1beta1";
  expect(posts.sort()).toEqual([
    ...["decode", "decode/amino", "encode", "encode/amino", "simulate", "txs"].map(
      (name) => `${tx}/${name}`,
    ),
    "post /settled/tx/v1/simulate_effects",
  ]);
});
