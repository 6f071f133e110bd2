import { Agent, request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { TxResult } from "../../src/types/tx.ts";

interface Answer {
  readonly result?: unknown;
  readonly error?: unknown;
}

/** One connection to a node's JSON-RPC that is kept open. */
export class RpcCaller {
  readonly #url: string;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });

  constructor(url: string) {
    this.#url = url;
  }

  /** The body of a batch that broadcasts txs. */
  static broadcastBatch(txs: readonly Uint8Array[]): string {
    const calls = txs.map((tx, id) => {
      const params = { tx: base64(tx) };
      return { jsonrpc: "2.0", id, method: "broadcast_tx_sync", params };
    });
    return JSON.stringify(calls);
  }

  /** @throws Error unless every tx of these answers has been taken */
  static requireAccepted(answers: readonly string[]): void {
    for (const answer of answers) {
      const list = JSON.parse(answer) as Answer[];
      for (const { result, error } of list) {
        const { code } = (result ?? {}) as { code?: number };
        if (code !== 0) throw new Error(`a tx was refused: ${JSON.stringify(error ?? result)}`);
      }
    }
  }

  /** Sends a body and gives back the answer as it is. */
  post(body: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const headers = {
        "content-type": "application/json",
        "content-length": Buffer.byteLength(body),
      };
      const sent = request(this.#url, { method: "POST", agent: this.#agent, headers }, (answer) => {
        const chunks: Buffer[] = [];
        answer.on("data", (chunk: Buffer) => chunks.push(chunk));
        answer.on("end", () => resolve(Buffer.concat(chunks).toString("utf8")));
        answer.on("error", reject);
      });
      sent.on("error", reject);
      sent.end(body);
    });
  }

  async call<T>(method: string, params: object = {}): Promise<T> {
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
    const { result, error } = JSON.parse(await this.post(body)) as Answer;
    if (error !== undefined) throw new Error(`${method}: ${JSON.stringify(error)}`);
    return result as T;
  }

  /** Sends txs and waits for their blocks. Of the results only code, log and data are filled. */
  async commit(txs: readonly Uint8Array[]): Promise<{ txResults: TxResult[] }> {
    const txResults: TxResult[] = [];
    for (const tx of txs) {
      const answer = await this.call<{
        check_tx: { code: number; log: string };
        tx_result: { code: number; log: string; data: string | null };
      }>("broadcast_tx_commit", { tx: base64(tx) });
      const { check_tx: check, tx_result: result } = answer;
      if (check.code !== 0) throw new Error(`a tx was refused: ${check.log}`);
      const data = Uint8Array.from(Buffer.from(result.data ?? "", "base64"));
      const { code, log } = result;
      const rest = { codespace: "", info: "", gasWanted: 0n, gasUsed: 0n, events: [] };
      txResults.push({ code, log, data, ...rest });
    }
    return { txResults };
  }

  async height(): Promise<number> {
    const status = await this.call<{ sync_info: { latest_block_height: string } }>("status");
    return Number(status.sync_info.latest_block_height);
  }

  /** Resolves when no tx waits: what was taken is in blocks that are on disk. */
  async untilMempoolIsEmpty(): Promise<void> {
    for (;;) {
      const { total } = await this.call<{ total: string }>("num_unconfirmed_txs");
      if (total === "0") return;
      await sleep(5);
    }
  }

  /** How many txs of the blocks above a height succeeded. */
  async goodTxsAbove(height: number): Promise<number> {
    const last = await this.height();
    let good = 0;
    for (let at = height + 1; at <= last; at += 1) {
      const results = await this.call<{ txs_results: { code: number }[] | null }>("block_results", {
        height: String(at),
      });
      good += (results.txs_results ?? []).filter(({ code }) => code === 0).length;
    }
    return good;
  }

  close(): void {
    this.#agent.destroy();
  }
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64");
}
