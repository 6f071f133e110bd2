import type { TxResponse } from "../../gen/cosmos/base/abci/v1beta1/abci.ts";
import { Tx } from "../../gen/cosmos/tx/v1beta1/tx.ts";
import type { Event as WireEvent } from "../../gen/tendermint/abci/types.ts";
import { INT64_MAX, minBigint } from "../../lib/int.ts";
import type { IndexedTx } from "../../node/view.ts";
import { formatTime, secondsOf, type TimeNs, timeOfSeconds } from "../../types/time.ts";
import type { TxResult } from "../../types/tx.ts";
import { hex } from "../rpc/encode/bytes.ts";

const TX_URL = "/cosmos.tx.v1beta1.Tx";

const EMPTY: TxResponse = {
  height: 0n,
  txhash: "",
  codespace: "",
  code: 0,
  data: "",
  rawLog: "",
  logs: [],
  info: "",
  gasWanted: 0n,
  gasUsed: 0n,
  tx: undefined,
  timestamp: "",
  events: [],
};

/**
 * The response of a tx in a block, as the Cosmos SDK fills it. A TxRaw is a Tx on the wire, so the
 * Any holds the very bytes that were signed.
 */
export function txResponse(indexed: IndexedTx, time: TimeNs | undefined): TxResponse {
  const { hash, height, tx, result } = indexed;
  return {
    ...EMPTY,
    height,
    txhash: hex(hash),
    codespace: result.codespace,
    code: result.code,
    data: hex(result.data),
    rawLog: result.log,
    info: result.info,
    gasWanted: minBigint(result.gasWanted, INT64_MAX),
    gasUsed: minBigint(result.gasUsed, INT64_MAX),
    tx: { typeUrl: TX_URL, value: tx },
    timestamp: time === undefined ? "" : formatTime(timeOfSeconds(secondsOf(time))),
    events: result.events as WireEvent[],
  };
}

/** The response to a broadcast: the check alone, no height yet. */
export function checkResponse(
  hash: Uint8Array,
  check: Pick<TxResult, "code" | "codespace" | "log" | "data">,
): TxResponse {
  const { code, codespace, log: rawLog, data } = check;
  return { ...EMPTY, txhash: hex(hash), code, codespace, rawLog, data: hex(data) };
}

/** A tx as a message; an empty one for bytes that are none, which no block of this node has. */
export function txMessage(bytes: Uint8Array): Tx {
  try {
    return Tx.decode(bytes);
  } catch {
    return { body: undefined, authInfo: undefined, signatures: [] };
  }
}
