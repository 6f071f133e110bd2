import type { Context } from "../../baseapp/context.ts";
import { GasMeter } from "../../baseapp/gas.ts";
import type { QueryContext } from "../../baseapp/query_context.ts";
import { assert } from "../../lib/assert.ts";
import { ChainError } from "../../lib/errors.ts";
import { INT64_MAX } from "../../lib/int.ts";
import type { Key } from "../../lib/key.ts";
import { sha256 } from "../../lib/sha256.ts";
import { LoadedKv } from "../../store/loaded_kv.ts";
import { Overlay } from "../../store/overlay.ts";
import type { Reader } from "../../store/read_view.ts";
import type { Hasher } from "../../types/crypto.ts";
import { GrpcResourceExhausted } from "../../types/query_errors.ts";
import { ITERABLE_PREFIXES } from "./keys.ts";

/** Keys that one dry run reads, more or less, and how often it begins anew for some that it lacked. */
const KEYS_MAX = 25_000;
const ROUNDS_MAX = 100;

/** Either what the work returned, or why the chain would refuse it. */
export type DryOutcome<T> =
  | { readonly result: T; readonly refusal: undefined }
  | { readonly result: undefined; readonly refusal: ChainError };

/**
 * Runs machine code on the state that a query reads, at its height and time, without a trace: so
 * an estimate is what the machine itself does, and cannot disagree with it. The machine reads
 * without waiting, a query does not; so keys that turn out to be needed are loaded, and it runs
 * again, until nothing was lacking.
 * @param alongWith keys to load with one, because they will be asked for next
 * @throws ChainError grpc/8 when it would read too much
 */
export async function dryRun<T>(
  { chain, reader }: QueryContext,
  work: (ctx: Context) => T,
  alongWith: (key: Key) => readonly Key[] = () => [],
): Promise<DryOutcome<T>> {
  const loaded = new LoadedKv(ITERABLE_PREFIXES);
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    const ctx: Context = {
      ...{ chain, mode: "simulate", height: reader.height, time: reader.time },
      ...{ kv: new Overlay(loaded), gas: new GasMeter(INT64_MAX), hasher: HASHER },
      txHash: NO_TX,
      emit: () => undefined,
    };
    const { outcome, error } = attempt(() => work(ctx));
    const lacking = loaded.takeLacking();
    if (lacking.keys.length + lacking.ranges.length === 0) {
      // What failed for what it lacked is tried again; this did not.
      if (outcome === undefined) throw error;
      return outcome;
    }
    await load(reader, loaded, lacking, alongWith);
    if (loaded.size > KEYS_MAX) break;
  }
  throw tooMuchToRead();
}

export function tooMuchToRead(): ChainError {
  const detail = "too much open usage to look at: name the usage records";
  return new ChainError(GrpcResourceExhausted, detail);
}

function attempt<T>(work: () => T): { outcome: DryOutcome<T> | undefined; error: unknown } {
  try {
    return { outcome: { result: work(), refusal: undefined }, error: undefined };
  } catch (error) {
    const isRefusal = error instanceof ChainError;
    return { outcome: isRefusal ? { result: undefined, refusal: error } : undefined, error };
  }
}

async function load(
  reader: Reader,
  loaded: LoadedKv,
  { keys, ranges }: { keys: readonly Key[]; ranges: readonly Key[] },
  alongWith: (key: Key) => readonly Key[],
): Promise<void> {
  for (const prefix of ranges) {
    const entries: [Key, Uint8Array][] = [];
    for await (const entry of reader.range(prefix, { limit: KEYS_MAX })) entries.push(entry);
    loaded.loadRange(prefix, entries);
  }
  for (const asked of keys) {
    for (const key of [asked, ...alongWith(asked)]) {
      if (!loaded.isLoaded(key)) loaded.load(key, await reader.get(key));
    }
  }
}

const NO_TX = new Uint8Array(0);

/** Portable: few hashes, and nobody sees them. */
const HASHER: Hasher = {
  name: "portable",
  sha256,
  hashInto: (data, output, offset) => output.set(sha256(data), offset),
  hashKeyInto: () => assert(false, "a dry run commits nothing"),
  hashPairs: () => assert(false, "a dry run commits nothing"),
};
