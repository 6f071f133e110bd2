import { pino } from "pino";
import type { LogFacts, NodeLog } from "../node/log.ts";
import type { Io } from "./io.ts";

export type LogLevel = "info" | "warn" | "error" | "silent";

export const LOG_LEVELS: readonly LogLevel[] = ["info", "warn", "error", "silent"];

/** The node's log on stderr: lines of JSON, or of words. */
export function nodeLog(io: Io, level: LogLevel, format: "text" | "json"): NodeLog {
  const write = format === "json" ? jsonWriter(io) : textWriter(io);
  const at = LOG_LEVELS.indexOf(level);
  const writer =
    (name: "info" | "warn" | "error") =>
    (message: string, facts: LogFacts = {}) => {
      if (LOG_LEVELS.indexOf(name) >= at) write(name, message, facts);
    };
  return { info: writer("info"), warn: writer("warn"), error: writer("error") };
}

type Write = (level: "info" | "warn" | "error", message: string, facts: LogFacts) => void;

function jsonWriter(io: Io): Write {
  const logger = pino({ base: null }, { write: (line: string) => io.err(line) });
  return (level, message, facts) => logger[level](plain(facts), message);
}

function plain(facts: LogFacts): Record<string, unknown> {
  const entries = Object.entries(facts);
  return Object.fromEntries(
    entries.map(([key, value]) => [key, typeof value === "bigint" ? value.toString() : value]),
  );
}

const COLORS = { info: "\u001b[32m", warn: "\u001b[33m", error: "\u001b[31m" };

function textWriter(io: Io): Write {
  return (level, message, facts) => {
    const time = new Date().toISOString().slice(11, 23);
    const name = level.toUpperCase().padEnd(5);
    const shown = io.color ? `${COLORS[level]}${name}\u001b[0m` : name;
    const words = Object.entries(facts).map(([key, value]) => ` ${key}=${String(value)}`);
    io.err(`${time} ${shown} ${message}${words.join("")}\n`);
  };
}
