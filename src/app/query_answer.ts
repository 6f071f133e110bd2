import type { ChainInfo } from "../baseapp/context.ts";
import type { QueryRouter } from "../baseapp/query_router.ts";
import { ChainError } from "../lib/errors.ts";
import { type Key, keyOfBytes } from "../lib/key.ts";
import * as auth from "../modules/auth/keys.ts";
import * as bank from "../modules/bank/keys.ts";
import * as settlement from "../modules/settlement/keys.ts";
import type { Reader } from "../store/read_view.ts";
import type { Prove } from "../store/reader.ts";
import type { QueryInput, QueryOutput } from "../types/application.ts";
import {
  ErrInvalidHeight,
  ErrInvalidRequest,
  ErrKeyNotFound,
  ErrUnknownRequest,
} from "../types/sdk_errors.ts";
import { queryAnswer, queryFailure } from "./query.ts";
import { RecordingReader } from "./query_proof.ts";

const SIMULATE_PATH = "/cosmos.tx.v1beta1.Service/Simulate";
const EFFECTS_PATH = "/settled.tx.v1.Service/SimulateEffects";
const STORE_PATH = /^\/store\/([a-z_]{1,32})\/key$/;

/** The first byte of each module's committed keys, by the module's name. */
const STORES: readonly (readonly [string, Key])[] = [
  [auth.MODULE_NAME, auth.PARAMS_KEY],
  [bank.MODULE_NAME, bank.BALANCE_PREFIX],
  [settlement.MODULE_NAME, settlement.PARAMS_KEY],
];

/** What answers come from, besides the state of their height. */
export interface QuerySource {
  readonly chain: ChainInfo;
  readonly queries: QueryRouter;
  readonly prove: Prove;
  /** The latest height, which alone txs are simulated on. */
  latestHeight(): bigint;
  /** Answer of a SimulateRequest. @throws ChainError of the tx */
  simulate(request: Uint8Array): Uint8Array;
  /** Answer of a SimulateEffectsRequest. */
  simulateEffects(request: Uint8Array): Uint8Array;
}

/**
 * The answer of one query from the state of one height, refusals included. With `prove` it carries a
 * proof for every key that was read, also when the answer is that there is nothing.
 */
export async function answerQuery(
  source: QuerySource,
  reader: Reader,
  input: QueryInput,
): Promise<QueryOutput> {
  const { height } = reader;
  if (!input.prove) return answerOrFailure(source, reader, input);
  const recorder = new RecordingReader(reader, input.path);
  const output = await answerOrFailure(source, recorder, input);
  if (output.code !== 0 && !isNotFound(output)) return output;
  try {
    if (output.code === 0 && recorder.keyCount === 0) throw nothingToProve(input.path);
    return { ...output, proofOps: await recorder.proofOps(source.prove) };
  } catch (error) {
    return queryFailure(height, error);
  }
}

/** That there is nothing is an answer too, which absence proves; other refusals are none. */
function isNotFound({ code, codespace }: QueryOutput): boolean {
  return code === ErrKeyNotFound.code && codespace === ErrKeyNotFound.codespace;
}

function nothingToProve(path: string): ChainError {
  const detail = `the answer of ${path} comes from no record of the state: ask without prove`;
  return new ChainError(ErrInvalidRequest, detail);
}

async function answerOrFailure(
  source: QuerySource,
  reader: Reader,
  input: QueryInput,
): Promise<QueryOutput> {
  try {
    if (input.path === SIMULATE_PATH) return simulated(source, reader, input, "simulate");
    if (input.path === EFFECTS_PATH) return simulated(source, reader, input, "simulateEffects");
    if (input.path.startsWith("/store/")) return await stored(reader, input);
    const route = source.queries.route(input.path);
    const answer = await route.handle({ chain: source.chain, reader }, input.data);
    return queryAnswer(reader.height, route.encode(answer as never));
  } catch (error) {
    return queryFailure(reader.height, error);
  }
}

/** @throws ChainError sdk/26 for another height than the latest. */
function simulated(
  source: QuerySource,
  reader: Reader,
  input: QueryInput,
  answer: "simulate" | "simulateEffects",
): QueryOutput {
  const latest = source.latestHeight();
  if (input.height !== 0n && input.height !== latest) {
    const detail = `a tx is simulated on the latest state (${latest}), not at height ${input.height}: leave the height out`;
    throw new ChainError(ErrInvalidHeight, detail);
  }
  return queryAnswer(reader.height, source[answer](input.data));
}

/** A committed value as it is stored; nothing under the key is an empty answer. */
async function stored(reader: Reader, { path, data }: QueryInput): Promise<QueryOutput> {
  const module = STORE_PATH.exec(path)?.[1];
  const prefix = STORES.find(([name]) => name === module)?.[1];
  if (prefix === undefined) {
    const names = STORES.map(([name]) => `/store/${name}/key`).join(", ");
    throw new ChainError(ErrUnknownRequest, `unknown store path ${path.slice(0, 64)}; ${names}`);
  }
  const key = keyOfBytes(data);
  if (key.charCodeAt(0) !== prefix.charCodeAt(0)) {
    const first = data[0] === undefined ? "no key" : `a key that begins with ${data[0]}`;
    const detail = `keys of ${path} begin with the byte ${prefix.charCodeAt(0)}, found ${first}`;
    throw new ChainError(ErrInvalidRequest, detail);
  }
  const value = await reader.get(key);
  return { ...queryAnswer(reader.height, value ?? new Uint8Array(0)), key: data };
}
