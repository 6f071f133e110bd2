import { readFileSync } from "node:fs";
import { messageFromJson } from "../codec/proto_json.ts";
import type { FieldKind, FieldSchema } from "../gen/schema.ts";
import { fromBase64, fromHex, utf8 } from "../lib/bytes.ts";
import { ChainError } from "../lib/errors.ts";
import { parseInteger } from "../lib/int.ts";
import { parseCoinsText, wireCoins } from "../types/coins.ts";
import { parseDec } from "../types/dec.ts";
import { isDenom } from "../types/denom.ts";
import { parseTime, secondsOf, timeOfSeconds, type TimeNs } from "../types/time.ts";
import { usageError } from "./cli_error.ts";
import { enumSchema, isAddressField } from "./schema_index.ts";

/** What turning text into values needs from outside. */
export interface ValueContext {
  /** The address of a key's name; any other text as it is. */
  address(text: string): string;
  now(): TimeNs;
}

const COIN = "cosmos.base.v1beta1.Coin";
const DEC_COIN = "cosmos.base.v1beta1.DecCoin";

/** What a flag of this field looks like, for help: "coins", "time", "text". */
export function placeholderOf(field: FieldSchema): string {
  if (field.typeName === COIN) return field.repeated === true ? "coins" : "coin";
  if (field.typeName === DEC_COIN) return "price";
  if (field.kind === "message") return "json";
  if (isAddressField(field)) return "address";
  if (isTimeField(field)) return "time";
  if (isDurationField(field)) return "duration";
  const names: Partial<Record<FieldSchema["kind"], string>> = {
    ...{ string: "text", bytes: "bytes", bool: "", enum: "name" },
  };
  return names[field.kind] ?? "number";
}

/** How values of a field are written, for help. */
export function formatHelp(field: FieldSchema): string {
  const words: Record<string, string> = {
    coins: "such as 10uve,5uusd",
    coin: "such as 10uve",
    price: "such as 1.5uve",
    json: "JSON with proto field names",
    address: "or the name of a key",
    time: 'RFC 3339, unix seconds, "now" or "2h ago"',
    duration: "seconds, or such as 90s, 24h, 30d",
    bytes: "0x and hex, base64, or @file",
  };
  return words[placeholderOf(field)] ?? "";
}

/**
 * The value of a field from the texts of its flag, in the form of generated messages.
 * @throws CliError naming the flag, what was expected and what was found
 */
export function parseFieldTexts(
  field: FieldSchema,
  flag: string,
  texts: readonly string[],
  context: ValueContext,
): unknown {
  const bad = (expected: string, text: string) =>
    usageError(`${flag}: expected ${expected}, found "${text}"`);
  const reader: Reader = { field, flag, context, bad };
  if (field.map !== undefined) return readMap(reader, texts);
  if (field.repeated !== true) return readOne(reader, texts.at(-1) ?? "");
  if (field.typeName === COIN) return readCoins(reader, texts.join(","));
  return texts.map((text) => readOne(reader, text));
}

interface Reader {
  readonly field: FieldSchema;
  readonly flag: string;
  readonly context: ValueContext;
  bad(expected: string, text: string): Error;
}

function readMap(reader: Reader, texts: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(
    texts.map((text) => {
      const at = text.indexOf("=");
      if (at < 1) throw reader.bad("key=value", text);
      return [text.slice(0, at), readOne(reader, text.slice(at + 1))];
    }),
  );
}

const READERS: Partial<Record<FieldKind, (reader: Reader, text: string) => unknown>> = {
  string: readText,
  bytes: readBytes,
  bool: readBoolean,
  enum: readEnum,
  message: readMessage,
  double: readDecimal,
  float: readDecimal,
};

function readOne(reader: Reader, text: string): unknown {
  // All other kinds are integers.
  return (READERS[reader.field.kind] ?? readInteger)(reader, text);
}

function readText(reader: Reader, text: string): string {
  if (reader.field.scalar === "cosmos.Dec") return readDec(reader, text);
  return isAddressField(reader.field) ? reader.context.address(text) : text;
}

function readBoolean({ bad }: Reader, text: string): boolean {
  if (text !== "true" && text !== "false") throw bad("true or false", text);
  return text === "true";
}

function readDecimal({ bad }: Reader, text: string): number {
  if (!/^-?[0-9]+(\.[0-9]+)?$/.test(text)) throw bad("a number", text);
  return Number(text);
}

