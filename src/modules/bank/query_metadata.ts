import type { QueryRoute } from "../../baseapp/module.ts";
import { queryRoute } from "../../baseapp/query_route.ts";
import type { Metadata } from "../../gen/cosmos/bank/v1beta1/bank.ts";
import * as q from "../../gen/cosmos/bank/v1beta1/query.ts";
import { ChainError } from "../../lib/errors.ts";
import { readPage } from "../../store/reader.ts";
import { displayOf } from "../../types/denom_display.ts";
import { GrpcNotFound } from "../../types/query_errors.ts";
import * as keys from "./keys.ts";
import { coinsOfEntries, requireDenom } from "./query_server.ts";

const QUERY = "/cosmos.bank.v1beta1.Query";

/** How wallets show denoms: of all that there are coins of, by the name alone. */
export const metadataQueries: readonly QueryRoute[] = [
  queryRoute({
    path: `${QUERY}/DenomsMetadata`,
    request: q.QueryDenomsMetadataRequest,
    response: q.QueryDenomsMetadataResponse,
    handle: async ({ reader }, { pagination }) => {
      const page = await readPage(reader, keys.SUPPLY_PREFIX, pagination);
      const coins = coinsOfEntries(page.entries, keys.SUPPLY_PREFIX);
      return { metadatas: coins.map(({ denom }) => metadataOf(denom)), pagination: page };
    },
  }),
  queryRoute({
    path: `${QUERY}/DenomMetadata`,
    request: q.QueryDenomMetadataRequest,
    response: q.QueryDenomMetadataResponse,
    handle: async ({ reader }, { denom }) => {
      requireDenom(denom);
      if ((await reader.get(keys.supplyKey(denom))) !== undefined) {
        return { metadata: metadataOf(denom) };
      }
      throw new ChainError(GrpcNotFound, `client metadata for denom ${denom}`);
    },
  }),
];

function metadataOf(base: string): Metadata {
  const { name: display, symbol, exponent } = displayOf(base);
  const unit = { denom: base, exponent: 0, aliases: [] };
  const shown = { denom: display, exponent, aliases: [] };
  return {
    ...{ base, display, symbol, name: symbol, description: "", uri: "", uriHash: "" },
    denomUnits: display === base ? [unit] : [unit, shown],
  };
}
