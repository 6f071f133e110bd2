/** A value that JSON can carry. 64-bit integers are strings in it, as CometBFT writes them. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject | LongList;

export interface JsonObject {
  readonly [name: string]: Json;
}

/** A list that is written item by item where its writer takes turns: see src/api/rpc/long_json.ts. */
export class LongList {
  readonly length: number;
  readonly #item: (at: number) => Json;

  private constructor(length: number, item: (at: number) => Json) {
    this.length = length;
    this.#item = item;
  }

  static of<T>(items: readonly T[], encode: (item: T) => Json): LongList {
    return new LongList(items.length, (at) => encode(items[at] as T));
  }

  item(at: number): Json {
    return this.#item(at);
  }

  /** All of it at once, for JSON.stringify. */
  toJSON(): Json[] {
    return Array.from({ length: this.length }, (_, at) => this.#item(at));
  }
}

/** Lists and objects inside each other that Go's decoder takes, too. */
export const JSON_DEPTH_MAX = 10_000;

/**
 * Whether text that may be JSON is nested deeper than JSON_DEPTH_MAX. A megabyte of opening brackets
 * would hold up everybody for as long as the parser needs to find that there is no end of them.
 */
export function isTooDeep(text: string): boolean {
  if (text.length <= JSON_DEPTH_MAX) return false;
  let depth = 0;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      at = endOfText(text, at);
    } else if (code === LIST_BEGIN || code === OBJECT_BEGIN) {
      depth += 1;
      if (depth > JSON_DEPTH_MAX) return true;
    } else if (code === LIST_END || code === OBJECT_END) {
      depth -= 1;
    }
  }
  return false;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const LIST_BEGIN = 0x5b;
const LIST_END = 0x5d;
const OBJECT_BEGIN = 0x7b;
const OBJECT_END = 0x7d;

/** The place of the quote that ends the text that begins at `begin`; the end when there is none. */
function endOfText(text: string, begin: number): number {
  for (let at = text.indexOf('"', begin + 1); at >= 0; at = text.indexOf('"', at + 1)) {
    let slashes = 0;
    while (text.charCodeAt(at - 1 - slashes) === BACKSLASH) slashes += 1;
    if (slashes % 2 === 0) return at;
  }
  return text.length;
}

/** Whether a parsed JSON value is an object; its own properties are still unknown. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** An own property of a parsed JSON object; what its prototype has does not count. */
export function own(object: Readonly<Record<string, unknown>>, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}
