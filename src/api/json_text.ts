import type { Writable } from "node:stream";
import type { Pace } from "../node/pace.ts";

/** Characters of one piece of an answer. */
const PIECE_LENGTH = 65_536;

/** JSON of a long answer as bytes, in pieces as they are sent. */
export class JsonText {
  readonly pieces: readonly Buffer[];
  readonly bytes: number;

  constructor(pieces: readonly Buffer[]) {
    this.pieces = pieces;
    this.bytes = pieces.reduce((sum, piece) => sum + piece.length, 0);
  }

  static of(text: string): JsonText {
    return new JsonText([Buffer.from(text)]);
  }

  /** Sends it. */
  end(response: Writable): void {
    const last = this.pieces.length - 1;
    for (const piece of this.pieces.slice(0, last)) response.write(piece);
    response.end(this.pieces[last]);
  }

  /** Answers as a list, in order. */
  static list(texts: readonly JsonText[]): JsonText {
    const comma = Buffer.from(",");
    const inner = texts.flatMap(({ pieces }, at) => (at === 0 ? pieces : [comma, ...pieces]));
    return new JsonText([Buffer.from("["), ...inner, Buffer.from("]")]);
  }
}

/** Puts a long text together, with turns for others in between. */
export class JsonTextWriter {
  readonly #pace: Pace;
  readonly #pieces: Buffer[] = [];
  #open = "";

  constructor(pace: Pace) {
    this.#pace = pace;
  }

  /** @returns what to wait for, if anything. It throws the reason of the pace. */
  write(text: string): Promise<void> | undefined {
    this.#open += text;
    if (this.#open.length >= PIECE_LENGTH) this.#close();
    return this.#pace.isDue() ? this.#pace.pause() : undefined;
  }

  end(): JsonText {
    this.#close();
    return new JsonText(this.#pieces);
  }

  #close(): void {
    if (this.#open !== "") this.#pieces.push(Buffer.from(this.#open));
    this.#open = "";
  }
}
