import { parseTime, type TimeNs } from "../types/time.ts";
import { QueryLanguageError } from "./errors.ts";

/** CometBFT's bound of a query text, in characters. */
export const QUERY_LENGTH_MAX = 512;

export type Operator = "=" | "<" | "<=" | ">" | ">=" | "CONTAINS" | "EXISTS";

export type Operand =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "number"; readonly number: DecimalNumber }
  | { readonly kind: "time"; readonly time: TimeNs; readonly dateOnly: boolean };

/** A non-negative decimal, exactly: digits × 10^-places. */
export interface DecimalNumber {
  readonly digits: bigint;
  readonly places: number;
}

/** `tag` is an event type, a dot and an attribute key. */
export interface Condition {
  readonly tag: string;
  readonly operator: Operator;
  /** undefined for EXISTS. */
  readonly operand: Operand | undefined;
}

/** Conditions that all have to hold. */
export type Query = readonly Condition[];

/**
 * Parses a query of the event language: `tag op operand` joined by AND. Operators are =, <, <=, >,
 * >=, CONTAINS and EXISTS; operands are 'text', numbers, TIME and DATE. Keywords may be in either
 * case (CometBFT 0.38 takes upper case only; Keplr sends lower).
 * @throws QueryLanguageError saying what was expected, and at which offset
 */
export function parseQuery(text: string): Query {
  if (text.length > QUERY_LENGTH_MAX) {
    const problem = `query is longer than ${QUERY_LENGTH_MAX} characters (${text.length})`;
    throw new QueryLanguageError(problem, QUERY_LENGTH_MAX);
  }
  return new Parser(text).query();
}

const SPACE = /\s*/y;
const WORD = /[\p{L}\p{Nd}_][\p{L}\p{Nd}_.-]*/uy;
const COMPARISON = /<=|>=|<|>|=/y;
const QUOTED = /'([^']*)'/y;
const NUMBER = /[0-9]+(?:\.[0-9]*)?(?![\p{L}\p{Nd}_.-])/uy;
const TIME = /[0-9T:+Z.-]+/y;
const KEYWORDS = ["AND", "CONTAINS", "EXISTS", "TIME", "DATE"];

class Parser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  query(): Query {
    const conditions = [this.#condition()];
    while (!this.#atEnd()) {
      const start = this.#at;
      if (this.#keyword() !== "AND") throw this.#expected("AND", start);
      conditions.push(this.#condition());
    }
    return conditions;
  }

  #condition(): Condition {
    this.#space();
    const start = this.#at;
    const tag = this.#take(WORD);
    if (tag === undefined || KEYWORDS.includes(tag.toUpperCase())) {
      throw this.#expected("a tag such as tx.height", start);
    }
    const operator = this.#operator();
    const operand = operator === "EXISTS" ? undefined : this.#operand(operator);
    return { tag, operator, operand };
  }

  #operator(): Operator {
    this.#space();
    const start = this.#at;
    const comparison = this.#take(COMPARISON);
    if (comparison !== undefined) return comparison as Operator;
    const word = this.#keyword();
    if (word === "CONTAINS" || word === "EXISTS") return word;
    throw this.#expected("one of = < <= > >= CONTAINS EXISTS", start);
  }

  #operand(operator: Operator): Operand {
    this.#space();
    const start = this.#at;
    const operand = this.#anyOperand(start);
    const fits =
      operand.kind === "text"
        ? operator === "=" || operator === "CONTAINS"
        : operator !== "CONTAINS";
    if (!fits) {
      const wanted = operator === "CONTAINS" ? "a quoted text" : "a number, TIME or DATE";
      throw this.#expected(`${wanted} after ${operator}`, start);
    }
    return operand;
  }

  #anyOperand(start: number): Operand {
    const quoted = this.#take(QUOTED);
    if (quoted !== undefined) return { kind: "text", text: quoted.slice(1, -1) };
    if (this.#text[start] === "'") {
      throw new QueryLanguageError("the quoted text has no closing quote", start);
    }
    const number = this.#take(NUMBER);
    if (number !== undefined) return { kind: "number", number: decimalOf(number) };
    const word = this.#keyword();
    if (word === "TIME" || word === "DATE") return this.#timeOperand(word);
    throw this.#expected("a quoted text, a number, TIME or DATE", start);
  }

  #timeOperand(word: "TIME" | "DATE"): Operand {
    this.#space();
    const start = this.#at;
    const dateOnly = word === "DATE";
    const body = this.#take(TIME) ?? "";
    const time = dateOnly ? dateOf(body) : parseTime(body);
    if (time === undefined) {
      const example = dateOnly ? "2006-01-02" : "2006-01-02T15:04:05Z";
      throw this.#expected(`a ${word} such as ${example}`, start);
    }
    return { kind: "time", time, dateOnly };
  }

  #keyword(): string | undefined {
    this.#space();
    return this.#take(WORD)?.toUpperCase();
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    this.#at += found?.length ?? 0;
    return found;
  }

  #space(): void {
    this.#take(SPACE);
  }

  #atEnd(): boolean {
    this.#space();
    return this.#at === this.#text.length;
  }

  #expected(what: string, offset: number): QueryLanguageError {
    const rest = this.#text.slice(offset, offset + 20);
    const found = rest === "" ? "the end" : JSON.stringify(rest);
    return new QueryLanguageError(`expected ${what}, found ${found}`, offset);
  }
}

function decimalOf(text: string): DecimalNumber {
  const [whole = "0", fraction = ""] = text.split(".");
  return { digits: BigInt(whole + fraction), places: fraction.length };
}

function dateOf(text: string): TimeNs | undefined {
  return /^[0-9]{4}-[0-9]{2}-[0-9]{2}$/.test(text) ? parseTime(`${text}T00:00:00Z`) : undefined;
}

/** Whether one attribute value meets a condition, whatever its tag. */
export function valueMatches(condition: Condition, value: string): boolean {
  const { operator, operand } = condition;
  if (operand === undefined) return true;
  if (operand.kind === "text") {
    return operator === "=" ? value === operand.text : value.includes(operand.text);
  }
  const order =
    operand.kind === "number" ? compareNumber(value, operand.number) : compareTime(value, operand);
  if (order === undefined) return false;
  switch (operator) {
    case "=":
      return order === 0;
    case "<":
      return order < 0;
    case "<=":
      return order <= 0;
    case ">":
      return order > 0;
    case ">=":
      return order >= 0;
    case "CONTAINS":
    case "EXISTS":
      return false;
  }
}

// The number that a value begins with counts, so that "8uve" is compared as 8.
function compareNumber(value: string, { digits, places }: DecimalNumber): number | undefined {
  const start = /^[0-9]+(?:\.[0-9]+)?/.exec(value)?.[0];
  if (start === undefined || start.length > 1000) return undefined;
  const own = decimalOf(start);
  const left = own.digits * 10n ** BigInt(places);
  const right = digits * 10n ** BigInt(own.places);
  return left < right ? -1 : left > right ? 1 : 0;
}

function compareTime(
  value: string,
  operand: { time: TimeNs; dateOnly: boolean },
): number | undefined {
  const own = operand.dateOnly ? dateOf(value) : parseTime(value);
  if (own === undefined) return undefined;
  return own < operand.time ? -1 : own > operand.time ? 1 : 0;
}
