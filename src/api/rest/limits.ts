import type { ListenerLimits } from "../http_listener.ts";

/** What one client may take of the REST server. Times in milliseconds. */
export interface RestLimits extends ListenerLimits {
  readonly bodyBytes: number;
  /** Characters of path and query of an address. */
  readonly urlLength: number;
  /** From the call of a method to its answer. */
  readonly callMs: number;
  /** From the end of an answer to its last byte leaving. */
  readonly writeMs: number;
}

export const DEFAULT_REST_LIMITS: RestLimits = {
  bodyBytes: 1_000_000,
  urlLength: 16_384,
  headerBytes: 32_768,
  connections: 900,
  requestMs: 10_000,
  callMs: 15_000,
  writeMs: 30_000,
  keepAliveMs: 65_000,
};
