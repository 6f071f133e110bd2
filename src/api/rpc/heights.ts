import type { NodeView } from "../../node/view.ts";
import { failed } from "./errors.ts";

/**
 * The height that a request is about: the given one, or the last (CometBFT's getHeight).
 * @param ahead heights above the latest block that are allowed, and the default then
 * @throws RpcError with CometBFT's text when the height is not there
 */
export function heightOf(view: NodeView, given: bigint | undefined, ahead = 0n): bigint {
  const { latestHeight, earliestHeight } = view.status();
  const last = latestHeight + ahead;
  if (given === undefined) return last;
  if (given <= 0n) throw failed(`height must be greater than 0, but got ${given}`);
  if (given > last) {
    throw failed(
      `height ${given} must be less than or equal to the current blockchain height ${last}`,
    );
  }
  if (given < earliestHeight) {
    throw failed(`height ${given} is not available, lowest height is ${earliestHeight}`);
  }
  return given;
}
