import { expect, test } from "vitest";
import { buildModules } from "../../src/app/modules.ts";
import { SERVICES } from "../../src/gen/schema.ts";
import { portableCrypto } from "../../src/types/portable_crypto.ts";

/** Methods of the contract that no module answers, and who does or why nobody. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  "cosmos.tx.v1beta1.Service/Simulate": "the app itself: it runs the machine",
  "settled.tx.v1.Service/SimulateEffects": "the app itself: it runs the machine",
  "cosmos.tx.v1beta1.Service/TxDecode": "UNIMPLEMENTED: of the node, with its doors",
  "cosmos.tx.v1beta1.Service/GetTx": "UNIMPLEMENTED: of the node, with its REST and gRPC doors",
  "cosmos.tx.v1beta1.Service/BroadcastTx": "UNIMPLEMENTED: of the node, with its doors",
  "cosmos.tx.v1beta1.Service/GetTxsEvent": "UNIMPLEMENTED: of the node, with its doors",
  "cosmos.tx.v1beta1.Service/GetBlockWithTxs": "UNIMPLEMENTED: of the node, with its doors",
  "cosmos.tx.v1beta1.Service/TxEncode": "UNIMPLEMENTED: of the node, with its doors",
  "cosmos.tx.v1beta1.Service/TxEncodeAmino": "UNIMPLEMENTED: no door speaks binary amino",
  "cosmos.tx.v1beta1.Service/TxDecodeAmino": "UNIMPLEMENTED: no door speaks binary amino",
};

/** Services of the node, which come with the doors that serve them, and the socket's own. */
const OF_THE_NODE = [
  "cosmos.base.node.v1beta1.Service",
  "cosmos.base.tendermint.v1beta1.Service",
  "tendermint.abci.ABCI",
  "grpc.health.v1.Health",
  "grpc.reflection.v1.ServerReflection",
  "grpc.reflection.v1alpha.ServerReflection",
];

const { list } = buildModules("ve", portableCrypto.verifier);
const queries = list.flatMap((module) => module.queries.map(({ path }) => path));
const messages = list.flatMap((module) => module.msgs.map(({ typeUrl }) => typeUrl));

test("every message of the contract has a handler", () => {
  const missing = SERVICES.filter(({ isMsg }) => isMsg === true).flatMap(({ name, methods }) =>
    methods
      .filter(({ input }) => !messages.includes(`/${input}`))
      .map((method) => `${name}/${method.name}: no module handles /${method.input}`),
  );
  expect(missing).toEqual([]);
});

test("every query of the contract has a route, or a line that says who answers it", () => {
  const methods = SERVICES.filter(
    ({ isMsg, name }) => isMsg !== true && !OF_THE_NODE.includes(name),
  ).flatMap(({ name, methods: list }) => list.map((method) => `${name}/${method.name}`));
  const missing = methods.filter(
    (method) => !queries.includes(`/${method}`) && ELSEWHERE[method] === undefined,
  );
  expect(missing.map((method) => `${method} has no route`)).toEqual([]);
  const stale = Object.keys(ELSEWHERE).filter(
    (method) => queries.includes(`/${method}`) || !methods.includes(method),
  );
  expect(stale.map((method) => `${method}: take it out of ELSEWHERE`)).toEqual([]);
});

test("every route and handler is of the contract, once", () => {
  const known = SERVICES.flatMap(({ name, isMsg, methods }) =>
    methods.map((method) => (isMsg === true ? `/${method.input}` : `/${name}/${method.name}`)),
  );
  const all = [...queries, ...messages];
  expect(all.filter((path) => !known.includes(path))).toEqual([]);
  expect(new Set(all).size).toBe(all.length);
});
