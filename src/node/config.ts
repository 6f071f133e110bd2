import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { NodeStartError } from "./errors.ts";

/** When blocks are made (DESIGN section 5). */
export type BlockMode = "mixed" | "instant" | "interval" | "manual";

/** Settings of one node. None of them can change the app hash. */
export interface NodeConfig {
  /** Name of the node as clients see it. */
  readonly moniker: string;
  /** Address that every door listens on. */
  readonly host: string;
  /** CometBFT JSON-RPC and WebSocket. Of every port: 0 picks a free one. */
  readonly rpcPort: number;
  readonly grpcPort: number;
  /** REST and the explorer. */
  readonly restPort: number;
  readonly ledgerPort: number;
  readonly metricsPort: number;
  /** Connections that the RPC holds at the same time, WebSockets among them. */
  readonly rpcConnectionsMax: number;
  /** WebSocket clients of the RPC at the same time. */
  readonly rpcSocketsMax: number;
  /** Origins that browsers may call from besides loopback pages; "*" for all. */
  readonly corsOrigins: readonly string[];
  readonly blockMode: BlockMode;
  /** Shortest time between blocks in `mixed`, the period in `interval`; milliseconds. */
  readonly blockIntervalMs: number;
  /** Time after which `mixed` makes an empty block; milliseconds. */
  readonly emptyBlockIntervalMs: number;
  /** Bytes of a whole block, encoded. */
  readonly blockMaxBytes: number;
  /** `virtual`: block times and blocks by hand only, until the wall clock is asked for. */
  readonly time: "wall" | "virtual";
  /** Offers the dev controls: blocks and time by hand. */
  readonly dev: boolean;
  /** Least price of a unit of gas that this node takes, as "<decimal><denom>". */
  readonly minimumGasPrice: string;
  readonly mempoolTxsMax: number;
  readonly mempoolBytesMax: number;
  readonly txBytesMax: number;
  /** Offers a faucet, on dev chains whose doors only this machine can reach. */
  readonly faucet: boolean;
  /** Name of the dev key that pays for it. */
  readonly faucetKey: string;
  /** One payment of each denom, as "<amount><denom>" with commas. */
  readonly faucetAmounts: string;
  /** Payments an hour to one address. */
  readonly faucetPerAddress: number;
  /** Payments an hour that one client may ask for. */
  readonly faucetPerClient: number;
  /** Threads that verify signatures: a number, or "auto" for one per core; 0 and 1 mean none. */
  readonly verifyThreads: number | "auto";
  /** LevelDB's block cache. */
  readonly dbCacheMib: number;
  /** Memory for state that is read or written often. */
  readonly stateCacheMib: number;
  /** Heights of history that queries can reach: a number of blocks, 0 for none, or "all". */
  readonly keepHistory: number | "all";
  /** Blocks that are kept, with results and index: a number from 1, or "all". */
  readonly keepBlocks: number | "all";
}

type Parse<T> = (value: unknown) => T | undefined;

interface Field<T> {
  /** Name in the file; flags have dashes for its underscores. */
  readonly key: string;
  readonly standard: T;
  readonly parse: Parse<T>;
  /** What is expected, for the error. */
  readonly expected: string;
}

const MIB = 1024 * 1024;

function field<T>(key: string, standard: T, parse: Parse<T>, expected: string): Field<T> {
  return { key, standard, parse, expected };
}

function whole(key: string, standard: number, min: number, max: number): Field<number> {
  return field(key, standard, wholeIn(min, max), `a whole number from ${min} to ${max}`);
}

// Flags arrive as text, the file has numbers: both are taken.
function wholeIn(min: number, max: number): Parse<number> {
  return (value) => {
    const text = typeof value === "number" ? value.toString() : value;
    if (typeof text !== "string" || !/^[0-9]{1,15}$/.test(text)) return undefined;
    const parsed = Number(text);
    return parsed >= min && parsed <= max ? parsed : undefined;
  };
}

const port = (key: string, standard: number) => whole(key, standard, 0, 65_535);

