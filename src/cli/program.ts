import { Command, CommanderError } from "commander";
import { describeError, PassedExit } from "./cli_error.ts";
import { EXIT, EXIT_MEANINGS } from "./exit_codes.ts";
import { examples } from "./help.ts";
import type { Io, OutputFormat } from "./io.ts";
import { formatOfArguments, printError } from "./output.ts";

type MakeCommand = (io: Io) => Command;

/**
 * Commands in the order of the help, each in files of its own: what one command needs is not loaded
 * for another, which is most of the time that a short one takes.
 */
const COMMANDS: readonly (readonly [name: string, load: () => Promise<MakeCommand>])[] = [
  ["init", async () => (await import("./commands/init.ts")).initCommand],
  ["start", async () => (await import("./commands/start.ts")).startCommand],
  ["keys", async () => (await import("./commands/keys.ts")).keysCommand],
  ["tx", async () => (await import("./commands/tx.ts")).txCommand],
  ["query", async () => (await import("./commands/query.ts")).queryCommand],
  ["provider", async () => (await import("./commands/provider.ts")).providerCommand],
  ["customer", async () => (await import("./commands/customer.ts")).customerCommand],
  ["status", async () => (await import("./commands/status.ts")).statusCommand],
  ["export", async () => (await import("./commands/export.ts")).exportCommand],
  ["config", async () => (await import("./commands/config.ts")).configCommand],
  ["faucet", async () => (await import("./commands/faucet.ts")).faucetCommand],
  ["wallet", async () => (await import("./commands/wallet.ts")).walletCommand],
  ["torture", async () => (await import("./commands/torture.ts")).tortureCommand],
  ["snapshot", async () => (await import("./commands/snapshot.ts")).snapshotCommand],
  ["rollback", async () => (await import("./commands/rollback.ts")).rollbackCommand],
  ["prune", async () => (await import("./commands/prune.ts")).pruneCommand],
  ["replay", async () => (await import("./commands/replay.ts")).replayCommand],
  ["proof", async () => (await import("./commands/proof.ts")).proofCommand],
  ["debug", async () => (await import("./commands/debug.ts")).debugCommand],
  ["completion", async () => (await import("./commands/completion.ts")).completionCommand],
  ["version", async () => (await import("./commands/version.ts")).versionCommand],
];

/** The command line: all of it, or no other command than the one that `args` name. */
export async function buildProgram(
  io: Io,
  format: OutputFormat = "text",
  args: readonly string[] = [],
): Promise<Command> {
  const program = new Command("settled")
    .description("a settlement chain that runs on a laptop")
    .option("--home <dir>", "folder of the chain and its keys (or SETTLED_HOME)")
    .option("-o, --output <format>", "text or json, errors included (or SETTLED_OUTPUT)")
    .addHelpText("after", examples("init --dev", "start", "keys list", "status") + exitCodeHelp());
  const typed = commandWord(args);
  const word = typed === "q" ? "query" : typed;
  const named = COMMANDS.filter(([name]) => name === word);
  for (const [, load] of named.length === 0 ? COMMANDS : named) {
    const make = await load();
    program.addCommand(make(io));
  }
  if (named.length === 0) {
    const { completeCommand } = await import("./commands/completion.ts");
    program.addCommand(completeCommand(io), { hidden: true });
  }
  prepare(program, io, format);
  return program;
}

/** The first of the arguments that is neither a flag of the whole program nor its value. */
function commandWord(args: readonly string[]): string | undefined {
  for (let at = 0; at < args.length; at += 1) {
    const word = args[at] as string;
    if (["--home", "-o", "--output"].includes(word)) at += 1;
    else if (!word.startsWith("-")) return word;
  }
  return undefined;
}

function exitCodeHelp(): string {
  const rows = EXIT_MEANINGS.map(([code, meaning]) => `  ${String(code).padStart(2)}  ${meaning}`);
  return `\nExit codes:\n${rows.join("\n")}\n`;
}

/** Routes help and errors of every command through `io`, and keeps commander from exiting. */
function prepare(command: Command, io: Io, format: OutputFormat): void {
  command.exitOverride();
  command.configureHelp({ showGlobalOptions: true });
  command.configureOutput({
    writeOut: (text) => io.out(text),
    // Help that nobody asked for by --help: shown when a command is missing.
    writeErr: (text) => (format === "json" ? undefined : io.err(text)),
    outputError: () => undefined,
    getOutHelpWidth: () => io.columns ?? 100,
    getErrHelpWidth: () => io.columns ?? 100,
  });
  for (const child of command.commands) prepare(child, io, format);
}

/** Runs one command line (without the program's own name) and returns its exit code. */
export async function run(args: readonly string[], io: Io): Promise<number> {
  const format = formatOfArguments(args, io.env);
  try {
    const program = await buildProgram(io, format, args);
    await program.parseAsync([...args], { from: "user" });
    return EXIT.ok;
  } catch (error) {
    if (error instanceof PassedExit) return error.exitCode;
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.ok;
    const described = describeError(error);
    printError(io, format, described);
    return described.exit;
  }
}
