import { Command } from "commander";
import { messageTypeNamed } from "../codec/message_types.ts";
import type { MessageSchema } from "../gen/schema.ts";
import type { AutocliCommand } from "./autocli.ts";
import { MODULE_AUTOCLI } from "./module_autocli.ts";
import { examples } from "./help.ts";
import { addFlags, type FieldFlag, flagsOf } from "./message_flags.ts";
import { kebab, methodsByModule, pathFields, type ServiceMethod } from "./schema_index.ts";

/** A command that follows from a method of the schema. */
export interface GeneratedCommand {
  readonly command: Command;
  readonly service: string;
  readonly method: ServiceMethod["method"];
  readonly input: MessageSchema;
  readonly flags: readonly FieldFlag[];
  /** Top-level fields that hold the signer's address; only of messages. */
  readonly signerFields: readonly string[];
  /** Whether `--file` gives fields of the message. */
  readonly readsFile: boolean;
}

interface Options {
  readonly kind: "Msg" | "Query";
  /** Flags that every command of this kind has. */
  readonly taken: readonly string[];
  /** Adds those flags and the action. */
  finish(generated: GeneratedCommand): void;
}

/** One command per module, with one command per method in it. */
export function moduleCommands(options: Options): Command[] {
  const modules: Command[] = [];
  for (const [word, methods] of methodsByModule(options.kind)) {
    const what = options.kind === "Msg" ? "messages" : "queries";
    const parent = new Command(word).description(`${what} of the ${word} module`);
    const used = new Set<string>();
    for (const method of methods) {
      const autocli = autocliOf(word, options.kind, method, used);
      if (autocli.skip === true) continue;
      const generated = generate(word, method, autocli, options, used);
      options.finish(generated);
      parent.addCommand(generated.command);
    }
    modules.push(parent);
  }
  return modules;
}

function autocliOf(
  word: string,
  kind: Options["kind"],
  { service, method }: ServiceMethod,
  used: ReadonlySet<string>,
): AutocliCommand {
  const module = MODULE_AUTOCLI[word] ?? {};
  const commands = (kind === "Msg" ? module.tx : module.query) ?? {};
  const own = commands[`${service}/${method.name}`];
  // The short name means the first service that has it.
  return own ?? (used.has(kebab(method.name)) ? {} : (commands[method.name] ?? {}));
}

function generate(
  word: string,
  { service, method }: ServiceMethod,
  autocli: AutocliCommand,
  options: Options,
  used: Set<string>,
): GeneratedCommand {
  const input = messageTypeNamed(method.input).schema;
  const signerFields = (input.signers ?? []).filter(
    (name) => input.fields.find((field) => field.name === name)?.kind === "string",
  );
  const positional =
    autocli.positional ??
    (options.kind === "Query" ? pathFields(method.http?.[0]?.path) : firstId(input, signerFields));
  const { taken } = options;
  const flags = flagsOf(input, positional, { autocli, without: signerFields, taken });
  const command = new Command(freeName(autocli.use ?? kebab(method.name), service, used));
  command.description(autocli.short ?? `${service}/${method.name}`);
  command.aliases((autocli.aliases ?? []).filter((alias) => !used.has(alias)));
  for (const alias of command.aliases()) used.add(alias);
  addFlags(command, flags);
  const lead = `${options.kind === "Msg" ? "tx" : "query"} ${word}`;
  const lines = autocli.examples ?? [exampleOf(command.name(), flags)];
  command.addHelpText("after", examples(...lines.map((line) => `${lead} ${line}`)));
  const readsFile = autocli.file === true;
  return { command, service, method, input, flags, signerFields, readsFile };
}

/** Two services of a module may share a method's name: the later one says whose it is. */
function freeName(name: string, service: string, used: Set<string>): string {
  const free = used.has(name) ? `${service.split(".")[0]}-${name}` : name;
  used.add(free);
  return free;
}

function firstId(input: MessageSchema, signerFields: readonly string[]): string[] {
  const first = input.fields.find(({ name }) => !signerFields.includes(name));
  const named = first?.name.endsWith("_id") === true && first.repeated !== true;
  return named && first !== undefined ? [first.name] : [];
}

function exampleOf(name: string, flags: readonly FieldFlag[]): string {
  const args = flags.filter(({ positional }) => positional).map(({ flag }) => flag.toUpperCase());
  return [name, ...args].join(" ");
}
