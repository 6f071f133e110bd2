import type { QueryRoute } from "../../baseapp/module.ts";
import { queryRoute } from "../../baseapp/query_route.ts";
import * as ext from "../../gen/settled/settlement/v1/query.ts";
import { BillingTerms } from "../../gen/settled/settlement/v1/state.ts";
import { ChainError } from "../../lib/errors.ts";
import { GrpcInvalidArgument, GrpcNotFound } from "../../types/query_errors.ts";
import { billingTermsKey } from "./billing_terms.ts";
import { ORDER_PREFIX, textIndexKey } from "./keys.ts";

/** Discounts and tax of orders. */
export const billingQueries: readonly QueryRoute[] = [
  queryRoute({
    path: "/settled.settlement.v1.Query/BillingTerms",
    request: ext.QueryBillingTermsRequest,
    response: ext.QueryBillingTermsResponse,
    handle: async ({ reader }, { orderId }) => {
      if (orderId === "") throw new ChainError(GrpcInvalidArgument, "order_id is empty");
      const bytes = await reader.get(billingTermsKey(orderId));
      if (bytes !== undefined) return { terms: BillingTerms.decode(bytes) };
      if ((await reader.get(textIndexKey(ORDER_PREFIX, orderId))) === undefined) {
        throw new ChainError(GrpcNotFound, `order ${orderId} has no escrow`);
      }
      return { terms: { orderId, discounts: [], tax: undefined } };
    },
  }),
];
