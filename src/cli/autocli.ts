/**
 * What a module says of its commands, over what follows from its proto files. Plain data: a module
 * exports such an object from its `autocli.ts` as `autocli`, without importing this file.
 *
 * Methods are named as in the service ("CreateEscrow"), or in full ("pkg.v1.Query/Params") where two
 * services of a module share a name. Whatever is left out follows from the schema: the command is
 * the method in kebab-case, fields are flags in kebab-case, the path fields of a query's REST route
 * are positional, and so is the first `…_id` of a message.
 */
export interface Autocli {
  readonly tx?: Readonly<Record<string, AutocliCommand>>;
  readonly query?: Readonly<Record<string, AutocliCommand>>;
}

export interface AutocliCommand {
  /** The command's word, instead of the method in kebab-case. */
  readonly use?: string;
  readonly aliases?: readonly string[];
  /** One line of help. */
  readonly short?: string;
  /** Proto fields given by position, in order. Each remains a flag as well. */
  readonly positional?: readonly string[];
  /** By proto field. */
  readonly flags?: Readonly<Record<string, AutocliFlag>>;
  /** What follows `settled tx <module>` or `settled query <module>` in an example. */
  readonly examples?: readonly string[];
  /** Whether `--file` gives fields of the message as JSON; only of messages. */
  readonly file?: boolean;
  /** No command. */
  readonly skip?: boolean;
}

export interface AutocliFlag {
  /** No flag: the command fills the field in otherwise. */
  readonly skip?: boolean;
  readonly name?: string;
  readonly help?: string;
  /** Text as it would be given. */
  readonly default?: string;
}
