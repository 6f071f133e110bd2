import type { Pace } from "../../node/pace.ts";
import type { NodeView, StoredBlock } from "../../node/view.ts";
import { STATUS, UnaryError } from "./unary.ts";

/**
 * A height of the chain that the node still has.
 * @throws UnaryError INVALID_ARGUMENT outside the chain, NOT_FOUND for one that is no longer kept
 */
export function checkHeight(view: NodeView, height: bigint): void {
  const { latestHeight, earliestHeight } = view.status();
  if (height < 1n || height > latestHeight) {
    const text = `height is from 1 to the latest, ${latestHeight}; found ${height}`;
    throw new UnaryError(STATUS.invalidArgument, text);
  }
  if (height < earliestHeight) throw gone(height, earliestHeight);
}

/** A block by its height. @throws UnaryError as `checkHeight` */
export async function keptBlock(view: NodeView, height: bigint, pace: Pace): Promise<StoredBlock> {
  checkHeight(view, height);
  const block = await view.block(height, pace);
  // The height was checked: it can only have been pruned meanwhile.
  if (block === undefined) throw gone(height, view.status().earliestHeight);
  return block;
}

function gone(height: bigint, earliest: bigint): UnaryError {
  const text = `block ${height} is no longer kept; the lowest height is ${earliest}`;
  return new UnaryError(STATUS.notFound, text);
}
