import { existsSync } from "node:fs";
import { Command } from "commander";
import type { GenesisFile } from "../../node/genesis_file.ts";
import type { RecordedBlock } from "../../node/recorded_blocks.ts";
import type { Difference } from "../../sim/compare_blocks.ts";
import type { ReplayReport } from "../../sim/replay.ts";
import { BlockProgress } from "../block_progress.ts";
import { CliError, usageError } from "../cli_error.ts";
import { contextOf } from "../context.ts";
import { EXIT } from "../exit_codes.ts";
import { examples } from "../help.ts";
import type { Io } from "../io.ts";
import { parseFieldNumber } from "../numbers.ts";
import { printResult } from "../output.ts";

interface ReplayFlags {
  to?: string;
  trustSignatures?: boolean;
  into?: string;
  record?: string;
  log?: string;
}

/** A recorded chain, in the database of a home or in a log file. */
interface Source {
  readonly genesis: GenesisFile;
  /** Heights of the first and the last block. */
  readonly first: bigint;
  readonly latest: bigint;
  blocks(to: bigint): AsyncIterable<RecordedBlock>;
  close(): Promise<void>;
}

/** `settled replay` */
export function replayCommand(io: Io): Command {
  return new Command("replay")
    .description(
      "execute the chain of this home again from genesis and compare every block with its record: " +
        "app hash, results of txs, events of the block; the node must be stopped",
    )
    .option("--to <height>", "the last block to replay or to record (default: the latest)")
    .option(
      "--trust-signatures",
      "take the signatures of txs for good: faster, the same outcome for blocks that a node of " +
        "yours has checked; not for a log from somebody else",
    )
    .option("--into <dir>", "build a new home there, in place of a chain in memory")
    .option("--record <file>", "write genesis and blocks to a log file, and replay nothing")
    .option("--log <file>", "replay such a log in place of a home")
    .addHelpText(
      "after",
      examples(
        "replay",
        "replay --to 1000 --trust-signatures -o json",
        "replay --into .settled-again",
        "replay --record month.log",
        "replay --log month.log",
      ),
    )
    .action(async (flags: ReplayFlags, self: Command) => {
      const { home, format } = contextOf(io, self);
      checkFlags(flags);
      const source = await openSource(home, flags.log);
      try {
        const to = lastHeight(source, flags.to);
        const progress = new BlockProgress(io, Number(to - source.first) + 1);
        if (flags.record !== undefined) {
          const summary = await record(source, { path: flags.record, to, progress });
          return printResult(io, format, summary, recordText);
        }
        const report = await replay(source, { flags, to, progress });
        if (report.difference !== undefined) throw differs(report.difference, flags);
        printResult(io, format, summaryOf(report, source.first, flags), replayText);
      } finally {
        await source.close();
      }
    });
}

function checkFlags({ record, log, into, trustSignatures }: ReplayFlags): void {
  if (record === undefined) return;
  if (log !== undefined) throw usageError("--record reads a home: it does not go with --log");
  if (into !== undefined || trustSignatures === true) {
    throw usageError("--record replays nothing: it goes with --to and --home alone");
  }
  if (existsSync(record)) throw usageError(`${record} exists: name a new file`);
}

async function openSource(home: string, log: string | undefined): Promise<Source> {
  if (log !== undefined) {
    const { openBlockLog } = await import("../../sim/block_log.ts");
    const { genesis, latest, blocks } = await openBlockLog(log);
    const close = async () => undefined;
    return { genesis, first: genesis.doc.initialHeight, latest, blocks, close };
  }
  const { openRecordedHome } = await import("../../node/recorded_blocks.ts");
  const recorded = await openRecordedHome(home);
  const { genesis, tip, close } = recorded;
  const first = genesis.doc.initialHeight;
  const problem =
    tip === undefined
      ? `no blocks in ${home}`
      : `${home} has the blocks from ${tip.earliest} on, a replay needs all from ${first} on`;
  if (tip?.earliest !== first) {
    await close();
    throw new CliError(EXIT.notFound, "no_blocks", problem);
  }
  return { genesis, first, latest: tip.latest, blocks: (to) => recorded.blocks(first, to), close };
}

