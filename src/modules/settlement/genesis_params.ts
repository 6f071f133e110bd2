import type { Context } from "../../baseapp/context.ts";
import { fieldError, genesisField } from "../../baseapp/genesis_error.ts";
import { messageToJson } from "../../codec/proto_json.ts";
import {
  type EpochBase,
  type GenesisState,
  type ParamsVersion,
  PendingParams,
} from "../../gen/settled/settlement/v1/state.ts";
import { setEpochBase } from "./epoch.ts";
import * as keys from "./keys.ts";
import { DEFAULT_EXTENDED_PARAMS, DEFAULT_WIRE_PARAMS, validateParams } from "./params.ts";
import { type BothParams, canonicalExtended, changesOf } from "./params_change.ts";
import { writeParamsVersion } from "./params_versions.ts";
import type { Records } from "./records.ts";

/** Fills the params that a hand-written genesis does not name. */
export function paramsWithDefaults(json: unknown): unknown {
  if (typeof json !== "object" || json === null) return {};
  const given = json as { params?: object; extended_params?: object };
  const wire = messageToJson("virtengine.settlement.v1.Params", DEFAULT_WIRE_PARAMS);
  const extended = messageToJson("settled.settlement.v1.Params", DEFAULT_EXTENDED_PARAMS);
  return {
    ...given,
    params: { ...(wire as object), ...given.params },
    extended_params: { ...(extended as object), ...given.extended_params },
  };
}

/**
 * Writes the params that are in force, and those of the next block when there are any.
 * @throws ChainError genesis/2 naming the param
 */
export function writeParams(ctx: Context, records: Records, genesis: GenesisState): void {
  const wire = genesis.params ?? DEFAULT_WIRE_PARAMS;
  const extended = genesis.extendedParams ?? DEFAULT_EXTENDED_PARAMS;
  const now = checked(ctx, { wire, extended }, "settlement");
  const version = genesis.paramsVersion === 0n ? 1n : genesis.paramsVersion;
  writeVersions(ctx, genesis.paramsVersions, { version, now });
  records.setParams(ctx, version, now);
  if (genesis.epochBase !== undefined) writeEpochBase(ctx, genesis.epochBase);
  if (genesis.pendingParams === undefined) return;
  const path = "settlement.pending_params";
  const { params, extendedParams, proposedHeight } = genesis.pendingParams;
  if (params === undefined) throw fieldError(`${path}.params`, "is missing");
  if (extendedParams === undefined) throw fieldError(`${path}.extended_params`, "is missing");
  const next = checked(ctx, { wire: params, extended: extendedParams }, path);
  const bytes = PendingParams.encode({
    ...{ params: next.wire, extendedParams: next.extended, proposedHeight },
  });
  ctx.kv.set(keys.PENDING_PARAMS_KEY, bytes.finish());
}

/**
 * Writes the params of every version. The last row is that of the params in force; a genesis of a
 * program that kept none has none.
 * @throws ChainError genesis/2 naming the field
 */
function writeVersions(
  ctx: Context,
  rows: readonly ParamsVersion[],
  { version, now }: { version: bigint; now: BothParams },
): void {
  const path = (index: number): string => `settlement.params_versions[${index}]`;
  rows.forEach((row, index) => {
    const expected = version - BigInt(rows.length - 1 - index);
    if (row.version !== expected || expected < 1n) {
      const rule = `expected versions one by one, at least 1 and up to params_version ${version}`;
      throw fieldError(`${path(index)}.version`, `${rule}, found ${row.version}`);
    }
    const { params, extendedParams } = row;
    if (params === undefined) throw fieldError(`${path(index)}.params`, "is missing");
    if (extendedParams === undefined) {
      throw fieldError(`${path(index)}.extended_params`, "is missing");
    }
    const kept = checked(ctx, { wire: params, extended: extendedParams }, path(index));
    if (expected === version) requireInForce(kept, now, path(index));
    writeParamsVersion(ctx, row.version, kept);
  });
}

/** @throws ChainError genesis/2 naming the first param of a row that is not the one in force. */
function requireInForce(row: BothParams, now: BothParams, path: string): void {
  const [first] = changesOf(now, row);
  if (first === undefined) return;
  const detail = `expected "${first.before}", which is in force, found "${first.after}"`;
  throw fieldError(`${path}.${first.name}`, detail);
}

function writeEpochBase(ctx: Context, base: EpochBase): void {
  const field = "settlement.epoch_base.height";
  if (base.height < 0n) throw fieldError(field, `expected a height, found ${base.height}`);
  setEpochBase(ctx, base);
}

/** Params with their addresses in one spelling. @throws ChainError genesis/2 */
function checked(ctx: Context, { wire, extended: given }: BothParams, path: string): BothParams {
  const { bech32Prefix } = ctx.chain;
  const extended = canonicalExtended(given, bech32Prefix);
  validateParams({ wire, extended, bech32Prefix }, (name, check) => {
    genesisField(`${path}.${name}`, check);
  });
  return { wire, extended };
}
