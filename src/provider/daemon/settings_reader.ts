import { resolve } from "node:path";
import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from "yaml";
import { ProviderError } from "../errors.ts";
import { expectedOf, type Field, type Fields, type ListField, type RecordField } from "./fields.ts";

/** Where the text of a value begins, for errors. */
interface Reading {
  readonly file: string;
  readonly lines: LineCounter;
  /** Relative paths are taken from here. */
  readonly folder: string;
}

/**
 * Reads YAML by a table of fields: defaults filled in, keys in camel case, paths absolute.
 * @throws ProviderError `bad_config` naming file, line, field, what was expected and what was found
 */
export function readFields(
  body: string,
  place: { readonly file: string; readonly folder: string },
  root: RecordField,
): unknown {
  const lines = new LineCounter();
  const document = parseDocument(body, { lineCounter: lines, uniqueKeys: true });
  const reading = { ...place, lines };
  const [mistake] = document.errors;
  if (mistake !== undefined) {
    const { line } = lines.linePos(mistake.pos[0]);
    const [first = ""] = mistake.message.split(/ at line |\n/);
    throw new ProviderError("bad_config", `${place.file}:${line}: not YAML: ${first}`);
  }
  return readRecord(document.contents, root, "", reading);
}

function readValue(node: unknown, field: Field, name: string, reading: Reading): unknown {
  if (isAlias(node)) throw refusal(node, name, "a value of its own", "an alias", reading);
  switch (field.kind) {
    case "record":
      return readRecord(node, field, name, reading);
    case "list":
      return readList(node, field, name, reading);
    case "union": {
      const kind = isMap(node) ? node.get("kind") : undefined;
      const found = typeof kind === "string" ? field.cases[kind] : undefined;
      if (found === undefined) throw mismatch(node, field, name, reading);
      const rest = readRecord(node, found, name, reading, ["kind"]);
      return { kind, ...(rest as object) };
    }
    case "map": {
      if (!isMap(node)) throw mismatch(node, field, name, reading);
      const entries = node.items.map(({ key, value }): [string, unknown] => {
        const word = String(isScalar(key) ? key.value : key);
        return [word, readValue(value, field.value, join(name, word), reading)];
      });
      return Object.fromEntries(entries);
    }
    case "open":
      return (node as Node | null)?.toJSON() as unknown;
    case "text":
    case "whole":
    case "choice":
    case "truth":
      return readScalar(node, field, name, reading);
  }
}

function readRecord(
  node: unknown,
  { fields, ...field }: RecordField,
  name: string,
  reading: Reading,
  passed: readonly string[] = [],
): unknown {
  const isEmpty = node === null || (isScalar(node) && node.value === null);
  if (!isEmpty && !isMap(node)) throw mismatch(node, { ...field, fields }, name, reading);
  const given = new Map<string, unknown>();
  for (const { key, value } of isMap(node) ? node.items : []) {
    const word = String(isScalar(key) ? key.value : key);
    if (passed.includes(word)) continue;
    if (!Object.hasOwn(fields, word)) throw unknownField(key, word, name, fields, reading);
    given.set(word, value);
  }
  const values = Object.entries(fields).map(([word, each]): [string, unknown] => {
    const value = given.get(word);
    const isAbsent = value === undefined || value === null || isNull(value);
    const place = join(name, word);
    if (!isAbsent) return [camel(word), readValue(value, each, place, reading)];
    return [camel(word), standardOf(each, place, node, reading)];
  });
  return Object.fromEntries(values.filter(([, value]) => value !== undefined));
}

function isNull(node: unknown): boolean {
  return isScalar(node) && node.value === null;
}

function standardOf(field: Field, name: string, owner: unknown, reading: Reading): unknown {
  if (field.isOptional === true) return undefined;
  if (field.kind === "record") return readRecord(null, field, name, reading);
  if (field.kind === "map") return {};
  if (field.kind === "list") {
    if (field.standard !== undefined || (field.min ?? 0) === 0) return field.standard ?? [];
  } else if ("standard" in field && field.standard !== undefined) return field.standard;
  throw refusal(owner, name, expectedOf(field), "nothing", reading);
}

function readList(node: unknown, field: ListField, name: string, reading: Reading): unknown[] {
  if (!isSeq(node)) throw mismatch(node, field, name, reading);
  const { min = 0, max } = field;
  if (node.items.length < min || node.items.length > max) {
    const expected = `a list of ${min} to ${max}`;
    throw refusal(node, name, expected, `${node.items.length}`, reading);
  }
  return node.items.map((item, at) => readValue(item, field.item, `${name}[${at}]`, reading));
}

function readScalar(node: unknown, field: Field, name: string, reading: Reading): unknown {
  const value = isScalar(node) ? node.value : undefined;
  const isTaken =
    (field.kind === "text" && typeof value === "string" && field.pattern.test(value)) ||
    (field.kind === "choice" && field.choices.includes(value as string)) ||
    (field.kind === "truth" && typeof value === "boolean") ||
    (field.kind === "whole" && isWhole(value, field.min, field.max));
  if (!isTaken) throw mismatch(node, field, name, reading);
  const isPath = field.kind === "text" && field.isPath === true;
  return isPath ? resolve(reading.folder, value as string) : value;
}

function isWhole(value: unknown, min: number, max: number): boolean {
  return Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max;
}

function mismatch(node: unknown, field: Field, name: string, reading: Reading): ProviderError {
  const shown = isScalar(node) ? JSON.stringify(node.value) : isMap(node) ? "a record" : "a list";
  const quoted = field.kind === "text" && isScalar(node) && typeof node.value === "number";
  const advice = quoted ? `; put it in quotes: "${String(node.value)}"` : "";
  return refusal(node, name, expectedOf(field), `${shown.slice(0, 80)}${advice}`, reading);
}

function unknownField(
  key: unknown,
  word: string,
  name: string,
  fields: Fields,
  reading: Reading,
): ProviderError {
  const known = Object.keys(fields).join(", ");
  return refusal(key, join(name, word), `one of ${known}`, `the unknown field "${word}"`, reading);
}

function refusal(
  node: unknown,
  name: string,
  expected: string,
  found: string,
  { file, lines }: Reading,
): ProviderError {
  const at = (node as Node | null | undefined)?.range?.[0];
  const line = at === undefined ? 1 : lines.linePos(at).line;
  const place = `${file}:${line}: ${name === "" ? "the file" : name}`;
  return new ProviderError("bad_config", `${place}: expected ${expected}, found ${found}`);
}

function join(name: string, word: string): string {
  return name === "" ? word : `${name}.${word}`;
}

function camel(word: string): string {
  return word.replaceAll(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}