function oneOf<T extends string>(key: string, standard: T, choices: readonly T[]): Field<T> {
  const parse = (value: unknown) => choices.find((choice) => choice === value);
  return field(key, standard, parse, choices.map((choice) => `"${choice}"`).join(" or "));
}

function text(key: string, standard: string, pattern: RegExp, expected: string): Field<string> {
  const parse = (value: unknown) =>
    typeof value === "string" && pattern.test(value) ? value : undefined;
  return field(key, standard, parse, expected);
}

const FIELDS: { readonly [K in keyof NodeConfig]: Field<NodeConfig[K]> } = {
  moniker: text("moniker", "settled", /^[\x20-\x7e]{1,70}$/, "1 to 70 printable ASCII characters"),
  host: text("host", "127.0.0.1", /^[0-9A-Za-z.:_-]{1,253}$/, "an address or host name"),
  rpcPort: port("rpc_port", 26_657),
  grpcPort: port("grpc_port", 9090),
  restPort: port("rest_port", 1317),
  ledgerPort: port("ledger_port", 8000),
  metricsPort: port("metrics_port", 26_660),
  // Those of CometBFT: max_open_connections and max_subscription_clients.
  rpcConnectionsMax: whole("rpc_connections_max", 900, 1, 65_535),
  rpcSocketsMax: whole("rpc_sockets_max", 100, 1, 65_535),
  corsOrigins: field<readonly string[]>("cors_origins", [], parseList, "a list of texts"),
  blockMode: oneOf("block_mode", "mixed", ["mixed", "instant", "interval", "manual"]),
  blockIntervalMs: whole("block_interval_ms", 100, 1, 3_600_000),
  emptyBlockIntervalMs: whole("empty_block_interval_ms", 5000, 1, 86_400_000),
  blockMaxBytes: whole("block_max_bytes", 8 * MIB, 64 * 1024, 100 * MIB),
  time: oneOf("time", "wall", ["wall", "virtual"]),
  dev: field("dev", false, parseBoolean, "true or false"),
  minimumGasPrice: text(
    "minimum_gas_price",
    "0.025uve",
    /^(0|[0-9]{1,20}(\.[0-9]{1,18})?[a-zA-Z][a-zA-Z0-9/:._-]{2,127})$/,
    'an amount and a denom like "0.025uve", or "0"',
  ),
  mempoolTxsMax: whole("mempool_txs_max", 5000, 1, 1_000_000),
  mempoolBytesMax: whole("mempool_bytes_max", 64 * MIB, 1024, 4096 * MIB),
  txBytesMax: whole("tx_bytes_max", MIB, 1024, 64 * MIB),
  faucet: field("faucet", true, parseBoolean, "true or false"),
  faucetKey: text("faucet_key", "authority", /^[a-z0-9_-]{1,64}$/, "the name of a key"),
  faucetAmounts: text(
    "faucet_amounts",
    "10000000uve,10000000uusd",
    /^[1-9][0-9]{0,30}[a-zA-Z][a-zA-Z0-9/:._-]{2,127}(,[1-9][0-9]{0,30}[a-zA-Z][a-zA-Z0-9/:._-]{2,127}){0,15}$/,
    'coins like "10000000uve,10000000uusd"',
  ),
  faucetPerAddress: whole("faucet_per_address", 10, 1, 100_000),
  faucetPerClient: whole("faucet_per_client", 60, 1, 100_000),
  verifyThreads: field<number | "auto">(
    "verify_threads",
    "auto",
    (value) => (value === "auto" ? value : wholeIn(0, 64)(value)),
    'a number from 0 to 64, or "auto"',
  ),
  dbCacheMib: whole("db_cache_mib", 32, 1, 65_536),
  stateCacheMib: whole("state_cache_mib", 128, 1, 65_536),
  keepHistory: field<number | "all">("keep_history", 100_000, keepOf(0), 'a number or "all"'),
  keepBlocks: field<number | "all">("keep_blocks", "all", keepOf(1), 'a number from 1, or "all"'),
};

function parseBoolean(value: unknown): boolean | undefined {
  if (value === true || value === "true") return true;
  return value === false || value === "false" ? false : undefined;
}

