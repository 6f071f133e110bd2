import { HttpClient } from "./http.ts";
import { timesOf, type Times } from "./stats.ts";

/** What the chain did in a phase, as its headers say. */
export interface ChainFigures {
  readonly blocks: number;
  readonly txs: number;
  readonly seconds: number;
  /** Between the times of two blocks. */
  readonly intervalMs: Times;
  readonly meanIntervalMs: number;
}

interface Meta {
  readonly header: { readonly height: string; readonly time: string };
  readonly num_txs: string;
}

/** Reads the headers from `from` to the latest, when nobody else asks any more. */
export async function chainFigures(rpc: string, from: number, to: number): Promise<ChainFigures> {
  const client = new HttpClient(rpc);
  const metas: Meta[] = [];
  for (let min = from; min <= to; min += 20) {
    const max = Math.min(to, min + 19);
    const { text } = await client.call("blockchain", { minHeight: `${min}`, maxHeight: `${max}` });
    const { result } = JSON.parse(text) as { result: { block_metas: Meta[] } };
    metas.push(...result.block_metas.toReversed());
  }
  const times = metas.map(({ header }) => Date.parse(header.time));
  const gaps = times.slice(1).map((time, at) => time - (times[at] ?? time));
  const seconds = ((times.at(-1) ?? 0) - (times[0] ?? 0)) / 1000;
  return {
    ...{ blocks: metas.length, seconds },
    txs: metas.slice(1).reduce((sum, { num_txs }) => sum + Number(num_txs), 0),
    intervalMs: timesOf(gaps),
    meanIntervalMs: gaps.length === 0 ? 0 : (seconds * 1000) / gaps.length,
  };
}

export async function latestHeight(rpc: string): Promise<number> {
  const { text } = await new HttpClient(rpc).call("status", {});
  return Number(/"latest_block_height":"([0-9]+)"/.exec(text)?.[1] ?? 0);
}
