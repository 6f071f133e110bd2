import { connect } from "node:net";
import type { Random } from "../simulation/random.ts";
import { ANSWER_MS } from "./connection.ts";
import type { FuzzNode } from "./fuzz_node.ts";
import { join, mutateBytes, mutateText, noise, utf8 } from "./mutate.ts";
import type { RpcCalls } from "./rpc_calls.ts";
import { FuzzFault, showBytes, type Target } from "./target.ts";

const HANDSHAKE = utf8(
  [
    ...["GET /websocket HTTP/1.1", "Host: fuzz", "Connection: Upgrade", "Upgrade: websocket"],
    ...["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13", "", ""],
  ].join("\r\n"),
);
const QUERY_COUNT = 8;
/** Text, binary, continuation, close, ping, pong, and some that are reserved. */
const OPCODES = [1, 2, 0, 8, 9, 10, 3, 7, 11, 15];

/**
 * Bytes on a WebSocket after its handshake: frames in order and out of it, in pieces, too long, with
 * wrong opcodes, masks and lengths. The node answers or not, and lets go of the connection in time
 * when the client does.
 */
export class Sockets implements Target {
  readonly name = "ws";
  readonly headBytes = 0;
  readonly #node: FuzzNode;
  readonly #calls: RpcCalls;

  constructor(node: FuzzNode, calls: RpcCalls) {
    this.#node = node;
    this.#calls = calls;
  }

  make(random: Random): Uint8Array {
    const frames = Array.from({ length: 1 + random.below(5) }, () => this.#frames(random));
    const bytes = join(...frames);
    return random.chance(50) ? bytes : mutateBytes(random, bytes, bytes);
  }

  async run(input: Uint8Array): Promise<void> {
    const head = await exchange(this.#node.server.port, input);
    this.#node.checkFaults();
    if (!head.startsWith("HTTP/1.1 101")) throw new FuzzFault(`no handshake: ${head}`);
  }

  show(input: Uint8Array): string {
    return `after the handshake ${showBytes(input)}`;
  }

  /** One message in one frame or several, or one frame that is wrong. */
  #frames(random: Random): Uint8Array {
    const text = this.#text(random);
    if (random.chance(30)) return oddFrame(random, text);
    const pieces = random.chance(70) ? 1 : 2 + random.below(4);
    const size = Math.ceil(text.length / pieces);
    return join(
      ...Array.from({ length: pieces }, (_, at) => {
        const payload = text.subarray(at * size, (at + 1) * size);
        return frame({ opcode: at === 0 ? 1 : 0, isLast: at === pieces - 1, payload });
      }),
    );
  }

  #text(random: Random): Uint8Array {
    const query = random.below(QUERY_COUNT);
    const subscribe = { method: "subscribe", params: [`tx.height=${query}`] };
    const request = random.chance(30)
      ? { jsonrpc: "2.0", id: 1, ...subscribe }
      : this.#calls.request(random, 1);
    const text = utf8(JSON.stringify(request));
    return random.chance(50) ? text : mutateText(random, text, text);
  }
}

interface Frame {
  readonly opcode: number;
  readonly isLast: boolean;
  readonly payload: Uint8Array;
  readonly isMasked?: boolean;
  /** Reserved bits. */
  readonly reserved?: number;
  /** What the header says instead of the payload's own length. */
  readonly announced?: bigint;
}

function oddFrame(random: Random, payload: Uint8Array): Uint8Array {
  const opcode = random.pick(OPCODES);
  const lengths = [
    0n,
    125n,
    126n,
    65_536n,
    1_000_001n,
    2n ** 31n,
    2n ** 53n,
    2n ** 63n,
    2n ** 64n - 1n,
  ];
  return frame({
    ...{ opcode, isLast: random.chance(70) },
    payload: random.chance(50) ? payload : noise(random, random.below(200)),
    isMasked: random.chance(70),
    reserved: random.chance(20) ? random.below(8) : 0,
    ...(random.chance(30) ? { announced: random.pick(lengths) } : {}),
  });
}

const MASK = [0x12, 0x34, 0x56, 0x78];

function frame({ opcode, isLast, payload, isMasked = true, reserved = 0, announced }: Frame) {
  const said = announced ?? BigInt(payload.length);
  const first = (isLast ? 0x80 : 0) | (reserved << 4) | opcode;
  const mask = isMasked ? MASK : [];
  const masked = isMasked ? payload.map((byte, at) => byte ^ (MASK[at % 4] ?? 0)) : payload;
  return join(Uint8Array.from([first, ...lengthOf(said, isMasked), ...mask]), masked);
}

function lengthOf(value: bigint, isMasked: boolean): number[] {
  const bit = isMasked ? 0x80 : 0;
  if (value < 126n) return [bit | Number(value)];
  const bytes = value < 65_536n ? 2 : 8;
  const parts = Array.from({ length: bytes }, (_, at) =>
    Number((value >> BigInt(8 * (bytes - 1 - at))) & 255n),
  );
  return [bit | (bytes === 2 ? 126 : 127), ...parts];
}

/** Sends the bytes in two pieces, says that there are no more, and waits for the end. */
function exchange(port: number, input: Uint8Array): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    let head = "";
    const late = setTimeout(() => {
      socket.destroy();
      reject(new FuzzFault(`not closed in ${ANSWER_MS} ms`));
    }, ANSWER_MS);
    socket.on("data", (data) => {
      if (head !== "") return;
      head = data.toString("latin1", 0, 12);
      const half = input.length >> 1;
      socket.write(input.subarray(0, half));
      setImmediate(() => socket.end(input.subarray(half)));
    });
    // The node may end the connection while bytes are still on their way to it.
    socket.on("error", () => socket.destroy());
    socket.once("close", () => {
      clearTimeout(late);
      resolve(head);
    });
    socket.write(HANDSHAKE);
  });
}