function keepOf(min: number): Parse<number | "all"> {
  const parse = wholeIn(min, Number.MAX_SAFE_INTEGER);
  return (value) => (value === "all" ? value : parse(value));
}

function parseList(value: unknown): readonly string[] | undefined {
  const list = typeof value === "string" ? value.split(",").filter((part) => part !== "") : value;
  if (!Array.isArray(list)) return undefined;
  return list.every((item): item is string => typeof item === "string") ? list : undefined;
}

const NAMES = Object.keys(FIELDS) as (keyof NodeConfig)[];

/** Name in the file of a setting, for flags and documentation: "rpc_port". */
export function configKey(name: keyof NodeConfig): string {
  return FIELDS[name].key;
}

/** Where the settings of a home are kept. */
export function configPath(home: string): string {
  return join(home, "config", "config.json");
}

/**
 * Settings from the file, with flags over them and defaults under them.
 * @param file the parsed file; an object by keys such as "rpc_port"
 * @param flags what the command line gave, as text or value; undefined is not given
 * @param path named in errors
 * @throws NodeStartError naming an unknown key or a value of the wrong form
 */
export function resolveConfig(
  file: unknown,
  flags: { readonly [K in keyof NodeConfig]?: unknown } = {},
  path = "config.json",
): NodeConfig {
  if (typeof file !== "object" || file === null || Array.isArray(file)) {
    throw new NodeStartError(`${path}: expected a JSON object`, { path });
  }
  const known = new Set(NAMES.map(configKey));
  for (const key of Object.keys(file)) {
    if (!known.has(key)) {
      const list = [...known].join(", ");
      throw new NodeStartError(`${path}: unknown key "${key}"; known keys: ${list}`, { path, key });
    }
  }
  const values = NAMES.map((name) => {
    const { key, standard } = FIELDS[name];
    const flag = flags[name] ?? (followsRpcPort(name, flags) ? 0 : undefined);
    if (flag !== undefined) return [name, parsed(name, flag, `--${key.replaceAll("_", "-")}`)];
    const value = (file as Record<string, unknown>)[key];
    return [name, value === undefined ? standard : parsed(name, value, `${path}: "${key}"`)];
  });
  return Object.fromEntries(values) as unknown as NodeConfig;
}

/**
 * Whoever lets a flag pick a free port for the RPC runs several nodes on a machine: the other ports
 * are free ones too then, unless they have flags of their own.
 */
function followsRpcPort(
  name: keyof NodeConfig,
  { rpcPort }: { readonly [K in keyof NodeConfig]?: unknown },
): boolean {
  return name.endsWith("Port") && (rpcPort === "0" || rpcPort === 0);
}

function parsed(name: keyof NodeConfig, value: unknown, where: string): unknown {
  const result = FIELDS[name].parse(value);
  if (result === undefined) {
    const found = JSON.stringify(value);
    throw new NodeStartError(`${where}: expected ${FIELDS[name].expected}, found ${found}`, {
      key: FIELDS[name].key,
    });
  }
  return result;
}

/** The settings of a home: defaults where it has no file. @throws NodeStartError */
export async function readConfig(
  home: string,
  flags: { readonly [K in keyof NodeConfig]?: unknown } = {},
): Promise<NodeConfig> {
  const path = configPath(home);
  let body: string;
  try {
    body = await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return resolveConfig({}, flags, path);
    throw error;
  }
  return resolveConfig(parseJson(body, path), flags, path);
}

function parseJson(body: string, path: string): unknown {
  try {
    return JSON.parse(body);
  } catch (error) {
    throw new NodeStartError(`${path}: not JSON: ${(error as Error).message}`, { path });
  }
}

/** Writes all settings of a home, so that the file shows what there is to set. */
export async function writeConfig(home: string, config: NodeConfig): Promise<void> {
  const path = configPath(home);
  const content = Object.fromEntries(NAMES.map((name) => [configKey(name), config[name]]));
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, `${JSON.stringify(content, undefined, 2)}\n`);
}
