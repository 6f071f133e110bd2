import type { FieldSchema } from "../gen/schema.ts";
import { toBase64 } from "../lib/bytes.ts";
import { ChainError } from "../lib/errors.ts";
import { type Dec, formatDec } from "../types/dec.ts";
import { ErrInvalidType } from "../types/sdk_errors.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "./canonical_json.ts";
import {
  enumTypeOfField,
  type MessageType,
  messageTypeNamed,
  messageTypeOfField,
  messageTypeOfUrl,
} from "./message_types.ts";
import { readMessage } from "./proto_json_read.ts";
import { decAtomics, durationText, type SecondsNanos, timestampText } from "./scalars.ts";
import { checkWire } from "./strict_wire.ts";

const MAX_DEPTH = 48;

export interface ToJsonOptions {
  /** Print fields that have their default. Default: true, as Cosmos answers do. */
  readonly emitDefaults?: boolean;
  /** Print cosmos.Dec as it travels, as atomics. Default: false, as a decimal with 18 places. */
  readonly verbatimDecs?: boolean;
}

export interface FromJsonOptions {
  /** Read cosmos.Dec as it travels, as atomics. Default: false. */
  readonly verbatimDecs?: boolean;
}

/**
 * The Cosmos JSON of a message: proto field names, 64-bit integers as text, bytes as base64 (null
 * when empty), enums by name, Any as {"@type", …}, times as RFC 3339, cosmos.Dec as a decimal. An
 * Any that cannot be resolved or decoded is shown as {"@type", "value": base64}.
 * @param name full name of the message
 * @throws InvariantError for an unknown name; ChainError sdk/29 for a time out of range or for
 * nesting deeper than 48.
 */
export function messageToJson(
  name: string,
  message: object,
  options: ToJsonOptions = {},
): JsonObject {
  return new Printer(options).fields(messageTypeNamed(name), message, "$", 1);
}

/**
 * The text of `messageToJson` in small pieces, so that a long one can be made with pauses.
 * @param textOf the text of a small part: nothing is hashed or signed here, JSON.stringify will do
 * @throws as `messageToJson`, maybe after some pieces
 */
export function messageToJsonPieces(
  name: string,
  message: object,
  textOf: TextOf,
): Generator<string, void> {
  const printer = new Printer({}, textOf);
  return printer.pieces(messageTypeNamed(name), message, { path: "$", depth: 1 });
}

/**
 * The message of a JSON value. Field names in snake_case or lowerCamelCase; enums also by number;
 * null stands for the default. Unknown fields, duplicates and values of a wrong kind or range are
 * refused.
 * @param name full name of the message
 * @throws InvariantError for an unknown name; ChainError sdk/29 with the JSON path.
 */
export function messageFromJson<T>(name: string, json: unknown, options: FromJsonOptions = {}): T {
  return readMessage(messageTypeNamed(name), json, options.verbatimDecs ?? false) as T;
}

type Fields = Readonly<Record<string, unknown>>;

/** Writes a JSON value. */
export type TextOf = (value: JsonValue) => string;

/** Where in the JSON something is. */
interface Place {
  readonly path: string;
  readonly depth: number;
}

/** Items of a list above which each of them is one piece of text. */
const LONG_LIST = 100;
/** Messages that are texts in JSON. */
const AS_TEXT: readonly string[] = ["google.protobuf.Timestamp", "google.protobuf.Duration"];

class Printer {
  readonly #emitDefaults: boolean;
  readonly #verbatimDecs: boolean;
  readonly #textOf: TextOf;

  constructor(options: ToJsonOptions, textOf: TextOf = () => "") {
    this.#emitDefaults = options.emitDefaults ?? true;
    this.#verbatimDecs = options.verbatimDecs ?? false;
    this.#textOf = textOf;
  }

