import { setTimeout as sleep } from "node:timers/promises";
import { Payer } from "../e2e/comet/payer.ts";
import { HttpClient } from "./http.ts";
import { Counts, type Role, type RoleFigures, type RoleInput } from "./roles.ts";
import { timesOf } from "./stats.ts";

/** Batches in a second. */
const TICKS = 10;

/** Signed transfers at a steady rate, in batches as a daemon sends them. */
export class Txs implements Role {
  readonly #times: number[] = [];
  readonly #counts = new Counts();
  readonly #errors = new Counts();

  static async start(input: RoleInput): Promise<Txs> {
    const role = new Txs();
    void role.#loop(input);
    return role;
  }

  reset(): void {
    this.#times.length = 0;
    this.#counts.reset();
    this.#errors.reset();
  }

  figures(): RoleFigures {
    const times = { broadcast: timesOf(this.#times) };
    return { times, counts: this.#counts.all(), errors: this.#errors.all() };
  }

  async #loop({ rpc, report, options }: RoleInput): Promise<void> {
    const client = new HttpClient(rpc);
    const count = Math.max(1, Math.min(20, Math.round(options.txRate / TICKS)));
    let payer = await Payer.of({ rpc, report }, "customer-1");
    for (let next = performance.now(); ; next += (1000 * count) / options.txRate) {
      await sleep(Math.max(0, next - performance.now()));
      const batch = Array.from({ length: count }, (_, id) => {
        const tx = Buffer.from(payer.transfer()).toString("base64");
        return { jsonrpc: "2.0", id, method: "broadcast_tx_sync", params: { tx } };
      });
      try {
        const { text, ms } = await client.post(JSON.stringify(batch));
        this.#times.push(ms);
        const accepted = text.split('"code":0,').length - 1;
        this.#counts.add("txs accepted", accepted);
        if (accepted === count) continue;
        this.#errors.add(`tx refused: ${text.slice(0, 200)}`);
      } catch (error) {
        this.#errors.add(String(error));
      }
      await sleep(500);
      payer = await Payer.of({ rpc, report }, "customer-1");
    }
  }
}
