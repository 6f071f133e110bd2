import { type Client, type HeavyQueue, TurnsError } from "./heavy_queue.ts";

/** Characters of a request above which it takes turns to be parsed. */
export const LONG_REQUEST = 65_536;

/** Whose request is parsed. */
export interface Sender {
  /** Aborted when the client is gone. */
  readonly signal: AbortSignal;
  readonly client: Client;
}

/** Parses what is long when it is the client's turn, because that has no pause. */
export class ParseTurns {
  readonly #heavy: HeavyQueue;
  readonly #refused: (limit: "turns") => void;

  /** @param refused told when a client has too much waiting */
  constructor(heavy: HeavyQueue, refused: (limit: "turns") => void) {
    this.#heavy = heavy;
    this.#refused = refused;
  }

  /** @throws TurnsError; the reason of the signal when the client left first; whatever `parse` throws */
  async parse<T>(parse: (text: string) => T, text: string, sender: Sender): Promise<T> {
    if (text.length <= LONG_REQUEST) return parse(text);
    try {
      return await this.#heavy.run(() => parse(text), sender.signal, sender.client);
    } catch (error) {
      if (error instanceof TurnsError) this.#refused("turns");
      throw error;
    }
  }
}
