import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { genesisPath } from "../node/genesis_file.ts";
import { DEFAULT_BECH32_PREFIX } from "../types/address.ts";

type Env = Readonly<Record<string, string | undefined>>;

/** Bond denom of chains whose genesis names none. */
export const DEFAULT_DENOM = "uve";

/** `--home`, else SETTLED_HOME, else the data folder of the XDG rules. */
export function resolveHome(flag: string | undefined, env: Env): string {
  if (flag !== undefined) return resolve(flag);
  const variable = env["SETTLED_HOME"];
  if (variable !== undefined && variable !== "") return resolve(variable);
  const xdg = env["XDG_DATA_HOME"];
  const base = xdg !== undefined && xdg !== "" ? xdg : join(homedir(), ".local", "share");
  return join(base, "settled");
}

/** What the genesis file of a home says of its chain; standard values where there is no file. */
export interface HomeChain {
  /** undefined: the home has no genesis. */
  readonly chainId: string | undefined;
  readonly prefix: string;
  readonly denom: string;
  readonly dev: boolean;
}

/** Reads no more of the genesis than names: a large one is checked by the node, not here. */
export async function readHomeChain(home: string): Promise<HomeChain> {
  const genesis = await readJsonFile(genesisPath(home));
  if (genesis === undefined) {
    return { chainId: undefined, prefix: DEFAULT_BECH32_PREFIX, denom: DEFAULT_DENOM, dev: false };
  }
  return chainOfGenesis(genesis);
}

/** The same of a genesis document as JSON. */
export function chainOfGenesis(genesis: unknown): HomeChain {
  const { chain_id: chainId, app_state: state } = genesis as {
    chain_id?: unknown;
    app_state?: { chain?: Record<string, unknown> };
  };
  const chain = state?.chain ?? {};
  const text = (key: string, standard: string) => {
    const value = chain[key];
    return typeof value === "string" && value !== "" ? value : standard;
  };
  return {
    chainId: typeof chainId === "string" ? chainId : undefined,
    prefix: text("bech32_prefix", DEFAULT_BECH32_PREFIX),
    denom: text("bond_denom", DEFAULT_DENOM),
    dev: chain["dev"] === true,
  };
}

/** The endpoints of the node that runs in a home, left there by it. */
export interface RunningNode {
  readonly pid: number;
  readonly rpc: string;
  readonly rest: string | undefined;
  readonly grpc: string | undefined;
}

/** Where `settled start` notes its endpoints, so that commands with the same home find them. */
export function runningNodePath(home: string): string {
  return join(home, "node.json");
}

/** undefined: no note, or the process that wrote it is gone. */
export async function readRunningNode(home: string): Promise<RunningNode | undefined> {
  const note = (await readJsonFile(runningNodePath(home)).catch(() => undefined)) as
    | Partial<RunningNode>
    | undefined;
  if (typeof note?.pid !== "number" || typeof note.rpc !== "string") return undefined;
  if (!isRunning(note.pid)) return undefined;
  const text = (value: unknown) => (typeof value === "string" ? value : undefined);
  return { pid: note.pid, rpc: note.rpc, rest: text(note.rest), grpc: text(note.grpc) };
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** The JSON of a file; undefined where there is no file. */
export async function readJsonFile(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, "utf8"));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    if (error instanceof SyntaxError) throw new Error(`${path}: not JSON: ${error.message}`);
    throw error;
  }
}
