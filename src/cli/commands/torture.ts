import { readFile } from "node:fs/promises";
import { Command } from "commander";
import { Client } from "../../client/client.ts";
import type { Profile } from "../../torture/profiles.ts";
import type { Abilities, Schedule } from "../../torture/schedule.ts";
import type { Metered, StageSettings } from "../../torture/stages.ts";
import type { FailureKind } from "../../torture/trial.ts";
import { writeFileAtomic } from "../atomic_file.ts";
import { PassedExit, usageError } from "../cli_error.ts";
import { type Context, contextOf, nodeUrl } from "../context.ts";
import { EXIT, type ExitCode } from "../exit_codes.ts";
import { examples } from "../help.ts";
import { chainOfGenesis } from "../home.ts";
import type { Io } from "../io.ts";
import { parseFieldNumber } from "../numbers.ts";
import { printList, printResult } from "../output.ts";

interface TortureFlags {
  node?: string;
  through?: string;
  spawnNode?: boolean;
  nodeHome?: string;
  restartNode?: string;
  seed?: string;
  profile: string;
  faults: string;
  schedule?: string;
  save?: string;
  metered?: string;
  prices?: string;
  unitRounding: string;
  window?: string;
  epoch: string;
  export?: string;
  exportCommand?: string;
  order: string[];
  reset?: string;
  timeout: string;
  restarts: string;
  port: string;
  shrinkTries: string;
  listProfiles?: boolean;
}

const EXITS: Readonly<Record<FailureKind, ExitCode>> = {
  billed_twice: EXIT.billedTwice,
  lost: EXIT.usageLost,
  wrong_amount: EXIT.wrongAmount,
  unknown: EXIT.unknownUsage,
  daemon_failed: EXIT.daemonFailed,
};

const SEED_MAX = 4_294_967_295;

/** `settled torture` */
export function tortureCommand(io: Io): Command {
  const command = new Command("torture")
    .argument(
      "[command...]",
      "the daemon and its arguments, after --; {node} is the proxy's address",
    )
    .description("run a daemon through lost answers, cuts and restarts, and check what it billed");
  return addFlags(command)
    .addHelpText(
      "after",
      examples(
        "torture --spawn-node --reset 'sh ready.sh {node} {dir}' --metered usage.ndjson -- my-daemon --node {node}",
        "torture --node http://127.0.0.1:26657 --seed 7 --profile answers --export bill.ndjson -- my-daemon",
        "torture --list-profiles",
      ),
    )
    .action((words: string[], flags: TortureFlags, self: Command) => run(io, words, flags, self));
}

function addFlags(command: Command): Command {
  const collect = (value: string, before: string[]) => [...before, value];
  return command
    .option("--node <url>", "CometBFT RPC of the node to stand before (or SETTLED_NODE)")
    .option("--through <url>", "stand before this door of the node instead: REST")
    .option("--spawn-node", "start a node of its own for every try, and kill it at times")
    .option("--node-home <dir>", "with --spawn-node: start it in a copy of this home")
    .option("--restart-node <line>", "line of shell that kills the node and starts it again")
    .option("--seed <number>", "of the schedule (default: drawn, and printed)")
    .option("--profile <name>", "what may happen; --list-profiles tells", "everything")
    .option("--faults <number>", "faults of a schedule", "8")
    .option("--schedule <file>", "replay this schedule instead of drawing one")
    .option("--save <file>", "write the schedule there, the smallest failing one if it fails")
    .option("--metered <file>", "usage that the daemon is fed with: NDJSON, a window per line")
    .option("--prices <file>", "price list of --metered (default: examples/prices.json)")
    .option("--unit-rounding <rule>", "of --metered: floor or carry", "floor")
    .option("--window <seconds>", "length of the windows of --metered (default: a row is one)")
    .option("--epoch <unix>", "unix time of the zero of --metered", "0")
    .option("--export <file>", "what the daemon says it metered: NDJSON, read when it has ended")
    .option("--export-command <line>", "line of shell that writes the same to its stdout")
    .option("--order <id>", "look at the usage of this order as well; may be repeated", collect, [])
    .option("--reset <line>", "line of shell that readies a try: orders, and an empty daemon")
    .option("--timeout <seconds>", "longest time that the daemon may take", "60")
    .option("--restarts <number>", "how often it is started again after failing by itself", "3")
    .option("--port <port>", "port of the proxy; 0 picks a free one", "0")
    .option("--shrink-tries <number>", "tries to find the smallest failing schedule; 0: none", "30")
    .option("--list-profiles", "show the profiles and end");
}

async function run(io: Io, words: string[], flags: TortureFlags, self: Command): Promise<void> {
  const context = contextOf(io, self);
  const { PROFILES, profileNamed } = await import("../../torture/profiles.ts");
  if (flags.listProfiles === true) {
    const columns = [
      { title: "PROFILE", text: ({ name }: Profile) => name, keep: true },
      { title: "WHAT HAPPENS", text: ({ says }: Profile) => says, keep: true },
    ];
    printList(io, context.format, PROFILES, columns);
    return;
  }
  const profile = profileNamed(flags.profile);
  if (profile === undefined) {
    const names = PROFILES.map(({ name }) => name).join(", ");
    throw usageError(`--profile is one of ${names}, not "${flags.profile}"`);
  }
  if (words.length === 0) throw usageError("the daemon is missing", "put it after --");
  const settings = await stageSettings(context, flags, words);
  const schedule = await scheduleOf(settings, flags, profile);
  await report(context, flags, settings, schedule);
}

