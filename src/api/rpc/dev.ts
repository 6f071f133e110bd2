import type { DevControls } from "../../node/view.ts";
import { formatTime, type TimeNs } from "../../types/time.ts";
import { invalidParams, methodNotFound } from "./errors.ts";
import type { Json } from "./json.ts";
import type { RpcContext } from "./route.ts";

/** Blocks that one dev_mine call produces at most. */
const MAX_BLOCKS = 10_000n;

export interface MineParams {
  /** 1 when not given. */
  readonly blocks: bigint | undefined;
  /** The time of the first block. */
  readonly time: TimeNs | undefined;
}

/** Produces blocks now; answers with height and time of the last. */
export async function devMine(params: MineParams, { view }: RpcContext): Promise<Json> {
  const { blocks = 1n, time } = params;
  if (blocks < 1n || blocks > MAX_BLOCKS) {
    throw invalidParams(`blocks should be within [1, ${MAX_BLOCKS}] range, given ${blocks}`);
  }
  const input = { blocks: Number(blocks), ...(time === undefined ? {} : { time }) };
  const last = await controls(view.dev).mine(input);
  return { height: String(last.height), time: formatTime(last.time) };
}

/** Lets the clock of the chain go back to the wall clock. */
export async function devUseWallClock(_: object, { view }: RpcContext): Promise<Json> {
  await controls(view.dev).useWallClock();
  return {};
}

function controls(dev: DevControls | undefined): DevControls {
  if (dev === undefined) throw methodNotFound();
  return dev;
}
