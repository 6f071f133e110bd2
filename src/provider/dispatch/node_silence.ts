import type { ProviderLog } from "../provider_log.ts";

/** Calls in a row that no node answered: told when they begin and when they end. */
export class NodeSilence {
  readonly #log: ProviderLog;
  #calls = 0;
  #text = "";

  constructor(log: ProviderLog) {
    this.#log = log;
  }

  /** Why; "" while nodes answer. */
  get text(): string {
    return this.#text;
  }

  /** @returns how many calls in a row it is */
  grow({ message }: Error): number {
    this.#calls += 1;
    this.#text = message;
    if (this.#calls === 1) this.#log.warn("no answer", { error: message });
    return this.#calls;
  }

  end(): void {
    if (this.#calls > 0) this.#log.info("a node answers again");
    this.#calls = 0;
    this.#text = "";
  }
}
