import type { Any } from "../gen/google/protobuf/any.ts";
import type { FieldSchema, ScalarKind } from "../gen/schema.ts";
import { fromBase64 } from "../lib/bytes.ts";
import { ChainError } from "../lib/errors.ts";
import { parseInteger, toSafeNumber } from "../lib/int.ts";
import { KeyMap } from "../lib/key_map.ts";
import { parseDec } from "../types/dec.ts";
import { ErrInvalidType } from "../types/sdk_errors.ts";
import { parseTime } from "../types/time.ts";
import {
  enumTypeOfField,
  type MessageType,
  messageTypeOfField,
  messageTypeOfUrl,
} from "./message_types.ts";
import { durationOfText, fitsKind, timeOfTimestamp, timestampOfTime } from "./scalars.ts";

const MAX_DEPTH = 48;

type Members = Readonly<Record<string, unknown>>;

/** Reads a message of a type out of a JSON value. See messageFromJson. */
export function readMessage(type: MessageType, json: unknown, verbatimDecs: boolean): unknown {
  return new Reader(verbatimDecs).fields(type, json, "$", 1);
}

class Reader {
  readonly #verbatimDecs: boolean;

  constructor(verbatimDecs: boolean) {
    this.#verbatimDecs = verbatimDecs;
  }

  fields(type: MessageType, json: unknown, path: string, depth: number): unknown {
    if (depth > MAX_DEPTH) throw refused(path, `nested deeper than ${MAX_DEPTH}`);
    const partial: Record<string, unknown> = {};
    const seen = new KeyMap<true>();
    for (const [name, value] of Object.entries(objectAt(json, path))) {
      const at = `${path}.${name}`;
      const field = type.fieldOfName(name);
      if (field === undefined) throw refused(at, `unknown field of ${type.name}`);
      if (value === null) continue;
      if (seen.has(field.key)) throw refused(at, "given twice");
      seen.set(field.key, true);
      if (field.oneof !== undefined) {
        if (seen.has(`oneof ${field.oneof}`)) throw refused(at, `${field.oneof} is set already`);
        seen.set(`oneof ${field.oneof}`, true);
      }
      partial[field.key] = this.#field(field, value, at, depth);
    }
    return type.codec.fromPartial(partial);
  }

  #field(field: FieldSchema, json: unknown, path: string, depth: number): unknown {
    if (field.map !== undefined) return this.#map(field, json, path, depth);
    if (field.repeated !== true) return this.#item(field, json, path, depth);
    if (!Array.isArray(json)) throw wrongKind(path, "array", json);
    return json.map((item: unknown, index) => this.#item(field, item, `${path}[${index}]`, depth));
  }

  #map(field: FieldSchema, json: unknown, path: string, depth: number): unknown {
    const entries = Object.entries(objectAt(json, path)).map(([key, value]) => {
      const at = `${path}.${key}`;
      // Generated code keeps maps as plain objects, where this name does not stick.
      if (key === "__proto__") throw refused(at, "not a possible key");
      textAt(key, at);
      return [key, this.#item(field, value, at, depth)] as const;
    });
    return Object.fromEntries(entries);
  }

