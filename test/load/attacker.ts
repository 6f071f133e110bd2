import { connect } from "node:net";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { WebSocket } from "ws";
import { HttpClient } from "./http.ts";
import { Counts, type Role, type RoleFigures, type RoleInput } from "./roles.ts";
import { timesOf } from "./stats.ts";

type Body = () => string;

const one = (method: string, params: object): string =>
  JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
const batch = (method: string, params: object): string =>
  JSON.stringify(Array.from({ length: 20 }, (_, id) => ({ jsonrpc: "2.0", id, method, params })));

const CONDITIONS = Array.from({ length: 20 }, (_, at) => `tx.height > ${at}`).join(" AND ");
const ALL = { per_page: "100", order_by: "desc", prove: true };

/** What costs the node most for what it costs to send, each on a connection of its own. */
const WORST: readonly Body[] = [
  () => one("tx_search", { query: `transfer.sender EXISTS AND ${CONDITIONS}`, ...ALL }),
  () =>
    one("tx_search", { query: "transfer.amount CONTAINS '1' AND message.action EXISTS", ...ALL }),
  () => one("block_search", { query: "block.height > 0 AND block.height < 99999999", ...ALL }),
  () => batch("tx_search", { query: "tx.height > 0", ...ALL }),
  () => batch("blockchain", {}),
  () => batch("block_results", {}),
  () => batch("genesis", {}),
  () => batch("abci_query", { path: "/cosmos.auth.v1beta1.Query/Accounts", data: "", prove: true }),
  () => "[".repeat(990_000),
  () => `{"jsonrpc":"2.0","id":1,"method":"check_tx","params":{"tx":"${"A".repeat(990_000)}"}}`,
];
const SLOW_READERS = 10;
/** One client to the node, whose own address everybody else has here. Only Linux has more of them. */
const FROM = process.platform === "linux" ? { localAddress: "127.0.0.2" } : {};

/** One client that sends the worst it can, without a pause. */
export class Attacker implements Role {
  readonly #times: number[] = [];
  readonly #counts = new Counts();

  static async start({ rpc }: RoleInput): Promise<Attacker> {
    const role = new Attacker();
    for (const body of WORST) void role.#loop(rpc, body);
    for (let no = 0; no < SLOW_READERS; no += 1) void role.#readSlowly(rpc);
    role.#subscribeWithoutReading(rpc);
    return role;
  }

  reset(): void {
    this.#times.length = 0;
    this.#counts.reset();
  }

  figures(): RoleFigures {
    const times = { attack: timesOf(this.#times) };
    return { times, counts: this.#counts.all(), errors: {} };
  }

  async #loop(rpc: string, body: Body): Promise<void> {
    const client = new HttpClient(rpc, FROM.localAddress);
    for (;;) {
      try {
        const { text, ms } = await client.post(body());
        this.#times.push(ms);
        this.#counts.add("attacks");
        this.#counts.add("attack answer bytes", text.length);
      } catch (error) {
        this.#counts.add(`attack refused: ${String(error)}`);
        await sleep(10);
      }
    }
  }

  /** Asks for much and reads it a little at a time. */
  async #readSlowly(rpc: string): Promise<void> {
    const { hostname, port } = new URL(rpc);
    const body = batch("tx_search", { query: "tx.height > 0", ...ALL });
    for (;;) {
      const socket = connect({ port: Number(port), host: hostname, ...FROM });
      socket.on("error", () => socket.destroy());
      const head = `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n`;
      socket.write(head + body);
      socket.pause();
      for (let turn = 0; turn < 20 && !socket.destroyed; turn += 1) {
        await sleep(100);
        socket.read(1024);
      }
      socket.destroy();
      this.#counts.add("slow reads");
    }
  }

  #subscribeWithoutReading(rpc: string): void {
    const socket = new WebSocket(`${rpc.replace("http", "ws")}/websocket`, FROM);
    socket.on("error", () => undefined);
    socket.on("open", () => {
      for (const name of ["NewBlock", "Tx", "NewBlockHeader", "NewBlockEvents"]) {
        socket.send(one("subscribe", { query: `tm.event='${name}'` }));
      }
      socket.pause();
    });
  }
}
