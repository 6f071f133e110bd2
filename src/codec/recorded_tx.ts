import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { assert } from "../lib/assert.ts";
import { EMPTY_BYTES } from "../lib/bytes.ts";
import { INT64_MAX, minBigint } from "../lib/int.ts";
import type { TxResult } from "../types/tx.ts";

/** What a tx came to: the part of its result that enters the results hash, and whose code it is. */
export interface TxOutcome {
  readonly code: number;
  readonly codespace: string;
  /** Encoded TxMsgData on success. */
  readonly data: Uint8Array;
  /** At most an int64, as every stored gas. */
  readonly gasWanted: bigint;
  readonly gasUsed: bigint;
}

/** A tx of a block with what it came to. */
export interface RecordedTx {
  /** As received. */
  readonly bytes: Uint8Array;
  readonly outcome: TxOutcome;
}

// Field numbers of tendermint.abci.TxResult and of the ExecTxResult in it.
const TX = 3;
const RESULT = 4;
const CODE = 1;
const DATA = 2;
const GAS_WANTED = 5;
const GAS_USED = 6;
const CODESPACE = 8;

/** The outcome of a result. */
export function txOutcome(result: TxResult): TxOutcome {
  const { code, codespace, data, gasWanted, gasUsed } = result;
  const [wanted, used] = [minBigint(gasWanted, INT64_MAX), minBigint(gasUsed, INT64_MAX)];
  return { code, codespace, data, gasWanted: wanted, gasUsed: used };
}

/**
 * Reads a stored tx (`encodeTxRecord`) without its events and texts, which are most of it.
 * @throws Error for bytes that are none
 */
export function decodeRecordedTx(stored: Uint8Array): RecordedTx {
  const reader = new BinaryReader(stored);
  let bytes: Uint8Array = EMPTY_BYTES;
  let outcome: TxOutcome | undefined;
  while (reader.pos < reader.len) {
    const [field, wire] = reader.tag();
    if (field === TX) bytes = reader.bytes();
    else if (field === RESULT) outcome = readOutcome(reader.bytes());
    else reader.skip(wire, field);
  }
  assert(outcome !== undefined, "a stored tx has a result");
  return { bytes, outcome };
}

function readOutcome(bytes: Uint8Array): TxOutcome {
  const reader = new BinaryReader(bytes);
  let [code, codespace, gasWanted, gasUsed] = [0, "", 0n, 0n];
  let data: Uint8Array = EMPTY_BYTES;
  while (reader.pos < reader.len) {
    const [field, wire] = reader.tag();
    if (field === CODE) code = reader.uint32();
    else if (field === DATA) data = reader.bytes();
    else if (field === GAS_WANTED) gasWanted = reader.int64() as bigint;
    else if (field === GAS_USED) gasUsed = reader.int64() as bigint;
    else if (field === CODESPACE) codespace = reader.string();
    else reader.skip(wire, field);
  }
  return { code, codespace, data, gasWanted, gasUsed };
}

/** Writes what `decodeRecordedTx` reads, and nothing else. */
export function encodeRecordedTx({ bytes, outcome }: RecordedTx): Uint8Array {
  const { code, codespace, data, gasWanted, gasUsed } = outcome;
  return new BinaryWriter()
    .tag(TX, WireType.LengthDelimited)
    .bytes(bytes)
    .tag(RESULT, WireType.LengthDelimited)
    .fork()
    .tag(CODE, WireType.Varint)
    .uint32(code)
    .tag(DATA, WireType.LengthDelimited)
    .bytes(data)
    .tag(GAS_WANTED, WireType.Varint)
    .int64(gasWanted)
    .tag(GAS_USED, WireType.Varint)
    .int64(gasUsed)
    .tag(CODESPACE, WireType.LengthDelimited)
    .string(codespace)
    .join()
    .finish();
}
