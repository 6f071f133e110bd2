import { encodeProofData, PROOF_OP_TYPE } from "../codec/proof_op.ts";
import { must } from "../lib/assert.ts";
import { ChainError } from "../lib/errors.ts";
import { bytesOfKey, type Key } from "../lib/key.ts";
import { KeyMap } from "../lib/key_map.ts";
import { isDerivedKey } from "../store/kv.ts";
import type { Reader } from "../store/read_view.ts";
import type { Prove } from "../store/reader.ts";
import type { ProofOp } from "../types/application.ts";
import { GrpcInvalidArgument } from "../types/query_errors.ts";
import type { TimeNs } from "../types/time.ts";

/** Keys that one answer may be proved from. */
export const PROVED_KEYS_MAX = 64;

/** Reads as another reader does and notes every key, so that what was read can be proved. */
export class RecordingReader implements Reader {
  readonly #reader: Reader;
  readonly #path: string;
  /** Keys in the order of their first read; the map holds what they held. */
  readonly #keys: Key[] = [];
  readonly #values = new KeyMap<Uint8Array | undefined>();

  /** @param path of the query, for the error texts */
  constructor(reader: Reader, path: string) {
    this.#reader = reader;
    this.#path = path;
  }

  get height(): bigint {
    return this.#reader.height;
  }

  get time(): TimeNs {
    return this.#reader.time;
  }

  get keyCount(): number {
    return this.#keys.length;
  }

  /** @throws ChainError grpc/3 for a derived key and above 64 keys. */
  async get(key: Key): Promise<Uint8Array | undefined> {
    if (this.#values.has(key)) return this.#values.get(key);
    if (isDerivedKey(key)) throw notProvable(this.#path);
    if (this.#keys.length === PROVED_KEYS_MAX) {
      const detail = `the answer is made from more than ${PROVED_KEYS_MAX} records, and at most so many are proved; ask for one record, or without prove`;
      throw new ChainError(GrpcInvalidArgument, detail);
    }
    this.#keys.push(key);
    const value = await this.#reader.get(key);
    this.#values.set(key, value);
    return value;
  }

  /** @throws ChainError grpc/3 always: that a list is whole cannot be proved. */
  range(): never {
    throw notProvable(this.#path);
  }

  async close(): Promise<void> {
    await this.#reader.close();
  }

  /** One proof operation for each key that was read. */
  async proofOps(prove: Prove): Promise<ProofOp[]> {
    if (this.#keys.length === 0) return [];
    const proofs = await prove(this.height, this.#keys);
    return this.#keys.map((key, index) => {
      const proof = must(proofs[index], "every key has its proof");
      const data = encodeProofData({ value: this.#values.get(key), proof });
      return { type: PROOF_OP_TYPE, key: bytesOfKey(key), data };
    });
  }
}

/** A query whose answer is made from single records, by a word of the path. */
const PROVABLE = [
  { word: ".auth.", path: "/cosmos.auth.v1beta1.Query/Account" },
  { word: "Journal", path: "/settled.bank.v1.Query/JournalEntry" },
  { word: ".bank.", path: "/cosmos.bank.v1beta1.Query/Balance" },
  { word: "Usage", path: "/virtengine.settlement.v1.Query/UsageRecord" },
  { word: "Payout", path: "/virtengine.settlement.v1.Query/Payout" },
];
const PROVABLE_OTHERWISE = "/virtengine.settlement.v1.Query/Escrow";

function notProvable(path: string): ChainError {
  const instead = PROVABLE.find(({ word }) => path.includes(word))?.path ?? PROVABLE_OTHERWISE;
  const detail = `only queries of single records can be proved, and ${path} reads a list or an index; ask without prove, or for one record, as ${instead} does`;
  return new ChainError(GrpcInvalidArgument, detail);
}
