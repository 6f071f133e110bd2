import type { Kv } from "../store/kv.ts";
import type { Hasher } from "../types/crypto.ts";
import type { Event } from "../types/event.ts";
import type { TimeNs } from "../types/time.ts";
import type { GasMeter } from "./gas.ts";

/** What every message and hook of a block has in common. */
export interface ChainInfo {
  readonly chainId: string;
  readonly bech32Prefix: string;
  readonly bondDenom: string;
}

/**
 * Why the machine runs: `deliver` counts, the others leave no trace. A probe is a check whose result
 * is shown with its events; of the other checks nobody sees them.
 */
export type ExecMode = "check" | "recheck" | "probe" | "simulate" | "deliver";

/** Whether only the ante steps run, on the check state. */
export function isCheck({ mode }: { readonly mode: ExecMode }): boolean {
  return mode === "check" || mode === "recheck" || mode === "probe";
}

/** Whether anybody sees the events; else they need not be made. */
export function showsEvents({ mode }: { readonly mode: ExecMode }): boolean {
  return mode !== "check" && mode !== "recheck";
}

/** The view that a handler has of the chain: header facts, state, gas and events. */
export interface Context {
  readonly chain: ChainInfo;
  readonly mode: ExecMode;
  readonly height: bigint;
  readonly time: TimeNs;
  readonly kv: Kv;
  readonly gas: GasMeter;
  readonly hasher: Hasher;
  /** Hash of the tx, 32 bytes; empty in BeginBlock, EndBlock and genesis. */
  readonly txHash: Uint8Array;
  emit(event: Event): void;
}
