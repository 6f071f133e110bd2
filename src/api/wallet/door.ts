import {
  QueryTotalSupplyRequest,
  QueryTotalSupplyResponse,
} from "../../gen/cosmos/bank/v1beta1/query.ts";
import type { NodeView } from "../../node/view.ts";
import type { HttpDoor } from "../rest/http_door.ts";
import { notImplemented } from "../rest/rest_error.ts";
import { unaryErrorOf } from "../services/unary_error_of.ts";
import { chainSuggestion } from "./suggestion.ts";

const SUPPLY = "/cosmos.bank.v1beta1.Query/TotalSupply";
/** Denoms that a wallet is told of. */
const DENOMS_MAX = 50n;

/** `GET /chain.json`: what a wallet has to know of the chain to add it. */
export function chainDoor(
  view: NodeView,
  settings: {
    readonly minimumGasPrice: string;
    readonly endpoints: () => { readonly rpc: string; readonly rest: string };
  },
): HttpDoor {
  return {
    prefix: "/chain.json",
    async handle(request, _response, { path, sendJson }) {
      const isRead = request.method === "GET" || request.method === "HEAD";
      if (!isRead || path !== "") throw notImplemented();
      const { chainId, bech32Prefix, bondDenom } = view.info;
      const { minimumGasPrice, endpoints } = settings;
      sendJson(
        200,
        chainSuggestion({
          ...{ chainId, bech32Prefix, bondDenom, minimumGasPrice, ...endpoints() },
          denoms: await denomsOf(view),
        }),
      );
    },
  };
}

async function denomsOf(view: NodeView): Promise<string[]> {
  const request = QueryTotalSupplyRequest.fromPartial({ pagination: { limit: DENOMS_MAX } });
  const data = QueryTotalSupplyRequest.encode(request).finish();
  const output = await view.query({ path: SUPPLY, data, height: 0n, prove: false });
  if (output.code !== 0) throw unaryErrorOf(output);
  return QueryTotalSupplyResponse.decode(output.value).supply.map(({ denom }) => denom);
}
