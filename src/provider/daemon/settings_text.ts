import type { Field, Fields, RecordField } from "./fields.ts";

const WIDTH = 96;

/**
 * A table of fields as a commented YAML file. A field shows the value of `values` or else its
 * default; an optional one without a value is commented out.
 * @param values by the names of the file; records and lists in full
 */
export function settingsText(root: RecordField, values: Readonly<Record<string, unknown>>): string {
  return fieldsText(root.fields, values, "").join("\n").concat("\n");
}

function fieldsText(
  fields: Fields,
  values: Readonly<Record<string, unknown>>,
  indent: string,
): string[] {
  return Object.entries(fields).flatMap(([name, field], at) => {
    const space = at > 0 && indent === "" ? [""] : [];
    return [...space, ...comment(field.comment, indent), ...valueText(name, field, values, indent)];
  });
}

function valueText(
  name: string,
  field: Field,
  values: Readonly<Record<string, unknown>>,
  indent: string,
): string[] {
  const given = values[name];
  if (field.kind === "record" && field.isOptional !== true) {
    const inner = (given ?? {}) as Readonly<Record<string, unknown>>;
    return [`${indent}${name}:`, ...fieldsText(field.fields, inner, `${indent}  `)];
  }
  const value = given ?? ("standard" in field ? field.standard : undefined);
  if (value !== undefined) return yamlOf(name, value, indent);
  if (field.kind === "list") return [`${indent}${name}: []`];
  if (field.kind === "map" && field.isOptional !== true) return [`${indent}${name}: {}`];
  return [`${indent}# ${name}:`];
}

/** A value as YAML by blocks: the few forms that settings have. */
function yamlOf(name: string, value: unknown, indent: string): string[] {
  if (Array.isArray(value)) {
    if (value.length === 0) return [`${indent}${name}: []`];
    return [`${indent}${name}:`, ...value.flatMap((item) => itemText(item, `${indent}  `))];
  }
  if (typeof value !== "object" || value === null) return [`${indent}${name}: ${scalar(value)}`];
  const entries = Object.entries(value);
  if (entries.length === 0) return [`${indent}${name}: {}`];
  const inner = entries.flatMap(([key, each]) => yamlOf(key, each, `${indent}  `));
  return [`${indent}${name}:`, ...inner];
}

function itemText(item: unknown, indent: string): string[] {
  if (typeof item !== "object" || item === null) return [`${indent}- ${scalar(item)}`];
  const lines = Object.entries(item).flatMap(([key, each]) => yamlOf(key, each, `${indent}  `));
  const [first = "", ...rest] = lines;
  return [`${indent}- ${first.trimStart()}`, ...rest];
}

/** Plain where YAML reads it back as the same text, else in quotes. */
function scalar(value: unknown): string {
  if (typeof value !== "string") return String(value);
  const isPlain = /^[A-Za-z/.][A-Za-z0-9_./:@-]*$/.test(value) && !/:$/.test(value);
  const isWord = /^(true|false|null|yes|no|on|off|~)$/i.test(value) || /^\.(inf|nan)$/i.test(value);
  return isPlain && !isWord ? value : JSON.stringify(value);
}

function comment(text: string, indent: string): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (line !== "" && indent.length + 2 + longer.length > WIDTH) {
      lines.push(line);
      line = word;
    } else line = longer;
  }
  return [...lines, line].map((each) => `${indent}# ${each}`);
}
