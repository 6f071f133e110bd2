import type { Client } from "../heavy_queue.ts";
import { runUnary } from "../services/run_unary.ts";
import type { Services } from "../services/services.ts";
import { STATUS, type UnaryAnswer, UnaryError } from "../services/unary.ts";

/**
 * Calls a method and makes what is sent of its answer, for so long at most.
 * @param call.signal of a client who leaves
 * @param call.client the connection that it comes over
 * @throws UnaryError, of status 4 when the time is over; the reason of the signal
 */
export async function callMethod<T>(
  { services, path }: { readonly services: Services; readonly path: string },
  request: Uint8Array,
  call: { readonly height: bigint; readonly signal: AbortSignal; readonly client: Client },
  limits: {
    readonly callMs: number;
    readonly report: (error: unknown) => void;
    /** Told of who has got no answer in time. */
    readonly refused: (limit: "time") => void;
  },
  finish: (answer: UnaryAnswer, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { height, signal: left, client } = call;
  left.throwIfAborted();
  const controller = new AbortController();
  const { signal } = controller;
  const leave = () => controller.abort(left.reason);
  left.addEventListener("abort", leave, { once: true });
  const text = `no answer within ${limits.callMs} ms; ask for less`;
  const late = setTimeout(() => {
    limits.refused("time");
    controller.abort(new UnaryError(STATUS.deadlineExceeded, text));
  }, limits.callMs);
  try {
    const { report } = limits;
    const work = runUnary(services, path, request, { height, signal, client, report });
    return await until(
      signal,
      work.then(async (answer) => finish(answer, signal)),
    );
  } catch (error) {
    // A search that was stopped may say so in its own words.
    throw signal.aborted ? signal.reason : error;
  } finally {
    clearTimeout(late);
    left.removeEventListener("abort", leave);
  }
}

/** What a promise gives, or the reason of the signal when that comes first. */
async function until<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  let stop: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason as Error);
    signal.addEventListener("abort", stop, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    if (stop !== undefined) signal.removeEventListener("abort", stop);
  }
}
