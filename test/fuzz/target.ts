import type { Random } from "../simulation/random.ts";

/** One way into the node, and what may come out of it. */
export interface Target {
  readonly name: string;
  /** Bytes at the start of an input that say what it is for; they are not shrunk away. */
  readonly headBytes: number;
  make(random: Random): Uint8Array;
  /** @throws FuzzFault, or whatever must not escape the node */
  run(input: Uint8Array): void | Promise<void>;
  /** An input as somebody would paste it into a test. */
  show(input: Uint8Array): string;
}

/** An answer that no input may have. */
export class FuzzFault extends Error {
  override readonly name = "FuzzFault";
}

/** Input as JSON text when it is UTF-8, else as hex. */
export function showBytes(input: Uint8Array): string {
  const text = Buffer.from(input).toString("utf8");
  const isText = Buffer.from(text, "utf8").equals(input);
  return isText ? JSON.stringify(text) : `hex ${Buffer.from(input).toString("hex")}`;
}
