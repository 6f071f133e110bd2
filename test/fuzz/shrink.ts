import { processorMs } from "../testkit/own_time.ts";
import type { Target } from "./target.ts";

const TRIALS_MAX = 600;
const TIME_MAX_MS = 30_000;

/**
 * Leaves out of an input what it fails without, in ever smaller pieces (delta debugging).
 * @param first the failure of the whole input; what is left fails alike
 */
export async function shrink(
  target: Target,
  input: Uint8Array,
  first: string,
): Promise<Uint8Array> {
  const head = input.subarray(0, target.headBytes);
  let rest = input.subarray(target.headBytes);
  let trials = 0;
  const end = performance.now() + TIME_MAX_MS;
  for (let size = rest.length >> 1; size > 0; size >>= 1) {
    for (let at = rest.length - size; at >= 0; at -= size) {
      if (trials >= TRIALS_MAX || performance.now() > end) break;
      trials += 1;
      const less = Uint8Array.from([...rest.subarray(0, at), ...rest.subarray(at + size)]);
      const failure = await failureOf(target, Uint8Array.from([...head, ...less]));
      if (failure !== undefined && kindOf(failure) === kindOf(first)) rest = less;
    }
  }
  return Uint8Array.from([...head, ...rest]);
}

/** How an input fails: the error with where it came from; undefined when it does not. */
export async function failureOf(target: Target, input: Uint8Array): Promise<string | undefined> {
  const began = processorMs();
  try {
    await target.run(input);
  } catch (error) {
    return error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
  // Others on the machine make no input slow.
  const tookMs = processorMs() - began;
  return tookMs > SLOW_MS ? `took ${Math.round(tookMs)} ms` : undefined;
}

const SLOW_MS = 1000;

/** Shrinking must not slip to another failure: figures aside, its first line stays the same. */
function kindOf(failure: string): string {
  return (failure.split("\n", 1)[0] ?? "").replace(/[0-9]+/g, "#").slice(0, 60);
}
