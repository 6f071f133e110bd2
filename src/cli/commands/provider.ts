import { Command } from "commander";
import type { Signer } from "../../client/signer.ts";
import type { ReplaySummary } from "../../provider/tally.ts";
import { CliError, PassedExit, usageError } from "../cli_error.ts";
import {
  contextOf,
  type KeyringFlags,
  type NodeFlags,
  openKeyring,
  withKeyringFlags,
  withNodeFlag,
} from "../context.ts";
import { EXIT } from "../exit_codes.ts";
import { examples } from "../help.ts";
import type { Io } from "../io.ts";
import { printResult } from "../output.ts";
import { openTxSession } from "../tx_flow.ts";
import { reconcileCommand } from "./provider_reconcile.ts";
import { parseFieldNumber } from "../numbers.ts";
import { providerDoctorCommand } from "./provider_doctor.ts";
import { providerParkCommand, providerRetryCommand } from "./provider_fix.ts";
import { providerInitCommand } from "./provider_init.ts";
import { providerStartCommand } from "./provider_start.ts";
import { providerStatusCommand } from "./provider_status.ts";
import { providerWindowsCommand } from "./provider_windows.ts";

interface ReplayFlags extends NodeFlags, KeyringFlags {
  file: string;
  format: string;
  window: string;
  from: string;
  prices?: string;
  epoch?: string;
  limit?: string;
  unitRounding: string;
  withOrders?: boolean;
  customers?: string;
  escrowMargin: string;
  ackShare: string;
  virtualTime?: boolean;
  virtualStep?: string;
  gasPrices?: string;
  chainId?: string;
}

/** `settled provider …` */
export function providerCommand(io: Io): Command {
  return new Command("provider")
    .description("the provider daemon: usage metrics in, signed usage reports out")
    .addCommand(providerInitCommand(io))
    .addCommand(providerStartCommand(io))
    .addCommand(providerStatusCommand(io))
    .addCommand(providerWindowsCommand(io))
    .addCommand(providerRetryCommand(io))
    .addCommand(providerParkCommand(io))
    .addCommand(providerDoctorCommand(io))
    .addCommand(replayCommand(io))
    .addCommand(meterCommand(io))
    .addCommand(reconcileCommand(io));
}

function replayCommand(io: Io): Command {
  const command = new Command("replay")
    .description("turn a file of usage metrics into usage reports and submit them")
    .requiredOption("--file <file>", "usage metrics")
    .option("--format <format>", "pods (CSV of a cluster trace) or metrics (NDJSON)", "metrics")
    .option("--window <seconds>", "length of a window of a pods file", "3600")
    .requiredOption("--from <key>", "name or address of the provider's key")
    .option("--prices <file>", "price list (default: examples/prices.json)")
    .option("--epoch <unix>", "unix time of the file's zero (default: its last instant is now)")
    .option("--limit <number>", "take the first so many jobs")
    .option("--unit-rounding <rule>", "floor (each window) or carry (remainders go on)", "floor")
    .option("--with-orders", "open, acknowledge and settle an escrow per job as well, and claim")
    .option("--customers <keys>", "names of the keys that pay (default: those of role customer)")
    .option("--escrow-margin <factor>", "escrow = exact cost of the job × factor", "1")
    .option("--ack-share <share>", "share of the reports that is acknowledged, 0 to 1", "1")
    .option("--virtual-time", "let the chain's time follow the file's (dev chains)")
    .option("--virtual-step <seconds>", "time of the file per round of blocks")
    .option("--gas-prices <price>", "price of a unit of gas");
  return withKeyringFlags(withNodeFlag(command))
    .addHelpText(
      "after",
      examples(
        "provider replay --file examples/usage-month.ndjson --from provider-1 --with-orders",
        "provider replay --file pods.csv --format pods --from provider-1 --with-orders --limit 100",
      ),
    )
    .action((flags: ReplayFlags, self: Command) => replay(io, flags, self));
}

