import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import protobuf from "protobufjs";
import { findMessageType, type MessageType } from "../codec/message_types.ts";
import { fitsKind } from "../codec/scalars.ts";
import { checkWire } from "../codec/strict_wire.ts";
import { fromBase64, fromHex, toHex } from "../lib/bytes.ts";
import { parseInteger } from "../lib/int.ts";
import { ErrInvalidType } from "../types/sdk_errors.ts";
import { usageError } from "./cli_error.ts";

// JSON ↔ bytes with presence: a field is in one exactly when it is in the other, defaults
// included. Generated code cannot do that, because proto3 drops defaults; reflection over the same
// .proto files can. Every value is shown as it travels: decimals as atomics, an Any as its
// type_url and value, a time as seconds and nanos.

// Both src/cli and dist/cli are two levels below the package.
const PROTO_DIR = fileURLToPath(new URL("../../proto/", import.meta.url));

let loaded: protobuf.Root | undefined;

/** The messages of proto/, each field with explicit presence. */
function root(): protobuf.Root {
  if (loaded !== undefined) return loaded;
  const fresh = new protobuf.Root();
  for (const name of ["any", "duration", "empty", "timestamp"]) {
    const common = protobuf.common.get(`google/protobuf/${name}.proto`)?.nested;
    if (common !== undefined) fresh.addJSON(common);
  }
  const paths = readdirSync(PROTO_DIR, { recursive: true, encoding: "utf8" });
  for (const path of paths.filter((it) => it.endsWith(".proto"))) {
    const text = readFileSync(join(PROTO_DIR, path), "utf8");
    protobuf.parse(withPresence(text), fresh, { keepCase: true });
  }
  loaded = fresh;
  return fresh;
}

/** A proto3 text as edition 2023, which is the same wire format with presence of every field. */
function withPresence(text: string): string {
  const edition = text.replace(/^syntax = "proto3";/m, 'edition = "2023";');
  return edition === text ? text : edition.replace(/^(\s*)optional /gm, "$1");
}

interface Types {
  /** What protobufjs encodes and decodes. */
  readonly reflected: protobuf.Type;
  /** What the strict check walks. */
  readonly known: MessageType;
}

function typesOf(typeUrl: string): Types {
  const name = typeUrl.replace(/^\//, "");
  const known = findMessageType(name);
  if (known === undefined) {
    throw usageError(`no message type ${typeUrl}`, 'a type URL is "/package.Message"');
  }
  return { reflected: root().lookupType(name), known };
}

/**
 * Protobuf bytes, as lower-case hex, of a message given as JSON.
 * @param input type URL; JSON with proto field names, 64-bit integers as text, bytes as base64
 * @throws CliError (usage) with the JSON path of what does not fit.
 */
export function jsonToHex(input: { typeUrl: string; json: unknown }): string {
  const { reflected } = typesOf(input.typeUrl);
  const object = readObject(reflected, input.json, "$");
  return toHex(reflected.encode(reflected.fromObject(object)).finish());
}

/**
 * JSON of the message that bytes, given as hex, encode: exactly the fields that are there.
 * @throws CliError (usage) for text that is not hex; ChainError sdk/29 for bytes that the strict
 * decoder refuses, unknown fields among them.
 */
export function hexToJson(input: { typeUrl: string; hex: string }): Record<string, unknown> {
  const { reflected, known } = typesOf(input.typeUrl);
  const bytes = fromHex(input.hex.trim());
  if (bytes === undefined) throw usageError("not hex: an even number of digits 0-9 and a-f");
  // The Any shows its bytes, whatever they are.
  checkWire(known, bytes, { kind: ErrInvalidType, resolveAny: () => "opaque" });
  const message = reflected.decode(bytes);
  return reflected.toObject(message, { longs: String, bytes: String, enums: String });
}

/** Checks a JSON object against a type, and gives it the shape that protobufjs reads. */
function readObject(type: protobuf.Type, json: unknown, path: string): Record<string, unknown> {
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw misfit(path, "an object");
  }
  const object: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(json)) {
    const at = `${path}.${name}`;
    const field = type.fields[name];
    if (field === undefined) throw usageError(`${at}: no such field in ${type.fullName.slice(1)}`);
    object[name] = readField(field.resolve(), value, at);
  }
  return object;
}

function readField(field: protobuf.Field, json: unknown, path: string): unknown {
  if (field instanceof protobuf.MapField) {
    if (typeof json !== "object" || json === null || Array.isArray(json)) {
      throw misfit(path, "an object");
    }
    const entries = Object.entries(json);
    return Object.fromEntries(
      entries.map(([key, value]) => [key, readItem(field, value, `${path}.${key}`)]),
    );
  }
  if (!field.repeated) return readItem(field, json, path);
  if (!Array.isArray(json)) throw misfit(path, "an array");
  return json.map((item: unknown, index) => readItem(field, item, `${path}[${index}]`));
}

function readItem(field: protobuf.Field, json: unknown, path: string): unknown {
  const { resolvedType } = field;
  if (resolvedType instanceof protobuf.Type) return readObject(resolvedType, json, path);
  if (resolvedType instanceof protobuf.Enum) {
    if (typeof json === "number" && Number.isSafeInteger(json)) return json;
    if (typeof json === "string" && Object.hasOwn(resolvedType.values, json)) return json;
    throw misfit(path, `a value of ${resolvedType.fullName.slice(1)}`);
  }
  switch (field.type) {
    case "string":
      if (typeof json !== "string") throw misfit(path, "text");
      return json;
    case "bool":
      if (typeof json !== "boolean") throw misfit(path, "true or false");
      return json;
    case "bytes":
      if (typeof json !== "string" || fromBase64(json) === undefined) throw misfit(path, "base64");
      return fromBase64(json);
    case "double":
    case "float":
      if (typeof json !== "number") throw misfit(path, "a number");
      return json;
    default:
      return readInteger(field.type, json, path);
  }
}

function readInteger(kind: string, json: unknown, path: string): string | number {
  const isSafe = typeof json === "number" && Number.isSafeInteger(json);
  const integer = typeof json === "string" ? parseInteger(json) : isSafe ? BigInt(json) : undefined;
  if (integer === undefined || !fitsKind(integer, kind as Parameters<typeof fitsKind>[1])) {
    throw misfit(path, `an integer that fits ${kind}`);
  }
  return kind.endsWith("64") ? integer.toString() : Number(integer);
}

function misfit(path: string, expected: string) {
  return usageError(`${path}: expected ${expected}`);
}
