import { rm } from "node:fs/promises";
import { checkpointPath } from "../../src/node/home.ts";
import type { Bench, Group } from "../harness/bench.ts";
import { startChild } from "../processes/start.ts";
import { homeCast, copyHome, dataBytes, makeHome, readNote } from "../world/home.ts";

const MEGABYTE = 1e6;

/** What a fresh process that opens a home tells. */
export interface OpenReport {
  /** From asking for the node to its standing at the last height. */
  readonly seconds: number;
  /** Resident bytes, after some queries. */
  readonly residentBytes: number;
}

/** Start of a node over the large home, its memory and its disk. */
export const openHomeGroup: Group = {
  name: "open_home",
  needsHomes: true,
  figures: [
    {
      ...{ name: "open_s", unit: "s", scale: "seconds", better: "lower" },
      ...{ target: { of: "value", bound: 2 }, atMillion: true },
    },
    {
      ...{ name: "open_rebuild_s", unit: "s", scale: "seconds", better: "lower" },
      ...{ target: { of: "value", bound: 8 }, atMillion: true },
    },
    {
      ...{ name: "rss_mb", unit: "MB", scale: "plain", better: "lower" },
      ...{ target: { of: "value", bound: 768 }, atMillion: true },
    },
    { name: "rss_mb_per_million_records", unit: "MB", scale: "plain", better: "lower" },
    {
      ...{ name: "disk_mb_per_million_records", unit: "MB", scale: "plain", better: "lower" },
      ...{ target: { of: "value", bound: 1000 }, atMillion: true },
    },
  ],
  run: async (bench) => {
    const million = ((await readNote(bench.homes.large))?.records ?? 0) / 1e6;
    bench.note(
      "disk_mb_per_million_records",
      (await dataBytes(bench.homes.large)) / MEGABYTE / million,
    );
    if (bench.isInProcess) {
      for (const name of ["open_s", "open_rebuild_s", "rss_mb", "rss_mb_per_million_records"])
        bench.skip(name, "it needs a process of its own");
      return;
    }
    const home = `${bench.folder}/home`;
    await copyHome(bench.homes.large, home);
    const empty = `${bench.folder}/empty`;
    await makeHome(empty, homeCast().genesis);
    await open(home, 0);
    await open(empty, 0);
    const emptyBytes = (await open(empty, 0)).residentBytes;
    await bench.repeat("open_s", {
      warmUp: 0,
      run: async () => {
        const { seconds, residentBytes } = await open(home, 1000);
        bench.note("rss_mb", residentBytes / MEGABYTE);
        const grown = residentBytes - emptyBytes;
        bench.note("rss_mb_per_million_records", grown / MEGABYTE / million);
        return seconds;
      },
    });
    await rebuild(bench, home);
  },
};

async function open(home: string, queries: number): Promise<OpenReport> {
  return (await startChild("open_process", { home, queries }).value) as OpenReport;
}

/** Without a checkpoint the commitment is made again from the state. */
async function rebuild(bench: Bench, home: string): Promise<void> {
  if (!bench.wants("open_rebuild_s")) return;
  await bench.repeat("open_rebuild_s", {
    warmUp: 0,
    prepare: () => rm(checkpointPath(home), { force: true }),
    run: async () => (await open(home, 0)).seconds,
  });
}
