import { SimulateEffectsRequest } from "../../gen/settled/tx/v1/service.ts";
import type { NodeView } from "../../node/view.ts";
import { queryMethod } from "./query_method.ts";
import { STATUS, UnaryError, type UnaryMethod } from "./unary.ts";

const PATH = "settled.tx.v1.Service/SimulateEffects";

/** What a tx would do to balances. */
export function effectsMethods(view: NodeView): UnaryMethod[] {
  const { path, handle } = queryMethod(view, PATH);
  return [
    {
      path,
      async handle(bytes, call) {
        checkSize(bytes, view.info.txBytesMax);
        return handle(bytes, call);
      },
    },
  ];
}

/** @throws UnaryError for what could never be in a block */
function checkSize(bytes: Uint8Array, max: number): void {
  const { length } = txBytesOf(bytes);
  if (length === 0) throw new UnaryError(STATUS.invalidArgument, "tx_bytes is empty");
  if (length <= max) return;
  const text = `Tx too large. Max size is ${max}, but got ${length}`;
  throw new UnaryError(STATUS.invalidArgument, text);
}

function txBytesOf(bytes: Uint8Array): Uint8Array {
  try {
    return SimulateEffectsRequest.decode(bytes).txBytes;
  } catch (error) {
    throw new UnaryError(STATUS.invalidArgument, `request does not decode: ${String(error)}`);
  }
}