function lastHeight({ first, latest }: Source, flag: string | undefined): bigint {
  const to = parseFieldNumber("--to", flag);
  if (to === undefined) return latest;
  if (BigInt(to) >= first && BigInt(to) <= latest) return BigInt(to);
  throw usageError(`--to is a height from ${first} to ${latest}, not ${to}`);
}

interface Work {
  readonly to: bigint;
  readonly progress: BlockProgress;
}

async function record(source: Source, { path, to, progress }: Work & { path: string }) {
  const { writeBlockLog } = await import("../../sim/block_log.ts");
  let [blocks, txs] = [0, 0];
  const onBlock = (_height: bigint, count: number) => {
    blocks += 1;
    txs += count;
    progress.update(blocks);
  };
  try {
    const { genesis } = source;
    const input = { genesis: genesis.json, latest: to, blocks: source.blocks(to), onBlock };
    await writeBlockLog(path, input);
  } finally {
    progress.clear();
  }
  return { written: path, from_height: source.first, to_height: to, blocks, txs };
}

async function replay(
  source: Source,
  { flags, to, progress }: Work & { flags: ReplayFlags },
): Promise<ReplayReport> {
  const { replayChain } = await import("../../sim/replay_chain.ts");
  const { resolveConfig } = await import("../../node/config.ts");
  try {
    return await replayChain({
      ...{ genesis: source.genesis, blocks: source.blocks(to), into: flags.into },
      keepHistory: resolveConfig({}, {}).keepHistory,
      trustSignatures: flags.trustSignatures === true,
      onProgress: ({ blocks }) => progress.update(blocks),
    });
  } finally {
    progress.clear();
  }
}

function differs({ height, ...difference }: Difference, flags: ReplayFlags): CliError {
  const { field, txHash, expected, found, log } = difference;
  const tx = txHash === undefined ? "" : ` (tx ${txHash})`;
  const reason = log === undefined ? "" : `: ${log}`;
  const message = `block ${height}, ${field}${tx}: recorded ${expected}, replayed ${found}${reason}`;
  const last = `${flags.into ?? ""} ends at the block before`;
  const hint =
    flags.trustSignatures === true
      ? "replay again without --trust-signatures: a tx in the block may be signed wrongly"
      : "an altered record, another version of settled, or a bug: see docs/guides/replay.md";
  return new CliError(EXIT.replayDiffers, "replay_differs", message, {
    hint: flags.into === undefined ? hint : `${hint}; ${last}`,
    details: { height, ...difference },
  });
}

function summaryOf(report: ReplayReport, first: bigint, flags: ReplayFlags) {
  const { height, blocks, txs, records, appHash, seconds } = report;
  return {
    ...{ from_height: first, to_height: height, blocks, txs, records },
    seconds: Math.round(seconds * 1000) / 1000,
    records_per_second: seconds > 0 ? Math.round(records / seconds) : 0,
    app_hash: Buffer.from(appHash).toString("hex").toUpperCase(),
    trusted_signatures: flags.trustSignatures === true,
    into: flags.into ?? null,
  };
}

function replayText(summary: ReturnType<typeof summaryOf>): string {
  const { blocks, txs, records, seconds } = summary;
  const trust = summary.trusted_signatures ? ", signatures of txs trusted" : "";
  const lines = [
    `blocks ${summary.from_height} to ${summary.to_height} came out as recorded${trust}`,
    `  ${blocks} blocks, ${txs} txs, ${records} usage records in ${seconds} s, ${summary.records_per_second} records/s`,
    `  app hash ${summary.app_hash}`,
  ];
  if (summary.into !== null) lines.push(`  new home ${summary.into}`);
  return lines.join("\n");
}

function recordText(summary: Awaited<ReturnType<typeof record>>): string {
  const { written, blocks, txs } = summary;
  const range = `${summary.from_height} to ${summary.to_height}`;
  return `${written}: blocks ${range}, ${blocks} blocks, ${txs} txs`;
}
