import { Any } from "../gen/google/protobuf/any.ts";
import type { FieldKind, FieldSchema } from "../gen/schema.ts";
import { fromUtf8 } from "../lib/bytes.ts";
import { ChainError, type ErrorKind } from "../lib/errors.ts";
import { KeyMap } from "../lib/key_map.ts";
import { ErrTxDecode } from "../types/sdk_errors.ts";
import {
  type MessageType,
  messageTypeNamed,
  messageTypeOfField,
  messageTypeOfUrl,
} from "./message_types.ts";
import { DELIMITED, FIXED32, FIXED64, VARINT, WireCursor } from "./wire_cursor.ts";

/** Messages and Anys inside each other, at most. Well below what generated decoders allow. */
const MAX_DEPTH = 48;
/** Field numbers with this bit are non-critical: a reader that does not know them may go on. */
const NON_CRITICAL_BIT = 1 << 10;
const ANY = "google.protobuf.Any";
const ANY_TYPE = messageTypeNamed(ANY);

/** Which message an Any may hold; undefined refuses it, "opaque" leaves its value unread. */
export type AnyResolver = (
  typeUrl: string,
  holder: MessageType,
  field: FieldSchema,
) => MessageType | "opaque" | undefined;

export interface StrictOptions {
  /** Error kind of every refusal. Default: sdk/2, tx parse error. */
  readonly kind?: ErrorKind;
  /** Unknown fields whose number has bit 11 set pass. Default: false. */
  readonly allowNonCritical?: boolean;
  /** Default: any message of the wire contract. */
  readonly resolveAny?: AnyResolver;
}

/**
 * Checks received bytes against the schema of a message, Anys included: everything that a lenient
 * decoder would drop, repair or guess is refused. After it the generated decoder reads every byte.
 * Refused: unknown fields, wire types that do not fit, truncation, lengths past the end, groups,
 * numbers out of range, text that is not UTF-8, a singular field or a oneof given twice, type URLs
 * that do not resolve, nesting deeper than 48.
 * @returns true when unknown non-critical fields were passed over.
 * @throws ChainError
 */
export function checkWire(
  type: MessageType,
  bytes: Uint8Array,
  options: StrictOptions = {},
): boolean {
  return new StrictWalk(options).walk(type, bytes);
}

class StrictWalk {
  readonly #kind: ErrorKind;
  readonly #allowNonCritical: boolean;
  readonly #resolveAny: AnyResolver;
  #hasUnknown = false;

  constructor(options: StrictOptions) {
    this.#kind = options.kind ?? ErrTxDecode;
    this.#allowNonCritical = options.allowNonCritical ?? false;
    this.#resolveAny = options.resolveAny ?? messageTypeOfUrl;
  }

  walk(type: MessageType, bytes: Uint8Array): boolean {
    this.#message(type, new WireCursor(bytes, this.#kind), 1);
    return this.#hasUnknown;
  }

