import process from "node:process";
import { Command } from "commander";
import { InvariantError } from "../../lib/assert.ts";
import { readConfig, resolveConfig } from "../../node/config.ts";
import { CliError, usageError } from "../cli_error.ts";
import { configFromEnv } from "../config_env.ts";
import { contextOf } from "../context.ts";
import { EXIT } from "../exit_codes.ts";
import { parseDuration } from "../flag_values.ts";
import { type Demo, demoText, demoTotals, prepareDevHome, runDemo } from "../demo.ts";
import { examples } from "../help.ts";
import type { Io, OutputFormat } from "../io.ts";
import { LOG_LEVELS, type LogLevel, nodeLog } from "../node_log.ts";
import { loadOpenApp } from "../open_app.ts";
import { printResult } from "../output.ts";
import { type ChainReport, type RunningChain, startChain, writeJson } from "../running_chain.ts";

/** Longest time that stopping may take; what is on disk is whole at any moment. */
const STOP_MS = 1800;

interface StartFlags {
  host?: string;
  rpcPort?: string;
  grpcPort?: string;
  restPort?: string;
  ledgerPort?: string;
  metricsPort?: string;
  blockMode?: string;
  blockInterval?: string;
  time?: string;
  minimumGasPrice?: string;
  moniker?: string;
  keepHistory?: string;
  keepBlocks?: string;
  stateCacheMib?: string;
  verifyThreads?: string;
  corsOrigins?: string;
  configOut?: string;
  dev?: boolean;
  demo?: boolean;
  logLevel: string;
  logFormat?: string;
}

/** `settled start` */
export function startCommand(io: Io): Command {
  const command = new Command("start").description("run the node of this home");
  return addStartFlags(command)
    .addHelpText("after", examples("start", "start --rpc-port 0 --block-mode instant -o json"))
    .action(async (flags: StartFlags, self: Command) => {
      const { home, format } = contextOf(io, self);
      const log = nodeLog(io, logLevel(flags.logLevel), logFormat(flags.logFormat));
      // Flags first: a home is not made for a start that cannot be.
      resolveConfig({}, given(nodeFlags(flags)));
      const demo = await prepareDemo(home, flags, io);
      const config = await readConfig(home, {
        ...configFromEnv(io.env),
        ...given(nodeFlags(flags)),
        ...(demo === undefined ? {} : { time: "virtual" }),
      });
      const openApp = await loadOpenApp();
      const chain = await startChain({ home, config, log, openApp });
      const stopped = stopSignal();
      if (flags.configOut !== undefined) await writeJson(flags.configOut, chain.report);
      printResult(io, format, publicPart(chain.report), banner);
      if (demo !== undefined) await showDemo(demo, chain, { io, format, stopped });
      await untilEnd(chain, stopped);
    });
}

async function prepareDemo(home: string, flags: StartFlags, io: Io): Promise<Demo | undefined> {
  if (flags.demo === true && flags.dev !== true) throw usageError("--demo goes with --dev");
  if (flags.dev !== true) return undefined;
  return prepareDevHome(home, { demo: flags.demo === true, io });
}

/** Runs the demo while the node answers; a node that stops or halts meanwhile ends it. */
async function showDemo(
  demo: Demo,
  chain: RunningChain,
  { io, format, stopped }: { io: Io; format: OutputFormat; stopped: Promise<void> },
): Promise<void> {
  const over = Promise.race([stopped, chain.halted]).then(() => "over" as const);
  const run = runDemo(demo, chain.report, io).then(() => "done" as const);
  try {
    if ((await Promise.race([run, over])) === "over") return;
    const totals = await demoTotals(chain.report);
    printResult(io, format, { totals }, () => demoText(demo.home, totals));
  } catch (error) {
    await chain.stop();
    throw error;
  } finally {
    // Cut short, it fails on a node that is gone.
    run.catch(() => undefined);
  }
}

/** Flags of `start` that are settings of the node, as the config file has them. */
function nodeFlags(flags: StartFlags) {
  const { host, moniker, keepHistory, corsOrigins, blockMode, time, minimumGasPrice } = flags;
  const { rpcPort, grpcPort, restPort, ledgerPort, metricsPort } = flags;
  const { keepBlocks, stateCacheMib, verifyThreads } = flags;
  const ports = { rpcPort, grpcPort, restPort, ledgerPort, metricsPort };
  const blockIntervalMs = milliseconds(flags.blockInterval);
  const blocks = { blockMode, blockIntervalMs, time, minimumGasPrice };
  const store = { keepHistory, keepBlocks, stateCacheMib, verifyThreads };
  return { host, moniker, corsOrigins, ...store, ...ports, ...blocks };
}

