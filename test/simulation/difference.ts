import type { Coin } from "../../src/gen/cosmos/base/v1beta1/coin.ts";
import { text } from "./model/coins.ts";
import { type Facts, snake, WORDS } from "./model/records.ts";

// How two sides of a record are compared: as text.

/** What the model does not know: the bank's journal and the bytes of txs. */
const UNKNOWN = ["journal_seq", "tx_hash"];

/** Fields that the model has. Both sides name them alike, in camel or snake case. */
export function differenceOfRecord(record: object, found: Facts): string | undefined {
  for (const [key, value] of Object.entries(record)) {
    const name = snake(key);
    const [ours, theirs] = [plain(value), plain(found[key] ?? found[name])];
    const areAlike = ours === WORDS ? theirs !== "" : ours === theirs;
    if (UNKNOWN.includes(name) || areAlike) continue;
    return `${name}: ${sides(ours, theirs)}`;
  }
  return undefined;
}

/** A value as text, whatever side it is of: "" is 0, null, no coins, and a record of nothing. */
export function plain(value: unknown): string {
  if (value === undefined || value === null || value === false) return "";
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  if (Array.isArray(value)) return value.length === 0 ? "" : ofList(value);
  if (typeof value === "object") return ofRecord(value);
  const found = String(value).replace(/^[A-Z_]+?_(STATUS|TYPE|SOURCE|KIND|SEVERITY|LEG)_/, "");
  if (found === "0" || found === "UNSPECIFIED") return "";
  return found === String(value) ? found : found.toLowerCase();
}

function ofList(list: readonly unknown[]): string {
  const isCoins = list.every((each) => Object.keys(each as object).join() === "denom,amount");
  return isCoins ? text(list as Coin[]) : `[${list.map(plain).join("; ")}]`;
}

function ofRecord(record: object): string {
  const fields = Object.entries(record).flatMap(([key, value]) => {
    const shown = plain(value);
    return shown === "" ? [] : [`${snake(key)}: ${shown}`];
  });
  return fields.length === 0 ? "" : `{${fields.sort().join(", ")}}`;
}

export function sides(model: unknown, module: unknown): string {
  return `the model has ${show(model)}, the module ${show(module)}`;
}

function show(value: unknown): string {
  return value === "" ? "nothing" : `${value}`;
}
