import type { ChainInfo } from "../baseapp/context.ts";
import { QueryRouter } from "../baseapp/query_router.ts";
import { ChainError } from "../lib/errors.ts";
import { type Key, keyOfBytes } from "../lib/key.ts";
import { KeyMap } from "../lib/key_map.ts";
import type { Reader } from "../store/read_view.ts";
import type { QueryInput, QueryOutput } from "../types/application.ts";
import { portableCrypto } from "../types/portable_crypto.ts";
import { ErrInvalidRequest, ErrLogic } from "../types/sdk_errors.ts";
import type { TimeNs } from "../types/time.ts";
import { buildModules } from "./modules.ts";
import { answerQuery } from "./query_answer.ts";

/** A key with what it held; undefined: nothing. */
export interface KnownRecord {
  readonly key: Uint8Array;
  readonly value: Uint8Array | undefined;
}

/**
 * The answer that the chain gives to a query when these records are what it reads: whoever has
 * proofs of the records so has a proof of the answer. A record that is not among them, or a list,
 * gives a refusal.
 */
export async function answerFromRecords(
  chain: ChainInfo,
  records: readonly KnownRecord[],
  query: Pick<QueryInput, "path" | "data" | "height">,
): Promise<QueryOutput> {
  const { list } = buildModules(chain.bech32Prefix, portableCrypto.verifier);
  const source = {
    chain,
    queries: new QueryRouter(list),
    prove: async () => [],
    latestHeight: () => query.height,
    simulate: noSimulation,
    simulateEffects: noSimulation,
  };
  return answerQuery(source, new RecordsReader(records, query.height), { ...query, prove: false });
}

function noSimulation(): never {
  throw new ChainError(ErrInvalidRequest, "a simulation cannot be proved");
}

class RecordsReader implements Reader {
  readonly height: bigint;
  // No time is in the state, so no answer that can be proved depends on it.
  readonly time = 0n as TimeNs;
  readonly #values = new KeyMap<Uint8Array | undefined>();

  constructor(records: readonly KnownRecord[], height: bigint) {
    this.height = height;
    for (const { key, value } of records) this.#values.set(keyOfBytes(key), value);
  }

  async get(key: Key): Promise<Uint8Array | undefined> {
    if (this.#values.has(key)) return this.#values.get(key);
    throw new ChainError(ErrLogic, "the answer needs a record that was not proved");
  }

  range(): never {
    throw new ChainError(ErrLogic, "the answer needs a list, which cannot be proved");
  }

  async close(): Promise<void> {}
}
