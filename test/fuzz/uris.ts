import type { Random } from "../simulation/random.ts";
import { RawConnection } from "./connection.ts";
import type { FuzzNode } from "./fuzz_node.ts";
import { join, mutateText, utf8 } from "./mutate.ts";
import { checkAnswer } from "./rpc.ts";
import type { RpcCalls } from "./rpc_calls.ts";
import { showBytes, type Target } from "./target.ts";

/** Those of JSON-RPC; 431 and 414: too long; 426: the WebSocket's path. */
const STATUSES = [200, 400, 404, 413, 500];
const WITHOUT_JSON = [400, 414, 426, 431];

/** Addresses of GET requests, as bytes of the request line. */
export class Uris implements Target {
  readonly name = "uri";
  readonly headBytes = 0;
  readonly #calls: RpcCalls;
  readonly #connection: RawConnection;

  constructor(node: FuzzNode, calls: RpcCalls) {
    this.#calls = calls;
    this.#connection = new RawConnection(node);
  }

  make(random: Random): Uint8Array {
    const address = this.#address(random);
    return random.chance(30) ? address : mutateText(random, address, this.#address(random));
  }

  async run(input: Uint8Array): Promise<void> {
    const request = join(utf8("GET "), input, utf8(" HTTP/1.1\r\nHost: fuzz\r\n\r\n"));
    const answer = await this.#connection.ask(request);
    // Bytes that end the line begin other requests, whose answers nobody waits for.
    const isOne = !input.some((byte) => byte < 0x20);
    if (!isOne) this.#connection.close();
    if (WITHOUT_JSON.includes(answer.status)) return;
    if (!isOne || !answer.body.startsWith("{")) return;
    checkAnswer(answer, STATUSES);
  }

  show(input: Uint8Array): string {
    return `GET ${showBytes(input)}`;
  }

  #address(random: Random): Uint8Array {
    const method = this.#calls.method(random);
    const params = Object.entries(this.#calls.params(random, method)).map(([name, value]) => {
      const text = typeof value === "string" ? value : JSON.stringify(value);
      const shown = random.weighted([
        [3, text],
        [3, JSON.stringify(text)],
        [2, `0x${Buffer.from(text).toString("hex")}`],
      ]);
      return `${name}=${encodeURIComponent(shown)}`;
    });
    return utf8(`/${method}?${params.join("&")}`);
  }
}
