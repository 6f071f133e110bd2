import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { expect, test } from "vitest";
import { PROFILES, profileNamed } from "../../src/torture/profiles.ts";
import { readGrpcRequest, readRequest } from "../../src/torture/requests.ts";
import { drawSchedule, parseSchedule, scheduleText } from "../../src/torture/schedule.ts";
import { shrink } from "../../src/torture/shrink.ts";

const ALL = { canRestartNode: true, canKillDaemon: true, canSkewTime: true };

test("the same seed gives the same schedule, of the profile's kinds, and a file keeps it", () => {
  for (const profile of PROFILES) {
    for (let seed = 0; seed < 50; seed += 1) {
      const schedule = drawSchedule(seed, profile, 12, ALL);
      expect(drawSchedule(seed, profile, 12, ALL)).toEqual(schedule);
      for (const { kind } of schedule.faults) expect(profile.kinds).toContain(kind);
      expect(parseSchedule(scheduleText(schedule), "file")).toEqual(schedule);
    }
  }
});

test("what cannot be done here is not drawn; a profile of nothing else is refused", () => {
  const none = { canRestartNode: false, canKillDaemon: false, canSkewTime: false };
  const everything = profileNamed("everything");
  const restarts = profileNamed("restarts");
  if (everything === undefined || restarts === undefined) throw new Error("no such profile");
  const { faults } = drawSchedule(1, everything, 200, none);
  const kinds = new Set(faults.map(({ kind }) => kind));
  for (const kind of ["kill_node", "kill_daemon", "skew_time"]) expect(kinds).not.toContain(kind);
  expect(() => drawSchedule(1, restarts, 5, none)).toThrow(/--spawn-node or --restart-node/);
});

test.each([
  ["{", /bad.json: not JSON/],
  ["{}", /"faults" is a list/],
  ['{"faults":[{"kind":"bite","at":{"of":"any","nth":1}}]}', /faults\[0\]: "kind" is one of/],
  ['{"faults":[{"kind":"delay","at":{"of":"any","nth":0}}]}', /faults\[0\]: "at" is/],
  ['{"faults":[{"kind":"delay","at":{"afterMs":5}}]}', /happens at \{"of", "nth"\}/],
  ['{"faults":[{"kind":"delay","at":{"of":"any","nth":1},"ms":-1}]}', /"ms" is a whole number/],
  ['{"faults":[{"kind":"delay","at":{"of":"any","nth":1},"for":1}]}', /unknown field "for"/],
])("a schedule that cannot be read says what is wrong: %s", (text, message) => {
  expect(() => parseSchedule(text, "bad.json")).toThrow(message);
});

test("shrinking finds the few that are needed together, and asks rarely", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 2, max: 24 }),
      fc.uniqueArray(fc.integer({ min: 0, max: 23 }), { minLength: 1, maxLength: 2 }),
      async (size, wanted) => {
        const needed = wanted.map((each) => each % size);
        const list = Array.from({ length: size }, (_, index) => index);
        const fails = (part: readonly number[]) =>
          Promise.resolve(needed.every((each) => part.includes(each)));
        const { smallest, tries } = await shrink(list, fails, 200);
        expect([...smallest]).toEqual([...new Set(needed)].sort((a, b) => a - b));
        expect(tries).toBeLessThan(100);
      },
    ),
  );
});

test("what fails without anything shrinks to nothing; tries are bounded", async () => {
  expect(await shrink([1, 2, 3], () => Promise.resolve(true), 9)).toEqual({
    smallest: [],
    tries: 1,
  });
  const never = await shrink([1, 2, 3, 4, 5, 6, 7, 8], () => Promise.resolve(false), 5);
  expect(never).toEqual({ smallest: [1, 2, 3, 4, 5, 6, 7, 8], tries: 5 });
});

const TX = Buffer.from("a tx").toString("base64");
const HASH = "D2DB2DD7DE45DBA1114AAAAC3F8A51795E43F3FA64E2705D43F1D72426D1E2F4";

