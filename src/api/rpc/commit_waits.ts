import type { EventBusView, IndexedTx } from "../../node/view.ts";
import { failed } from "./errors.ts";

/** What a wait ends with: the tx in its block, or the reason why there is none. */
export type WaitOutcome =
  | { readonly tx: IndexedTx; readonly reason?: never }
  | { readonly tx?: never; readonly reason: string };

/** The broadcast_tx_commit calls that wait for their block, bounded in number and time. */
export class CommitWaits {
  readonly #events: EventBusView;
  readonly #limits: { readonly commitMs: number; readonly commitWaits: number };
  readonly #open = new Set<(outcome: WaitOutcome) => void>();

  constructor(
    events: EventBusView,
    limits: { readonly commitMs: number; readonly commitWaits: number },
  ) {
    this.#events = events;
    this.#limits = limits;
  }

  /**
   * Begins to watch for a tx; call it before the tx is sent. The outcome never rejects.
   * @param query a subscription query that matches this tx alone
   * @throws RpcError when too many calls wait already
   */
  open(query: string, signal: AbortSignal): { outcome: Promise<WaitOutcome>; close: () => void } {
    if (this.#open.size >= this.#limits.commitWaits) {
      throw failed(`max_subscription_clients ${this.#limits.commitWaits} reached`);
    }
    let settle!: (outcome: WaitOutcome) => void;
    const outcome = new Promise<WaitOutcome>((resolve) => {
      settle = resolve;
    });
    const unsubscribe = this.#events.subscribe(query, (event) => {
      if (event.kind === "Tx") settle({ tx: event.tx });
    });
    const late = setTimeout(() => {
      settle({ reason: "timed out waiting for tx to be included in a block" });
    }, this.#limits.commitMs);
    const left = () => settle({ reason: "broadcast confirmation not received: the client left" });
    signal.addEventListener("abort", left, { once: true });
    this.#open.add(settle);
    const close = () => {
      clearTimeout(late);
      signal.removeEventListener("abort", left);
      this.#open.delete(settle);
      unsubscribe();
    };
    return { outcome, close };
  }

  /** Ends every wait, because the node stops. */
  stop(): void {
    for (const settle of this.#open)
      settle({ reason: "broadcast confirmation not received: the node is stopping" });
  }
}
