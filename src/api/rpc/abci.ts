import { EMPTY_BYTES } from "../../lib/bytes.ts";
import { ChainError } from "../../lib/errors.ts";
import type { QueryOutput } from "../../types/application.ts";
import { ErrInvalidHeight } from "../../types/sdk_errors.ts";
import { base64 } from "./encode/bytes.ts";
import { encodeQuery } from "./encode/node.ts";
import type { Json } from "./json.ts";
import type { RpcContext } from "./route.ts";

export function abciInfo(_: object, { view }: RpcContext): Json {
  const status = view.status();
  return {
    response: {
      data: "settled",
      version: view.info.appVersion,
      last_block_height: String(status.latestHeight),
      last_block_app_hash: base64(status.latestAppHash),
    },
  };
}

export interface AbciQueryParams {
  readonly path: string | undefined;
  readonly data: Uint8Array | undefined;
  /** 0 or not given: the latest committed height. */
  readonly height: bigint | undefined;
  readonly prove: boolean | undefined;
}

/** Refusals are codes of the response, because CosmJS matches its log; its height is never 0. */
export async function abciQuery(params: AbciQueryParams, { view }: RpcContext): Promise<Json> {
  const { path = "", data = EMPTY_BYTES, height = 0n, prove = false } = params;
  const output = await refusalAsOutput(view.status().latestHeight, async () => {
    if (height < 0n) {
      throw new ChainError(
        ErrInvalidHeight,
        "cannot query with height < 0; please provide a valid height",
      );
    }
    return view.query({ path, data, height, prove });
  });
  return { response: encodeQuery(output) };
}

async function refusalAsOutput(
  height: bigint,
  query: () => Promise<QueryOutput>,
): Promise<QueryOutput> {
  try {
    return await query();
  } catch (error) {
    if (!(error instanceof ChainError)) throw error;
    const { code, codespace, message: log } = error;
    return { code, codespace, log, key: EMPTY_BYTES, value: EMPTY_BYTES, height };
  }
}
