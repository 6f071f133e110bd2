import { HEAD_BYTES, messageLength } from "./grpc_frames.ts";

interface Follower {
  readonly data: (chunk: Buffer) => void;
  /** No more comes: it has ended well, or not. */
  readonly over: (isWhole: boolean) => void;
}

/** One direction of a gRPC call: what has been said, and what is still to come. */
export class Flow {
  #chunks: Buffer[] = [];
  #length = 0;
  #state: "open" | "whole" | "broken" = "open";
  readonly #followers = new Set<Follower>();

  /** A flow that is there as a whole. */
  static of(bytes: Buffer): Flow {
    const flow = new Flow();
    flow.add(bytes);
    flow.end(true);
    return flow;
  }

  /** All that has been said so far. */
  get bytes(): Buffer {
    const [only] = this.#chunks;
    if (this.#chunks.length === 1 && only !== undefined) return only;
    const all = Buffer.concat(this.#chunks);
    this.#chunks = [all];
    return all;
  }

  get isWhole(): boolean {
    return this.#state === "whole";
  }

  get isOver(): boolean {
    return this.#state !== "open";
  }

  add(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    for (const { data } of this.#followers) data(chunk);
  }

  /** The first call counts. */
  end(isWhole: boolean): void {
    if (this.isOver) return;
    this.#state = isWhole ? "whole" : "broken";
    for (const { over } of this.#followers) over(isWhole);
    this.#followers.clear();
  }

  /** Tells all that comes after the first `from` bytes. @returns what ends it */
  follow(follower: Follower, from = 0): () => void {
    if (this.#length > from) follower.data(this.bytes.subarray(from));
    if (this.isOver) follower.over(this.isWhole);
    else this.#followers.add(follower);
    return () => void this.#followers.delete(follower);
  }

  /** Resolves when the first message has come, or all; false: it broke off before. */
  untilMessage(): Promise<boolean> {
    return new Promise((resolve) => {
      const look = () => {
        if (!this.#hasMessage()) return;
        stop();
        resolve(true);
      };
      let stop: () => void = () => undefined;
      stop = this.follow({ data: look, over: (isWhole) => resolve(isWhole || this.#hasMessage()) });
      look();
    });
  }

  #hasMessage(): boolean {
    // The head says the length: what is long is not put together for every piece of it.
    const head = (this.#chunks[0]?.length ?? 0) < HEAD_BYTES ? this.bytes : this.#chunks[0];
    const length = head && messageLength(head);
    return length !== undefined && this.#length >= length;
  }
}
