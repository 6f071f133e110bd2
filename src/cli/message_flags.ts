import { type Command, Option } from "commander";
import type { FieldSchema, MessageSchema } from "../gen/schema.ts";
import type { AutocliCommand } from "./autocli.ts";
import { usageError } from "./cli_error.ts";
import { formatHelp, parseFieldTexts, placeholderOf, type ValueContext } from "./flag_values.ts";
import { kebab } from "./schema_index.ts";

const PAGE_REQUEST = "cosmos.base.query.v1beta1.PageRequest";

/** A field of a message as flag, and perhaps as positional argument. */
export interface FieldFlag {
  readonly field: FieldSchema;
  /** Without dashes: "order-id". */
  readonly flag: string;
  readonly positional: boolean;
  readonly help: string;
  readonly standard: string | undefined;
}

/** The flags of a message, positional fields first and in their order. */
export function flagsOf(
  schema: MessageSchema,
  positional: readonly string[],
  options: {
    readonly autocli?: AutocliCommand | undefined;
    /** Fields that something else fills in, such as the signer. */
    readonly without?: readonly string[];
    /** Flags of the command itself: a field of such a name becomes `--msg-<name>`. */
    readonly taken: readonly string[];
  },
): FieldFlag[] {
  const { autocli, without = [], taken } = options;
  const shown = schema.fields.filter(
    (field) =>
      !without.includes(field.name) &&
      field.typeName !== PAGE_REQUEST &&
      autocli?.flags?.[field.name]?.skip !== true,
  );
  const flags = shown.map((field): FieldFlag => {
    const special = autocli?.flags?.[field.name];
    const name = special?.name ?? kebab(field.name);
    return {
      field,
      flag: taken.includes(name) ? `msg-${name}` : name,
      positional: positional.includes(field.name),
      help: [special?.help, formatHelp(field)].filter((part) => (part ?? "") !== "").join("; "),
      standard: special?.default,
    };
  });
  const place = (flag: FieldFlag) =>
    flag.positional ? positional.indexOf(flag.field.name) : positional.length;
  return flags.sort((a, b) => place(a) - place(b));
}

/** Whether a request is answered in pages. */
export function isPaged(schema: MessageSchema): boolean {
  return schema.fields.some(({ typeName }) => typeName === PAGE_REQUEST);
}

/** Adds the flags, and the positional ones as arguments, to a command. */
export function addFlags(command: Command, flags: readonly FieldFlag[]): void {
  for (const { field, flag, positional } of flags) {
    if (positional) command.argument(`[${flag}]`, formatHelp(field));
  }
  for (const each of flags) command.addOption(optionOf(each));
}

function optionOf({ field, flag, help, standard }: FieldFlag): Option {
  const many = field.repeated === true || field.map !== undefined;
  if (field.kind === "bool" && !many) return new Option(`--${flag}`, help);
  const suffix = many ? [help, "may be repeated"].filter((part) => part !== "").join("; ") : help;
  const option = new Option(`--${flag} <${placeholderOf(field)}>`, suffix);
  if (standard !== undefined) option.default([standard], standard);
  return option.argParser((text: string, before: string[] | undefined) =>
    before === undefined || before[0] === standard ? [text] : [...before, text],
  );
}

/**
 * The message that the arguments and flags of a command line say, in the form that generated
 * codecs take as partial. A field that was not given is absent.
 * @throws CliError for a positional that is missing or given twice, or a value of the wrong form
 */
export function readFlags(
  flags: readonly FieldFlag[],
  args: readonly (string | undefined)[],
  options: Readonly<Record<string, unknown>>,
  context: ValueContext,
): Record<string, unknown> {
  const message: Record<string, unknown> = {};
  const positionals = flags.filter(({ positional }) => positional);
  for (const each of flags) {
    const arg = each.positional ? args[positionals.indexOf(each)] : undefined;
    const given = options[camel(each.flag)];
    if (arg !== undefined && given !== undefined && each.standard === undefined) {
      throw usageError(`${each.flag} is given twice: by its place and as --${each.flag}`);
    }
    const texts = arg === undefined ? textsOf(given) : [arg];
    if (texts.length === 0) {
      if (each.positional) throw usageError(`${each.flag} is missing`);
      continue;
    }
    message[each.field.key] = parseFieldTexts(each.field, `--${each.flag}`, texts, context);
  }
  return message;
}

function textsOf(given: unknown): string[] {
  if (given === undefined) return [];
  return Array.isArray(given) ? given.map(String) : [String(given)];
}

/** commander's name of a flag's value. */
function camel(flag: string): string {
  return flag.replace(/-([a-z0-9])/g, (_match, char: string) => char.toUpperCase());
}

/** Flags of a paged query. */
export const PAGE_FLAGS = ["limit", "offset", "page-key", "count-total", "reverse"] as const;

export function addPageFlags(command: Command): void {
  command
    .option("--limit <number>", "rows of the page")
    .option("--offset <number>", "rows to skip; a page key is faster")
    .option("--page-key <base64>", "next_key of the page before")
    .option("--count-total", "count all rows as well")
    .option("--reverse", "last rows first");
}

/** The page request of the flags; undefined when none was given. */
export function readPage(
  options: Readonly<Record<string, unknown>>,
): Record<string, unknown> | undefined {
  const { limit, offset, pageKey, countTotal, reverse } = options;
  const page: Record<string, unknown> = {};
  if (limit !== undefined) page["limit"] = count(limit, "--limit");
  if (offset !== undefined) page["offset"] = count(offset, "--offset");
  if (pageKey !== undefined) page["key"] = Buffer.from(String(pageKey), "base64");
  if (countTotal === true) page["countTotal"] = true;
  if (reverse === true) page["reverse"] = true;
  return Object.keys(page).length === 0 ? undefined : page;
}

function count(value: unknown, flag: string): bigint {
  const text = String(value);
  if (!/^[0-9]{1,18}$/.test(text)) throw usageError(`${flag}: expected a number, found "${text}"`);
  return BigInt(text);
}