function readMessage(reader: Reader, text: string): unknown {
  const { field, flag, bad } = reader;
  if (field.typeName === COIN) {
    const coins = readCoins(reader, text);
    if (coins.length !== 1) throw bad("one coin such as 10uve", text);
    return coins[0];
  }
  if (field.typeName === DEC_COIN) {
    const match = /^([0-9.]+)([a-zA-Z].*)$/.exec(text.trim());
    const amount = parseDec(match?.[1] ?? "");
    const denom = match?.[2] ?? "";
    if (amount === undefined || !isDenom(denom)) throw bad("a price such as 1.5uve", text);
    return { denom, amount: amount.toString() };
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw bad("JSON", text);
  }
  try {
    return messageFromJson(field.typeName ?? "", json);
  } catch (error) {
    if (error instanceof ChainError) throw usageError(`${flag}: ${error.message}`);
    throw error;
  }
}

function readCoins({ flag, bad }: Reader, text: string) {
  try {
    return wireCoins(parseCoinsText(text));
  } catch (error) {
    if (error instanceof Error) throw usageError(`${flag}: ${error.message}`);
    throw bad("coins such as 10uve,5uusd", text);
  }
}

function readDec({ bad }: Reader, text: string): string {
  const dec = parseDec(text);
  if (dec === undefined) throw bad("a decimal such as 1.5", text);
  return dec.toString();
}

function readBytes({ flag, bad }: Reader, text: string): Uint8Array {
  if (text.startsWith("@")) {
    try {
      return Uint8Array.from(readFileSync(text.slice(1)));
    } catch {
      throw usageError(`${flag}: cannot read the file ${text.slice(1)}`);
    }
  }
  if (text.startsWith("text:")) return utf8(text.slice(5));
  const bytes = text.startsWith("0x") ? fromHex(text.slice(2)) : fromBase64(text);
  if (bytes === undefined) throw bad("0x and hex, base64, or @file", text);
  return bytes;
}

function readEnum({ field, bad }: Reader, text: string): number {
  const { values } = enumSchema(field.typeName ?? "");
  const upper = text.toUpperCase().replaceAll("-", "_");
  const found = values.find(
    ({ name, no }) => name === upper || name.endsWith(`_${upper}`) || String(no) === text,
  );
  if (found === undefined) throw bad(`one of ${values.map(({ name }) => name).join(", ")}`, text);
  return found.no;
}

function readInteger(reader: Reader, text: string): bigint | number {
  const { field, bad } = reader;
  const { kind } = field;
  const value = readSpecialInteger(reader, text) ?? parseInteger(text);
  const wide = kind.endsWith("64");
  const signed = !/^(uint|fixed)/.test(kind);
  const bits = wide ? 64n : 32n;
  const [min, max] = signed
    ? [-(1n << (bits - 1n)), (1n << (bits - 1n)) - 1n]
    : [0n, (1n << bits) - 1n];
  if (value === undefined || value < min || value > max) {
    throw bad(`${placeholderOf(field)} from ${min} to ${max}`, text);
  }
  return wide ? value : Number(value);
}

function readSpecialInteger({ field, context }: Reader, text: string): bigint | undefined {
  if (isDurationField(field)) return parseDuration(text);
  if (!isTimeField(field)) return undefined;
  const time = parseInstant(text, context.now());
  if (time === undefined) return undefined;
  return field.name.endsWith("_ns") ? time : secondsOf(time);
}

function isTimeField(field: FieldSchema): boolean {
  return field.kind === "int64" && /(^|_)(start|end|from|to|time|at)(_ns)?$/.test(field.name);
}

function isDurationField(field: FieldSchema): boolean {
  const words = /(_in|_period|_duration|_expiry|_after|_delay|_drift|_window)$/;
  return field.kind === "uint64" && words.test(field.name);
}

const UNITS: Readonly<Record<string, bigint>> = { s: 1n, m: 60n, h: 3600n, d: 86_400n };

/** Seconds of "90s", "5m", "24h", "30d"; undefined for other text. */
export function parseDuration(text: string): bigint | undefined {
  const match = /^([0-9]{1,12})(s|m|h|d)$/.exec(text);
  const unit = UNITS[match?.[2] ?? ""];
  return match === null || unit === undefined ? undefined : BigInt(match[1] ?? "0") * unit;
}

/** An instant: RFC 3339, "now", or "2h ago"; unix seconds are left to the caller. */
export function parseInstant(text: string, now: TimeNs): TimeNs | undefined {
  if (text === "now") return now;
  const ago = /^(.+) ago$/.exec(text);
  if (ago === null) return parseTime(text);
  const seconds = parseDuration((ago[1] ?? "").replaceAll(" ", ""));
  return seconds === undefined ? undefined : ((now - timeOfSeconds(seconds)) as TimeNs);
}
