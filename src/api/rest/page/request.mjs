// What the page makes of an OpenAPI document, without the browser: so tests can read it too.

/** Depth to which a schema is written out. */
const MAX_DEPTH = 6;

/** Operations by tag, in the order of the document: [{tag, text, operations}]. */
export function operationsByTag(openApi) {
  const groups = openApi.tags.map(({ name, description = "" }) => ({
    tag: name,
    text: description,
    operations: [],
  }));
  for (const [path, verbs] of Object.entries(openApi.paths)) {
    for (const [verb, operation] of Object.entries(verbs)) {
      const group = groups.find(({ tag }) => operation.tags.includes(tag));
      group?.operations.push({ verb: verb.toUpperCase(), path, operation });
    }
  }
  return groups.filter(({ operations }) => operations.length > 0);
}

/** Whether an operation has all the words of a search. */
export function isFound({ verb, path, operation }, search) {
  const text = `${verb} ${path} ${operation.summary} ${operation.description ?? ""}`.toLowerCase();
  return search
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

/** Parameters that the form of an operation asks for; the height is asked for once per page. */
export function fieldsOf(openApi, { operation }) {
  return operation.parameters
    .map((parameter) => resolved(openApi, parameter))
    .filter((parameter) => parameter.in !== "header");
}

/**
 * What is sent for the values of a form. Empty ones are left out; several of a list have a line each.
 * @param values text by name of the parameter
 * @returns {{verb: string, address: string, headers: object, body?: string}}
 * @throws Error that names a parameter without which there is no address
 */
export function requestOf(openApi, one, { values = {}, body, height = "" } = {}) {
  const search = new URLSearchParams();
  let address = one.path;
  for (const { name, in: place, schema } of fieldsOf(openApi, one)) {
    const value = (values[name] ?? "").trim();
    if (place === "path") {
      if (value === "") throw new Error(`${name} is needed`);
      // Of variables that take slashes too: they stand escaped, and mean the same.
      address = address.replace(`{${name}}`, encodeURIComponent(value));
    } else if (value !== "") {
      const list = schema.type === "array" ? value.split("\n") : [value];
      for (const each of list) if (each.trim() !== "") search.append(name, each.trim());
    }
  }
  const query = search.size > 0 ? `?${search}` : "";
  const headers = {};
  if (height.trim() !== "") headers["x-cosmos-block-height"] = height.trim();
  if (one.operation.requestBody === undefined) {
    return { verb: one.verb, address: address + query, headers };
  }
  headers["content-type"] = "application/json";
  return { verb: one.verb, address: address + query, headers, body: body ?? "{}" };
}

/** The same request for a shell. */
export function curlOf(origin, { verb, address, headers, body }) {
  const parts = ["curl"];
  if (verb !== "GET") parts.push("-X", verb);
  for (const [name, value] of Object.entries(headers))
    parts.push("-H", quoted(`${name}: ${value}`));
  if (body !== undefined) parts.push("-d", quoted(body));
  return [...parts, quoted(origin + address)].join(" ");
}

function quoted(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** The body that an operation wants, with an example of every field. */
export function bodyExample(openApi, { operation }) {
  const schema = operation.requestBody?.content["application/json"].schema;
  return schema === undefined ? undefined : JSON.stringify(example(openApi, schema, 1), null, 2);
}

function example(openApi, given, depth) {
  const schema = resolved(openApi, given);
  if (schema.examples !== undefined) return schema.examples[0];
  if (schema.enum !== undefined) return schema.enum[0];
  if (schema.anyOf !== undefined)
    return depth > 1 ? null : example(openApi, schema.anyOf[0], depth);
  if (schema.type === "array") return [];
  if (schema.type === "object") {
    const fields = Object.entries(schema.properties ?? {}).filter(([, field]) => !field.deprecated);
    return Object.fromEntries(
      fields.map(([name, field]) => [name, example(openApi, field, depth + 1)]),
    );
  }
  if (schema.type === "boolean") return false;
  if (schema.type === "integer" || schema.type === "number") return 0;
  return schema.format === "int64" || schema.format === "uint64" ? "0" : "";
}

/** The schema of the answer, one field a line. */
export function answerShape(openApi, { operation }) {
  const { schema } = operation.responses[200].content["application/json"];
  return linesOf(openApi, schema, "", []).join("\n");
}

function linesOf(openApi, given, indent, above) {
  const schema = inner(openApi, given);
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const text = field.description ?? "";
    const head = `${indent}${name}: ${typeName(openApi, field)}${text === "" ? "" : `  — ${text}`}`;
    const part = inner(openApi, field);
    if (part.properties === undefined) return [head];
    if (above.includes(part) || above.length >= MAX_DEPTH) return [`${head} …`];
    return [head, ...linesOf(openApi, field, `${indent}  `, [...above, part])];
  });
}

/** The object within lists and what may be null, if there is one. */
function inner(openApi, given) {
  const schema = resolved(openApi, given);
  if (schema.items !== undefined) return inner(openApi, schema.items);
  if (schema.anyOf !== undefined) return inner(openApi, schema.anyOf[0]);
  return schema;
}

/** "list of Coin", "int64 as text" */
export function typeName(openApi, given) {
  if (given.$ref !== undefined) return given.$ref.split("/").at(-1).split(".").at(-1);
  if (given.items !== undefined) return `list of ${typeName(openApi, given.items)}`;
  if (given.anyOf !== undefined) return `${typeName(openApi, given.anyOf[0])} or null`;
  if (given.enum !== undefined) return given.enum.join(" | ");
  if (given.contentEncoding !== undefined) return given.contentEncoding;
  if (given.type === "string" && given.format !== undefined) return `${given.format} as text`;
  return [given.type].flat().join(" or ");
}

function resolved(openApi, given) {
  if (given.$ref === undefined) return given;
  return given.$ref
    .split("/")
    .slice(1)
    .reduce((at, name) => at[name], openApi);
}
