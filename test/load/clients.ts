import { setTimeout as sleep } from "node:timers/promises";
import { encodePartial } from "../../src/client/wire.ts";
import { QueryAccountRequest } from "../../src/gen/cosmos/auth/v1beta1/query.ts";
import { QueryAllBalancesRequest } from "../../src/gen/cosmos/bank/v1beta1/query.ts";
import { HttpClient } from "./http.ts";
import { Counts, type Role, type RoleFigures, type RoleInput } from "./roles.ts";
import { timesOf } from "./stats.ts";

type Query = readonly [kind: string, method: string, params: (latest: number) => object];

/** Query clients that ask, pause and ask again, each on a connection of its own. */
export class Clients implements Role {
  readonly #queries: readonly Query[];
  readonly #samples = new Map<string, number[]>();
  readonly #errors = new Counts();
  #latest = 1;

  private constructor(queries: readonly Query[]) {
    this.#queries = queries;
  }

  static async start({ rpc, report, options }: RoleInput): Promise<Clients> {
    const role = new Clients(queriesOf(report.accounts.map(({ address }) => address)));
    for (let no = 0; no < options.clients; no += 1) void role.#loop(rpc, no, options.pauseMs);
    return role;
  }

  reset(): void {
    this.#samples.clear();
    this.#errors.reset();
  }

  figures(): RoleFigures {
    const all = [...this.#samples.values()].flat();
    const kinds = [...this.#samples].map(([kind, samples]) => [kind, timesOf(samples)] as const);
    const times = { ...Object.fromEntries(kinds), query: timesOf(all) };
    return { times, counts: { queries: all.length }, errors: this.#errors.all() };
  }

  async #loop(rpc: string, no: number, pauseMs: number): Promise<void> {
    const client = new HttpClient(rpc);
    // Not all in the same moment.
    await sleep((no * 7919) % (pauseMs + 1));
    for (let turn = no; ; turn += 1) {
      const query = this.#queries[turn % this.#queries.length];
      if (query !== undefined) await this.#ask(client, query);
      await sleep(pauseMs);
    }
  }

  async #ask(client: HttpClient, [kind, method, params]: Query): Promise<void> {
    try {
      const { text, ms } = await client.call(method, params(this.#latest));
      const samples = this.#samples.get(kind) ?? [];
      this.#samples.set(kind, samples);
      samples.push(ms);
      if (method === "status") {
        this.#latest = Number(/"latest_block_height":"([0-9]+)"/.exec(text)?.[1] ?? 1);
      }
      if (text.includes('"error":{')) this.#errors.add(`${kind}: ${text.slice(-100)}`);
    } catch (error) {
      this.#errors.add(`${kind}: ${String(error)}`);
    }
  }
}

function queriesOf(addresses: readonly string[]): Query[] {
  const data = (codec: Parameters<typeof encodePartial>[0], at: number) =>
    Buffer.from(encodePartial(codec, { address: addresses[at % addresses.length] })).toString(
      "hex",
    );
  const account = data(QueryAccountRequest as never, 0);
  const balances = data(QueryAllBalancesRequest as never, 1);
  const search = "tx.hash='5CB2CF94A1097A4BC19258BC2353C3E76102B6D528458BE45C855DC5563C1DB2'";
  return [
    ["status", "status", () => ({})],
    [
      "account",
      "abci_query",
      () => ({ path: "/cosmos.auth.v1beta1.Query/Account", data: account }),
    ],
    [
      "balances",
      "abci_query",
      () => ({ path: "/cosmos.bank.v1beta1.Query/AllBalances", data: balances }),
    ],
    ["block", "block", (latest) => ({ height: String(Math.max(1, latest - 1)) })],
    ["tx_search", "tx_search", () => ({ query: search, page: "1" })],
    ["validators", "validators", () => ({})],
    [
      "tx_search by height",
      "tx_search",
      (latest) => ({ query: `tx.height=${Math.max(1, latest - 1)}`, per_page: "5" }),
    ],
    ["block_results", "block_results", (latest) => ({ height: String(Math.max(1, latest - 1)) })],
  ];
}
