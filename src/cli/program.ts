import { Command, CommanderError } from "commander";
import { describeError, PassedExit } from "./cli_error.ts";
import { completeCommand, completionCommand } from "./commands/completion.ts";
import { configCommand } from "./commands/config.ts";
import { customerCommand } from "./commands/customer.ts";
import { debugCommand } from "./commands/debug.ts";
import { exportCommand } from "./commands/export.ts";
import { faucetCommand } from "./commands/faucet.ts";
import { initCommand } from "./commands/init.ts";
import { keysCommand } from "./commands/keys.ts";
import { proofCommand } from "./commands/proof.ts";
import { providerCommand } from "./commands/provider.ts";
import { pruneCommand } from "./commands/prune.ts";
import { queryCommand } from "./commands/query.ts";
import { rollbackCommand } from "./commands/rollback.ts";
import { snapshotCommand } from "./commands/snapshot.ts";
import { replayCommand } from "./commands/replay.ts";
import { startCommand } from "./commands/start.ts";
import { statusCommand } from "./commands/status.ts";
import { tortureCommand } from "./commands/torture.ts";
import { txCommand } from "./commands/tx.ts";
import { versionCommand } from "./commands/version.ts";
import { walletCommand } from "./commands/wallet.ts";
import { EXIT, EXIT_MEANINGS } from "./exit_codes.ts";
import { examples } from "./help.ts";
import type { Io, OutputFormat } from "./io.ts";
import { formatOfArguments, printError } from "./output.ts";

/** The whole command line. */
export function buildProgram(io: Io, format: OutputFormat = "text"): Command {
  const program = new Command("settled")
    .description("a settlement chain that runs on a laptop")
    .option("--home <dir>", "folder of the chain and its keys (or SETTLED_HOME)")
    .option("-o, --output <format>", "text or json, errors included (or SETTLED_OUTPUT)")
    .addHelpText("after", examples("init --dev", "start", "keys list", "status") + exitCodeHelp());
  const commands = [
    ...[initCommand(io), startCommand(io), keysCommand(io), txCommand(io), queryCommand(io)],
    ...[providerCommand(io), customerCommand(io), statusCommand(io), exportCommand(io), configCommand(io)],
    ...[faucetCommand(io), walletCommand(io), tortureCommand(io)],
    ...[snapshotCommand(io), rollbackCommand(io), pruneCommand(io)],
    ...[
      replayCommand(io),
      proofCommand(io),
      debugCommand(io),
      completionCommand(io),
      versionCommand(io),
    ],
  ];
  for (const command of commands) program.addCommand(command);
  program.addCommand(completeCommand(io), { hidden: true });
  prepare(program, io, format);
  return program;
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
    await buildProgram(io, format).parseAsync([...args], { from: "user" });
    return EXIT.ok;
  } catch (error) {
    if (error instanceof PassedExit) return error.exitCode;
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.ok;
    const described = describeError(error);
    printError(io, format, described);
    return described.exit;
  }
}
