import { Random } from "../simulation/random.ts";
import { Decoders } from "./decoders.ts";
import { FuzzNode } from "./fuzz_node.ts";
import { Queries } from "./queries.ts";
import { RpcBodies } from "./rpc.ts";
import { RpcCalls } from "./rpc_calls.ts";
import { failureOf, shrink } from "./shrink.ts";
import { Sockets } from "./sockets.ts";
import type { Target } from "./target.ts";
import { Uris } from "./uris.ts";

/** Shares of the inputs, in percent: what runs without a connection is a hundred times faster. */
export const SHARES: Readonly<Record<string, number>> = {
  decoders: 55,
  query: 20,
  rpc: 12,
  uri: 10,
  ws: 3,
};

export interface FuzzOptions {
  readonly seed: number;
  readonly inputs: number;
  /** Only this target. */
  readonly only?: string | undefined;
  /** The number of the first input. */
  readonly from?: number;
  /** Called before each input. */
  readonly onInput?: (target: string, index: number) => void;
}

export interface FuzzResult {
  /** Inputs that were run, by target. */
  readonly counts: Readonly<Record<string, number>>;
  /** The first failure, with its shrunk input and how to see it again. */
  readonly failure: string | undefined;
}

/** Runs inputs until one fails. Each follows from the seed and its own number alone. */
export class Fuzzer {
  readonly #targets: readonly Target[];
  readonly #node: FuzzNode;
  readonly #escaped: unknown[] = [];
  readonly #note = (error: unknown) => void this.#escaped.push(error);

  private constructor(seed: number, node: FuzzNode) {
    const calls = new RpcCalls(seed);
    this.#node = node;
    this.#targets = [
      ...[new Decoders(seed), new Queries(), new RpcBodies(node, calls)],
      ...[new Uris(node, calls), new Sockets(node, calls)],
    ];
    process.on("unhandledRejection", this.#note);
    process.on("uncaughtException", this.#note);
  }

  static async open(seed: number): Promise<Fuzzer> {
    return new Fuzzer(seed, await FuzzNode.open());
  }

  async close(): Promise<void> {
    process.off("unhandledRejection", this.#note);
    process.off("uncaughtException", this.#note);
    await this.#node.close();
  }

  async run(options: FuzzOptions): Promise<FuzzResult> {
    const { seed, inputs, only, from = 0, onInput } = options;
    const counts: Record<string, number> = {};
    for (const [at, target] of this.#targets.entries()) {
      if (only !== undefined && only !== target.name) continue;
      const share = only === undefined ? (SHARES[target.name] ?? 0) : 100;
      const count = Math.ceil((inputs * share) / 100);
      counts[target.name] = count;
      for (let index = from; index < from + count; index += 1) {
        onInput?.(target.name, index);
        const input = target.make(new Random(seedOf(seed, at, index)));
        const failure = (await failureOf(target, input)) ?? this.#escape();
        if (failure === undefined) continue;
        return { counts, failure: await this.#told(target, { input, index, seed, failure }) };
      }
    }
    return { counts, failure: undefined };
  }

  /** An error that came up outside of every call: it would have ended the node. */
  #escape(): string | undefined {
    const [first] = this.#escaped.splice(0);
    if (first === undefined) return undefined;
    return `unhandled: ${first instanceof Error ? first.stack : String(first)}`;
  }

  async #told(
    target: Target,
    found: { input: Uint8Array; index: number; seed: number; failure: string },
  ): Promise<string> {
    const { input, index, seed, failure } = found;
    const small = await shrink(target, input, failure);
    const again = `npm run fuzz -- --seed ${seed} --only ${target.name} --from ${index} --inputs 1`;
    return [
      `${target.name}, input ${index}: ${failure}`,
      `shrunk from ${input.length} to ${small.length} bytes: ${target.show(small)}`,
      `again: ${again}`,
    ].join("\n");
  }
}

function seedOf(seed: number, target: number, index: number): number {
  return Math.imul(Math.imul(seed + 1, 0x9e3779b1) ^ index, 0x85ebca6b) + target * 0x27d4eb2f;
}
