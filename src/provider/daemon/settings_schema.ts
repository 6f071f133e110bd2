import type { Field, RecordField } from "./fields.ts";

type Json = Record<string, unknown>;

/** The JSON schema (draft 07) of a table of fields: what editors complete and check by. */
export function schemaOf(root: RecordField, title: string): Json {
  return { $schema: "http://json-schema.org/draft-07/schema#", title, ...fieldSchema(root) };
}

function fieldSchema(field: Field): Json {
  const description = field.comment;
  switch (field.kind) {
    case "text":
      return { type: "string", description, pattern: field.pattern.source, ...standard(field) };
    case "whole": {
      const { min: minimum, max: maximum } = field;
      return { type: "integer", description, minimum, maximum, ...standard(field) };
    }
    case "choice":
      return { enum: field.choices, description, ...standard(field) };
    case "truth":
      return { type: "boolean", description, ...standard(field) };
    case "list": {
      const { min: minItems = 0, max: maxItems } = field;
      const items = fieldSchema(field.item);
      return { type: "array", description, items, minItems, maxItems, ...standard(field) };
    }
    case "record":
      return recordSchema(field, {});
    case "union": {
      const cases = Object.entries(field.cases);
      const kindOf = (kind: string) => ({ kind: { const: kind } });
      return { description, oneOf: cases.map(([kind, each]) => recordSchema(each, kindOf(kind))) };
    }
    case "map":
      return { type: "object", description, additionalProperties: fieldSchema(field.value) };
    case "open":
      return { description };
  }
}

function recordSchema({ fields, comment: description }: RecordField, first: Json): Json {
  const names = Object.entries(fields);
  const own = Object.fromEntries(names.map(([name, field]) => [name, fieldSchema(field)]));
  const properties = { ...first, ...own };
  const needed = names.filter(([, field]) => isNeeded(field)).map(([name]) => name);
  const required = [...Object.keys(first), ...needed];
  const more = required.length === 0 ? {} : { required };
  return { type: "object", description, properties, ...more, additionalProperties: false };
}

function isNeeded(field: Field): boolean {
  if (field.isOptional === true) return false;
  if (field.kind === "list") return field.standard === undefined && (field.min ?? 0) > 0;
  if (field.kind === "record") return Object.values(field.fields).some(isNeeded);
  if (field.kind === "map" || field.kind === "open") return false;
  return field.kind === "union" || field.standard === undefined;
}

function standard(field: { readonly standard?: unknown }): Json {
  return field.standard === undefined ? {} : { default: field.standard };
}
