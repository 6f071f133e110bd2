import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { CollectorSettings } from "../collect/collector_settings.ts";
import { ProviderError } from "../errors.ts";
import { readPricesFile } from "../price_book.ts";
import type { UnitRounding } from "../units.ts";
import { readFields } from "./settings_reader.ts";
import { SETTINGS } from "./settings_table.ts";

export interface WorkloadSettings {
  readonly name: string;
  readonly order: string;
  readonly lease: string;
  /** Unix seconds, or RFC 3339. */
  readonly start?: string;
  readonly end?: string;
  readonly billFootprint: boolean;
  readonly collectors: readonly CollectorSettings[];
}

interface FeedCommon {
  readonly name: string;
  readonly billFootprint: boolean;
}

export interface FileFeedSettings extends FeedCommon {
  readonly kind: "ndjson" | "csv";
  readonly file: string;
  readonly follow: boolean;
}

export interface EventFeedSettings extends FeedCommon {
  readonly kind: "cloudevents";
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly tokenFile?: string;
  readonly type: string;
}

export type FeedSettings = FileFeedSettings | EventFeedSettings;

export type LogLevelName = "debug" | "info" | "warn" | "error" | "silent";

/** Settings of the daemon; src/provider/daemon/settings_table.ts says what each is for. */
export interface ProviderSettings {
  readonly nodes: readonly string[];
  readonly chainId?: string;
  readonly key: {
    readonly name: string;
    readonly keyring: "auto" | "test" | "file";
    readonly passwordFile?: string;
  };
  readonly gasPrice: string;
  readonly intervalSeconds: number;
  readonly sampleSeconds: number;
  readonly writeSeconds: number;
  readonly lateSeconds: number;
  readonly unitRounding: UnitRounding;
  /** As it stands in the file: PriceBook checks it. */
  readonly prices: unknown;
  /** Where the prices stand, for errors. */
  readonly pricesSource: string;
  readonly batch: {
    readonly records: number;
    readonly bytes: number;
    readonly ageMs: number;
    readonly inFlight: number;
  };
  readonly retry: { readonly firstMs: number; readonly maxMs: number };
  readonly metrics: { readonly enabled: boolean; readonly host: string; readonly port: number };
  readonly health: { readonly nodeSilentSeconds: number; readonly fundsLeast: string };
  readonly log: { readonly level: LogLevelName; readonly format: "text" | "json" };
  readonly drainSeconds: number;
  readonly keepSettledDays: number;
  readonly workloads: readonly WorkloadSettings[];
  readonly feeds: readonly FeedSettings[];
}

/** The folder of the daemon in a home: settings, outbox and socket. */
export function providerFolder(home: string): string {
  return join(home, "provider");
}

/** Where the settings of a home are. */
export function settingsPath(home: string): string {
  return join(providerFolder(home), "provider.yaml");
}

/** Where the outbox of a home is. */
export function outboxFolder(home: string): string {
  return join(providerFolder(home), "outbox");
}

/**
 * Reads the settings file and the prices that it names.
 * @throws ProviderError `no_config`, `bad_config`, `bad_prices`
 */
export async function readSettings(file: string): Promise<ProviderSettings> {
  const body = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
    const advice = "`settled provider init` writes one with comments";
    throw new ProviderError("no_config", `there are no settings at ${file}: ${advice}`);
  });
  return parseSettings(body, file);
}

/** The same of the file's text. */
export async function parseSettings(body: string, file: string): Promise<ProviderSettings> {
  const folder = dirname(file);
  const given = readFields(body, { file, folder }, SETTINGS) as ProviderSettings & {
    readonly pricesFile?: string;
  };
  refuseRepeats(given, file);
  const { pricesFile, ...rest } = given;
  const settings = { ...rest, workloads: rest.workloads.map(withFactors) };
  if ((settings.prices === undefined) === (pricesFile === undefined)) {
    const found = settings.prices === undefined ? "neither" : "both";
    const rule = `expected prices or prices_file, found ${found}`;
    throw new ProviderError("bad_config", `${file}:1: prices: ${rule}`);
  }
  if (pricesFile === undefined) return { ...settings, pricesSource: `${file}: prices` };
  return { ...settings, prices: await readPricesFile(pricesFile), pricesSource: pricesFile };
}

/** Factors are texts in the file, so that none is rounded; collectors take integers. */
function withFactors(workload: WorkloadSettings): WorkloadSettings {
  const collectors = workload.collectors.map((collector) => {
    if (collector.kind !== "prometheus" || collector.rules === undefined) return collector;
    const integer = (value: unknown) => (value === undefined ? undefined : BigInt(value as string));
    const rules = collector.rules.map(({ multiply, divide, max, ...rule }) => ({
      ...rule,
      ...{ multiply: integer(multiply) ?? 1n, divide: integer(divide) ?? 1n },
      ...(max === undefined ? {} : { max: BigInt(max) }),
    }));
    return { ...collector, rules };
  });
  return { ...workload, collectors };
}

function refuseRepeats({ workloads, feeds }: ProviderSettings, file: string): void {
  const repeated = (what: string, names: readonly string[]) => {
    const seen = new Set<string>();
    const name = names.find((each) => seen.size === seen.add(each).size);
    if (name === undefined) return;
    const rule = `expected each ${what} once, found "${name}" twice`;
    throw new ProviderError("bad_config", `${file}:1: ${what}: ${rule}`);
  };
  repeated(
    "name of a workload",
    workloads.map(({ name }) => name),
  );
  repeated(
    "lease of a workload",
    workloads.map(({ order, lease }) => `${order}/${lease}`),
  );
  repeated(
    "name of a feed",
    feeds.map(({ name }) => name),
  );
}

/** A time of the settings in unix seconds: "2026-01-31T08:00:00Z" or "1767225600". */
export function instantSeconds(text: string): bigint {
  if (/^[0-9]+$/.test(text)) return BigInt(text);
  const ms = Date.parse(text);
  if (Number.isNaN(ms)) throw new ProviderError("bad_config", `not a time: "${text}"`);
  return BigInt(Math.floor(ms / 1000));
}
