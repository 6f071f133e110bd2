import type { Random } from "../simulation/random.ts";
import { type HttpAnswer, RawConnection } from "./connection.ts";
import type { FuzzNode } from "./fuzz_node.ts";
import { join, mutateText, utf8 } from "./mutate.ts";
import type { RpcCalls } from "./rpc_calls.ts";
import { FuzzFault, showBytes, type Target } from "./target.ts";

const STATUSES = [200, 400, 413, 500];

/** JSON-RPC bodies, one request or a batch. Every answer is JSON-RPC, and none an internal fault. */
export class RpcBodies implements Target {
  readonly name = "rpc";
  readonly headBytes = 0;
  readonly #calls: RpcCalls;
  readonly #connection: RawConnection;

  constructor(node: FuzzNode, calls: RpcCalls) {
    this.#calls = calls;
    this.#connection = new RawConnection(node);
  }

  make(random: Random): Uint8Array {
    const body = this.#body(random);
    if (random.chance(40)) return body;
    return mutateText(random, body, this.#body(random));
  }

  async run(input: Uint8Array): Promise<void> {
    const head = `POST / HTTP/1.1\r\nHost: fuzz\r\nContent-Length: ${input.length}\r\n\r\n`;
    const answer = await this.#connection.ask(join(utf8(head), input));
    // An empty body gets the page with the methods, as in CometBFT.
    if (input.length > 0) checkAnswer(answer, STATUSES);
  }

  show(input: Uint8Array): string {
    return `POST of ${showBytes(input)}`;
  }

  #body(random: Random): Uint8Array {
    if (random.chance(70)) return utf8(JSON.stringify(this.#calls.request(random, 1)));
    const count = random.pick([0, 1, 2, 5, 20, 21]);
    const batch = Array.from({ length: count }, (_, id) => this.#calls.request(random, id));
    return utf8(JSON.stringify(batch));
  }
}

/** @throws FuzzFault for anything but an answer of JSON-RPC, or an error of it */
export function checkAnswer({ status, body }: HttpAnswer, statuses: readonly number[]): void {
  if (!statuses.includes(status)) throw new FuzzFault(`HTTP status ${status}`);
  // Nothing but notifications.
  if (body === "" && status === 200) return;
  let answers: unknown;
  try {
    answers = JSON.parse(body);
  } catch {
    throw new FuzzFault(`not JSON: ${body.slice(0, 100)}`);
  }
  for (const answer of Array.isArray(answers) ? answers : [answers]) {
    const { jsonrpc, result, error } = answer as Record<string, unknown>;
    const isOne = jsonrpc === "2.0" && (result === undefined) !== (error === undefined);
    if (!isOne) throw new FuzzFault(`no answer: ${JSON.stringify(answer).slice(0, 100)}`);
  }
}
