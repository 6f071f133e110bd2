import type { TestChain } from "./chain.ts";

/** A query in pages, and the ids of the rows of an answer. */
export interface Found {
  readonly path: string;
  readonly ids: (answer: unknown) => string[];
}

interface Paged {
  readonly pagination?: { readonly nextKey: Uint8Array };
}

/** The ids of all pages, by page keys. */
export async function pagesOf(
  chain: TestChain,
  of: Found,
  page: { request: object; limit: bigint; reverse?: boolean },
): Promise<string[]> {
  const ids: string[] = [];
  const { limit, reverse = false } = page;
  let key = new Uint8Array(0);
  do {
    const request = { ...page.request, pagination: { key, limit, reverse } };
    const answer = await chain.query<Paged>(of.path, request);
    const rows = of.ids(answer);
    if (BigInt(rows.length) > limit) throw new Error(`a page of ${limit} has ${rows.length} rows`);
    ids.push(...rows);
    key = Uint8Array.from(answer.pagination?.nextKey ?? []);
  } while (key.length > 0);
  return ids;
}