test.each([
  ["POST", "/", { method: "broadcast_tx_sync", params: { tx: TX } }, "broadcast"],
  ["POST", "/", { method: "broadcast_tx_commit", params: [TX] }, "broadcast"],
  ["POST", "/cosmos/tx/v1beta1/txs", { tx_bytes: TX }, "broadcast"],
  ["GET", `/broadcast_tx_async?tx=0x${Buffer.from("a tx").toString("hex")}`, {}, "broadcast"],
  ["POST", "/", { method: "abci_query", params: {} }, "query"],
  ["GET", "/block_results?height=5", {}, "lookup"],
  ["POST", "/", { method: "status" }, "other"],
  ["POST", "/cosmos/tx/v1beta1/simulate", { tx_bytes: TX }, "query"],
  ["GET", `/cosmos/tx/v1beta1/txs/${HASH}`, {}, "lookup"],
  ["GET", "/cosmos/tx/v1beta1/txs?query=tx.height=5", {}, "lookup"],
  ["GET", "/cosmos/base/tendermint/v1beta1/blocks/latest", {}, "lookup"],
  ["GET", "/cosmos/base/tendermint/v1beta1/node_info", {}, "other"],
  ["GET", "/virtengine/settlement/v1/usage/by-order/order-1", {}, "query"],
  ["GET", "/cosmos/auth/v1beta1/account_info/ve1abc?x=1", {}, "query"],
])("%s %s %j is a %s", (method, path, body, requestClass) => {
  const read = readRequest(method, path, Buffer.from(JSON.stringify(body)));
  expect(read.requestClass).toBe(requestClass);
  expect(read.txHashes).toEqual(requestClass === "broadcast" ? [HASH] : []);
});

/** A message of field 1, in a frame. */
const frame = (content: Buffer, flags = 0) => {
  const head = Buffer.from([flags, 0, 0, 0, 0]);
  head.writeUInt32BE(content.length, 1);
  return Buffer.concat([head, content]);
};
const txMessage = Buffer.concat([Buffer.of(0x0a, 4), Buffer.from("a tx"), Buffer.of(0x10, 2)]);

test.each([
  ["cosmos.tx.v1beta1.Service/BroadcastTx", "broadcast"],
  ["tendermint.rpc.grpc.BroadcastAPI/BroadcastTx", "broadcast"],
  ["cosmos.tx.v1beta1.Service/Simulate", "query"],
  ["cosmos.tx.v1beta1.Service/GetTx", "lookup"],
  ["cosmos.tx.v1beta1.Service/GetTxsEvent", "lookup"],
  ["cosmos.base.tendermint.v1beta1.Service/GetLatestBlock", "lookup"],
  ["cosmos.base.tendermint.v1beta1.Service/GetNodeInfo", "other"],
  ["cosmos.auth.v1beta1.Query/Account", "query"],
  ["virtengine.settlement.v1.Query/UsageRecordsByOrder", "query"],
  ["grpc.health.v1.Health/Check", "other"],
])("gRPC: %s is a %s, zipped or not, and over gRPC-Web in bytes and in text", (path, expected) => {
  const plain = frame(txMessage);
  for (const read of [
    readGrpcRequest(`/${path}`, "", plain),
    readGrpcRequest(`/${path}`, "", frame(gzipSync(txMessage), 1)),
    readRequest("POST", `/${path}`, plain),
    readRequest("POST", `/${path}`, Buffer.from(plain.toString("base64"))),
  ]) {
    expect(read.requestClass).toBe(expected);
    expect(read.txHashes).toEqual(expected === "broadcast" ? [HASH] : []);
  }
  const [now, then] = ["", "7"].map((height) => readGrpcRequest(`/${path}`, height, plain));
  expect(now?.question).not.toBe(then?.question);
});

test("a broadcast that is no protobuf is passed on as any other", () => {
  const path = "/cosmos.tx.v1beta1.Service/BroadcastTx";
  for (const body of [Buffer.alloc(0), frame(Buffer.alloc(9, 0xff)), frame(Buffer.of(1), 1)]) {
    expect(readGrpcRequest(path, "", body)).toMatchObject({
      requestClass: "broadcast",
      txHashes: [],
    });
  }
});

test("a batch is one request of its weightiest call; ids do not change the question", () => {
  const call = (id: number, method: string) => ({ jsonrpc: "2.0", id, method, params: { tx: TX } });
  const read = (value: unknown) => readRequest("POST", "/", Buffer.from(JSON.stringify(value)));
  const batch = read([call(1, "status"), call(2, "broadcast_tx_sync"), call(3, "abci_query")]);
  expect(batch).toMatchObject({ requestClass: "broadcast", id: undefined });
  expect(batch.txHashes).toHaveLength(1);
  expect(read(call(1, "tx")).question).toBe(read(call(2, "tx")).question);
  expect(read("what?").requestClass).toBe("other");
});
