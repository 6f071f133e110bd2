import { routesOf } from "../../src/api/rpc/routes.ts";
import { SERVICES } from "../../src/gen/schema.ts";
import { must } from "../../src/lib/assert.ts";
import type { Random } from "../simulation/random.ts";
import { paramValue, txCorpus, messageCorpus } from "./corpus.ts";
import { mutateWire } from "./mutate.ts";

const routes = routesOf(true);
const METHODS = [...routes.keys()];

/** Paths of abci_query with the type of their request. */
const QUERIES = SERVICES.filter(({ isMsg }) => isMsg !== true).flatMap(({ name, methods }) =>
  methods.map((method) => ({ path: `/${name}/${method.name}`, input: method.input })),
);

/** Calls of methods, most of them right or nearly so. */
export class RpcCalls {
  readonly #bytes: readonly Uint8Array[];
  readonly #samples: ReadonlyMap<string, readonly Uint8Array[]>;

  constructor(seed: number) {
    const messages = messageCorpus(seed);
    this.#samples = new Map(messages.map(({ type, samples }) => [type.name, samples]));
    this.#bytes = [...txCorpus(messages), ...messages.flatMap(({ samples }) => samples)];
  }

  /** A request; now and then without an id, with a wrong one, or of no method. */
  request(random: Random, id: number): unknown {
    const method = this.method(random);
    const params = this.params(random, method);
    const named = random.chance(20) ? Object.values(params) : params;
    const base = { jsonrpc: "2.0", id, method, params: named };
    return random.weighted<unknown>([
      [20, base],
      [1, { ...base, id: random.pick([null, "x", -1, 1.5, {}, [], true]) }],
      [1, { ...base, method: random.pick(["", "__proto__", "constructor", "toString", 7]) }],
      [1, { ...base, params: random.pick([null, "x", 7, [[]], { height: { a: 1 } }]) }],
      [1, random.pick([null, 7, "x", [], {}, [base]])],
    ]);
  }

  method(random: Random): string {
    return random.chance(20) ? "abci_query" : random.pick(METHODS);
  }

  /** Values for some of a method's parameters. */
  params(random: Random, method: string): Record<string, unknown> {
    if (method === "abci_query" && random.chance(80)) return this.#query(random);
    const { params } = must(routes.get(method), method);
    const given = Object.entries(params).filter(() => random.chance(80));
    return Object.fromEntries(
      given.map(([name, kind]) => {
        const sample = random.pick(this.#bytes);
        const bytes = random.chance(50) ? sample : mutateWire(random, sample, sample);
        return [name, paramValue(random, kind, bytes.subarray(0, 20_000))];
      }),
    );
  }

  /** A query of the application, its request as it is or changed a little. */
  #query(random: Random): Record<string, unknown> {
    const { path, input } = random.pick(QUERIES);
    const sample = random.pick(must(this.#samples.get(input), `samples of ${input}`));
    const bytes = random.chance(50) ? sample : mutateWire(random, sample, sample);
    const data = Buffer.from(bytes).toString("hex");
    return { path, data, height: random.pick(["0", "1", "-1", "5"]), prove: random.chance(20) };
  }
}
