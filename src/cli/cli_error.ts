import { CommanderError } from "commander";
import { PortInUseError } from "../api/port_in_use_error.ts";
import {
  ClientError,
  ConnectionError,
  QueryError,
  RpcError,
  TxTimeoutError,
} from "../client/errors.ts";
import { InvariantError } from "../lib/assert.ts";
import { ChainError } from "../lib/errors.ts";
import { NodeStartError } from "../node/errors.ts";
import { ProviderError } from "../provider/errors.ts";
import { ReplayError } from "../sim/errors.ts";
import { TortureError } from "../torture/errors.ts";
import { EXIT, type ExitCode } from "./exit_codes.ts";

/** A failure with its exit code, a stable name and, where there is one, the command to run next. */
export class CliError extends Error {
  readonly exit: ExitCode;
  readonly code: string;
  readonly hint: string | undefined;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    exit: ExitCode,
    code: string,
    message: string,
    more: { hint?: string; details?: Readonly<Record<string, unknown>> } = {},
  ) {
    super(message);
    this.name = "CliError";
    this.exit = exit;
    this.code = code;
    this.hint = more.hint;
    this.details = more.details ?? {};
  }
}

/** Ends the program with the exit code of a command that it ran, without another word. */
export class PassedExit extends Error {
  readonly exitCode: number;

  constructor(exitCode: number) {
    super(`the command ended with exit code ${exitCode}`);
    this.name = "PassedExit";
    this.exitCode = exitCode;
  }
}

/** A mistake in the command line. */
export function usageError(message: string, hint?: string): CliError {
  return new CliError(EXIT.usage, "usage", message, hint === undefined ? {} : { hint });
}

/** Any error as the command line shows it. */
export function describeError(error: unknown): CliError {
  if (error instanceof CliError) return error;
  if (error instanceof CommanderError) return describeUsage(error);
  return describeChainSide(error) ?? describeLocal(error);
}

function describeUsage(error: CommanderError): CliError {
  if (error.code === "commander.help")
    return usageError("a command is missing; see the list above");
  const message = error.message.replace(/^error: /, "").replaceAll("\n", " ");
  return usageError(message, "the same command with --help lists its flags");
}

function describeChainSide(error: unknown): CliError | undefined {
  if (error instanceof ConnectionError) {
    return new CliError(EXIT.connection, "connection", error.message, {
      hint: "start a node with `settled start`, or name one with --node URL",
      details: { url: error.url },
    });
  }
  if (error instanceof QueryError) return describeQuery(error);
  if (error instanceof RpcError) {
    const details = { rpcCode: error.code, data: error.data };
    return new CliError(EXIT.other, "rpc", error.message, { details });
  }
  if (error instanceof TxTimeoutError) {
    return new CliError(EXIT.other, "tx_timeout", error.message, {
      hint: `look again with: settled query tx ${error.hash}`,
      details: { hash: error.hash },
    });
  }
  return undefined;
}

function describeQuery(error: QueryError): CliError {
  const details = { codespace: error.codespace, abciCode: error.code, path: error.path };
  if (error.notFound) return new CliError(EXIT.notFound, "not_found", error.message, { details });
  return new CliError(EXIT.other, "query_failed", error.message, { details });
}

/** Mistakes in settings are mended by a person, not by another start. */
const PROVIDER_EXITS: Readonly<Record<string, ExitCode>> = {
  no_config: EXIT.usage,
  bad_config: EXIT.usage,
  bad_collector: EXIT.usage,
  bad_feed: EXIT.usage,
  missing_price: EXIT.usage,
  no_record: EXIT.notFound,
};

function describeLocal(error: unknown): CliError {
  if (error instanceof ProviderError) {
    return new CliError(PROVIDER_EXITS[error.code] ?? EXIT.other, error.code, error.message);
  }
  if (error instanceof TortureError) return new CliError(EXIT.torture, error.code, error.message);
  if (error instanceof ReplayError) return new CliError(EXIT.other, error.code, error.message);
  if (error instanceof PortInUseError) {
    const details = { port: error.port, flag: error.flag };
    return new CliError(EXIT.other, "port_in_use", error.message, { details });
  }
  if (error instanceof NodeStartError) {
    // A setting with a key was given by somebody: in a flag, the environment or the file.
    const exit = error.facts["key"] === undefined ? EXIT.other : EXIT.usage;
    return new CliError(exit, "node_start", error.message, { details: error.facts });
  }
  if (error instanceof ClientError) return new CliError(EXIT.usage, error.code, error.message);
  if (error instanceof InvariantError) {
    return new CliError(EXIT.invariant, "invariant", error.message, { details: error.details });
  }
  if (error instanceof ChainError) {
    const code = `${error.codespace}_${error.code}`;
    return new CliError(EXIT.other, code, error.message, { details: error.details });
  }
  const message = error instanceof Error ? error.message : String(error);
  const system = (error as { code?: unknown } | undefined)?.code;
  return new CliError(EXIT.other, typeof system === "string" ? system : "error", message);
}

/** Codes of the chain that mean "too little money": sdk/5, sdk/13 is the fee, settlement/1504. */
const FUNDS: Readonly<Record<string, readonly number[]>> = {
  sdk: [5],
  settlement: [1504],
  bank: [5],
};

/** The exit code of a tx result with a code other than 0. */
export function exitOfTxCode(stage: "check" | "block", codespace: string, code: number): ExitCode {
  if (FUNDS[codespace]?.includes(code)) return EXIT.insufficientFunds;
  return stage === "check" ? EXIT.txRefused : EXIT.txFailed;
}
