import type { Context } from "../../baseapp/context.ts";
import { fieldError, genesisField } from "../../baseapp/genesis_error.ts";
import { messageToJson } from "../../codec/proto_json.ts";
import {
  type EpochBase,
  type GenesisState,
  PendingParams,
} from "../../gen/settled/settlement/v1/state.ts";
import { setEpochBase } from "./epoch.ts";
import * as keys from "./keys.ts";
import { DEFAULT_EXTENDED_PARAMS, DEFAULT_WIRE_PARAMS, validateParams } from "./params.ts";
import { type BothParams, canonicalExtended } from "./params_change.ts";
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
  records.setParams(ctx, now.wire, now.extended);
  records.setParamsVersion(ctx, genesis.paramsVersion === 0n ? 1n : genesis.paramsVersion);
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
