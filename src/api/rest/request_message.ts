import type { FieldSchema } from "../../gen/schema.ts";
import {
  type MessageType,
  messageTypeNamed,
  messageTypeOfField,
} from "../../codec/message_types.ts";
import { messageFromJson } from "../../codec/proto_json.ts";
import { ChainError } from "../../lib/errors.ts";
import { isObject } from "../rpc/json.ts";
import { badRequest } from "./rest_error.ts";
import type { Match } from "./route_table.ts";

/** A JSON object of a message while it is put together: keys are names of its fields. */
type Draft = Record<string, unknown>;

/** Packages of this chain alone: no client of another chain or version sends more than they know. */
const OWN = /^settled\./;

/**
 * The request message of a call, encoded: variables of its path, parameters of the query, and the
 * body where the route has one.
 * @param body parsed JSON; undefined for a route without
 * @throws UnaryError 3 that names what cannot be read
 */
export function requestMessage(
  { route, variables }: Match,
  search: URLSearchParams,
  body: unknown,
): Uint8Array {
  const type = messageTypeNamed(route.method.input);
  const draft = route.rule.body === undefined ? {} : draftOfBody(route.rule.body, body);
  for (const [field, text] of variables) setField(type, draft, field, [text]);
  // With the whole message in the body nothing is left for the query.
  if (route.rule.body !== "*") setParameters(type, draft, search, variables);
  return encoded(type, draft);
}

function draftOfBody(field: string, body: unknown): Draft {
  if (field !== "*") return { [field]: body };
  if (!isObject(body)) throw badRequest("the body is no JSON object");
  return { ...body };
}

function encoded(type: MessageType, draft: Draft): Uint8Array {
  try {
    return type.codec.encode(messageFromJson(type.name, draft)).finish();
  } catch (error) {
    if (!(error instanceof ChainError)) throw error;
    throw badRequest(error.detail.replace(/^\$\.?/, ""));
  }
}

function setParameters(
  type: MessageType,
  draft: Draft,
  search: URLSearchParams,
  variables: ReadonlyMap<string, string>,
): void {
  for (const name of new Set(search.keys())) {
    if (variables.has(name)) throw badRequest(`${name}: it stands in the path already`);
    if (setField(type, draft, name, search.getAll(name))) continue;
    if (!OWN.test(type.name)) continue;
    const known = parameterNames(type).filter((one) => !variables.has(one));
    const list = known.length === 0 ? "none" : known.join(", ");
    throw badRequest(`unknown parameter ${shown(name)}; known: ${list}`);
  }
}

/** Names of the parameters that a query may give, "pagination.limit" among them. */
function parameterNames(type: MessageType): string[] {
  return type.fields.flatMap((field) => {
    if (field.kind !== "message" || isText(field)) return [field.name];
    const inner = messageTypeOfField(field).fields;
    return inner
      .filter(({ kind }) => kind !== "message")
      .map(({ name }) => `${field.name}.${name}`);
  });
}

/**
 * Sets a field by its path, "pagination.limit".
 * @param given the whole path, when this is the rest of one
 * @returns false when the message has no such field
 */
function setField(
  type: MessageType,
  draft: Draft,
  path: string,
  texts: readonly string[],
  given = path,
): boolean {
  const [name = "", ...rest] = path.split(".");
  const field = type.fieldOfName(name);
  if (field === undefined) return false;
  if (rest.length > 0) {
    if (field.kind !== "message" || field.repeated === true || isText(field)) return false;
    const inner = draft[field.name] ?? {};
    if (!isObject(inner)) throw badRequest(`${given}: ${field.name} is no message`);
    const part = messageTypeOfField(field);
    if (!setField(part, inner as Draft, rest.join("."), texts, given)) return false;
    draft[field.name] = inner;
    return true;
  }
  if (field.map !== undefined || (field.kind === "message" && !isText(field))) {
    throw badRequest(`${given}: a message; give its fields, such as ${given}.…`);
  }
  if (draft[field.name] !== undefined || (field.repeated !== true && texts.length > 1)) {
    throw badRequest(`${given}: given twice`);
  }
  const values = texts.map((text) => valueOf(field, given, text));
  draft[field.name] = field.repeated === true ? values : values[0];
  return true;
}

function isText(field: FieldSchema): boolean {
  return /^google\.protobuf\.(Timestamp|Duration)$/.test(field.typeName ?? "");
}

/** What JSON would have in place of the text of an address. */
function valueOf(field: FieldSchema, path: string, text: string): unknown {
  switch (field.kind) {
    case "bool":
      if (/^(true|1)$/i.test(text)) return true;
      if (/^(false|0)$/i.test(text)) return false;
      throw badRequest(`${path}: expected true or false, found ${shown(text)}`);
    case "bytes":
      return standardBase64(text);
    case "enum":
      return /^-?[0-9]{1,10}$/.test(text) ? Number(text) : text;
    case "double":
    case "float":
      return Number.isNaN(Number(text)) ? text : Number(text);
    case "string":
    case "message":
    case "int32":
    case "sint32":
    case "sfixed32":
    case "uint32":
    case "fixed32":
    case "int64":
    case "sint64":
    case "sfixed64":
    case "uint64":
    case "fixed64":
      return text;
  }
}

/** Of both alphabets, with or without padding; a plus sign that nobody escaped arrives as a space. */
function standardBase64(text: string): string {
  const plain = text.replaceAll("-", "+").replaceAll("_", "/").replaceAll(" ", "+");
  const digits = plain.replace(/=+$/, "");
  return digits.padEnd(Math.ceil(digits.length / 4) * 4, "=");
}

function shown(text: string): string {
  return `"${text.length > 60 ? `${text.slice(0, 60)}…` : text}"`;
}
