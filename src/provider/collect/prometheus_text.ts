import { parseNano } from "./nano.ts";

/** One line of an exporter's page. */
export interface Sample {
  readonly name: string;
  readonly labels: ReadonlyMap<string, string>;
  /** In billionths; undefined for NaN, infinities and what is no number. */
  readonly nano: bigint | undefined;
  /** As it stands on the page, for messages. */
  readonly text: string;
  /** Unix milliseconds; undefined when the line has no time of its own. */
  readonly timestampMs: bigint | undefined;
}

const SPACE = /[ \t]/;

/**
 * A page of metrics, in the text format of Prometheus (0.0.4, and with quoted names 1.0) or as
 * OpenMetrics 1.0. Lines are read when they are asked for, so that a page of a hundred thousand
 * series costs what is needed of it; a line that cannot be read is told with its number.
 */
export class Exposition {
  readonly #isOpenMetrics: boolean;
  readonly #lines = new Map<string, { text: string; line: number }[]>();
  readonly #read = new Map<string, Samples>();
  /** Whether it ends as a page must: OpenMetrics with "# EOF", any other with the end of a line. */
  readonly isWhole: boolean;

  constructor(page: string, isOpenMetrics: boolean) {
    this.#isOpenMetrics = isOpenMetrics;
    let line = 0;
    for (let at = 0; at < page.length; line += 1) {
      const newline = page.indexOf("\n", at);
      const end = newline < 0 ? page.length : newline;
      this.#add(page.slice(at, end), line + 1);
      at = end + 1;
    }
    const isEnded = isOpenMetrics
      ? /(^|\n)# EOF\r?\n?$/.test(page.slice(-16))
      : page.endsWith("\n");
    this.isWhole = isEnded || page === "";
  }

  #add(raw: string, line: number): void {
    const text = raw.trim();
    if (text === "" || text.startsWith("#")) return;
    const name = nameOf(text);
    const same = this.#lines.get(name);
    if (same === undefined) this.#lines.set(name, [{ text, line }]);
    else same.push({ text, line });
  }

  /** The samples of a name, and the lines of it that cannot be read. Read once for all who ask. */
  samples(name: string): Samples {
    const known = this.#read.get(name);
    if (known !== undefined) return known;
    const samples: Sample[] = [];
    const faults: string[] = [];
    for (const { text, line } of this.#lines.get(name) ?? []) {
      const sample = parseSample(text, name, this.#isOpenMetrics);
      if (typeof sample === "string") faults.push(`line ${line} of the page: ${sample}`);
      else samples.push(sample);
    }
    const all = { samples, faults };
    this.#read.set(name, all);
    return all;
  }
}

interface Samples {
  readonly samples: readonly Sample[];
  readonly faults: readonly string[];
}

/** The name of a line: before the labels, or quoted as the first of them. */
function nameOf(text: string): string {
  if (text.startsWith("{")) {
    const quoted = readQuoted(text, skipSpace(text, 1));
    return quoted?.value ?? "";
  }
  return /^[^\s{]+/.exec(text)?.[0] ?? "";
}

/** A line as a sample, or in words what is wrong with it. */
function parseSample(text: string, name: string, isOpenMetrics: boolean): Sample | string {
  const labels = new Map<string, string>();
  let at = text.startsWith("{") ? 0 : skipSpace(text, name.length);
  if (text[at] === "{") {
    const end = readLabels(text, at + 1, labels);
    if (typeof end === "string") return end;
    at = end;
  }
  // What follows a " # " is an exemplar: an example that belongs to the sample, not a part of it.
  const rest = text
    .slice(at)
    .replace(/\s#\s.*$/, "")
    .trim();
  const [value = "", timestamp, ...more] = rest.split(/\s+/);
  if (value === "" || more.length > 0) return `no value, or too many, after ${name}`;
  const nano = parseNano(value);
  if (nano === undefined && !/^[+-]?(nan|inf|infinity)$/i.test(value)) {
    return `${name} has ${JSON.stringify(value.slice(0, 40))}, which is no number`;
  }
  const timestampMs = timestamp === undefined ? undefined : readTime(timestamp, isOpenMetrics);
  if (timestamp !== undefined && timestampMs === undefined) {
    return `${name} has ${JSON.stringify(timestamp.slice(0, 40))}, which is no time`;
  }
  return { name, labels, nano, text: value, timestampMs };
}

/** Times are milliseconds in the text format and seconds, with a point, in OpenMetrics. */
function readTime(text: string, isOpenMetrics: boolean): bigint | undefined {
  const nano = parseNano(text);
  if (nano === undefined) return undefined;
  return isOpenMetrics ? nano / 1_000_000n : nano / 1_000_000_000n;
}

/** Reads labels up to the closing bracket. The place after it, or in words what is wrong. */
function readLabels(text: string, start: number, labels: Map<string, string>): number | string {
  let at = skipSpace(text, start);
  while (text[at] !== "}") {
    const key = readKey(text, at);
    if (key === undefined) return `no name of a label at column ${at + 1}`;
    at = skipSpace(text, key.end);
    if (text[at] === "=") {
      const value = readQuoted(text, skipSpace(text, at + 1));
      if (value === undefined) return `the label ${key.value} has no quoted value`;
      if (labels.has(key.value)) return `the label ${key.value} is there twice`;
      labels.set(key.value, value.value);
      at = skipSpace(text, value.end);
    } else if (!key.isQuoted) {
      return `the label ${key.value} has no value`;
    }
    if (text[at] === ",") at = skipSpace(text, at + 1);
    else if (text[at] !== "}") return `no comma or closing bracket at column ${at + 1}`;
  }
  return at + 1;
}

interface Read {
  readonly value: string;
  readonly end: number;
  readonly isQuoted: boolean;
}

function readKey(text: string, at: number): Read | undefined {
  if (text[at] === '"') return readQuoted(text, at);
  const pattern = /[a-zA-Z_:][a-zA-Z0-9_:]*/y;
  pattern.lastIndex = at;
  const value = pattern.exec(text)?.[0];
  return value === undefined ? undefined : { value, end: at + value.length, isQuoted: false };
}

/** A text in double quotes, in which \\, \" and \n stand for a backslash, a quote and a new line. */
function readQuoted(text: string, start: number): Read | undefined {
  if (text[start] !== '"') return undefined;
  let value = "";
  for (let at = start + 1; at < text.length; at += 1) {
    const letter = text[at] as string;
    if (letter === '"') return { value, end: at + 1, isQuoted: true };
    if (letter !== "\\") {
      value += letter;
      continue;
    }
    at += 1;
    const escaped = text[at];
    if (escaped === "n") value += "\n";
    else if (escaped === "\\" || escaped === '"') value += escaped;
    // Any other backslash stands for itself.
    else value += `\\${escaped ?? ""}`;
  }
  return undefined;
}

function skipSpace(text: string, from: number): number {
  let at = from;
  while (at < text.length && SPACE.test(text[at] as string)) at += 1;
  return at;
}
