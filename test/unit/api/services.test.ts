import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { openServices } from "../../../src/api/services/open_services.ts";
import { runUnary } from "../../../src/api/services/run_unary.ts";
import { type Status, STATUS, UnaryError } from "../../../src/api/services/unary.ts";
import { refusalOf, unaryErrorOf } from "../../../src/api/services/unary_error_of.ts";
import { queryFailure } from "../../../src/app/query.ts";
import * as comet from "../../../src/gen/cosmos/base/tendermint/v1beta1/query.ts";
import * as wire from "../../../src/gen/cosmos/tx/v1beta1/service.ts";
import { SERVICES } from "../../../src/gen/schema.ts";
import { toHex, utf8 } from "../../../src/lib/bytes.ts";
import { ChainError, type ErrorKind } from "../../../src/lib/errors.ts";
import { HaltedError, MempoolError, QueryLanguageError } from "../../../src/node/errors.ts";
import { SearchTooWideError } from "../../../src/node/search.ts";
import * as grpc from "../../../src/types/query_errors.ts";
import * as sdk from "../../../src/types/sdk_errors.ts";
import { type FakeNode, fakeNode, sha } from "./fake_node.ts";

const TX = "cosmos.tx.v1beta1.Service";
const COMET = "cosmos.base.tendermint.v1beta1.Service";

let node: FakeNode;
const faults: unknown[] = [];
beforeEach(() => {
  node = fakeNode();
  faults.length = 0;
});

async function run(path: string, request: Uint8Array, height = 0n) {
  const report = (error: unknown) => void faults.push(error);
  return runUnary(openServices(node), path, request, { height, report });
}

async function status(call: Promise<unknown>): Promise<Status | undefined> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(UnaryError);
  return (error as UnaryError).status;
}

test("the table has every method of every service but those of messages and doors", () => {
  const paths = [...openServices(node).keys()].sort();
  const expected = SERVICES.filter(
    ({ isMsg, name }) => isMsg !== true && !/^(grpc|tendermint)\./.test(name),
  ).flatMap(({ name, methods }) => methods.map((method) => `${name}/${method.name}`));
  expect(paths).toEqual(expected.sort());
});

describe("the status of a failure", () => {
  const failures: [ErrorKind, Status][] = [
    [grpc.GrpcNotFound, STATUS.notFound],
    [grpc.GrpcInvalidArgument, STATUS.invalidArgument],
    [grpc.GrpcResourceExhausted, STATUS.resourceExhausted],
    [grpc.GrpcFailedPrecondition, STATUS.failedPrecondition],
    [grpc.GrpcUnimplemented, STATUS.unimplemented],
    [grpc.GrpcUnavailable, STATUS.unavailable],
    [grpc.GrpcUnknown, STATUS.unknown],
  ];

  test.each(failures)("$codespace/$code keeps its status and its words alone", (kind, expected) => {
    const failure = queryFailure(3n, new ChainError(kind, "what was found: this"));
    expect(unaryErrorOf(failure)).toMatchObject({
      status: expected,
      message: "what was found: this",
    });
  });

  test("of codespace sdk follows from the code", () => {
    const of = (kind: ErrorKind) =>
      unaryErrorOf(queryFailure(3n, new ChainError(kind, "found it"))).status;
    expect(of(sdk.ErrUnknownRequest)).toBe(STATUS.unimplemented);
    expect(of(sdk.ErrInvalidHeight)).toBe(STATUS.invalidArgument);
    expect(of(sdk.ErrKeyNotFound)).toBe(STATUS.notFound);
    expect(of(sdk.ErrInvalidAddress)).toBe(STATUS.invalidArgument);
    expect(of(sdk.ErrInsufficientFunds)).toBe(STATUS.unknown);
  });

  test("a fault of the app is internal, without its text", () => {
    const { status: code, message } = unaryErrorOf(queryFailure(3n, new TypeError("secret")));
    expect(code).toBe(STATUS.internal);
    expect(message).not.toContain("secret");
  });

  test("of the node's own refusals", () => {
    const of = (error: unknown) => refusalOf(error)?.status;
    expect(of(new QueryLanguageError("no", 1))).toBe(STATUS.invalidArgument);
    expect(of(new SearchTooWideError())).toBe(STATUS.resourceExhausted);
    expect(of(new HaltedError(new Error("x")))).toBe(STATUS.unavailable);
    expect(of(new MempoolError("halted", "x"))).toBe(STATUS.unavailable);
    expect(of(new MempoolError("gas", "x"))).toBe(STATUS.invalidArgument);
    expect(of(new TypeError("secret"))).toBeUndefined();
  });
});

