import type { GasPrice } from "../gas.ts";
import type { ProviderLog } from "../provider_log.ts";
import type { Refusal } from "../tx_facts.ts";
import { backOffMs, type BackOffBounds, type Random } from "./back_off.ts";
import { troubleOf } from "./trouble.ts";

export interface SendingPauseOptions {
  readonly address: string;
  readonly gasPrice: GasPrice;
  readonly bounds: BackOffBounds;
  readonly random: Random;
  /** Unix milliseconds; never goes back. */
  readonly now: () => number;
  readonly log: ProviderLog;
}

/** The wait of all records while nothing can be sent: no funds, a fee that is too low. */
export class SendingPause {
  readonly #options: SendingPauseOptions;
  #untilMs = 0;
  /** In a row. */
  #pauses = 0;
  #trouble = "";

  constructor(options: SendingPauseOptions) {
    this.#options = options;
  }

  /** Unix milliseconds; 0: nothing is paused. */
  get untilMs(): number {
    return this.#untilMs > this.#options.now() ? this.#untilMs : 0;
  }

  /** Why nothing can be sent; "" when it can. */
  get trouble(): string {
    return this.#trouble;
  }

  begin(refusal: Refusal): void {
    const { address, gasPrice, bounds, random, now, log } = this.#options;
    // Txs that were in flight together fail together: that is one pause.
    if (this.#untilMs > now()) return;
    this.#pauses += 1;
    const waitMs = backOffMs(this.#pauses, bounds, random);
    this.#untilMs = now() + waitMs;
    this.#trouble = troubleOf(refusal, address, gasPrice);
    log.error("nothing can be sent", { why: this.#trouble, ...refusal, waitMs });
  }

  /** A node has taken a tx. */
  end(): void {
    this.#pauses = 0;
    this.#trouble = "";
  }
}
