import { decodeTx } from "../../codec/tx_decode.ts";
import * as wire from "../../gen/cosmos/tx/v1beta1/service.ts";
import { Tx } from "../../gen/cosmos/tx/v1beta1/tx.ts";
import { EMPTY_BYTES } from "../../lib/bytes.ts";
import type { ErrorKind } from "../../lib/errors.ts";
import { MempoolError } from "../../node/errors.ts";
import type { NodeView } from "../../node/view.ts";
import { ErrMempoolIsFull, ErrTxInMempoolCache, ErrTxTooLarge } from "../../types/sdk_errors.ts";
import { sha256 } from "../rpc/sha256.ts";
import { checkResponse } from "./tx_response.ts";
import { typedMethod } from "./typed_method.ts";
import { STATUS, type UnaryAnswer, UnaryError, type UnaryMethod } from "./unary.ts";
import { unaryErrorOf } from "./unary_error_of.ts";

const SERVICE = "cosmos.tx.v1beta1.Service";

/** Refusals of the mempool that are responses with a code, as the Cosmos SDK has it. */
const CODED: Partial<Record<MempoolError["kind"], ErrorKind>> = {
  "in-cache": ErrTxInMempoolCache,
  full: ErrMempoolIsFull,
  "too-large": ErrTxTooLarge,
};

/** Simulation, broadcast and encoding of txs that are in no block yet. */
export function txMethods(view: NodeView): UnaryMethod[] {
  const height = () => view.status().latestHeight;
  return [
    { path: `${SERVICE}/Simulate`, handle: (bytes, call) => simulate(view, bytes, call.height) },
    typedMethod({
      path: `${SERVICE}/BroadcastTx`,
      request: wire.BroadcastTxRequest,
      response: wire.BroadcastTxResponse,
      height,
      handle: (request) => broadcast(view, request),
    }),
    typedMethod({
      path: `${SERVICE}/TxDecode`,
      request: wire.TxDecodeRequest,
      response: wire.TxDecodeResponse,
      height,
      handle: ({ txBytes }) => {
        if (txBytes.length === 0) throw invalid("tx_bytes is empty");
        // Strictly, as the chain would: what does not pass could never be in a block.
        decodeTx(txBytes);
        return { tx: Tx.decode(txBytes) };
      },
    }),
    typedMethod({
      path: `${SERVICE}/TxEncode`,
      request: wire.TxEncodeRequest,
      response: wire.TxEncodeResponse,
      height,
      handle: ({ tx }) => {
        if (tx?.body === undefined) throw invalid("tx is empty: it needs a body");
        return { txBytes: Tx.encode(tx).finish() };
      },
    }),
    withoutAmino("TxEncodeAmino", "TxEncode"),
    withoutAmino("TxDecodeAmino", "TxDecode"),
  ];
}

/** Nothing on this chain is signed or sent in binary amino; amino JSON is what wallets sign. */
function withoutAmino(name: string, instead: string): UnaryMethod {
  const text = `binary amino is not offered: use ${instead}, which is protobuf`;
  const handle = () => Promise.reject(new UnaryError(STATUS.unimplemented, text));
  return { path: `${SERVICE}/${name}`, handle };
}

function invalid(text: string): UnaryError {
  return new UnaryError(STATUS.invalidArgument, text);
}

/** A tx that fails gives the status UNKNOWN with its log, as in the Cosmos SDK. */
async function simulate(view: NodeView, bytes: Uint8Array, height: bigint): Promise<UnaryAnswer> {
  const { tx, txBytes: given } = decodedSimulation(bytes);
  // The deprecated field: signatures do not count here, so another encoding does no harm.
  const txBytes = given.length > 0 || tx === undefined ? given : Tx.encode(tx).finish();
  if (txBytes.length === 0) throw invalid("tx_bytes is empty");
  const max = view.info.txBytesMax;
  if (txBytes.length > max) {
    throw invalid(`Tx too large. Max size is ${max}, but got ${txBytes.length}`);
  }
  const data = wire.SimulateRequest.encode({ tx: undefined, txBytes }).finish();
  const output = await view.query({ path: `/${SERVICE}/Simulate`, data, height, prove: false });
  if (output.code === 0) return { value: output.value, height: output.height };
  const { status, message } = unaryErrorOf(output);
  // What a message of the tx refused is not the status of this call.
  const isOfCall = status === STATUS.invalidArgument && /^sdk\/(2|26)$/.test(codeOf(output));
  throw new UnaryError(isOfCall ? status : STATUS.unknown, message);
}

function codeOf({ codespace, code }: { codespace: string; code: number }): string {
  return `${codespace}/${code}`;
}

function decodedSimulation(bytes: Uint8Array): wire.SimulateRequest {
  try {
    return wire.SimulateRequest.decode(bytes);
  } catch (error) {
    throw invalid(`request does not decode: ${String(error)}`);
  }
}

async function broadcast(
  view: NodeView,
  { txBytes, mode }: wire.BroadcastTxRequest,
): Promise<wire.BroadcastTxResponse> {
  if (txBytes.length === 0) throw invalid("tx_bytes is empty");
  const { BROADCAST_MODE_ASYNC, BROADCAST_MODE_SYNC, BROADCAST_MODE_BLOCK } = wire.BroadcastMode;
  if (mode === BROADCAST_MODE_BLOCK) {
    const text = "BROADCAST_MODE_BLOCK is not offered: use BROADCAST_MODE_SYNC, then GetTx";
    throw new UnaryError(STATUS.unimplemented, text);
  }
  if (mode !== BROADCAST_MODE_ASYNC && mode !== BROADCAST_MODE_SYNC) {
    throw invalid("mode is BROADCAST_MODE_SYNC or BROADCAST_MODE_ASYNC");
  }
  const hash = sha256(txBytes);
  try {
    const check = await view.mempool.add(txBytes);
    // ASYNC answers without the outcome of the check, whatever it was.
    const shown = mode === BROADCAST_MODE_ASYNC ? NOT_SHOWN : check;
    return { txResponse: checkResponse(hash, shown) };
  } catch (error) {
    const kind = error instanceof MempoolError ? CODED[error.kind] : undefined;
    if (kind === undefined) throw error;
    const log = (error as Error).message;
    return { txResponse: checkResponse(hash, { ...kind, log, data: EMPTY_BYTES }) };
  }
}

const NOT_SHOWN = { code: 0, codespace: "", log: "", data: EMPTY_BYTES };