async function stageSettings(
  context: Context,
  flags: TortureFlags,
  words: string[],
): Promise<StageSettings> {
  const ofOther = flags.node ?? flags.restartNode ?? flags.through;
  if (flags.spawnNode === true && ofOther !== undefined) {
    const others = "--node, --restart-node and --through";
    throw usageError(`--spawn-node starts its own node: leave out ${others}`);
  }
  const { ownProgram } = await import("../../torture/node_process.ts");
  return {
    node: flags.spawnNode === true ? "spawn" : await nodeUrl(context, flags),
    program: ownProgram(),
    ...{ nodeHome: flags.nodeHome, restartNode: flags.restartNode, reset: flags.reset },
    through: flags.through,
    ...{ command: words, orders: flags.order, metered: meteredOf(flags) },
  };
}

function meteredOf(flags: TortureFlags): Metered {
  const { metered, export: file, exportCommand: line, unitRounding: rounding } = flags;
  if ([metered, file, line].filter((given) => given !== undefined).length !== 1) {
    throw usageError("give one of --metered, --export and --export-command: what was metered");
  }
  if (rounding !== "floor" && rounding !== "carry") {
    throw usageError("--unit-rounding is floor or carry");
  }
  if (file !== undefined) return { kind: "export", file };
  if (line !== undefined) return { kind: "export_command", line };
  const epoch = BigInt(number("--epoch", flags.epoch));
  const length = parseFieldNumber("--window", flags.window);
  const windowSeconds = length === undefined ? undefined : BigInt(length);
  const files = { file: metered ?? "", pricesFile: flags.prices };
  return { kind: "metrics", ...files, rounding, windowSeconds, epoch };
}

async function scheduleOf(
  settings: StageSettings,
  flags: TortureFlags,
  profile: Profile,
): Promise<Schedule> {
  const { drawSchedule, parseSchedule } = await import("../../torture/schedule.ts");
  if (flags.schedule !== undefined) {
    return parseSchedule(await readFile(flags.schedule, "utf8"), flags.schedule);
  }
  const seed = number("--seed", flags.seed ?? String(Date.now() % 1_000_000));
  if (seed > SEED_MAX) throw usageError(`--seed is at most ${SEED_MAX}`);
  return drawSchedule(seed, profile, number("--faults", flags.faults), await abilities(settings));
}

async function abilities({ node, restartNode, nodeHome }: StageSettings): Promise<Abilities> {
  const canRestartNode = node === "spawn" || restartNode !== undefined;
  const isOurs = node === "spawn" && nodeHome === undefined;
  return { canRestartNode, canKillDaemon: true, canSkewTime: isOurs || (await isDevChain(node)) };
}

async function isDevChain(node: string): Promise<boolean> {
  if (node === "spawn") return false;
  const client = await Client.connect(node);
  const { genesis } = (await client.rpc.call("genesis")) as { genesis?: unknown };
  return chainOfGenesis(genesis ?? {}).dev;
}

async function report(
  { io, format }: Context,
  flags: TortureFlags,
  settings: StageSettings,
  schedule: Schedule,
): Promise<void> {
  const [{ Stages }, { torture }, { reportJson, reportText }, { scheduleText }] = await Promise.all(
    [
      import("../../torture/stages.ts"),
      import("../../torture/torture.ts"),
      import("../../torture/report.ts"),
      import("../../torture/schedule.ts"),
    ],
  );
  const { endWithCommands } = await import("../../torture/command_process.ts");
  endWithCommands();
  const stages = await Stages.open(settings);
  const canTryAgain = settings.node === "spawn" || settings.reset !== undefined;
  try {
    const result = await torture({
      schedule,
      prepare: (attempt) => stages.prepare(attempt),
      shrinkTriesMax: canTryAgain ? number("--shrink-tries", flags.shrinkTries) : 0,
      timeoutMs: number("--timeout", flags.timeout) * 1000,
      port: number("--port", flags.port),
      restartsMax: number("--restarts", flags.restarts),
      onProgress: (text) => (io.interactive ? io.err(`\r${text}\u001b[K`) : undefined),
    });
    if (io.interactive) io.err("\r\u001b[K");
    if (flags.save !== undefined) {
      const text = scheduleText(result.smallest ?? result.schedule);
      await writeFileAtomic(flags.save, text, { mode: 0o644, overwrite: true });
    }
    printResult(io, format, { ...reportJson(result), kept: stages.kept ?? null }, () => {
      return reportText(result) + notes(stages.kept, result.failure, canTryAgain);
    });
    if (result.failure !== undefined) throw new PassedExit(EXITS[result.failure]);
  } finally {
    await stages.close();
  }
}

function notes(kept: string | undefined, failure: unknown, canTryAgain: boolean): string {
  const lines = [];
  if (failure !== undefined && !canTryAgain) {
    lines.push("  not shrunk: every try needs orders of its own (--reset, or --spawn-node)");
  }
  if (kept !== undefined) lines.push(`  logs are kept in ${kept}`);
  return lines.map((line) => `${line}\n`).join("");
}

function number(flag: string, text: string): number {
  return parseFieldNumber(flag, text) ?? 0;
}
