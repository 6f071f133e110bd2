/** What every field of the settings file tells of itself. */
interface Told {
  /** For people: what it is for, with its unit. One sentence or two. */
  readonly comment: string;
  /** Whether it may be left out though it has no default. */
  readonly isOptional?: boolean;
}

export interface TextField extends Told {
  readonly kind: "text";
  readonly standard?: string;
  readonly pattern: RegExp;
  /** What is expected, for errors: "a URL". */
  readonly expected: string;
  /** A file or folder: relative ones are taken from the folder of the settings. */
  readonly isPath?: boolean;
}

export interface WholeField extends Told {
  readonly kind: "whole";
  readonly standard?: number;
  readonly min: number;
  readonly max: number;
}

export interface ChoiceField extends Told {
  readonly kind: "choice";
  readonly standard?: string;
  readonly choices: readonly string[];
}

export interface TruthField extends Told {
  readonly kind: "truth";
  readonly standard?: boolean;
}

export interface ListField extends Told {
  readonly kind: "list";
  readonly item: Field;
  /** Default: the empty list. */
  readonly standard?: readonly unknown[];
  readonly min?: number;
  readonly max: number;
}

/** A record with known keys. Without any of them it has their defaults. */
export interface RecordField extends Told {
  readonly kind: "record";
  readonly fields: Fields;
}

/** Records that are told apart by their field `kind`. */
export interface UnionField extends Told {
  readonly kind: "union";
  readonly cases: Readonly<Record<string, RecordField>>;
}

/** Any keys, each with a value of one form. */
export interface MapField extends Told {
  readonly kind: "map";
  readonly value: Field;
}

/** Taken as it stands: whoever uses it checks it. */
export interface OpenField extends Told {
  readonly kind: "open";
}

export type Field =
  | TextField
  | WholeField
  | ChoiceField
  | TruthField
  | ListField
  | RecordField
  | UnionField
  | MapField
  | OpenField;

export type Fields = Readonly<Record<string, Field>>;

type Rest<F extends Field, K extends keyof F = "kind" | "comment" | never> = Omit<F, K>;

export function text(comment: string, rest: Rest<TextField>): TextField {
  return { kind: "text", comment, ...rest };
}

const ANY_PATH = /^[^\u0000]{1,4096}$/;

/** A file or folder. */
export function path(comment: string, more: Partial<TextField> = {}): TextField {
  const form = { pattern: ANY_PATH, expected: "a path", isPath: true };
  return { kind: "text", comment, ...form, ...more };
}

export function whole(comment: string, rest: Rest<WholeField>): WholeField {
  return { kind: "whole", comment, ...rest };
}

export function choice(comment: string, rest: Rest<ChoiceField>): ChoiceField {
  return { kind: "choice", comment, ...rest };
}

export function truth(comment: string, standard: boolean): TruthField {
  return { kind: "truth", comment, standard };
}

export function list(comment: string, rest: Rest<ListField>): ListField {
  return { kind: "list", comment, ...rest };
}

export function record(comment: string, fields: Fields, more: Partial<Told> = {}): RecordField {
  return { kind: "record", comment, fields, ...more };
}

/** What is expected of a value, for errors. */
export function expectedOf(field: Field): string {
  switch (field.kind) {
    case "text":
      return field.expected;
    case "whole":
      return `a whole number from ${field.min} to ${field.max}`;
    case "choice":
      return field.choices.join(" or ");
    case "truth":
      return "true or false";
    case "list":
      return "a list";
    case "record":
      return `a record of ${Object.keys(field.fields).join(", ")}`;
    case "union":
      return `a record whose "kind" is ${Object.keys(field.cases).join(" or ")}`;
    case "map":
      return "a record";
    case "open":
      return "a value";
  }
}
