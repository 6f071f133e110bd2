import { concatBytes } from "../lib/bytes.ts";

/** Type of the proof operations of abci_query: one for each key that the answer was made from. */
export const PROOF_OP_TYPE = "settled/1";

const ENVELOPE_VERSION = 1;
const ABSENT = 0;
const PRESENT = 1;
const ABSENT_HEAD_BYTES = 2;
const PRESENT_HEAD_BYTES = 6;

/** What a key held, and the proof of it. */
export interface ProvedValue {
  /** undefined: the key held nothing. */
  readonly value: Uint8Array | undefined;
  /** As docs/proofs.md has it. */
  readonly proof: Uint8Array;
}

/** The data of a proof operation: a stored value, or its absence, with the proof (docs/proofs.md). */
export function encodeProofData({ value, proof }: ProvedValue): Uint8Array {
  if (value === undefined) return concatBytes(Uint8Array.of(ENVELOPE_VERSION, ABSENT), proof);
  const { length } = value;
  const size = [length >>> 24, (length >> 16) & 255, (length >> 8) & 255, length & 255];
  return concatBytes(Uint8Array.of(ENVELOPE_VERSION, PRESENT, ...size), value, proof);
}

/** undefined: bytes that no proof operation has. */
export function decodeProofData(data: Uint8Array): ProvedValue | undefined {
  if (data.length < ABSENT_HEAD_BYTES || data[0] !== ENVELOPE_VERSION) return undefined;
  if (data[1] === ABSENT) return { value: undefined, proof: data.subarray(ABSENT_HEAD_BYTES) };
  if (data[1] !== PRESENT || data.length < PRESENT_HEAD_BYTES) return undefined;
  const byte = (at: number): number => data[at] as number;
  const length = ((byte(2) << 24) | (byte(3) << 16) | (byte(4) << 8) | byte(5)) >>> 0;
  const end = PRESENT_HEAD_BYTES + length;
  if (end > data.length) return undefined;
  return { value: data.subarray(PRESENT_HEAD_BYTES, end), proof: data.subarray(end) };
}
