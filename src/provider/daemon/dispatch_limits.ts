import { DEFAULT_LIMITS, type DispatchLimits } from "../dispatch/limits.ts";
import type { ProviderSettings } from "./settings.ts";

/** What the settings say of txs and repeats, as the dispatcher takes it. */
export function dispatchLimits({ batch, retry }: ProviderSettings): DispatchLimits {
  return {
    ...DEFAULT_LIMITS,
    ...{ recordsPerTx: batch.records, bytesPerTx: batch.bytes, txsInFlight: batch.inFlight },
    batchAgeMs: batch.ageMs,
    retry: { minMs: retry.firstMs, maxMs: retry.maxMs },
  };
}