  #item(field: FieldSchema, json: unknown, path: string, depth: number): unknown {
    switch (field.kind) {
      case "string":
        return this.#text(field, json, path);
      case "bytes":
        return bytesAt(json, path);
      case "bool":
        if (typeof json !== "boolean") throw wrongKind(path, "boolean", json);
        return json;
      case "enum":
        return enumAt(field, json, path);
      case "message":
        return this.#message(messageTypeOfField(field), json, path, depth + 1);
      case "double":
      case "float":
        return numberAt(json, path);
      case "int32":
      case "sint32":
      case "sfixed32":
      case "uint32":
      case "fixed32":
        return toSafeNumber(integerAt(field.kind, json, path));
      case "int64":
      case "sint64":
      case "sfixed64":
      case "uint64":
      case "fixed64":
        return integerAt(field.kind, json, path);
    }
  }

  #text(field: FieldSchema, json: unknown, path: string): string {
    const text = textAt(json, path);
    if (field.scalar !== "cosmos.Dec" || this.#verbatimDecs || text === "") return text;
    const dec = parseDec(text);
    if (dec === undefined) {
      throw refused(path, `expected a decimal with at most 18 places, found ${quoted(text)}`);
    }
    return dec.toString();
  }

  #message(type: MessageType, json: unknown, path: string, depth: number): unknown {
    switch (type.name) {
      case "google.protobuf.Any":
        return this.#any(json, path, depth);
      case "google.protobuf.Timestamp": {
        const time = parseTime(textAt(json, path));
        const timestamp = time === undefined ? undefined : timestampOfTime(time);
        if (timestamp !== undefined && timeOfTimestamp(timestamp) !== undefined) return timestamp;
        throw refused(path, `expected an RFC 3339 time, found ${quoted(textAt(json, path))}`);
      }
      case "google.protobuf.Duration": {
        const duration = durationOfText(textAt(json, path));
        if (duration !== undefined) return duration;
        throw refused(path, `expected seconds such as "1.5s", found ${quoted(textAt(json, path))}`);
      }
      default:
        return this.fields(type, json, path, depth);
    }
  }

  #any(json: unknown, path: string, depth: number): Any {
    const { "@type": typeUrl, ...members } = objectAt(json, path);
    if (typeof typeUrl !== "string") throw wrongKind(`${path}.@type`, "string", typeUrl);
    const type = messageTypeOfUrl(typeUrl);
    if (type === undefined) {
      throw refused(`${path}.@type`, `unable to resolve type URL ${quoted(typeUrl)}`);
    }
    // A message that JSON shows as text stands beside its "@type" as "value".
    const message = hasSpecialJson(type)
      ? this.#message(type, onlyValue(members, path), `${path}.value`, depth + 1)
      : this.fields(type, members, path, depth + 1);
    const { codec } = type;
    return { typeUrl, value: codec.encode(codec.fromPartial(message)).finish() };
  }
}

function hasSpecialJson(type: MessageType): boolean {
  return /^google\.protobuf\.(Any|Timestamp|Duration)$/.test(type.name);
}

function onlyValue(members: Members, path: string): unknown {
  const other = Object.keys(members).find((name) => name !== "value");
  if (other !== undefined) throw refused(`${path}.${other}`, "unknown field");
  return members["value"];
}

function objectAt(json: unknown, path: string): Members {
  if (typeof json === "object" && json !== null && !Array.isArray(json)) return json as Members;
  throw wrongKind(path, "object", json);
}

function textAt(json: unknown, path: string): string {
  if (typeof json !== "string") throw wrongKind(path, "string", json);
  // A lone surrogate has no UTF-8 form; encoding would replace it in silence.
  if (/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/.test(json)) {
    throw refused(path, "text with a lone surrogate");
  }
  return json;
}

function bytesAt(json: unknown, path: string): Uint8Array {
  const bytes = typeof json === "string" ? fromBase64(json) : undefined;
  if (bytes === undefined) throw wrongKind(path, "base64 text", json);
  return bytes;
}

/** The one place of the core that meets fractions: two fields of the fiat messages, unused. */
function numberAt(json: unknown, path: string): number {
  if (typeof json === "number") return json;
  if (json === "NaN") return NaN;
  if (json === "Infinity") return Infinity;
  if (json === "-Infinity") return -Infinity;
  throw wrongKind(path, "number", json);
}

function integerAt(kind: ScalarKind | "enum", json: unknown, path: string): bigint {
  const integer = exactInteger(json);
  if (integer === undefined) throw wrongKind(path, `integer (${kind})`, json);
  if (!fitsKind(integer, kind)) throw refused(path, `${integer} is out of range for ${kind}`);
  return integer;
}

function exactInteger(json: unknown): bigint | undefined {
  if (typeof json === "number") return Number.isSafeInteger(json) ? BigInt(json) : undefined;
  // 20 digits and a sign hold every 64-bit integer.
  return typeof json === "string" && json.length <= 21 ? parseInteger(json) : undefined;
}

function enumAt(field: FieldSchema, json: unknown, path: string): number {
  if (typeof json === "number") return toSafeNumber(integerAt("enum", json, path));
  const type = enumTypeOfField(field);
  const no = typeof json === "string" ? type.numberOf(json) : undefined;
  if (no === undefined) throw wrongKind(path, `a value of ${type.name}`, json);
  return no;
}

function wrongKind(path: string, expected: string, found: unknown): ChainError {
  const what =
    found === null
      ? "null"
      : Array.isArray(found)
        ? "array"
        : typeof found === "string"
          ? quoted(found)
          : typeof found === "number" || typeof found === "boolean"
            ? `${found}`
            : typeof found;
  return refused(path, `expected ${expected}, found ${what}`);
}

function quoted(text: string): string {
  return `"${text.length > 60 ? `${text.slice(0, 60)}…` : text}"`;
}

function refused(path: string, why: string): ChainError {
  return new ChainError(ErrInvalidType, `${path}: ${why}`);
}
