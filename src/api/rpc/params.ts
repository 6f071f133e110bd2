import { fromHex, fromUtf8, utf8 } from "../../lib/bytes.ts";
import { parseTime, type TimeNs } from "../../types/time.ts";
import { invalidParams } from "./errors.ts";
import { isObject, own } from "./json.ts";

/**
 * The kinds of parameters and what a handler gets of each.
 *
 * | kind | in JSON | in the address of a GET |
 * | --- | --- | --- |
 * | int | whole number, or text of one; 64 bits | bare or quoted |
 * | text | text | quoted, bare, or 0x and hex of UTF-8 |
 * | flag | true, false, or text of one | bare or quoted |
 * | base64 | base64 | 0x and hex, quoted raw text, or bare base64 |
 * | hex | hex, with or without 0x | 0x and hex, quoted raw text, or bare hex |
 * | hash | 32 bytes: base64 or hex, with or without 0x | the same, bare or quoted |
 * | time | RFC 3339, or text of nanoseconds since 1970 | the same, bare or quoted |
 */
export interface ParamTypes {
  readonly int: bigint;
  readonly text: string;
  readonly flag: boolean;
  readonly base64: Uint8Array;
  readonly hex: Uint8Array;
  readonly hash: Uint8Array;
  readonly time: TimeNs;
}

export type ParamKind = keyof ParamTypes;
export type ParamValue = ParamTypes[ParamKind];

/** Names and kinds; the order of the names is that of positional parameters. */
export type ParamSpecs = Readonly<Record<string, ParamKind>>;

/** What a handler with these parameters gets: undefined is not given. */
export type ParamsOf<S extends ParamSpecs> = {
  readonly [Name in keyof S]: ParamTypes[S[Name]] | undefined;
};

export type ParamValues = Readonly<Record<string, ParamValue | undefined>>;

const INT64_MAX = 2n ** 63n - 1n;
const HASH_BYTES = 32;
const SHOWN = 64;

/**
 * The parameters of a JSON-RPC request, an object by name or a list by position. null and a missing
 * one are not given; names that the method does not have are ignored, as CometBFT does.
 * @throws RpcError -32602
 */
export function paramsFromJson(specs: ParamSpecs, raw: unknown): ParamValues {
  const source = "error converting json params to arguments";
  const names = Object.keys(specs);
  if (raw === undefined || raw === null) return {};
  if (Array.isArray(raw)) {
    if (raw.length > names.length) {
      throw invalidParams(
        `${source}: expected ${names.length} parameters ([${names.join(" ")}]), got ${raw.length}`,
      );
    }
    return read(specs, source, (name) => jsonValue(specs, name, raw[names.indexOf(name)]));
  }
  if (!isObject(raw)) throw invalidParams(`${source}: expected an object or a list`);
  return read(specs, source, (name) => jsonValue(specs, name, own(raw, name)));
}

/**
 * The parameters of a GET address. Empty ones are not given; of repeated ones the first counts.
 * @throws RpcError -32602
 */
export function paramsFromUri(specs: ParamSpecs, search: URLSearchParams): ParamValues {
  return read(specs, "error converting http params to arguments", (name) => {
    const text = search.get(name);
    return text === null || text === "" ? undefined : uriValue(kindOf(specs, name), text);
  });
}

/** The value of a parameter that the method cannot do without. */
export function required<T>(name: string, value: T | undefined): T {
  if (value === undefined) throw invalidParams(`${name} is missing`);
  return value;
}

class Unreadable extends Error {}

function read(
  specs: ParamSpecs,
  source: string,
  value: (name: string) => ParamValue | undefined,
): ParamValues {
  const values: Record<string, ParamValue | undefined> = {};
  for (const name of Object.keys(specs)) {
    try {
      values[name] = value(name);
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error;
      throw invalidParams(`${source}: ${name}: ${error.message}`);
    }
  }
  return values;
}

function kindOf(specs: ParamSpecs, name: string): ParamKind {
  return specs[name] as ParamKind;
}

