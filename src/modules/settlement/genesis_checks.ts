import type { Context } from "../../baseapp/context.ts";
import type { GenesisState, Sequences } from "../../gen/settled/settlement/v1/state.ts";
import { ChainError } from "../../lib/errors.ts";
import { maxBigint } from "../../lib/int.ts";
import { parseAddress } from "../../types/address.ts";
import type { WireCoin } from "../../types/coins.ts";
import { isDenom } from "../../types/denom.ts";
import { checkAmounts, checkCoins } from "./genesis_lists.ts";

/** Checks of the fields of genesis, of which tables are made: see `genesis_fields.ts`. */

/** What is wrong, and where below the value that was looked at: "", "[2].signer". */
export interface Problem {
  readonly at: string;
  readonly text: string;
}

/** What fields are checked against. */
export interface GenesisFacts {
  readonly prefix: string;
  /** Time of genesis: what has happened was not later. */
  readonly now: bigint;
  readonly sequences: Sequences | undefined;
  /** Of the params in force. */
  readonly paramsVersion: bigint;
}

export type Check<T> = (value: T, facts: GenesisFacts) => Problem | undefined;

/** One check of each field: a field that is added to the state has to be given one. */
export type FieldChecks<T> = { readonly [K in keyof T]-?: Check<T[K]> };

/** What fields of one record must say together: the field that is named, and what is wrong. */
export type Rule<T> = readonly [
  field: keyof T & string,
  problem: (record: T) => string | undefined,
];

export function factsOf(
  ctx: Context,
  { sequences, paramsVersion }: Pick<GenesisState, "sequences" | "paramsVersion">,
): GenesisFacts {
  const facts = { prefix: ctx.chain.bech32Prefix, now: ctx.time, sequences };
  return { ...facts, paramsVersion: maxBigint(paramsVersion, 1n) };
}

/** A record that is there: all of its fields, then its rules. */
export function record<T extends object>(
  checks: FieldChecks<T>,
  rules: readonly Rule<T>[] = [],
): Check<T | undefined> {
  const fields = Object.entries(checks) as [keyof T & string, Check<unknown>][];
  return (value, facts) => {
    if (value === undefined) return undefined;
    for (const [name, check] of fields) {
      const found = check(value[name], facts);
      if (found !== undefined) return { at: `.${jsonName(name)}${found.at}`, text: found.text };
    }
    for (const [name, rule] of rules) {
      const text = rule(value);
      if (text !== undefined) return { at: `.${jsonName(name)}`, text };
    }
    return undefined;
  };
}

/** Every element of a list. */
export function each<T>(check: Check<T>): Check<readonly T[]> {
  return (values, facts) => {
    for (const [index, value] of values.entries()) {
      const found = check(value, facts);
      if (found !== undefined) return { at: `[${index}]${found.at}`, text: found.text };
    }
    return undefined;
  };
}

/** "settledAtNs" is "settled_at_ns" in genesis. */
export function jsonName(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function here(text: string): Problem {
  return { at: "", text };
}

/** Nothing can be said of it alone, or something else checks it. */
export const anything: Check<unknown> = () => undefined;

/** In the one spelling that messages are compared with. */
export const address: Check<string> = (text, { prefix }) => {
  try {
    if (parseAddress(text, prefix) === text) return undefined;
  } catch (error) {
    if (!(error instanceof ChainError)) throw error;
  }
  return here(`not an address with prefix "${prefix}": "${text.slice(0, 100)}"`);
};

export const addressOrNone: Check<string> = (text, facts) =>
  text === "" ? undefined : address(text, facts);

export const filled: Check<string> = (text) => (text === "" ? here("is empty") : undefined);

/** Numbers of an enum from the first to the last that the module writes. */
export function oneOf(first: number, last: number): Check<number> {
  return (value) =>
    value >= first && value <= last
      ? undefined
      : here(`expected ${first} to ${last}, found ${value}`);
}

/** A number of the record's own, which its sequence gave already. */
export function taken(name: keyof Sequences): Check<bigint> {
  return (seq, { sequences }) => {
    const next = maxBigint(sequences?.[name] ?? 0n, 1n);
    if (seq > 0n && seq < next) return undefined;
    return here(
      `expected 1 or more and less than settlement.sequences.${jsonName(name)}, which is ${next}, found ${seq}`,
    );
  };
}

export const fromOne: Check<bigint | number> = (value) =>
  value >= 1 ? undefined : here(`expected 1 or more, found ${value}`);

/** A version of params that was in force; 0 of a record from before versions were noted. */
export const version: Check<bigint> = (value, { paramsVersion }) =>
  value >= 0n && value <= paramsVersion
    ? undefined
    : here(`expected 0 to settlement.params_version, which is ${paramsVersion}, found ${value}`);

/** A height, or a time with nothing to bound it. */
export const notNegative: Check<bigint> = (value) =>
  value >= 0n ? undefined : here(`expected 0 or more, found ${value}`);

/** Nanoseconds: a time at which something happened; 0 when it did not. */
export const past: Check<bigint> = (time, { now }) =>
  time >= 0n && time <= now
    ? undefined
    : here(`expected a time up to genesis, 0 to ${now}, found ${time}`);

export const coins: Check<readonly WireCoin[]> = (list) => attempt(() => checkCoins(list));

export const someCoins: Check<readonly WireCoin[]> = (list, facts) =>
  list.length === 0 ? here("is empty") : coins(list, facts);

export const denom: Check<string> = (text) =>
  isDenom(text) ? undefined : here(`not a denom: "${text.slice(0, 130)}"`);

/** Base units, or 10^-18 of them. */
export const amount: Check<string> = (text, facts) =>
  text === "" ? here("is empty") : amountOrNone(text, facts);

export const amountOrNone: Check<string> = (text) => attempt(() => checkAmounts(text));

/** @param lengths in bytes */
export function bytes(...lengths: readonly number[]): Check<Uint8Array> {
  return ({ length }) =>
    lengths.includes(length)
      ? undefined
      : here(`expected ${lengths.join(" or ")} bytes, found ${length}`);
}

export function atMostBytes(most: number): Check<Uint8Array> {
  return ({ length }) =>
    length <= most ? undefined : here(`expected at most ${most} bytes, found ${length}`);
}

/** One of a few texts. */
export function textOf(...known: readonly string[]): Check<string> {
  return (text) =>
    known.includes(text)
      ? undefined
      : here(`expected ${known.join(", ")}, found "${text.slice(0, 64)}"`);
}

/** What a function refuses that messages are checked with too. */
export function passes<T>(check: (value: T) => void): Check<T | undefined> {
  return (value) => (value === undefined ? undefined : attempt(() => check(value)));
}

function attempt(check: () => void): Problem | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    if (!(error instanceof ChainError)) throw error;
    return here(error.message);
  }
}
