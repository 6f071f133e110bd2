// The chain as the tiny daemon sees it, over gRPC alone, as clients made with the Cosmos SDK use it.
import { Client, credentials, status } from "@grpc/grpc-js";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import {
  QueryAccountInfoRequest,
  QueryAccountInfoResponse,
} from "../../../dist/gen/cosmos/auth/v1beta1/query.js";
import {
  GetNodeInfoRequest,
  GetNodeInfoResponse,
} from "../../../dist/gen/cosmos/base/tendermint/v1beta1/query.js";
import {
  BroadcastTxRequest,
  BroadcastTxResponse,
  GetTxRequest,
  GetTxResponse,
  SimulateRequest,
  SimulateResponse,
} from "../../../dist/gen/cosmos/tx/v1beta1/service.js";
import {
  QueryUsageRecordsByOrderRequest,
  QueryUsageRecordsByOrderResponse,
} from "../../../dist/gen/virtengine/settlement/v1/query.js";

const DEADLINE_MS = 2000;
const SYNC = 2;
const TX = "/cosmos.tx.v1beta1.Service";

/** @param address host:port of the node's gRPC; by default where the environment says */
export async function connect(address = process.env["SETTLED_GRPC"]) {
  const client = new Client(address, credentials.createInsecure(), {
    "grpc.initial_reconnect_backoff_ms": 50,
    "grpc.min_reconnect_backoff_ms": 50,
  });
  const call = (path, Request, input, Response) =>
    new Promise((resolve, reject) => {
      const encode = (message) => Buffer.from(Request.encode(message).finish());
      const decode = (bytes) => Response.decode(bytes);
      const options = { deadline: Date.now() + DEADLINE_MS };
      const done = (error, answer) => (error === null ? resolve(answer) : reject(error));
      client.makeUnaryRequest(path, encode, decode, Request.fromPartial(input), options, done);
    });
  const nodeInfo = "/cosmos.base.tendermint.v1beta1.Service/GetNodeInfo";
  const { defaultNodeInfo } = await call(nodeInfo, GetNodeInfoRequest, {}, GetNodeInfoResponse);
  return {
    chainId: defaultNodeInfo.network,
    account: async (of) => {
      const path = "/cosmos.auth.v1beta1.Query/AccountInfo";
      const answer = await call(
        ...[path, QueryAccountInfoRequest, { address: of }, QueryAccountInfoResponse],
      );
      return { accountNumber: answer.info.accountNumber, sequence: answer.info.sequence };
    },
    broadcast: async (txBytes) => {
      await call(`${TX}/Simulate`, SimulateRequest, { txBytes }, SimulateResponse);
      const input = { txBytes, mode: SYNC };
      const answer = await call(
        ...[`${TX}/BroadcastTx`, BroadcastTxRequest, input, BroadcastTxResponse],
      );
      return { hash: answer.txResponse.txhash, code: answer.txResponse.code };
    },
    waitForTx: async (hash, timeoutMs) => {
      const end = Date.now() + timeoutMs;
      for (;;) {
        try {
          return await call(`${TX}/GetTx`, GetTxRequest, { hash }, GetTxResponse);
        } catch (error) {
          if (error.code !== status.NOT_FOUND || Date.now() > end) throw error;
          await sleep(20);
        }
      }
    },
    billedStarts: async (orderId) => {
      const path = "/virtengine.settlement.v1.Query/UsageRecordsByOrder";
      const answer = await call(
        ...[path, QueryUsageRecordsByOrderRequest, { orderId }, QueryUsageRecordsByOrderResponse],
      );
      return answer.usageRecords.map(({ periodStart }) => periodStart);
    },
  };
}
