import type { BackOffBounds } from "./back_off.ts";

/** How records are put into txs, and how often things are tried again. */
export interface DispatchLimits {
  /** Most records, bytes of messages and gas of one tx. */
  readonly recordsPerTx: number;
  readonly bytesPerTx: number;
  readonly gasPerTx: bigint;
  /** Most txs whose fate is open. */
  readonly txsInFlight: number;
  /** How long the oldest record waits for others to fill its tx, milliseconds. */
  readonly batchAgeMs: number;
  /** Blocks after which a tx can be in none any more. */
  readonly timeoutBlocks: bigint;
  /** How often the chain is asked for the txs in flight. */
  readonly pollMs: number;
  /** After how long without progress the same txs are offered again. */
  readonly offerAgainMs: number;
  /** How long a record waits that the chain may take later, and how long all wait. */
  readonly retry: BackOffBounds;
}

export const DEFAULT_LIMITS: DispatchLimits = Object.freeze({
  recordsPerTx: 250,
  bytesPerTx: 400_000,
  gasPerTx: 10_000_000n,
  txsInFlight: 8,
  batchAgeMs: 1000,
  timeoutBlocks: 50n,
  pollMs: 50,
  offerAgainMs: 5000,
  retry: { minMs: 1000, maxMs: 600_000 },
});
