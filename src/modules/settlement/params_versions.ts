import type { Context } from "../../baseapp/context.ts";
import { ParamsVersion } from "../../gen/settled/settlement/v1/state.ts";
import { must } from "../../lib/assert.ts";
import * as keys from "./keys.ts";
import { type RuleParams, ruleParams } from "./params.ts";
import type { BothParams } from "./params_change.ts";

// The params of every version that was ever in force: what was computed with one names its version
// and is judged by it (RULES 7), however params change later. One row per change.

export function writeParamsVersion(
  ctx: Context,
  version: bigint,
  { wire, extended }: BothParams,
): void {
  const row = ParamsVersion.encode({ version, params: wire, extendedParams: extended });
  ctx.kv.set(keys.paramsVersionKey(version), row.finish());
}

/**
 * The params of a version. For one that the chain does not know, which a genesis without rows
 * brings, the oldest that it knows stand: they do not move when params change later. Undefined
 * where it knows none.
 */
export function paramsOfVersion(ctx: Context, version: bigint): RuleParams | undefined {
  const known = ctx.kv.get(keys.paramsVersionKey(version));
  if (known !== undefined) return rulesOf(ParamsVersion.decode(known));
  for (const [, oldest] of ctx.kv.iterate(keys.PARAMS_VERSIONS_PREFIX)) {
    return rulesOf(ParamsVersion.decode(oldest));
  }
  return undefined;
}

export function rulesOf({ params, extendedParams }: ParamsVersion): RuleParams {
  const whole = "settlement: params of a version are whole";
  return ruleParams(must(params, whole), must(extendedParams, whole));
}
