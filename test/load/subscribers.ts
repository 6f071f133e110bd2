import { WebSocket } from "ws";
import { Counts, type Role, type RoleFigures, type RoleInput } from "./roles.ts";
import { timesOf } from "./stats.ts";

/** Most dashboards want headers, some want blocks, a few want every tx. */
const QUERIES = [
  ...Array.from({ length: 16 }, () => "tm.event='NewBlockHeader'"),
  ...Array.from({ length: 3 }, () => "tm.event='NewBlock'"),
  "tm.event='Tx'",
];
/** Connections that are being made at the same time. */
const AT_ONCE = 50;
/** One in so many events is parsed and timed: parsing all would measure this process. */
const TIMED_EVERY = 20;

/** Many WebSockets with one subscription each; headers must come without a gap. */
export class Subscribers implements Role {
  readonly #lags: number[] = [];
  readonly #counts = new Counts();
  readonly #errors = new Counts();

  static async start({ rpc, options }: RoleInput): Promise<Subscribers> {
    const role = new Subscribers();
    const url = `${rpc.replace("http", "ws")}/websocket`;
    for (let at = 0; at < options.subscribers; at += AT_ONCE) {
      const count = Math.min(AT_ONCE, options.subscribers - at);
      await Promise.all(Array.from({ length: count }, (_, no) => role.#open(url, at + no)));
    }
    return role;
  }

  reset(): void {
    this.#lags.length = 0;
    this.#counts.reset();
    this.#errors.reset();
  }

  figures(): RoleFigures {
    const times = { event: timesOf(this.#lags) };
    return { times, counts: this.#counts.all(), errors: this.#errors.all() };
  }

  #open(url: string, no: number): Promise<void> {
    const query = QUERIES[no % QUERIES.length] ?? "";
    const socket = new WebSocket(url, { perMessageDeflate: false });
    const isTimed = no % TIMED_EVERY === 0 && query.includes("Header");
    let last = 0;
    return new Promise((resolve, reject) => {
      socket.on("error", reject);
      socket.on("open", () => {
        socket.send(
          JSON.stringify({ jsonrpc: "2.0", id: no, method: "subscribe", params: [query] }),
        );
      });
      socket.once("message", () => {
        socket.off("error", reject);
        socket.on("error", (error) => this.#errors.add(error.message));
        socket.on("message", (data: Buffer) => {
          this.#counts.add("events");
          this.#counts.add("event bytes", data.length);
          if (isTimed) last = this.#time(data, last);
        });
        resolve();
      });
      socket.on("close", (code) => this.#errors.add(`subscriber closed with ${code}`));
    });
  }

  #time(data: Buffer, last: number): number {
    const { result } = JSON.parse(data.toString("utf8")) as {
      result: { data: { value: { header: { height: string; time: string } } } };
    };
    const { height, time } = result.data.value.header;
    this.#lags.push(Date.now() - Date.parse(time));
    const missing = Number(height) - last - 1;
    if (last !== 0 && missing !== 0) this.#errors.add("missing events", Math.abs(missing));
    return Number(height);
  }
}