  /** Walks one message from the position of the cursor to its end. */
  #message(type: MessageType, cursor: WireCursor, depth: number): void {
    if (depth > MAX_DEPTH) throw cursor.fault(`messages nested deeper than ${MAX_DEPTH}`);
    const seen = new Seen();
    while (cursor.pos < cursor.end) {
      const tag = cursor.readTag();
      const field = type.fieldOfNumber(tag >>> 3);
      if (field === undefined) {
        this.#unknown(type, cursor, tag);
        continue;
      }
      if (field.repeated !== true && field.map === undefined && !seen.add(field)) {
        throw cursor.fault(`${type.name}.${field.oneof ?? field.name} given twice`);
      }
      this.#field(type, field, tag & 7, cursor, depth);
    }
  }

  #unknown(type: MessageType, cursor: WireCursor, tag: number): void {
    const no = tag >>> 3;
    if (!this.#allowNonCritical || (no & NON_CRITICAL_BIT) === 0) {
      throw cursor.fault(`unknown field ${no} of ${type.name}`);
    }
    this.#hasUnknown = true;
    cursor.skip(tag & 7);
  }

  #field(
    type: MessageType,
    field: FieldSchema,
    wireType: number,
    cursor: WireCursor,
    depth: number,
  ): void {
    const expected = field.map === undefined ? wireTypeOf(field.kind) : DELIMITED;
    if (wireType !== expected) {
      if (wireType !== DELIMITED || field.repeated !== true) {
        throw cursor.fault(`${type.name}.${field.name} has wire type ${wireType}`);
      }
      const outer = cursor.enter();
      while (cursor.pos < cursor.end) checkNumber(type, field, cursor);
      cursor.end = outer;
    } else if (expected !== DELIMITED) checkNumber(type, field, cursor);
    else if (field.map !== undefined) {
      const outer = cursor.enter();
      this.#mapEntry(type, field, cursor, depth + 1);
      cursor.end = outer;
    } else if (field.kind === "string") checkText(type, field, cursor);
    else if (field.kind === "bytes") cursor.skip(DELIMITED);
    else {
      const outer = cursor.enter();
      if (field.typeName === ANY) this.#any(type, field, cursor, depth + 1);
      else this.#message(messageTypeOfField(field), cursor, depth + 1);
      cursor.end = outer;
    }
  }

  #mapEntry(type: MessageType, field: FieldSchema, cursor: WireCursor, depth: number): void {
    const { map: _, ...value } = field;
    const key: FieldSchema = { name: field.name, key: field.key, no: field.no, kind: "string" };
    let next = 1;
    while (cursor.pos < cursor.end) {
      const tag = cursor.readTag();
      const no = tag >>> 3;
      if (no < next || no > 2) throw cursor.fault(`bad entry of ${type.name}.${field.name}`);
      next = no + 1;
      this.#field(type, no === 1 ? key : value, tag & 7, cursor, depth);
    }
  }

  #any(holder: MessageType, field: FieldSchema, cursor: WireCursor, depth: number): void {
    const start = cursor.pos;
    this.#message(ANY_TYPE, cursor, depth);
    const { typeUrl, value } = Any.decode(cursor.bytes.subarray(start, cursor.end));
    const inner = this.#resolveAny(typeUrl, holder, field);
    if (inner === undefined) {
      throw new ChainError(this.#kind, `unable to resolve type URL ${typeUrl.slice(0, 200)}`);
    }
    if (inner !== "opaque") this.#message(inner, new WireCursor(value, this.#kind), depth + 1);
  }
}

/** Singular fields and oneofs of one message that have been met. */
class Seen {
  #low = 0;
  #others: KeyMap<true> | undefined;

  /** False when the field, or another of its oneof, was there before. */
  add(field: FieldSchema): boolean {
    if (field.oneof !== undefined) return this.#name(`oneof ${field.oneof}`);
    if (field.no >= 32) return this.#name(`${field.no}`);
    const bit = 1 << field.no;
    if ((this.#low & bit) !== 0) return false;
    this.#low |= bit;
    return true;
  }

  #name(name: string): boolean {
    this.#others ??= new KeyMap<true>();
    if (this.#others.has(name)) return false;
    this.#others.set(name, true);
    return true;
  }
}

function wireTypeOf(kind: FieldKind): number {
  switch (kind) {
    case "string":
    case "bytes":
    case "message":
      return DELIMITED;
    case "double":
    case "fixed64":
    case "sfixed64":
      return FIXED64;
    case "float":
    case "fixed32":
    case "sfixed32":
      return FIXED32;
    case "bool":
    case "enum":
    case "int32":
    case "sint32":
    case "uint32":
    case "int64":
    case "sint64":
    case "uint64":
      return VARINT;
  }
}

function checkNumber(type: MessageType, field: FieldSchema, cursor: WireCursor): void {
  const { kind } = field;
  const wireType = wireTypeOf(kind);
  cursor.skip(wireType);
  if (wireType === VARINT && !fitsVarint(kind, cursor.low, cursor.high)) {
    throw cursor.fault(`${type.name}.${field.name} is out of range for ${kind}`);
  }
}

function fitsVarint(kind: FieldKind, low: number, high: number): boolean {
  if (kind === "bool") return high === 0 && low <= 1;
  if (kind === "uint32" || kind === "sint32") return high === 0;
  // A negative number is sign-extended to 64 bits, by some writers to 32 only.
  const is32 = kind === "int32" || kind === "enum";
  return !is32 || high === 0 || (high === 0xffffffff && low >= 0x80000000);
}

function checkText(type: MessageType, field: FieldSchema, cursor: WireCursor): void {
  const end = cursor.readLength();
  const { bytes, pos } = cursor;
  for (let index = pos; index < end; index += 1) {
    if ((bytes[index] as number) < 0x80) continue;
    if (fromUtf8(bytes.subarray(pos, end)) === undefined) {
      throw cursor.fault(`${type.name}.${field.name} is not UTF-8`);
    }
    break;
  }
  cursor.pos = end;
}
