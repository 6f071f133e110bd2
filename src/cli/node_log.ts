import { pino } from "pino";
import type { LogFacts, NodeLog } from "../node/log.ts";
import type { Io } from "./io.ts";

export type LogLevel = "debug" | "info" | "warn" | "error" | "silent";

export const LOG_LEVELS: readonly LogLevel[] = ["debug", "info", "warn", "error", "silent"];

type Level = Exclude<LogLevel, "silent">;

/**
 * The node's log on stderr: lines of JSON, or of words. Both have the time in UTC, the level, the
 * message and its facts; a line is one line, whatever the facts hold.
 */
export function nodeLog(io: Io, level: LogLevel, format: "text" | "json"): NodeLog {
  const write = format === "json" ? jsonWriter(io) : textWriter(io);
  const at = LOG_LEVELS.indexOf(level);
  const writer = (name: Level) =>
    LOG_LEVELS.indexOf(name) < at
      ? () => undefined
      : (message: string, facts: LogFacts = {}) => write(name, message, facts);
  return {
    debug: writer("debug"),
    info: writer("info"),
    warn: writer("warn"),
    error: writer("error"),
  };
}

type Write = (level: Level, message: string, facts: LogFacts) => void;

function jsonWriter(io: Io): Write {
  const logger = pino(
    {
      base: null,
      // What is below the level that was asked for does not come here.
      level: "debug",
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: (line: string) => io.err(line) },
  );
  return (level, message, facts) => logger[level](plain(facts), message);
}

function plain(facts: LogFacts): Record<string, unknown> {
  const entries = Object.entries(facts);
  return Object.fromEntries(
    entries.map(([key, value]) => [key, typeof value === "bigint" ? value.toString() : value]),
  );
}

const COLORS: Readonly<Record<Level, string>> = {
  debug: "\u001b[90m",
  info: "\u001b[32m",
  warn: "\u001b[33m",
  error: "\u001b[31m",
};

function textWriter(io: Io): Write {
  return (level, message, facts) => {
    const time = new Date().toISOString();
    const name = level.toUpperCase().padEnd(5);
    const shown = io.color ? `${COLORS[level]}${name}\u001b[0m` : name;
    const words = Object.entries(facts).map(([key, value]) => ` ${key}=${worded(value)}`);
    io.err(`${time} ${shown} ${oneLine(message)}${words.join("")}\n`);
  };
}

/** A value that is not one plain word stands in quotes, so that nobody can write lines of the log. */
function worded(value: LogFacts[string]): string {
  const text = String(value);
  return /^[\x21\x23-\x3c\x3e-\x7e]+$/.test(text) ? text : JSON.stringify(text);
}

function oneLine(message: string): string {
  return /^[^\u0000-\u001f\u007f]*$/.test(message) ? message : JSON.stringify(message);
}
