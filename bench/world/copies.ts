import type { Bench } from "../harness/bench.ts";
import { type BenchChain, openChain } from "./chain.ts";
import { copyHome, type HomeCast, homeCast, readNote } from "./home.ts";

/** A copy of a home that a bench may change. */
export interface OpenCopy {
  readonly chain: BenchChain;
  /** As it stands in the copy. */
  readonly cast: HomeCast;
}

/** @param name of the folder of the copy */
export async function openCopy(bench: Bench, home: string, name: string): Promise<OpenCopy> {
  const copy = `${bench.folder}/${name}`;
  await copyHome(home, copy);
  const cast = homeCast();
  const note = await readNote(home);
  cast.orders.forEach((order, index) => {
    order.records = note?.orderRecords[index] ?? 0;
  });
  const chain = await openChain({ genesis: cast.genesis, home: copy });
  await chain.learn(cast.accounts);
  return { chain, cast };
}

/** Notes where the cast stands; calling what it gives takes the cast back there. */
export function castMark({ accounts, orders }: HomeCast): () => void {
  const sequences = accounts.map(({ sequence }) => sequence);
  const records = orders.map((order) => order.records);
  return () => {
    accounts.forEach((account, index) => {
      account.sequence = sequences[index] as bigint;
    });
    orders.forEach((order, index) => {
      order.records = records[index] as number;
    });
  };
}
