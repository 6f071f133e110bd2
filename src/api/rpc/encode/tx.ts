import type { MerkleProof } from "../../../node/comet/merkle.ts";
import type { IndexedTx, StoredResults } from "../../../node/view.ts";
import type { Event } from "../../../types/event.ts";
import type { TxResult } from "../../../types/tx.ts";
import { type Json, type JsonObject, LongList } from "../json.ts";
import { base64, base64OrNull, hex } from "./bytes.ts";

/** Events that are written in one go, in far less time than a slice. */
const EVENTS_AT_ONCE = 32;

export function encodeEvents(events: readonly Event[]): Json[] | LongList {
  if (events.length > EVENTS_AT_ONCE) return LongList.of(events, encodeEvent);
  return events.map(encodeEvent);
}

function encodeEvent({ type, attributes }: Event): Json {
  return { type, attributes: attributes.map(({ key, value, index }) => ({ key, value, index })) };
}

/** An ExecTxResult or a ResponseCheckTx: both have these fields. */
export function encodeTxResult(result: TxResult): JsonObject {
  return {
    code: result.code,
    data: base64OrNull(result.data),
    log: result.log,
    info: result.info,
    gas_wanted: String(result.gasWanted),
    gas_used: String(result.gasUsed),
    events: encodeEvents(result.events),
    codespace: result.codespace,
  };
}

/** The result of a tx that did not run. */
export const NO_RESULT: JsonObject = {
  code: 0,
  data: null,
  log: "",
  info: "",
  gas_wanted: "0",
  gas_used: "0",
  events: [],
  codespace: "",
};

/** The answer of broadcast_tx_sync and broadcast_tx_async. */
export function encodeBroadcast(
  hash: Uint8Array,
  check: { readonly code: number; readonly log: string; readonly codespace: string },
): JsonObject {
  return {
    code: check.code,
    // CometBFT has hex here and CosmJS reads base64: only the empty text is the same in both.
    data: "",
    log: check.log,
    codespace: check.codespace,
    hash: hex(hash),
  };
}

/** That a tx is in a block. */
export interface TxProof {
  /** The data hash of the block. */
  readonly root: Uint8Array;
  readonly proof: MerkleProof;
}

export function encodeIndexedTx(tx: IndexedTx, proof: TxProof | undefined): JsonObject {
  return {
    hash: hex(tx.hash),
    height: String(tx.height),
    index: tx.index,
    tx_result: encodeTxResult(tx.result),
    tx: base64(tx.tx),
    ...(proof === undefined ? {} : { proof: encodeTxProof(proof, tx.tx) }),
  };
}

function encodeTxProof({ root, proof }: TxProof, tx: Uint8Array): JsonObject {
  return {
    root_hash: hex(root),
    data: base64(tx),
    proof: {
      total: String(proof.total),
      index: String(proof.index),
      leaf_hash: base64(proof.leafHash),
      aunts: proof.aunts.map(base64),
    },
  };
}

/** The answer of block_results. Go writes its empty lists as null. */
export function encodeResults(results: StoredResults): JsonObject {
  return {
    height: String(results.height),
    txs_results: orNull(LongList.of(results.txResults, encodeTxResult)),
    finalize_block_events: orNull(encodeEvents(results.events)),
    validator_updates: null,
    consensus_param_updates: null,
    app_hash: base64(results.appHash),
  };
}

function orNull(list: readonly Json[] | LongList): Json {
  return list.length === 0 ? null : list;
}
