import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { messageTypeNamed } from "../codec/message_types.ts";
import { messageFromJson, messageToJson } from "../codec/proto_json.ts";
import type { Client } from "../client/client.ts";
import {
  QueryParamsRequest as ExtendedRequest,
  QueryParamsResponse as ExtendedResponse,
} from "../gen/settled/settlement/v1/query.ts";
import { QueryParamsRequest, QueryParamsResponse } from "../gen/virtengine/settlement/v1/query.ts";
import { ChainError } from "../lib/errors.ts";
import { usageError } from "./cli_error.ts";
import { parseFieldTexts, type ValueContext } from "./flag_values.ts";

/** The message that these flags fill in. */
export const UPDATE_PARAMS = "settled.settlement.v1.MsgUpdateParams";

const WIRE = "virtengine.settlement.v1.Params";
const EXTENDED = "settled.settlement.v1.Params";

export interface ParamsFlags {
  readonly set?: readonly string[];
  readonly file?: string;
}

/** Adds `--set` and `--file`. */
export function addParamsFlags(command: Command): void {
  command
    .option("--set <name=value>", "a param and its new value; may be repeated", collect)
    .option("--file <file>", 'JSON with "params", "extended_params" or both; others stay');
}

function collect(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}

/** Both params by their JSON names. */
interface BothJson {
  readonly params: Record<string, unknown>;
  readonly extended: Record<string, unknown>;
}

/** What a message that updates params carries, and what changes by it, one line each. */
export interface ParamsUpdate {
  readonly fields: { params?: unknown; extendedParams?: unknown };
  readonly changes: readonly string[];
}

/**
 * Reads the params of the node, those that the next block brings if there are any, and puts what
 * the flags say in their place. A half that nothing changes in is left out of the message.
 * @throws CliError naming the flag
 */
export async function paramsUpdate(
  client: Client,
  flags: ParamsFlags,
  values: ValueContext,
): Promise<ParamsUpdate> {
  const { set = [], file } = flags;
  if (set.length === 0 && file === undefined) {
    const example = "settled tx settlement update-params --set min_settlement_amount=500 --from …";
    throw usageError("nothing to change: give --set name=value or --file", example);
  }
  const before = await currentParams(client);
  const after = { params: { ...before.params }, extended: { ...before.extended } };
  if (file !== undefined) readFile(file, after);
  for (const text of set) readSetting(text, after, values);
  const wire = changed("", before.params, after.params);
  const extended = changed("settled.", before.extended, after.extended);
  const changes = [...wire, ...extended];
  if (changes.length === 0) throw usageError("nothing changes: the params have these values");
  const fields = {
    ...(wire.length === 0 ? {} : { params: messageFromJson(WIRE, after.params) }),
    ...(extended.length === 0 ? {} : { extendedParams: messageFromJson(EXTENDED, after.extended) }),
  };
  return { fields, changes };
}

async function currentParams(client: Client): Promise<BothJson> {
  const path = `/${EXTENDED.replace("Params", "Query/Params")}`;
  const data = ExtendedRequest.encode({}).finish();
  const { value, height } = await client.queryRaw(path, data);
  const own = ExtendedResponse.decode(value);
  const wire = await client.query(
    `/${WIRE.replace("Params", "Query/Params")}`,
    QueryParamsRequest,
    {},
    QueryParamsResponse,
    { height },
  );
  const params = own.pending?.params ?? wire.params ?? {};
  const extended = own.pending?.extendedParams ?? own.params ?? {};
  return {
    params: messageToJson(WIRE, params) as Record<string, unknown>,
    extended: messageToJson(EXTENDED, extended) as Record<string, unknown>,
  };
}

function readFile(file: string, after: BothJson): void {
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw usageError(`--file ${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw usageError(`--file ${file}: expected an object with "params" or "extended_params"`);
  }
  for (const [key, part] of Object.entries(json)) {
    const half = { params: after.params, extended_params: after.extended }[key];
    if (half === undefined || typeof part !== "object" || part === null) {
      throw usageError(`--file ${file}: expected "params" or "extended_params", found "${key}"`);
    }
    for (const [name, value] of Object.entries(part)) {
      if (half[name] === undefined) throw unknownParam(`--file ${file}`, `${key}.${name}`);
      half[name] = value;
    }
  }
  // Values of the wrong form are named by their field.
  try {
    messageFromJson(WIRE, after.params);
    messageFromJson(EXTENDED, after.extended);
  } catch (error) {
    if (error instanceof ChainError) throw usageError(`--file ${file}: ${error.message}`);
    throw error;
  }
}

function readSetting(text: string, after: BothJson, values: ValueContext): void {
  const at = text.indexOf("=");
  if (at < 1) throw usageError(`--set: expected name=value, found "${text}"`);
  const [, scope = "", rest = ""] =
    /^(?:(settled|extended[_-]params|params)\.)?(.*)$/.exec(text.slice(0, at)) ?? [];
  const name = rest.replaceAll("-", "_");
  const halves = [
    ...(scope === "" || scope === "params" ? [{ type: WIRE, json: after.params }] : []),
    ...(scope === "params" ? [] : [{ type: EXTENDED, json: after.extended }]),
  ];
  for (const { type, json } of halves) {
    const field = messageTypeNamed(type).fieldOfName(name);
    if (field === undefined) continue;
    const value = parseFieldTexts(field, `--set ${name}`, [text.slice(at + 1)], values);
    json[name] = typeof value === "bigint" ? value.toString() : value;
    return;
  }
  throw unknownParam("--set", text.slice(0, at));
}

function unknownParam(flag: string, name: string) {
  const hint = "settled query settlement params, and extended-params for what Settled adds";
  return usageError(`${flag}: there is no param ${name}`, hint);
}

function changed(
  scope: string,
  before: Readonly<Record<string, unknown>>,
  after: Readonly<Record<string, unknown>>,
): string[] {
  return Object.keys(after)
    .filter((name) => String(after[name]) !== String(before[name]))
    .map((name) => `${scope}${name}  ${show(before[name])} → ${show(after[name])}`);
}

function show(value: unknown): string {
  return value === "" ? '""' : String(value);
}
