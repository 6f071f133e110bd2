import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Event } from "../../src/types/event.ts";
import { sides } from "./difference.ts";
import { type Facts, type ModelEvent, WORDS } from "./model/records.ts";
import { SECOND } from "./model/coins.ts";

// How events are compared: all attributes that the README of the module names. Words for people,
// such as errors, may be any.

const PREFIX = "virtengine.settlement.v1.Event";
/** What the module's README says of each event. */
const ATTRIBUTES = attributesOf(readFileSync(readmePath(), "utf8"));

/**
 * Events as sets: no document says in which order those of one message come.
 * @param second block time, which is that of what no record says
 */
export function differenceOfEvents(
  expected: readonly ModelEvent[],
  all: readonly Event[],
  second: bigint,
): string | undefined {
  const found = all.filter(({ type }) => type.includes(".settlement.v1."));
  const left = [...found];
  for (const event of expected) {
    const same = left.filter(({ type }) => type === PREFIX + event.name);
    const tries = same.map((each) => differenceOfEvent(event, each, second));
    const at = tries.indexOf(undefined);
    if (at < 0) return `event ${event.name}: ${tries[0] ?? `none of ${namesOf(found)}`}`;
    left.splice(left.indexOf(same[at] as Event), 1);
  }
  const missing = left.map(({ type, attributes }) => {
    const pairs = attributes.map(({ key, value }) => `${key}=${value}`);
    return `${type.slice(PREFIX.length)} ${pairs.join(" ")}`;
  });
  return missing.length === 0 ? undefined : `events that the model lacks: ${missing.join(" | ")}`;
}

/** Those of one message of a tx. */
export function eventsOf(events: readonly Event[], index: number): Event[] {
  return events.filter((event) => isOf(event, index));
}

export function isOf({ attributes }: Event, index: number): boolean {
  return attributes.some(({ key, value }) => key === "msg_index" && value === `${index}`);
}

/** Whether a block has it before its txs. */
export function isBegin({ attributes }: Event): boolean {
  return attributes.some(({ key, value }) => key === "mode" && value === "BeginBlock");
}

/** An attribute that the chain leaves out is empty. */
function differenceOfEvent(
  { name, facts }: ModelEvent,
  { attributes }: Event,
  second: bigint,
): string | undefined {
  const found = new Map(attributes.map(({ key, value }) => [key, value]));
  const named = ATTRIBUTES.get(name);
  for (const key of found.keys()) {
    const isOwn = key !== "msg_index" && key !== "mode";
    if (isOwn && !named?.has(key)) return `${key} is not documented`;
  }
  for (const key of named ?? []) {
    const [fact, value] = [factOf(key, facts, second), found.get(key) ?? ""];
    if (fact === WORDS ? value === "" : fact !== value) return `${key}: ${sides(fact, value)}`;
  }
  return undefined;
}

/** The model's text of an attribute. */
function factOf(key: string, facts: Facts, second: bigint): string {
  const camel = key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  const fact = facts[camel];
  if (fact !== undefined) return written(fact);
  const isDue = key === "expires_at" || key === "due_at";
  if (isDue) return `${(facts[`${camel}Ns`] as bigint) / SECOND}`;
  return key.endsWith("_at") ? `${second}` : "";
}

function written(fact: unknown): string {
  if (fact instanceof Uint8Array) return Buffer.from(fact).toString("hex");
  if (!Array.isArray(fact)) return `${fact}`;
  const coins = fact as { denom: string; amount: string }[];
  return coins.map(({ denom, amount }) => amount + denom).join(",");
}

/** Of the module, above this file or above what was compiled of it. */
function readmePath(): string {
  const above = [import.meta.dirname];
  for (let at = dirname(import.meta.dirname); !above.includes(at); at = dirname(at)) above.push(at);
  const files = above.map((folder) => join(folder, "src", "modules", "settlement", "README.md"));
  const found = files.find((file) => existsSync(file));
  if (found === undefined) throw new Error(`no README.md of the module above ${above[0]}`);
  return found;
}

/** Names of attributes by event, from the README's table of events. */
function attributesOf(readme: string): Map<string, Set<string>> {
  const rows = readme.slice(readme.indexOf("## Events"), readme.indexOf("## Errors")).split("\n");
  const named = rows.flatMap((row): [string, Set<string>][] => {
    const [, name, attributes] = /^\| ([A-Z][A-Za-z]*)[^|]*\| (.*) \|$/.exec(row) ?? [];
    if (name === undefined || attributes === undefined) return [];
    const bare = attributes.replace(/\([^()]*\)/g, "");
    const words = bare.match(/[a-z]+(?:_[a-z]+)*/g) ?? [];
    return [[name, new Set(words.filter((word) => word !== "and" && word !== "or"))]];
  });
  return new Map(named);
}

function namesOf(events: readonly Event[]): string {
  return events.map(({ type }) => type.slice(PREFIX.length)).join(", ") || "no events";
}
