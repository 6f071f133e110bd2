import type { Client } from "../client/client.ts";
import { readRecordUsage, usageOfOrder } from "../client/settlement_msgs.ts";
import type { Signer } from "../client/signer.ts";
import { DEFAULT_GAS_PRICE, messageGas, parseGasPrice } from "./gas.ts";
import { type MeteredRun, runMetered } from "./metered_command.ts";
import { DEFAULT_PRICES_FILE, PriceBook } from "./price_book.ts";
import type { ProviderIo } from "./progress.ts";
import { reportsOf, signedReport, type UsageReport } from "./reports.ts";
import { type Outcome, TxSender } from "./submit.ts";
import { unitsOfWindow } from "./units.ts";

export interface MeterOptions {
  readonly client: Client;
  readonly provider: Signer;
  readonly order: string;
  readonly lease: string;
  readonly command: string;
  readonly args: readonly string[];
  /** Default: the price list of the project's examples. */
  readonly pricesFile?: string | undefined;
  /** "0.025uve" */
  readonly gasPrice?: string | undefined;
  /** Milliseconds between looks at memory and I/O. */
  readonly sampleMs?: number | undefined;
}

/** A usage report of a metered command and what the chain made of it. */
export interface MeteredRecord {
  readonly usageType: string;
  readonly units: number;
  /** Base units of `denom`, decimal text. */
  readonly cost: string;
  readonly denom: string;
  /** Empty when it was refused. */
  readonly usageId: string;
  /** Empty when it was recorded. */
  readonly refused: string;
}

export interface MeterResult {
  /** Of the command; the daemon passes it on. */
  readonly exitCode: number;
  readonly order: string;
  readonly lease: string;
  /** Unix seconds. */
  readonly start: number;
  readonly end: number;
  readonly source: MeteredRun["source"];
  /** As in a metrics file, decimal texts. */
  readonly metrics: Readonly<Record<string, string>>;
  readonly records: readonly MeteredRecord[];
  readonly notes: readonly string[];
}

/**
 * Runs a command, meters it and submits its usage as one window. The command runs in any case; what
 * the chain refuses is told in the result.
 * @throws ProviderError `cannot_run`, `bad_prices`; ConnectionError before the command starts.
 */
export async function runMeter(options: MeterOptions, io: ProviderIo): Promise<MeterResult> {
  const { client, provider, order, lease } = options;
  const prices = await PriceBook.read(options.pricesFile ?? DEFAULT_PRICES_FILE);
  const gasPrice = parseGasPrice(options.gasPrice ?? DEFAULT_GAS_PRICE);
  // Asked before, so that a command does not run for nothing on a chain that is not there.
  await client.status();
  const { command, args, sampleMs } = options;
  const run = await runMetered({ command, args, sampleMs });
  for (const note of run.notes) io.err(`${note}\n`);
  const { start, end } = await periodOf(run, options);
  const window = { job: command, order, lease, start, end, metrics: run.metrics, line: 0 };
  const reports = reportsOf(window, unitsOfWindow(run.metrics), prices, 0n);
  const sender = new TxSender(client, provider, { gasPrice });
  const outcomes = await sender.send(
    reports.map((report) => ({
      message: signedReport(report, provider, client.chainId),
      gas: messageGas("record"),
    })),
  );
  const records = reports.map((report, index) => describe(report, outcomes[index] as Outcome));
  const period = { start: Number(start), end: Number(end) };
  const { exitCode, source, notes } = run;
  return { exitCode, order, lease, ...period, source, metrics: metricsText(run), records, notes };
}

/**
 * Whole seconds of the run, at least one, and none that an earlier record of the lease covers: two
 * short commands in one second get seconds of their own.
 */
async function periodOf(
  run: MeteredRun,
  { client, order, lease }: MeterOptions,
): Promise<{ start: bigint; end: bigint }> {
  let start = BigInt(Math.floor(run.startedAt / 1000));
  const ended = BigInt(Math.floor(run.endedAt / 1000));
  for (const { leaseId, periodEnd } of await usageOfOrder(client, order)) {
    if (leaseId === lease && periodEnd > start && periodEnd <= ended + 2n) start = periodEnd;
  }
  return { start, end: ended > start ? ended : start + 1n };
}

function describe(report: UsageReport, outcome: Outcome): MeteredRecord {
  const { usageType, usageUnits, cost, denom } = report;
  const facts = { usageType, units: Number(usageUnits), cost: cost.toString(), denom };
  if (outcome.refusal !== undefined) return { ...facts, usageId: "", refused: outcome.refusal.log };
  return { ...facts, usageId: readRecordUsage(outcome.response).usageId, refused: "" };
}

function metricsText({ metrics }: MeteredRun): Record<string, string> {
  return {
    cpu_milliseconds: metrics.cpuMilliseconds.toString(),
    memory_byte_seconds: metrics.memoryByteSeconds.toString(),
    storage_byte_seconds: metrics.storageByteSeconds.toString(),
    gpu_seconds: metrics.gpuSeconds.toString(),
    network_bytes_in: metrics.networkBytesIn.toString(),
    network_bytes_out: metrics.networkBytesOut.toString(),
  };
}
