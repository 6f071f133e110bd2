import { readFile } from "node:fs/promises";
import { Command } from "commander";
import { Client } from "../../client/client.ts";
import { RpcError } from "../../client/errors.ts";
import { DOOR_PLACES, type NodeDoors } from "../../torture/doors.ts";
import type { FaultKind } from "../../torture/fault.ts";
import type { Profile } from "../../torture/profiles.ts";
import type { Abilities, LeftOut, Schedule } from "../../torture/schedule.ts";
import type { Metered, StageSettings } from "../../torture/stages.ts";
import type { FailureKind } from "../../torture/trial.ts";
import { writeFileAtomic } from "../atomic_file.ts";
import { PassedExit, usageError } from "../cli_error.ts";
import { type Context, contextOf, nodeUrl } from "../context.ts";
import { EXIT, type ExitCode } from "../exit_codes.ts";
import { examples } from "../help.ts";
import { readRunningNode } from "../home.ts";
import type { Io } from "../io.ts";
import { parseFieldNumber } from "../numbers.ts";
import { printList, printResult } from "../output.ts";

interface TortureFlags {
  node?: string;
  rest?: string;
  grpc?: string;
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
  restPort: string;
  grpcPort: string;
  shrinkTries: string;
  listProfiles?: boolean;
  listFaults?: boolean;
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
      "the daemon and its arguments, after --; {node}, {rest} and {grpc} are the proxy's addresses",
    )
    .description("run a daemon through lost answers, cuts and restarts, and check what it billed");
  return addFlags(command)
    .addHelpText(
      "after",
      examples(
        "torture --spawn-node --reset 'sh ready.sh {node} {dir}' --metered usage.ndjson -- my-daemon --node {node}",
        "torture --node http://127.0.0.1:26657 --seed 7 --profile answers --export bill.ndjson -- my-daemon",
        "torture --node http://10.0.0.7:26657 --grpc 10.0.0.7:9090 --export bill.ndjson -- my-daemon --grpc {grpc}",
        "torture --list-profiles",
      ),
    )
    .action((words: string[], flags: TortureFlags, self: Command) => run(io, words, flags, self));
}

function addFlags(command: Command): Command {
  const collect = (value: string, before: string[]) => [...before, value];
  return command
    .option("--node <url>", "CometBFT RPC of the node to stand before (or SETTLED_NODE)")
    .option("--rest <url>", "REST of the node, to stand before that as well")
    .option("--grpc <address>", "gRPC of the node, host:port, or https://host:port with TLS")
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
    .option("--port <port>", "port of the proxy's RPC; 0 picks a free one", "0")
    .option("--rest-port <port>", "port of the proxy's REST; 0 picks a free one", "0")
    .option("--grpc-port <port>", "port of the proxy's gRPC; 0 picks a free one", "0")
    .option("--shrink-tries <number>", "tries to find the smallest failing schedule; 0: none", "30")
    .option("--list-profiles", "show the profiles and end")
    .option("--list-faults", "show what can happen, one by one, and end");
}

async function run(io: Io, words: string[], flags: TortureFlags, self: Command): Promise<void> {
  const context = contextOf(io, self);
  const { PROFILES, profileNamed } = await import("../../torture/profiles.ts");
  if (flags.listProfiles === true) return list(context, "PROFILE", PROFILES);
  if (flags.listFaults === true) return listFaults(context);
  const profile = profileNamed(flags.profile);
  if (profile === undefined) {
    const names = PROFILES.map(({ name }) => name).join(", ");
    throw usageError(`--profile is one of ${names}, not "${flags.profile}"`);
  }
  if (words.length === 0) {
    const hint = "put its command after --: settled torture … -- my-daemon --node {node}";
    throw usageError("the daemon is missing", hint);
  }
  const settings = await stageSettings(context, flags, words);
  assertPlaces(settings);
  await report(context, flags, settings, await planOf(settings, flags, profile));
}

interface Listed {
  readonly name: string;
  readonly says: string;
}

function list({ io, format }: Context, title: string, rows: readonly Listed[]): void {
  const columns = [
    { title, text: ({ name }: Listed) => name, keep: true },
    { title: "WHAT HAPPENS", text: ({ says }: Listed) => says, keep: true },
  ];
  printList(io, format, rows, columns);
}

async function listFaults(context: Context): Promise<void> {
  const { FAULT_KINDS, FAULT_MEANINGS } = await import("../../torture/fault.ts");
  const rows = FAULT_KINDS.map((name) => ({ name, says: FAULT_MEANINGS[name] }));
  list(context, "FAULT", rows);
}

async function stageSettings(
  context: Context,
  flags: TortureFlags,
  words: string[],
): Promise<StageSettings> {
  const ofOther = flags.node ?? flags.restartNode ?? flags.rest ?? flags.grpc;
  if (flags.spawnNode === true && ofOther !== undefined) {
    const others = "--node, --rest, --grpc and --restart-node";
    throw usageError(`--spawn-node starts its own node: leave out ${others}`);
  }
  const { ownProgram } = await import("../../torture/node_process.ts");
  return {
    node: flags.spawnNode === true ? "spawn" : await doorsOf(context, flags),
    program: ownProgram(),
    ...{ nodeHome: flags.nodeHome, restartNode: flags.restartNode, reset: flags.reset },
    ...{ command: words, orders: flags.order, metered: meteredOf(flags) },
  };
}

