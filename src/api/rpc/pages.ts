import { utf8Length } from "../../lib/bytes.ts";
import type { PageInput } from "../../node/view.ts";
import { failed } from "./errors.ts";
import { MAX_QUERY_BYTES } from "./limits.ts";

const DEFAULT_PER_PAGE = 30;
const MAX_PER_PAGE = 100;
/** Far above every page that exists, and small enough to be multiplied by a page size. */
const MAX_PAGE = 1_000_000_000n;

export interface SearchParams {
  readonly query: string | undefined;
  readonly page: bigint | undefined;
  readonly per_page: bigint | undefined;
  readonly order_by: string | undefined;
}

/** Items of one page: 30 when not given or below 1, at most 100 (CometBFT's validatePerPage). */
export function perPageOf(given: bigint | undefined): number {
  if (given === undefined || given < 1n) return DEFAULT_PER_PAGE;
  return given > BigInt(MAX_PER_PAGE) ? MAX_PER_PAGE : Number(given);
}

/**
 * Query and page of a search.
 * @throws RpcError for a query that is too long, or an unknown order
 */
export function searchInput(
  params: SearchParams,
  defaultOrder: "asc" | "desc",
): { readonly query: string; readonly page: PageInput } {
  const query = queryOf(params.query);
  const order =
    params.order_by === undefined || params.order_by === "" ? defaultOrder : params.order_by;
  if (order !== "asc" && order !== "desc") {
    throw failed("expected order_by to be either `asc` or `desc` or empty");
  }
  const given = params.page ?? 1n;
  // A page that cannot be is refused after the search, when it is known how many there are.
  const page = given < 1n ? 1n : given > MAX_PAGE ? MAX_PAGE : given;
  return {
    query,
    page: { page: Number(page), perPage: perPageOf(params.per_page), descending: order === "desc" },
  };
}

/** A search or subscription query, bounded before anything parses it. */
export function queryOf(given: string | undefined): string {
  const query = given ?? "";
  if (utf8Length(query) > MAX_QUERY_BYTES) throw failed("maximum query length exceeded");
  return query;
}

/** @throws RpcError with CometBFT's text when the given page does not exist */
export function checkPage(given: bigint | undefined, perPage: number, total: number): void {
  if (given === undefined) return;
  const pages = Math.max(1, Math.ceil(total / perPage));
  if (given < 1n || given > BigInt(pages)) {
    throw failed(`page should be within [1, ${pages}] range, given ${given}`);
  }
}
