import type { HeavyQueue } from "../rpc/heavy_queue.ts";
import { runUnary } from "../services/run_unary.ts";
import type { Services } from "../services/services.ts";
import { STATUS, type UnaryAnswer, UnaryError } from "../services/unary.ts";

/**
 * Calls a method when it is its turn, for so long at most.
 * @param call.signal of a client who leaves
 * @param call.client the connection that it comes over: what it has used of late decides on its turn
 * @throws UnaryError, of status 4 when the time is over; the reason of the signal
 */
export async function callMethod(
  { services, path }: { readonly services: Services; readonly path: string },
  request: Uint8Array,
  call: { readonly height: bigint; readonly signal: AbortSignal; readonly client: object },
  limits: {
    readonly queue: HeavyQueue;
    readonly callMs: number;
    readonly report: (error: unknown) => void;
  },
): Promise<UnaryAnswer> {
  const { height, signal: left } = call;
  left.throwIfAborted();
  const controller = new AbortController();
  const { signal } = controller;
  const leave = () => controller.abort(left.reason);
  left.addEventListener("abort", leave, { once: true });
  const text = `no answer within ${limits.callMs} ms; ask for less`;
  const late = setTimeout(
    () => controller.abort(new UnaryError(STATUS.deadlineExceeded, text)),
    limits.callMs,
  );
  try {
    const run = () =>
      until(signal, runUnary(services, path, request, { height, signal, report: limits.report }));
    return await limits.queue.run(run, signal, call.client);
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