/** The addresses that flags give, and of the node of the home all that it says of itself. */
async function doorsOf(context: Context, flags: TortureFlags): Promise<NodeDoors> {
  const rpc = await nodeUrl(context, flags);
  const running = await readRunningNode(context.home);
  const known = running?.rpc === rpc.replace(/\/+$/, "") ? running : undefined;
  return { rpc, rest: flags.rest ?? known?.rest, grpc: flags.grpc ?? known?.grpc };
}

/** @throws CliError when a text has the place of a door whose address nobody knows */
function assertPlaces({ node, command, reset, metered, restartNode }: StageSettings): void {
  if (node === "spawn") return;
  const line = metered.kind === "export_command" ? metered.line : undefined;
  const texts = [...command, reset, line, restartNode].filter((text) => text !== undefined);
  for (const door of ["rest", "grpc"] as const) {
    const { word } = DOOR_PLACES[door];
    if (node[door] !== undefined || !texts.some((text) => text.includes(word))) continue;
    const example = door === "grpc" ? "--grpc 127.0.0.1:9090" : "--rest http://127.0.0.1:1317";
    throw usageError(`${word} is asked for, and no such address of the node is known`, example);
  }
}

function meteredOf(flags: TortureFlags): Metered {
  const { metered, export: file, exportCommand: line, unitRounding: rounding } = flags;
  if ([metered, file, line].filter((given) => given !== undefined).length !== 1) {
    const hint = "--metered is what the daemon is fed with, --export what it says itself";
    const message = "give one of --metered, --export and --export-command: what was metered";
    throw usageError(message, hint);
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

/** What is to happen, and what of it cannot be done here. */
interface Plan {
  readonly schedule: Schedule;
  readonly leftOut: readonly LeftOut[];
}

async function planOf(
  settings: StageSettings,
  flags: TortureFlags,
  profile: Profile,
): Promise<Plan> {
  const { drawSchedule, leftOutOf } = await import("../../torture/schedule.ts");
  if (settings.node !== "spawn") {
    const { assertReachable } = await import("../../torture/reachable.ts");
    await Client.connect(settings.node.rpc);
    await assertReachable(settings.node);
  }
  if (flags.schedule !== undefined) {
    const schedule = await readSchedule(flags.schedule);
    const kinds = schedule.faults.map(({ kind }) => kind);
    return { schedule, leftOut: leftOutOf(kinds, await abilities(settings, kinds)) };
  }
  const seed = number("--seed", flags.seed ?? String(Date.now() % 1_000_000));
  if (seed > SEED_MAX) throw usageError(`--seed is at most ${SEED_MAX}`);
  const able = await abilities(settings, profile.kinds);
  const schedule = drawSchedule(seed, profile, number("--faults", flags.faults), able);
  return { schedule, leftOut: leftOutOf(profile.kinds, able) };
}

async function readSchedule(file: string): Promise<Schedule> {
  const [{ parseSchedule }, { TortureError }] = await Promise.all([
    import("../../torture/schedule.ts"),
    import("../../torture/errors.ts"),
  ]);
  const text = await readFile(file, "utf8").catch((error: Error) => {
    throw new TortureError("bad_schedule", `--schedule: ${error.message}`);
  });
  return parseSchedule(text, file);
}

async function abilities(
  { node, restartNode, nodeHome }: StageSettings,
  kinds: readonly FaultKind[],
): Promise<Abilities> {
  const canRestartNode = node === "spawn" || restartNode !== undefined;
  const isOurs = node === "spawn" && nodeHome === undefined;
  const asks = kinds.includes("skew_time") && node !== "spawn";
  const canSkewTime = isOurs || (asks && (await hasTimeControls(node.rpc)));
  return { canRestartNode, canKillDaemon: true, canSkewTime };
}

/** A dev chain has them, unless others than this machine can reach it. */
async function hasTimeControls(rpc: string): Promise<boolean> {
  const client = await Client.connect(rpc);
  try {
    // Where time is not frozen this does nothing.
    await client.devUseWallClock();
    return true;
  } catch (error) {
    if (error instanceof RpcError) return false;
    throw error;
  }
}

async function report(
  { io, format }: Context,
  flags: TortureFlags,
  settings: StageSettings,
  { schedule, leftOut }: Plan,
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
      ports: {
        rpc: number("--port", flags.port),
        rest: number("--rest-port", flags.restPort),
        grpc: number("--grpc-port", flags.grpcPort),
      },
      restartsMax: number("--restarts", flags.restarts),
      onProgress: (text) => (io.interactive ? io.err(`\r${text}\u001b[K`) : undefined),
    });
    if (io.interactive) io.err("\r\u001b[K");
    if (flags.save !== undefined) {
      const text = scheduleText(result.smallest ?? result.schedule);
      await writeFileAtomic(flags.save, text, { mode: 0o644, overwrite: true });
    }
    printResult(io, format, { ...reportJson(result, leftOut), kept: stages.kept ?? null }, () => {
      return reportText(result, leftOut) + notes(stages.kept, result.failure, canTryAgain);
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
