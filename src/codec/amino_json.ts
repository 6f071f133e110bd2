import type { FieldSchema } from "../gen/schema.ts";
import { toBase64 } from "../lib/bytes.ts";
import { ChainError } from "../lib/errors.ts";
import { type Dec, formatDec } from "../types/dec.ts";
import { ErrNotSupported } from "../types/sdk_errors.ts";
import { formatTime, NS_PER_SECOND } from "../types/time.ts";
import { unpackAny } from "./any.ts";
import type { JsonObject, JsonValue } from "./canonical_json.ts";
import { aminoNameOf, type MessageType, messageTypeOfField } from "./message_types.ts";
import { decAtomics, type SecondsNanos, timeOfTimestamp } from "./scalars.ts";

const MAX_DEPTH = 48;

/** A message as amino JSON shows it inside a sign doc. */
export type AminoMsg = { readonly type: string; readonly value: JsonValue };

/**
 * The {type, value} of a message, as SIGN_MODE_LEGACY_AMINO_JSON signs it: empty fields are left
 * out unless their dont_omitempty is set, 64-bit integers are text, 32-bit ones numbers, enums
 * numbers, bytes base64, cosmos.Dec a decimal with 18 places, durations nanoseconds.
 * @throws ChainError sdk/37 when the message, or a part of it, has no amino form.
 */
export function aminoMsg(type: MessageType, message: unknown): AminoMsg {
  return namedValue(type, message, 1);
}

function namedValue(type: MessageType, message: unknown, depth: number): AminoMsg {
  const { aminoName } = type.schema;
  if (aminoName === undefined) throw unsupported(`${type.typeUrl} has no amino name`);
  return { type: aminoName, value: messageValue(type, message, depth) };
}

function messageValue(type: MessageType, message: unknown, depth: number): JsonValue {
  if (depth > MAX_DEPTH) throw unsupported(`messages nested deeper than ${MAX_DEPTH}`);
  const fields = message as Readonly<Record<string, unknown>>;
  const special = specialValue(type, fields, depth);
  if (special !== undefined) return special;
  const value: JsonObject = {};
  for (const field of type.aminoFields) {
    const json = fieldValue(type, field, fields[field.key], depth);
    if (json !== undefined) value[aminoNameOf(field)] = json;
  }
  return value;
}

/** The JSON of messages that amino does not show as an object of their fields. */
function specialValue(
  type: MessageType,
  fields: Readonly<Record<string, unknown>>,
  depth: number,
): JsonValue | undefined {
  switch (type.name) {
    case "google.protobuf.Timestamp": {
      const time = timeOfTimestamp(secondsNanos(fields));
      if (time === undefined) throw unsupported("a timestamp outside years 1 to 9999");
      return formatTime(time);
    }
    case "google.protobuf.Duration": {
      const { seconds, nanos } = secondsNanos(fields);
      return `${seconds * NS_PER_SECOND + BigInt(nanos)}`;
    }
    case "google.protobuf.Any": {
      const typeUrl = fields["typeUrl"] as string;
      const inner = unpackAny({ typeUrl, value: fields["value"] as Uint8Array });
      return namedValue(inner.type, inner.message, depth + 1);
    }
    default:
      return encodedValue(type, fields, depth);
  }
}

function secondsNanos(fields: Readonly<Record<string, unknown>>): SecondsNanos {
  return { seconds: fields["seconds"] as bigint, nanos: fields["nanos"] as number };
}

function encodedValue(
  type: MessageType,
  fields: Readonly<Record<string, unknown>>,
  depth: number,
): JsonValue | undefined {
  switch (type.schema.aminoEncoding) {
    case undefined:
      return undefined;
    case "key_field": {
      const key = fields["key"] as Uint8Array;
      return key.length === 0 ? null : toBase64(key);
    }
    case "threshold_string": {
      const field = type.fieldOfName("public_keys") as FieldSchema;
      const pubkeys = fieldValue(type, field, fields["publicKeys"], depth) ?? [];
      return { pubkeys, threshold: `${fields["threshold"] as number}` };
    }
    default:
      throw unsupported(`amino encoding ${type.schema.aminoEncoding} of ${type.name}`);
  }
}

/** The JSON of a field, or undefined when it is left out. */
function fieldValue(
  type: MessageType,
  field: FieldSchema,
  value: unknown,
  depth: number,
): JsonValue | undefined {
  const name = `${type.name}.${field.name}`;
  if (field.oneof !== undefined || field.map !== undefined) {
    throw unsupported(`${name}: amino JSON has no oneofs and no maps`);
  }
  if (field.repeated === true) {
    const list = value as readonly unknown[];
    if (list.length > 0) return list.map((item) => itemValue(field, name, item, depth));
    if (field.dontOmitEmpty !== true) return undefined;
    return field.aminoEncoding === "legacy_coins" ? [] : null;
  }
  if (isEmpty(value)) {
    if (field.dontOmitEmpty !== true) return undefined;
    if (field.kind === "message") throw unsupported(`${name} must be set`);
  }
  return itemValue(field, name, value, depth);
}

function isEmpty(value: unknown): boolean {
  if (value instanceof Uint8Array) return value.length === 0;
  return value === undefined || value === "" || value === false || value === 0 || value === 0n;
}

function itemValue(field: FieldSchema, name: string, value: unknown, depth: number): JsonValue {
  switch (field.kind) {
    case "string":
      return textValue(field, name, value as string);
    case "bytes": {
      const bytes = value as Uint8Array;
      return bytes.length === 0 ? null : toBase64(bytes);
    }
    case "bool":
    case "enum":
    case "int32":
    case "sint32":
    case "sfixed32":
    case "uint32":
    case "fixed32":
      return value as boolean | number;
    case "int64":
    case "sint64":
    case "sfixed64":
    case "uint64":
    case "fixed64":
      return `${value as bigint}`;
    case "message":
      return messageValue(messageTypeOfField(field), value, depth + 1);
    case "double":
    case "float":
      throw unsupported(`${name}: amino JSON has no fractions`);
  }
}

function textValue(field: FieldSchema, name: string, text: string): string {
  const isDec = field.scalar === "cosmos.Dec";
  if (!isDec && field.scalar !== "cosmos.Int") return text;
  if (text === "") return "0";
  if (!isDec) return text;
  const atomics = decAtomics(text);
  if (atomics === undefined) throw unsupported(`${name}: "${text.slice(0, 100)}" is not a number`);
  return formatDec(atomics as Dec);
}

function unsupported(detail: string): ChainError {
  return new ChainError(ErrNotSupported, detail);
}
