import { decodeProofData, PROOF_OP_TYPE } from "../codec/proof_op.ts";
import { EMPTY_BYTES, fromBase64, toHex } from "../lib/bytes.ts";
import { verifyProof } from "../lib/verify_proof.ts";
import { ClientError } from "./errors.ts";

/** A key of the state with what it held, and the proof of it. */
export interface ProvedRecord {
  readonly key: Uint8Array;
  /** As stored; undefined: the key held nothing. */
  readonly value: Uint8Array | undefined;
  /** As docs/proofs.md has it. */
  readonly proof: Uint8Array;
}

/** An answer of abci_query with the records that it was made from. */
export interface ProvedAnswer {
  /** 0, or 22 where there is nothing. */
  readonly code: number;
  readonly codespace: string;
  readonly log: string;
  readonly value: Uint8Array;
  readonly height: bigint;
  readonly records: readonly ProvedRecord[];
}

/** `proofOps` of an abci_query response, as JSON. */
export interface JsonProofOps {
  readonly ops?: readonly { type?: string; key?: string; data?: string }[] | null;
}

/** The records of proof operations. @throws ClientError for one that is of another kind */
export function readProofOps(proofOps: JsonProofOps | null | undefined): ProvedRecord[] {
  return (proofOps?.ops ?? []).map(({ type = "", key = "", data = "" }) => {
    const envelope = fromBase64(data);
    const decoded = envelope === undefined ? undefined : decodeProofData(envelope);
    if (type !== PROOF_OP_TYPE || decoded === undefined) {
      const found = type === PROOF_OP_TYPE ? "with data of another form" : `of type "${type}"`;
      throw new ClientError("bad_proof", `the node answers a proof operation ${found}`);
    }
    return { key: fromBase64(key) ?? EMPTY_BYTES, ...decoded };
  });
}

/**
 * Checks every record against an app hash: that of the header after the answer's height.
 * @returns the hex of the first key whose proof does not hold; undefined when all do
 */
export function failedRecord(
  appHash: Uint8Array,
  records: readonly ProvedRecord[],
): string | undefined {
  const failed = records.find(
    ({ key, value, proof }) => !verifyProof(appHash, key, value ?? null, proof),
  );
  return failed === undefined ? undefined : toHex(failed.key);
}