  /** Members of a message, in the order of its field numbers. */
  fields(type: MessageType, message: object, path: string, depth: number): JsonObject {
    if (depth > MAX_DEPTH) throw refused(path, `nested deeper than ${MAX_DEPTH}`);
    const json: JsonObject = {};
    for (const field of type.fields) {
      const value = (message as Fields)[field.key];
      const at = `${path}.${field.name}`;
      const shown = isDefault(value)
        ? this.#ofDefault(field, value, at, depth)
        : this.#field(field, value, at, depth);
      if (shown !== undefined) json[field.name] = shown;
    }
    return json;
  }

  /** The text of `fields`. @param open what it begins with: "{", maybe with a member */
  *pieces(
    type: MessageType,
    message: object,
    { path, depth }: Place,
    open = "{",
  ): Generator<string, void> {
    if (depth > MAX_DEPTH) throw refused(path, `nested deeper than ${MAX_DEPTH}`);
    let before = open === "{" ? open : `${open},`;
    for (const field of type.fields) {
      const value = (message as Fields)[field.key];
      const at = `${path}.${field.name}`;
      const name = `"${field.name}":`;
      if (isDefault(value)) {
        const shown = this.#ofDefault(field, value, at, depth);
        if (shown === undefined) continue;
        yield `${before}${name}${this.#textOf(shown)}`;
      } else {
        yield before + name;
        yield* this.#fieldPieces(field, value, { path: at, depth });
      }
      before = ",";
    }
    yield before === "," ? "}" : `${open}}`;
  }

