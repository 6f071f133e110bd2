import type { Reader } from "../store/read_view.ts";
import type { ChainInfo } from "./context.ts";

/** What a query handler has: the chain's facts and the state of one height. */
export interface QueryContext {
  readonly chain: ChainInfo;
  readonly reader: Reader;
}
