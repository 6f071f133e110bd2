import { encodeDeterministicResult } from "../../codec/tendermint.ts";
import type { TxResult } from "../../types/tx.ts";
import { merkleRoot } from "./merkle.ts";

/**
 * What the next header says of a block's results: code, data, gas wanted and gas used of each.
 * Logs and events are not covered.
 */
export function resultsHash(results: readonly TxResult[]): Uint8Array {
  return merkleRoot(results.map(encodeDeterministicResult));
}
