import { TxMsgData } from "../gen/cosmos/base/abci/v1beta1/abci.ts";
import type { AnyMsg } from "../types/tx.ts";

/** The `data` of a successful tx: one response for each message, in order. */
export function encodeTxMsgData(msgResponses: AnyMsg[]): Uint8Array {
  return TxMsgData.encode({ data: [], msgResponses }).finish();
}
