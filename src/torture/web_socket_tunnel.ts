import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import type { FaultDesk } from "./fault_desk.ts";
import type { NodeDoor } from "./node_door.ts";

/** WebSockets: bytes are passed on as they are, and cut when a fault says so. */
export class WebSocketTunnels {
  readonly #desk: FaultDesk;
  readonly #door: NodeDoor;
  readonly #open = new Set<Duplex>();

  constructor(desk: FaultDesk, door: NodeDoor) {
    this.#desk = desk;
    this.#door = door;
  }

  async join(incoming: IncomingMessage, client: Duplex, head: Buffer): Promise<void> {
    client.on("error", () => client.destroy());
    const { faults } = this.#desk.arrive("rpc", "other");
    for (const fault of faults) this.#desk.applied.add(fault);
    const delay = faults.find(({ kind }) => kind === "delay" || kind === "hold");
    if (delay !== undefined) await sleep(delay.ms ?? 0);
    if (faults.some(({ kind }) => kind === "cut_request" || kind === "unavailable")) {
      client.destroy();
      return;
    }
    const node = this.#door.connect(() => {
      node.write(upgradeText(incoming, this.#door));
      node.write(head);
      client.pipe(node);
      node.pipe(client);
    });
    if (faults.some(({ kind }) => kind !== "delay" && kind !== "hold" && kind !== "drip")) {
      cutAfterAnswers(node);
    }
    for (const [one, other] of [[client, node] as const, [node, client] as const]) {
      this.#open.add(one);
      one.on("error", () => other.destroy());
      one.on("close", () => {
        this.#open.delete(one);
        other.destroy();
      });
    }
  }

  close(): void {
    for (const end of this.#open) end.destroy();
  }
}

/** Cuts a WebSocket after its handshake and the first message. */
function cutAfterAnswers(node: Duplex): void {
  let chunks = 0;
  node.on("data", () => {
    chunks += 1;
    if (chunks === 2) node.destroy();
  });
}

/** The request line and headers of an upgrade, as they came but for the host. */
function upgradeText({ method, url, rawHeaders }: IncomingMessage, door: NodeDoor): string {
  const lines = [`${method ?? "GET"} ${door.path(url ?? "/")} HTTP/1.1`];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? "";
    const isHost = name.toLowerCase() === "host";
    lines.push(`${name}: ${isHost ? door.authority : rawHeaders[at + 1]}`);
  }
  return `${lines.join("\r\n")}\r\n\r\n`;
}
