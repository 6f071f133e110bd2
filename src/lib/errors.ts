import { assert } from "./assert.ts";
import { KeyMap } from "./key_map.ts";

/** A registered kind of failure: clients match (codespace, code), never the text. */
export interface ErrorKind {
  readonly codespace: string;
  readonly code: number;
  /** The registered text, the last part of every message of this kind. */
  readonly text: string;
}

const registered = new KeyMap<ErrorKind>();

/**
 * Registers an error kind once. Codes are never renumbered; code 1 is kept for internal failures.
 * @throws InvariantError when the pair (codespace, code) is taken.
 */
export function register(codespace: string, code: number, text: string): ErrorKind {
  const key = `${codespace}/${code}`;
  assert(!registered.has(key), "error code registered twice", { codespace, code });
  const kind: ErrorKind = Object.freeze({ codespace, code, text });
  registered.set(key, kind);
  return kind;
}

/** Every registered kind, by codespace and code, for the documentation and its test. */
export function registeredErrors(): readonly ErrorKind[] {
  return registered.sortedValues();
}

/** What a refusal tells besides its text: rule, expected and found, ids, amounts as decimal text. */
export type ErrorDetails = Readonly<Record<string, string | number | bigint | boolean>>;

/**
 * A user's mistake or an expected failure. It becomes a tx code or a query error; it never halts
 * the node. The message follows the Cosmos form: detail first, registered text last.
 */
export class ChainError extends Error {
  readonly codespace: string;
  readonly code: number;
  /** The message without the registered text. */
  readonly detail: string;
  readonly details: ErrorDetails;

  constructor(kind: ErrorKind, detail = "", details: ErrorDetails = {}) {
    super(detail === "" ? kind.text : `${detail}: ${kind.text}`);
    this.name = "ChainError";
    this.codespace = kind.codespace;
    this.code = kind.code;
    this.detail = detail;
    this.details = details;
  }

  is(kind: ErrorKind): boolean {
    return this.codespace === kind.codespace && this.code === kind.code;
  }
}
