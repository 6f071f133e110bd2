import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { messageFromJson } from "../codec/proto_json.ts";
import type { MessageSchema } from "../gen/schema.ts";
import { ChainError } from "../lib/errors.ts";
import { usageError } from "./cli_error.ts";

/** Adds `--file` to a command whose message has lists that are long for a command line. */
export function addFileFlag(command: Command): void {
  command.option("--file <file>", "JSON with fields of the message by their proto names");
}

/**
 * The fields of a message that a file gives, in the form that generated codecs take as partial.
 * @param given what the flags say: a field is not said twice
 * @throws CliError naming the file and the field at fault
 */
export function readMessageFile(
  file: string,
  schema: MessageSchema,
  given: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const bad = (detail: string) => usageError(`--file ${file}: ${detail}`);
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw bad(error instanceof Error ? error.message : String(error));
  }
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw bad("expected an object");
  }
  const message = messageOf(schema.name, json, bad);
  const fields = Object.keys(json).map((name) => {
    const field = schema.fields.find((each) => each.name === name);
    if (field === undefined) throw bad(`${schema.name} has no field "${name}"`);
    if (given[field.key] !== undefined) throw bad(`${name} is given twice: by a flag, too`);
    return [field.key, message[field.key]] as const;
  });
  return Object.fromEntries(fields);
}

function messageOf(
  name: string,
  json: object,
  bad: (detail: string) => Error,
): Record<string, unknown> {
  try {
    return messageFromJson<Record<string, unknown>>(name, json);
  } catch (error) {
    if (error instanceof ChainError) throw bad(error.message);
    throw error;
  }
}
