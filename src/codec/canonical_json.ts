import { compareBytes, utf8 } from "../lib/bytes.ts";
import { ChainError } from "../lib/errors.ts";
import { compareKeys } from "../lib/key_map.ts";
import { ErrInvalidType } from "../types/sdk_errors.ts";

/** What JSON can hold. Integers beyond 2^53 travel as text. */
export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

export type JsonObject = { [key: string]: JsonValue };

export function isJsonObject(value: JsonValue): value is { readonly [key: string]: JsonValue } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const MAX_DEPTH = 128;

/**
 * The one JSON text of a value: keys in byte order, no spaces, nothing dropped.
 * @throws ChainError sdk/29 with the JSON path for what has no exact text: bigint (convert it to
 * text first), fractions, numbers beyond 2^53, undefined, and objects that are not plain.
 */
export function canonicalJson(value: unknown): string {
  return text(value, "$", 0);
}

/** Canonical JSON with & < > escaped, as Go's encoder writes it and as amino sign bytes need it. */
export function canonicalJsonForSigning(value: unknown): string {
  return canonicalJson(value)
    .replaceAll("&", "\\u0026")
    .replaceAll("<", "\\u003c")
    .replaceAll(">", "\\u003e");
}

function text(value: unknown, path: string, depth: number): string {
  if (depth > MAX_DEPTH) throw refused(path, `nested deeper than ${MAX_DEPTH}`);
  if (value === null || typeof value === "boolean") return `${value}`;
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "number") {
    if (!Number.isSafeInteger(value)) throw refused(path, `${value} is not an exact integer`);
    // -0 prints as 0.
    return `${value}`;
  }
  if (Array.isArray(value)) {
    const items = value.map((item, index) => text(item, `${path}[${index}]`, depth + 1));
    // map() skips holes; a hole is an undefined.
    if (Object.keys(value).length !== value.length) throw refused(path, "an array with holes");
    return `[${items.join(",")}]`;
  }
  if (isPlainObject(value)) {
    const members = sortedByBytes(Object.keys(value)).map((key) => {
      return `${JSON.stringify(key)}:${text(value[key], `${path}.${key}`, depth + 1)}`;
    });
    return `{${members.join(",")}}`;
  }
  const kind = typeof value === "object" ? value.constructor.name : typeof value;
  throw refused(path, `${kind} has no JSON form`);
}

function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** By UTF-8 bytes. The order of `<` is the same but where surrogates take part. */
function sortedByBytes(keys: string[]): string[] {
  const isPlain = !keys.some((key) => /[\ud800-\udfff]/.test(key));
  return keys.sort(isPlain ? compareKeys : (a, b) => compareBytes(utf8(a), utf8(b)));
}

function refused(path: string, why: string): ChainError {
  return new ChainError(ErrInvalidType, `${path}: ${why}`);
}