async function replay(io: Io, flags: ReplayFlags, self: Command): Promise<void> {
  const context = contextOf(io, self);
  const { format, unitRounding } = flags;
  if (format !== "pods" && format !== "metrics") throw usageError("--format is pods or metrics");
  if (unitRounding !== "floor" && unitRounding !== "carry") {
    throw usageError("--unit-rounding is floor or carry");
  }
  const numbers = {
    windowSeconds: parseFieldNumber("--window", flags.window) ?? 3600,
    limit: parseFieldNumber("--limit", flags.limit),
    virtualStepSeconds: parseFieldNumber("--virtual-step", flags.virtualStep),
  };
  const epoch = parseFieldNumber("--epoch", flags.epoch);
  const session = await openTxSession(context, { ...flags, signMode: "direct", wait: true });
  const withOrders = flags.withOrders === true;
  const { runReplay } = await import("../../provider/replay.ts");
  const summary = await runReplay(
    {
      ...{ client: session.client, provider: await session.signer() },
      customers: withOrders ? await customersOf(io, flags, self) : [],
      ...{ file: flags.file, format, unitRounding, withOrders, ...numbers },
      ...{ pricesFile: flags.prices, gasPrice: flags.gasPrices },
      epoch: epoch === undefined ? undefined : BigInt(epoch),
      ...{ escrowMargin: flags.escrowMargin, ackShare: flags.ackShare },
      virtualTime: flags.virtualTime === true,
    },
    { err: (text) => io.err(text), terminal: io.interactive },
  );
  printResult(io, context.format, summary, (it: ReplaySummary) => summaryText(it));
}

async function customersOf(io: Io, flags: ReplayFlags, self: Command): Promise<Signer[]> {
  const { keyring } = await openKeyring(contextOf(io, self), flags);
  const keys = await keyring.list();
  const names =
    flags.customers?.split(",") ??
    keys.filter(({ role }) => role === "customer").map(({ name }) => name);
  if (names.length === 0) {
    throw usageError("--with-orders needs keys that pay", "--customers NAME,NAME");
  }
  const signers: Signer[] = [];
  for (const name of names) signers.push(await keyring.signer(name));
  return signers;
}

interface MeterFlags extends NodeFlags, KeyringFlags {
  order: string;
  lease: string;
  from: string;
  prices?: string;
  gasPrices?: string;
}

function meterCommand(io: Io): Command {
  const command = new Command("meter")
    .argument("<command...>", "the command and its arguments, after --")
    .description("run a command, read its real usage from the kernel, and submit it")
    .requiredOption("--order <id>", "order that the usage belongs to")
    .requiredOption("--lease <id>", "lease of the order")
    .requiredOption("--from <key>", "name or address of the provider's key")
    .option("--prices <file>", "price list (default: examples/prices.json)")
    .option("--gas-prices <price>", "price of a unit of gas");
  return withKeyringFlags(withNodeFlag(command))
    .addHelpText(
      "after",
      examples(
        "provider meter --order order-1 --lease lease-1 --from provider-1 -- gzip -k big.log",
      ),
    )
    .action(async (words: string[], flags: MeterFlags, self: Command) => {
      const context = contextOf(io, self);
      const [command = "", ...args] = words;
      const { runMeter } = await import("../../provider/meter.ts");
      const session = await openTxSession(context, { ...flags, signMode: "direct", wait: true });
      const result = await runMeter(
        {
          ...{ client: session.client, provider: await session.signer() },
          ...{ order: flags.order, lease: flags.lease, command, args },
          ...{ pricesFile: flags.prices, gasPrice: flags.gasPrices },
        },
        { err: (text) => io.err(text), terminal: io.interactive },
      );
      // The command's own output comes first on stdout; with -o json the last line is the result.
      printResult(io, context.format, result);
      if (result.exitCode !== 0) throw new PassedExit(result.exitCode);
      if (result.records.some(({ refused }) => refused !== "")) {
        throw new CliError(EXIT.txFailed, "usage_refused", "the chain refused usage of this run");
      }
    });
}

function summaryText(summary: ReplaySummary): string {
  const rows = Object.entries(summary).map(([key, value]): [string, string] => [
    key,
    typeof value === "object" ? amountsText(value as Record<string, unknown>) : String(value),
  ]);
  const width = Math.max(...rows.map(([key]) => key.length));
  return rows.map(([key, value]) => `${key.padEnd(width)}  ${value}\n`).join("");
}

function amountsText(amounts: Record<string, unknown>): string {
  const parts = Object.entries(amounts).map(([name, amount]) => `${String(amount)} ${name}`);
  return parts.length === 0 ? "-" : parts.join(", ");
}