  *#fieldPieces(field: FieldSchema, value: unknown, place: Place): Generator<string, void> {
    const { path, depth } = place;
    if (field.map !== undefined || field.repeated !== true) {
      yield* this.#itemPieces(field, value, place);
      return;
    }
    const list = value as readonly unknown[];
    // Items of long lists are small; in short ones there may be long lists again.
    const areSmall = list.length > LONG_LIST;
    let before = "[";
    for (const [index, item] of list.entries()) {
      const at = `${path}[${index}]`;
      if (areSmall) {
        yield before + this.#textOf(this.#item(field, item, at, depth));
      } else {
        yield before;
        yield* this.#itemPieces(field, item, { path: at, depth });
      }
      before = ",";
    }
    yield "]";
  }

  *#itemPieces(field: FieldSchema, value: unknown, place: Place): Generator<string, void> {
    const { path, depth } = place;
    if (field.map !== undefined || field.kind !== "message") {
      const isMap = field.map !== undefined;
      const json = isMap
        ? this.#field(field, value, path, depth)
        : this.#item(field, value, path, depth);
      yield this.#textOf(json);
      return;
    }
    const type = messageTypeOfField(field);
    const inside = { path, depth: depth + 1 };
    if (type.name === "google.protobuf.Any") {
      yield* this.#anyPieces(value as { typeUrl: string; value: Uint8Array }, inside);
    } else if (AS_TEXT.includes(type.name)) {
      yield this.#textOf(this.#message(type, value as object, path, inside.depth));
    } else {
      yield* this.pieces(type, value as object, inside);
    }
  }

  *#anyPieces(
    any: { typeUrl: string; value: Uint8Array },
    { path, depth }: Place,
  ): Generator<string, void> {
    const inner = decodeAny(any);
    if (inner === undefined || inner.type.name.startsWith("google.protobuf.")) {
      yield this.#textOf(this.#any(any, path, depth));
      return;
    }
    const open = `{"@type":${this.#textOf(any.typeUrl)}`;
    yield* this.pieces(inner.type, inner.message, { path, depth: depth + 1 }, open);
  }

  /** What is shown of a field that has its default; undefined: nothing. */
  #ofDefault(
    field: FieldSchema,
    value: unknown,
    path: string,
    depth: number,
  ): JsonValue | undefined {
    if (this.#emitDefaults && field.oneof === undefined && field.optional !== true) {
      return this.#default(field);
    }
    // The presence of these says something, so their defaults are always shown.
    const saysSomething = (field.oneof ?? field.optional) !== undefined;
    return value !== undefined && saysSomething ? this.#item(field, value, path, depth) : undefined;
  }

  #default(field: FieldSchema): JsonValue {
    if (field.map !== undefined) return {};
    if (field.repeated === true) return [];
    switch (field.kind) {
      case "string":
        return "";
      case "bool":
        return false;
      case "bytes":
      case "message":
        return null;
      case "enum":
        return enumTypeOfField(field).nameOf(0) ?? 0;
      case "int64":
      case "sint64":
      case "sfixed64":
      case "uint64":
      case "fixed64":
        return "0";
      case "int32":
      case "sint32":
      case "sfixed32":
      case "uint32":
      case "fixed32":
      case "double":
      case "float":
        return 0;
    }
  }

  #field(field: FieldSchema, value: unknown, path: string, depth: number): JsonValue {
    if (field.map !== undefined) {
      const json: JsonObject = {};
      for (const [key, item] of Object.entries(value as Fields)) {
        json[key] = this.#item(field, item, `${path}.${key}`, depth);
      }
      return json;
    }
    if (field.repeated !== true) return this.#item(field, value, path, depth);
    const list = value as readonly unknown[];
    return list.map((item, index) => this.#item(field, item, `${path}[${index}]`, depth));
  }

  #item(field: FieldSchema, value: unknown, path: string, depth: number): JsonValue {
    switch (field.kind) {
      case "string":
        return field.scalar === "cosmos.Dec" ? this.#dec(value as string) : (value as string);
      case "bytes":
        return toBase64(value as Uint8Array);
      case "enum":
        return enumTypeOfField(field).nameOf(value as number) ?? (value as number);
      case "message":
        return this.#message(messageTypeOfField(field), value as object, path, depth + 1);
      case "int64":
      case "sint64":
      case "sfixed64":
      case "uint64":
      case "fixed64":
        return `${value as bigint}`;
      case "bool":
      case "int32":
      case "sint32":
      case "sfixed32":
      case "uint32":
      case "fixed32":
        return value as number | boolean;
      case "double":
      case "float":
        return Number.isFinite(value) ? (value as number) : `${value as number}`;
    }
  }

  /** Text that is no number, which only an invalid message holds, is shown as it is. */
  #dec(text: string): string {
    const atomics = this.#verbatimDecs ? undefined : decAtomics(text);
    return atomics === undefined ? text : formatDec(atomics as Dec);
  }

  #message(type: MessageType, message: object, path: string, depth: number): JsonValue {
    switch (type.name) {
      case "google.protobuf.Any":
        return this.#any(message as { typeUrl: string; value: Uint8Array }, path, depth);
      case "google.protobuf.Timestamp":
        return shown(timestampText(message as SecondsNanos), path);
      case "google.protobuf.Duration":
        return shown(durationText(message as SecondsNanos), path);
      default:
        return this.fields(type, message, path, depth);
    }
  }

  #any(any: { typeUrl: string; value: Uint8Array }, path: string, depth: number): JsonObject {
    const inner = decodeAny(any);
    if (inner === undefined) return { "@type": any.typeUrl, value: toBase64(any.value) };
    const json = this.#message(inner.type, inner.message, path, depth + 1);
    return { "@type": any.typeUrl, ...(isJsonObject(json) ? json : { value: json }) };
  }
}

/** Lenient where unpackAny is strict: a stored tx must be shown whatever it holds. */
function decodeAny(any: { typeUrl: string; value: Uint8Array }) {
  const type = messageTypeOfUrl(any.typeUrl);
  if (type === undefined) return undefined;
  try {
    checkWire(type, any.value);
    return { type, message: type.codec.decode(any.value) as object };
  } catch {
    return undefined;
  }
}

function isDefault(value: unknown): boolean {
  if (value instanceof Uint8Array || Array.isArray(value)) return value.length === 0;
  if (typeof value === "number") return Object.is(value, 0);
  return value === undefined || value === "" || value === false || value === 0n;
}

function shown(text: string | undefined, path: string): string {
  if (text === undefined) throw refused(path, "out of the range of protobuf JSON");
  return text;
}

function refused(path: string, why: string): ChainError {
  return new ChainError(ErrInvalidType, `${path}: ${why}`);
}
