import { Command } from "commander";
import type { Daemon, Until } from "../../provider/daemon/daemon.ts";
import type { ProviderSettings } from "../../provider/daemon/settings.ts";
import { ProviderError } from "../../provider/errors.ts";
import { CliError, usageError } from "../cli_error.ts";
import { type Context, contextOf, withNodeFlag } from "../context.ts";
import { EXIT } from "../exit_codes.ts";
import { examples } from "../help.ts";
import type { Io } from "../io.ts";
import { nodeLog } from "../node_log.ts";
import { parseFieldNumber } from "../numbers.ts";
import { printResult } from "../output.ts";
import {
  type ConfigFlags,
  providerSettings,
  providerSigner,
  withConfigFlag,
} from "../provider_home.ts";
import { packageVersion } from "../version.ts";

/** Time to say how it ended when something does not stop. */
const LAST_WORDS_MS = 500;

interface StartFlags extends ConfigFlags {
  until?: string;
  metricsPort?: string;
  logLevel?: string;
  logFormat?: string;
}

/** `settled provider start` */
export function providerStartCommand(io: Io): Command {
  const command = new Command("start")
    .description("run the daemon in the foreground; SIGTERM drains it")
    .option(
      "--until <state>",
      "end when all feeds have ended and their records are included, or settled",
    )
    .option("--metrics-port <port>", "port of /metrics and /healthz; 0 picks a free one")
    .option("--log-level <level>", "debug, info, warn, error, silent")
    .option("--log-format <format>", "text or json");
  return withConfigFlag(withNodeFlag(command))
    .addHelpText(
      "after",
      examples("provider start", "provider start --until included --log-format json"),
    )
    .action(async (flags: StartFlags, self: Command) => {
      const context = contextOf(io, self);
      const until = parseUntil(flags.until);
      const { settings } = await providerSettings(context, flags);
      const stopped = stopSignal();
      const daemon = await openDaemon(context, withFlags(settings, flags));
      const { metricsUrl: metrics } = daemon;
      const facts = { home: context.home, pid: process.pid, provider: daemon.provider, metrics };
      printResult(io, context.format, facts, banner);
      const { refused, unpriced } = await daemon.run(stopped, until).finally(() => {
        // A call of the system that hangs would keep the process for ever.
        if (daemon.hanging.length > 0) setTimeout(() => process.exit(), LAST_WORDS_MS).unref();
      });
      if (until === undefined || refused + unpriced === 0) return;
      const message = `${refused} records were refused, ${unpriced} windows have no price`;
      const hint = "settled provider status";
      throw new CliError(EXIT.txFailed, "usage_refused", message, { hint });
    });
}

function banner(facts: Readonly<Record<string, string | number>>): string {
  const rows = Object.entries(facts).filter(([, value]) => value !== "");
  return rows.map(([name, value]) => `${name.padEnd(10)}${value}\n`).join("");
}

function parseUntil(text: string | undefined): Until | undefined {
  if (text === undefined || text === "included" || text === "settled") return text;
  throw usageError(`--until is included or settled, not "${text}"`);
}

function withFlags(settings: ProviderSettings, flags: StartFlags): ProviderSettings {
  const port = parseFieldNumber("--metrics-port", flags.metricsPort);
  const level = flags.logLevel ?? settings.log.level;
  const format = flags.logFormat ?? settings.log.format;
  const known = ["debug", "info", "warn", "error", "silent"] as const;
  const found = known.find((each) => each === level);
  if (found === undefined) throw usageError(`--log-level is one of ${known.join(", ")}`);
  if (format !== "text" && format !== "json") throw usageError("--log-format is text or json");
  const metrics = port === undefined ? settings.metrics : { ...settings.metrics, port };
  return { ...settings, metrics, log: { level: found, format } };
}

/** Opens all that the daemon is made of: here the real parts come together. */
async function openDaemon(context: Context, settings: ProviderSettings): Promise<Daemon> {
  const { home, io } = context;
  const { controlPath, refuseRunning } = await import("../../provider/daemon/control.ts");
  await refuseRunning(controlPath(home));
  const [
    { signer, chainId },
    { Daemon },
    { DaemonMetrics },
    { NodePool },
    { PriceBook },
    { MeterClock },
    { outboxFolder },
    { openOutbox },
    { openCollector },
    { openFeed },
    { CLOCK_NOTE },
  ] = await Promise.all([
    providerSigner(context, settings),
    import("../../provider/daemon/daemon.ts"),
    import("../../provider/daemon/metrics.ts"),
    import("../../provider/dispatch/node_pool.ts"),
    import("../../provider/price_book.ts"),
    import("../../provider/windows/meter_clock.ts"),
    import("../../provider/daemon/settings.ts"),
    import("../../provider/outbox/level_outbox.ts"),
    import("../../provider/collect/open_collector.ts"),
    import("../../provider/daemon/open_feed.ts"),
    import("../../provider/daemon/abandoned.ts"),
  ]);
  const log = nodeLog(io, settings.log.level, settings.log.format);
  const prices = PriceBook.parse(settings.prices, settings.pricesSource);
  for (const notice of prices.notices) log.warn(notice);
  const outbox = await whenFree(() => openOutbox(outboxFolder(home)));
  const last = Number((await outbox.note(CLOCK_NOTE)) ?? "0");
  const daemon = new Daemon({
    ...{ settings, outbox, signer, prices, log, openCollector, openFeed },
    prune: (beforeMs) => outbox.prune(beforeMs),
    pool: new NodePool(settings.nodes, { chainId, log }),
    clock: new MeterClock(undefined, last),
    random: Math.random,
    metrics: new DaemonMetrics(),
    controlPath: controlPath(home),
    version: packageVersion(),
  });
  await daemon.open();
  return daemon;
}

/** A command that reads the files has them for a moment only. */
async function whenFree<T>(open: () => Promise<T>): Promise<T> {
  for (let triesLeft = 10; ; triesLeft -= 1) {
    try {
      return await open();
    } catch (error) {
      const isInUse = error instanceof ProviderError && error.code === "outbox_in_use";
      if (!isInUse || triesLeft === 0) throw error;
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
  }
}

/** Aborted by the first SIGINT or SIGTERM; a second one ends the process at once. */
function stopSignal(): AbortSignal {
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      process.once(signal, () => process.exit(EXIT.other));
      stop.abort(new Error(signal));
    });
  }
  return stop.signal;
}