function given(flags: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined));
}

function addStartFlags(command: Command): Command {
  return command
    .option("--host <address>", "address to listen on")
    .option("--rpc-port <port>", "CometBFT RPC; 0 picks a free one, for ports without a flag too")
    .option("--grpc-port <port>", "gRPC, with server reflection")
    .option("--rest-port <port>", "REST API, with a page to browse it")
    .option("--ledger-port <port>", "ledger API (not offered yet)")
    .option("--metrics-port <port>", "Prometheus metrics, health and readiness")
    .option("--block-mode <mode>", "mixed, instant, interval or manual")
    .option("--block-interval <time>", "milliseconds, or such as 500ms, 2s")
    .option("--time <clock>", "wall, or virtual (dev chains: time goes on by hand)")
    .option("--minimum-gas-price <price>", "such as 0.025uve; 0 takes txs without a fee")
    .option("--moniker <name>", "name of the node")
    .option("--keep-history <blocks>", "heights that queries can reach; a number or all")
    .option("--keep-blocks <blocks>", "blocks to keep; a number or all")
    .option("--state-cache-mib <mebibytes>", "memory for state that is used often")
    .option("--verify-threads <threads>", "threads that verify signatures; a number or auto")
    .option("--cors-origins <list>", "origins that browsers may call from, with commas")
    .option("--config-out <file>", "write chain id, endpoints and dev accounts there (mode 0600)")
    .option("--dev", "make a dev chain in a home that has none")
    .option("--demo", "with --dev: a new chain begins 31 days ago, with a month of metered jobs")
    .option("--log-level <level>", LOG_LEVELS.join(", "), "info")
    .option("--log-format <format>", "text or json");
}

function milliseconds(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  if (/^[0-9]+ms$/.test(text)) return text.slice(0, -2);
  const seconds = parseDuration(text);
  return seconds === undefined ? text : (seconds * 1000n).toString();
}

function logLevel(text: string): LogLevel {
  const level = LOG_LEVELS.find((each) => each === text);
  if (level === undefined) throw usageError(`--log-level is one of ${LOG_LEVELS.join(", ")}`);
  return level;
}

function logFormat(text: string | undefined): "text" | "json" {
  if (text === undefined || text === "text" || text === "json") return text ?? "text";
  throw usageError(`--log-format is text or json, not "${text}"`);
}

/** What is printed: the report without secrets. */
function publicPart(report: ChainReport) {
  const accounts = report.accounts.map(({ name, role, address }) => ({ name, role, address }));
  return { ...report, accounts };
}

function banner({ chainId, endpoints, accounts }: ReturnType<typeof publicPart>): string {
  const doors = Object.entries(endpoints).flatMap(([name, url]) =>
    url === null ? [] : [`  ${name.padEnd(8)}${url as string}`],
  );
  const people = accounts.map(({ name, address }) => `  ${name.padEnd(12)}${address}`);
  const list = people.length === 0 ? [] : ["accounts", ...people];
  return [`chain ${chainId}`, ...doors, ...list, "Ctrl-C stops it.", ""].join("\n");
}

/** Resolves at the first SIGINT or SIGTERM; a second one ends the process at once. */
function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      process.once(signal, () => {
        process.once(signal, () => process.exit(EXIT.other));
        resolve();
      });
    }
  });
}

async function untilEnd(chain: RunningChain, stopped: Promise<void>): Promise<void> {
  const reason = await Promise.race([stopped.then(() => undefined), chain.halted]);
  // A client that keeps its connection open must not hold the process up.
  const force = setTimeout(
    () => process.exit(reason === undefined ? EXIT.ok : EXIT.other),
    STOP_MS,
  );
  force.unref();
  await chain.stop().finally(() => clearTimeout(force));
  if (reason === undefined) return;
  if (reason instanceof InvariantError) throw reason;
  throw new CliError(EXIT.other, "halted", `the node has halted: ${reason.message}`);
}
