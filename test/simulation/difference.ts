import type { Event } from "../../src/types/event.ts";
import type { Facts, ModelEvent } from "./model_state.ts";
import { type Coins, compareText, parsed, text, type WireCoin } from "./model_sums.ts";

// How two sides of a record or event are compared: as text.

const PREFIX = "virtengine.settlement.v1.Event";
/** What the model does not know: the bank's journal and the bytes of txs. */
const UNKNOWN = ["journal_seq", "tx_hash"];

/** Events as sets: no document says in which order those of one message come. */
export function differenceOfEvents(
  expected: readonly ModelEvent[],
  found: readonly Event[],
): string | undefined {
  const own = found.filter(({ type }) => type.startsWith(PREFIX));
  const theirs = own.map(({ type, attributes }) => {
    const name = type.slice(PREFIX.length);
    const like = expected.find((each) => each.name === name);
    const known = attributes.filter(({ key }) => key !== "msg_index" && key !== "mode");
    const pairs = known.map(({ key, value }): [string, string] => {
      return [key, like?.attributes[key] === "*" ? "*" : value];
    });
    return lineOf(name, pairs);
  });
  theirs.sort();
  const ours = expected.map(({ name, attributes }) => lineOf(name, Object.entries(attributes)));
  ours.sort();
  const missing = ours.filter((line) => !theirs.includes(line));
  const extra = theirs.filter((line) => !ours.includes(line));
  if (missing.length + extra.length === 0 && ours.length === theirs.length) return undefined;
  return `events: ${sides(missing.join(" | ") || ours.length, extra.join(" | ") || theirs.length)}`;
}

function lineOf(name: string, attributes: readonly (readonly [string, string])[]): string {
  const sorted = attributes.map(([key, value]) => `${key}=${value}`).sort();
  return `${name} ${sorted.join(" ")}`;
}

/** Fields that the model has. Both sides name them alike, in camel or snake case. */
export function differenceOfRecord(record: object, found: Facts): string | undefined {
  for (const [key, value] of Object.entries(record)) {
    const snake = snakeOf(key);
    const [ours, theirs] = [plain(value), plain(found[key] ?? found[snake])];
    if (value === "*" || UNKNOWN.includes(snake) || ours === theirs) continue;
    return `${snake}: ${sides(ours, theirs)}`;
  }
  return undefined;
}

const snakes = new Map<string, string>();

function snakeOf(key: string): string {
  const known = snakes.get(key);
  if (known !== undefined) return known;
  const snake = key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  snakes.set(key, snake);
  return snake;
}

/** A value as text, whatever side it is of: "" is 0, null, no coins, and a record of nothing. */
export function plain(value: unknown): string {
  if (value === undefined || value === null || value === false) return "";
  if (value instanceof Map) return text(value as Coins);
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  if (Array.isArray(value)) return value.length === 0 ? "" : ofList(value);
  if (typeof value === "object") return ofRecord(value);
  const found = String(value).replace(/^[A-Z_]+?_(STATUS|TYPE|SOURCE|KIND|SEVERITY|LEG)_/, "");
  if (found === "0" || found === "UNSPECIFIED") return "";
  return found === String(value) ? found : found.toLowerCase();
}

function ofList(list: readonly unknown[]): string {
  const coins = list.every((each) => Object.keys(each as object).join() === "denom,amount");
  const sum = coins ? parsed(list as WireCoin[]) : undefined;
  return sum === undefined ? `[${list.map(plain).join("; ")}]` : text(sum);
}

function ofRecord(record: object): string {
  const fields = Object.entries(record).map(([key, value]) => [snakeOf(key), plain(value)]);
  const known = fields.filter(([, value]) => value !== "");
  known.sort(([a = ""], [b = ""]) => compareText(a, b));
  return known.length === 0
    ? ""
    : `{${known.map(([key, value]) => `${key}: ${value}`).join(", ")}}`;
}

export function sides(model: unknown, module: unknown): string {
  return `the model has ${show(model)}, the module ${show(module)}`;
}

function show(value: unknown): string {
  return value === "" ? "nothing" : `${value}`;
}
