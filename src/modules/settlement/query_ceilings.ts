import type { QueryRoute } from "../../baseapp/module.ts";
import { queryRoute } from "../../baseapp/query_route.ts";
import * as ext from "../../gen/settled/settlement/v1/query.ts";
import * as state from "../../gen/settled/settlement/v1/state.ts";
import { ChainError } from "../../lib/errors.ts";
import { readPage } from "../../store/reader.ts";
import { GrpcInvalidArgument } from "../../types/query_errors.ts";
import * as keys from "./keys.ts";

/** What customers let usage cost. */
export const ceilingQueries: readonly QueryRoute[] = [
  queryRoute({
    path: "/settled.settlement.v1.Query/PriceCeilings",
    request: ext.QueryPriceCeilingsRequest,
    response: ext.QueryPriceCeilingsResponse,
    handle: async ({ reader }, { orderId, pagination }) => {
      if (orderId === "") throw new ChainError(GrpcInvalidArgument, "order_id is empty");
      const prefix = keys.textIndexKey(keys.PRICE_CEILING_PREFIX, orderId);
      const page = await readPage(reader, prefix, pagination);
      const priceCeilings = page.entries.map(([, value]) => {
        const { usageType, steps } = state.PriceCeilingState.decode(value);
        return { usageType, steps: steps.map(stepView) };
      });
      return { priceCeilings, pagination: page };
    },
  }),
];

function stepView({ from, denom, maxUnitPrice }: state.PriceCeilingStep): ext.UsagePriceStep {
  const max = maxUnitPrice === "" ? undefined : { denom, amount: maxUnitPrice };
  return { from, maxUnitPrice: max };
}
