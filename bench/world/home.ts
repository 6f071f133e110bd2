import { copyFile, link, mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { loadOpenApp } from "../../src/cli/open_app.ts";
import { type NodeConfig, resolveConfig } from "../../src/node/config.ts";
import { genesisJson, genesisPath, writeGenesisFile } from "../../src/node/genesis_file.ts";
import { databasePath } from "../../src/node/home.ts";
import { type RunningNode, startNode } from "../../src/node/node.ts";
import type { GenesisDoc } from "../../src/types/application.ts";
import { type BenchAccount, benchAccounts } from "./accounts.ts";
import { benchGenesis } from "./genesis.ts";
import { type BenchOrder, benchOrders } from "./orders.ts";

const PARTIES = 50;
const ORDERS = 200;

/** Who and what is in a home with many records. Names follow from numbers: it is not stored. */
export interface HomeCast {
  readonly accounts: readonly BenchAccount[];
  readonly orders: readonly BenchOrder[];
  readonly genesis: GenesisDoc;
}

export function homeCast(): HomeCast {
  const customers = benchAccounts("customer", PARTIES);
  const providers = benchAccounts("provider", PARTIES);
  const accounts = [...customers, ...providers];
  const orders = benchOrders("order", ORDERS, { customers, providers });
  return { accounts, orders, genesis: benchGenesis(accounts) };
}

/** What is written beside a home that has been built. */
export interface HomeNote {
  readonly records: number;
  /** Records of each order of the cast. */
  readonly orderRecords: readonly number[];
  /** Ids of records from all over the history. */
  readonly usageIds: readonly string[];
  readonly blocks: number;
  /** What the building took. */
  readonly seconds: number;
}

const notePath = (home: string): string => join(home, "bench.json");

/** The note of a home; undefined where none has been finished. */
export async function readNote(home: string): Promise<HomeNote | undefined> {
  const text = await readFile(notePath(home), "utf8").catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as HomeNote);
}

export async function writeNote(home: string, note: HomeNote): Promise<void> {
  await writeFile(notePath(home), `${JSON.stringify(note)}\n`);
}

/** Settings of benches: no fees, room in the mempool, blocks by hand or by schedule. */
export function benchConfig(flags: Partial<NodeConfig> = {}): NodeConfig {
  return resolveConfig(
    {},
    {
      ...{ dev: true, minimumGasPrice: "0", mempoolTxsMax: 100_000 },
      ...{ rpcPort: 0, ...flags },
    },
  );
}

const BY_HAND = { blockMode: "manual", time: "virtual" } as const;

/** Writes the genesis of a home. */
export async function makeHome(home: string, genesis: GenesisDoc): Promise<void> {
  await mkdir(join(home, "config"), { recursive: true });
  await writeGenesisFile(genesisPath(home), genesisJson({ doc: genesis }));
}

/** Starts the node of a home; it makes blocks by hand unless told otherwise. */
export async function startHome(
  home: string,
  flags: Partial<NodeConfig> = BY_HAND,
): Promise<RunningNode> {
  const openApp = await loadOpenApp();
  return startNode({ home, config: benchConfig(flags), openApp, appVersion: "bench" });
}

/** Copies a home that nobody has open. What LevelDB never changes is linked, not copied. */
export async function copyHome(from: string, to: string): Promise<void> {
  for (const entry of await readdir(from, { recursive: true, withFileTypes: true })) {
    const source = join(entry.parentPath, entry.name);
    const target = join(to, source.slice(from.length));
    if (entry.isDirectory()) await mkdir(target, { recursive: true });
    else {
      await mkdir(join(target, ".."), { recursive: true });
      await (entry.name.endsWith(".ldb") ? link(source, target) : copyFile(source, target));
    }
  }
}

/** Bytes of all files of a home's data. */
export async function dataBytes(home: string): Promise<number> {
  let bytes = 0;
  const data = join(databasePath(home), "..");
  for (const entry of await readdir(data, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) bytes += (await stat(join(entry.parentPath, entry.name))).size;
  }
  return bytes;
}
