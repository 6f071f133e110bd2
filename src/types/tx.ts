import type { ChainError } from "../lib/errors.ts";
import type { Event } from "./event.ts";

/** A protobuf Any as received. */
export interface AnyMsg {
  /** "/package.Message" */
  readonly typeUrl: string;
  readonly value: Uint8Array;
}

/** SIGN_MODE_DIRECT = 1, SIGN_MODE_LEGACY_AMINO_JSON = 127 (cosmos.tx.signing.v1beta1). */
export type SignMode = number;

/** One signer as the tx states it. */
export interface SignerInfo {
  /** Absent when the account's key is already known to the chain. */
  readonly publicKey: AnyMsg | undefined;
  readonly mode: SignMode;
  readonly sequence: bigint;
}

/** What became of one tx in a block. `code`, `data` and gas enter the next header's results hash. */
export interface TxResult {
  readonly code: number;
  readonly codespace: string;
  /** Empty on success; on failure the error text. */
  readonly log: string;
  readonly info: string;
  /** Encoded TxMsgData on success. */
  readonly data: Uint8Array;
  readonly gasWanted: bigint;
  readonly gasUsed: bigint;
  readonly events: readonly Event[];
}

/** The failed result of an error. */
export function failedResult(
  error: ChainError,
  gas: { wanted: bigint; used: bigint },
  events: readonly Event[],
): TxResult {
  return {
    code: error.code,
    codespace: error.codespace,
    log: error.message,
    info: "",
    data: new Uint8Array(0),
    gasWanted: gas.wanted,
    gasUsed: gas.used,
    events,
  };
}