test("faults are reported and hidden; calls that were left are not faults", async () => {
  node.query = () => Promise.reject(new TypeError("secret"));
  const path = "cosmos.bank.v1beta1.Query/Params";
  const error = await run(path, new Uint8Array(0)).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ status: STATUS.internal });
  expect(String(error)).not.toContain("secret");
  expect(faults).toEqual([new TypeError("secret")]);
  const gone = AbortSignal.abort();
  const left = runUnary(openServices(node), path, new Uint8Array(0), {
    ...{ height: 0n, signal: gone, report: (fault: unknown) => void faults.push(fault) },
  });
  expect(await status(left)).toBe(STATUS.cancelled);
  expect(faults).toHaveLength(1);
});

test("queries go to the app with their bytes and height", async () => {
  const path = "cosmos.bank.v1beta1.Query/Balance";
  expect(await status(run(path, utf8("x"), 2n))).toBe(STATUS.unimplemented);
  expect(node.queries).toEqual([{ path: `/${path}`, data: utf8("x"), height: 2n, prove: false }]);
  expect(await status(run("no.such.Service/Method", new Uint8Array(0)))).toBe(STATUS.unimplemented);
});

test("bytes that are no request are invalid, for every method that reads its own", async () => {
  const own = [...openServices(node).keys()].filter((path) => /^cosmos\..*\.Service\//.test(path));
  expect(own.length).toBeGreaterThan(15);
  for (const path of own.filter((it) => !/Amino$/.test(it))) {
    expect(await status(run(path, Uint8Array.of(0x0a, 0xff)))).toBe(STATUS.invalidArgument);
  }
});

test("no bytes make a method fail: there is an answer, or a status", async () => {
  const services = openServices(node);
  const paths = fc.constantFrom(...services.keys());
  const bytes = fc.uint8Array({ maxLength: 60 });
  const field = fc.tuple(fc.integer({ min: 1, max: 7 }), fc.integer({ min: 0, max: 5 }), bytes);
  const request = fc.oneof(
    bytes,
    field.map(([no, wire, rest]) => Uint8Array.of(no * 8 + wire, rest.length, ...rest)),
  );
  await fc.assert(
    fc.asyncProperty(paths, request, async (path, data) => {
      const report = (error: unknown) => void faults.push(error);
      const outcome = await runUnary(services, path, data, { height: 0n, report }).catch(
        (error: unknown) => error,
      );
      expect(outcome instanceof UnaryError || outcome instanceof Object).toBe(true);
      expect(faults).toEqual([]);
    }),
    { numRuns: 2000 },
  );
});

describe("txs", () => {
  const broadcast = async (text: string, mode: wire.BroadcastMode) => {
    const request = wire.BroadcastTxRequest.encode({ txBytes: utf8(text), mode }).finish();
    const { value } = await run(`${TX}/BroadcastTx`, request);
    return wire.BroadcastTxResponse.decode(value).txResponse;
  };
  const { BROADCAST_MODE_SYNC: SYNC, BROADCAST_MODE_ASYNC: ASYNC } = wire.BroadcastMode;

  test("SYNC tells what the check said, ASYNC only the hash", async () => {
    const txhash = toHex(sha(utf8("bad one"))).toUpperCase();
    expect(await broadcast("bad one", SYNC)).toMatchObject({
      ...{ code: 32, codespace: "sdk", rawLog: "account sequence mismatch", txhash, height: 0n },
    });
    expect(await broadcast("bad one", ASYNC)).toMatchObject({ code: 0, rawLog: "", txhash });
    expect(await broadcast("good", SYNC)).toMatchObject({ code: 0, data: "1200" });
  });

  test("refusals of the mempool are codes 19, 20 and 21; the node's end is UNAVAILABLE", async () => {
    expect(await broadcast("tx-one", SYNC)).toMatchObject({ code: 19, codespace: "sdk" });
    expect(await broadcast("x".repeat(1001), ASYNC)).toMatchObject({ code: 21, codespace: "sdk" });
    const failing = (kind: MempoolError["kind"]) => {
      node.mempool.add = () => Promise.reject(new MempoolError(kind, "why"));
    };
    failing("full");
    expect(await broadcast("y", SYNC)).toMatchObject({ code: 20, codespace: "sdk", rawLog: "why" });
    failing("halted");
    expect(await status(broadcast("y", SYNC))).toBe(STATUS.unavailable);
  });

  test("a tx of a block by its hash, in either case; with no hash, a wrong and an unknown one", async () => {
    const get = (hash: string) => run(`${TX}/GetTx`, wire.GetTxRequest.encode({ hash }).finish());
    const hash = toHex(sha(utf8("fail-two")));
    for (const given of [hash, hash.toUpperCase()]) {
      const { txResponse } = wire.GetTxResponse.decode((await get(given)).value);
      expect(txResponse).toMatchObject({
        ...{ height: 2n, code: 5, codespace: "bank", rawLog: "insufficient funds" },
        ...{ txhash: hash.toUpperCase(), gasUsed: 9_007_199_254_740_993n },
        ...{ timestamp: "2026-01-01T00:00:02Z", data: "" },
        tx: { typeUrl: "/cosmos.tx.v1beta1.Tx", value: utf8("fail-two") },
      });
    }
    expect(await status(get(""))).toBe(STATUS.invalidArgument);
    expect(await status(get("abc"))).toBe(STATUS.invalidArgument);
    expect(await status(get("00".repeat(32)))).toBe(STATUS.notFound);
  });

  test("a page of txs above a mebibyte is refused: ask for less", async () => {
    node.waitingTxs.push(new Uint8Array(600_000).fill(1), new Uint8Array(600_000).fill(2));
    node.produce();
    const search = (limit: bigint) => {
      const query = "tx.height=4";
      const request = wire.GetTxsEventRequest.fromPartial({ query, limit });
      return run(`${TX}/GetTxsEvent`, wire.GetTxsEventRequest.encode(request).finish());
    };
    expect(await status(search(2n))).toBe(STATUS.resourceExhausted);
    expect(wire.GetTxsEventResponse.decode((await search(1n)).value).total).toBe(2n);
  });

  test("the txs of a block in pages, from either end", async () => {
    const page = async (pagination: { offset?: bigint; limit?: bigint; reverse?: boolean }) => {
      const request = wire.GetBlockWithTxsRequest.fromPartial({ height: 2n, pagination });
      const bytes = wire.GetBlockWithTxsRequest.encode(request).finish();
      const { value } = await run(`${TX}/GetBlockWithTxs`, bytes);
      return wire.GetBlockWithTxsResponse.decode(value);
    };
    expect((await page({})).txs).toHaveLength(2);
    expect((await page({ offset: 1n, limit: 5n })).txs).toHaveLength(1);
    expect((await page({ limit: 1n, reverse: true })).pagination?.total).toBe(2n);
    expect(await status(page({ offset: 2n }))).toBe(STATUS.invalidArgument);
    expect((await page({ limit: 1n << 63n })).txs).toHaveLength(2);
  });
});

test("a block that is no longer kept is NOT_FOUND and says which is the lowest", async () => {
  node.earliest = 2n;
  const at = (height: bigint) =>
    run(`${COMET}/GetBlockByHeight`, comet.GetBlockByHeightRequest.encode({ height }).finish());
  expect(await status(at(1n))).toBe(STATUS.notFound);
  expect(await status(at(4n))).toBe(STATUS.invalidArgument);
  const { value } = await at(2n);
  const { block, sdkBlock } = comet.GetBlockByHeightResponse.decode(value);
  expect(block?.data?.txs).toEqual([utf8("tx-one"), utf8("fail-two")]);
  expect(sdkBlock?.header?.height).toBe(2n);
});
