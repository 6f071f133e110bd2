import {
  type RestServer,
  type RestServerOptions,
  startRestServer,
} from "../../../src/api/rest/server.ts";
import type { Services } from "../../../src/api/services/services.ts";
import { STATUS, type UnaryCall, UnaryError } from "../../../src/api/services/unary.ts";
import { messageTypeNamed } from "../../../src/codec/message_types.ts";

/** A path whose method, below, does as its parameter `denom` says. */
export const SUPPLY_OF = "/cosmos/bank/v1beta1/supply/by_denom";

/** Services of two methods: one does as it is asked, the other takes txs. */
export function fakeServices(calls: UnaryCall[] = []): Services {
  const supplyOf = {
    path: "cosmos.bank.v1beta1.Query/SupplyOf",
    handle: async (request: Uint8Array, call: UnaryCall) => {
      calls.push(call);
      const { denom } = decoded("cosmos.bank.v1beta1.QuerySupplyOfRequest", request);
      if (/^status[0-9]+$/.test(denom)) {
        throw new UnaryError(Number(denom.slice(6)) as 3, `status ${denom.slice(6)}`);
      }
      if (denom === "fault") throw new TypeError("secret of the node");
      if (denom === "garbage") return { value: Uint8Array.of(255), height: 5n };
      // Ends only with its caller.
      if (denom === "never") await ended(call);
      const amount = { denom, amount: "5" };
      const value = encoded("cosmos.bank.v1beta1.QuerySupplyOfResponse", { amount });
      return { value, height: call.height === 0n ? 5n : call.height };
    },
  };
  const broadcast = {
    path: "cosmos.tx.v1beta1.Service/BroadcastTx",
    handle: async (request: Uint8Array) => {
      const { txBytes } = decoded("cosmos.tx.v1beta1.BroadcastTxRequest", request);
      if (txBytes.length === 0) throw new UnaryError(STATUS.invalidArgument, "invalid empty tx");
      const txResponse = { txhash: "AB", code: 32, rawLog: "refused" };
      const value = encoded("cosmos.tx.v1beta1.BroadcastTxResponse", { txResponse });
      return { value, height: 5n };
    },
  };
  return new Map([supplyOf, broadcast].map((method) => [method.path, method]));
}

function ended({ signal }: UnaryCall): Promise<never> {
  return new Promise((_, reject) => {
    signal?.addEventListener("abort", () => reject(signal.reason as Error));
  });
}

function decoded(name: string, bytes: Uint8Array): any {
  return messageTypeNamed(name).codec.decode(bytes);
}

function encoded(name: string, value: object): Uint8Array {
  const { codec } = messageTypeNamed(name);
  return codec.encode(codec.fromPartial(value)).finish();
}

/** A server over the fake services, on a free port. */
export async function startFake(options: Partial<RestServerOptions> = {}): Promise<RestServer> {
  return startRestServer({ services: fakeServices(), host: "127.0.0.1", port: 0, ...options });
}
