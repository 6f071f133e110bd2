import type { Signer } from "../../client/signer.ts";
import type { GasPrice } from "../gas.ts";
import type { Outbox } from "../outbox/outbox.ts";
import type { OutboxRecord } from "../outbox/outbox_record.ts";
import type { ProviderLog } from "../provider_log.ts";
import type { Random } from "./back_off.ts";
import type { DispatchLimits } from "./limits.ts";
import type { NodePool } from "./node_pool.ts";

export interface DispatcherOptions {
  readonly outbox: Outbox;
  readonly pool: NodePool;
  /** Nobody else should use the account; when somebody does, it only costs time. */
  readonly signer: Signer;
  readonly gasPrice: GasPrice;
  readonly limits?: Partial<DispatchLimits>;
  readonly random?: Random;
  /** Unix milliseconds; never goes back. */
  readonly now: () => number;
  readonly log?: ProviderLog;
  /** Told of records whose change is on the disk. */
  readonly onChange?: (records: readonly OutboxRecord[]) => void;
}

/** What a dispatcher is doing, for metrics and health. */
export interface DispatchState {
  readonly txsInFlight: number;
  readonly recordsInFlight: number;
  /** Unix milliseconds at which the oldest tx in flight was sent; undefined: none is. */
  readonly oldestSentMs: number | undefined;
  /** Unix milliseconds; 0: nothing is paused. */
  readonly pausedUntilMs: number;
  /** Why nothing goes, in words; empty when all is well. */
  readonly trouble: string;
  readonly txsSent: number;
  readonly txsFailed: number;
}