function jsonValue(specs: ParamSpecs, name: string, value: unknown): ParamValue | undefined {
  if (value === undefined || value === null) return undefined;
  const kind = kindOf(specs, name);
  if (kind === "int" && typeof value === "number") {
    if (!Number.isSafeInteger(value)) throw unreadable(kind, String(value));
    return BigInt(value);
  }
  if (kind === "flag" && typeof value === "boolean") return value;
  if (typeof value !== "string") throw unreadable(kind, `a JSON ${typeof value}`);
  if (kind === "base64") return bytes(kind, value, fromBase64(value));
  if (kind === "hex") return bytes(kind, value, fromHex(withoutPrefix(value)));
  return plainValue(kind, value);
}

function uriValue(kind: ParamKind, text: string): ParamValue {
  const quoted = unquoted(kind, text);
  if (kind === "text") {
    if (quoted !== undefined) return quoted;
    if (!isPrefixed(text)) return text;
    const decoded = fromHex(withoutPrefix(text));
    const plain = decoded === undefined ? undefined : fromUtf8(decoded);
    if (plain === undefined) throw unreadable(kind, text);
    return plain;
  }
  if (kind === "base64" || kind === "hex") {
    if (quoted !== undefined) return utf8(quoted);
    if (kind === "hex" || isPrefixed(text)) return bytes(kind, text, fromHex(withoutPrefix(text)));
    return bytes(kind, text, fromBase64(spacesToPlus(text)));
  }
  return plainValue(kind, quoted ?? text);
}

function plainValue(kind: "int" | "text" | "flag" | "hash" | "time", text: string): ParamValue {
  switch (kind) {
    case "text":
      return text;
    case "int": {
      const value = /^-?[0-9]{1,19}$/.test(text) ? BigInt(text) : undefined;
      if (value === undefined || value > INT64_MAX || value < -INT64_MAX) {
        throw unreadable(kind, text);
      }
      return value;
    }
    case "flag":
      if (text === "true") return true;
      if (text === "false") return false;
      throw unreadable(kind, text);
    case "hash": {
      // 64 hex characters are 48 bytes of base64, so that the two forms cannot be confused.
      const forms = [fromHex(withoutPrefix(text)), fromBase64(spacesToPlus(text))];
      const hash = forms.find((form) => form?.length === HASH_BYTES);
      return bytes(kind, text, hash);
    }
    case "time": {
      const time = /^[0-9]{1,19}$/.test(text) ? (BigInt(text) as TimeNs) : parseTime(text);
      if (time === undefined || time > INT64_MAX) throw unreadable(kind, text);
      return time;
    }
  }
}

const expected: Readonly<Record<ParamKind, string>> = {
  int: "a whole number of at most 64 bits",
  text: "text",
  flag: "true or false",
  base64: "bytes in base64",
  hex: "bytes in hex",
  hash: "a hash of 32 bytes in hex or base64",
  time: "a time in RFC 3339, or nanoseconds since 1970 as text",
};

function unreadable(kind: ParamKind, found: string): Unreadable {
  const shown = found.length > SHOWN ? `${found.slice(0, SHOWN)}…` : found;
  return new Unreadable(`expected ${expected[kind]}, got ${JSON.stringify(shown)}`);
}

function bytes(kind: ParamKind, text: string, decoded: Uint8Array | undefined): Uint8Array {
  if (decoded === undefined) throw unreadable(kind, text);
  return decoded;
}

/**
 * Bytes of standard or URL-safe base64, padded or not; undefined for anything else. As `fromBase64`
 * of src/lib/bytes.ts, but native: every tx comes through here.
 */
function fromBase64(text: string): Uint8Array | undefined {
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  if ((text.length - padding) % 4 === 1 || !/^[A-Za-z0-9+/_-]*={0,2}$/.test(text)) return undefined;
  const { buffer, byteOffset, length } = Buffer.from(text, "base64");
  return new Uint8Array(buffer, byteOffset, length);
}

function isPrefixed(text: string): boolean {
  return /^0x/i.test(text);
}

function withoutPrefix(text: string): string {
  return isPrefixed(text) ? text.slice(2) : text;
}

// In an address a plus sign stands for a space; base64 has pluses and no spaces.
function spacesToPlus(text: string): string {
  return text.replaceAll(" ", "+");
}

function unquoted(kind: ParamKind, text: string): string | undefined {
  if (!text.startsWith('"')) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "string") return value;
  } catch {
    // The same answer as for any other text that is not of the kind.
  }
  throw unreadable(kind, text);
}
