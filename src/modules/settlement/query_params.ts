import { Params as ExtendedParams } from "../../gen/settled/settlement/v1/params.ts";
import { ParamsVersion, PendingParams } from "../../gen/settled/settlement/v1/state.ts";
import { Params as WireParams } from "../../gen/virtengine/settlement/v1/query.ts";
import { maxBigint } from "../../lib/int.ts";
import { keyOfBytes, u64FromKey } from "../../lib/key.ts";
import { KeyMap } from "../../lib/key_map.ts";
import type { Reader } from "../../store/read_view.ts";
import * as keys from "./keys.ts";
import { DEFAULT_EXTENDED_PARAMS, DEFAULT_WIRE_PARAMS, type RuleParams } from "./params.ts";
import { rulesOf } from "./params_versions.ts";

/** Both params of a height, their version, and what replaces them at the next height, if anything. */
export async function readParams(reader: Reader): Promise<{
  wire: WireParams;
  extended: ExtendedParams;
  version: bigint;
  pending: PendingParams | undefined;
}> {
  const wire = await reader.get(keys.PARAMS_KEY);
  const extended = await reader.get(keys.EXTENDED_PARAMS_KEY);
  const version = await reader.get(keys.PARAMS_VERSION_KEY);
  const pending = await reader.get(keys.PENDING_PARAMS_KEY);
  return {
    wire: wire === undefined ? DEFAULT_WIRE_PARAMS : WireParams.decode(wire),
    extended: extended === undefined ? DEFAULT_EXTENDED_PARAMS : ExtendedParams.decode(extended),
    version: version === undefined ? 1n : u64FromKey(keyOfBytes(version), 0),
    pending: pending === undefined ? undefined : PendingParams.decode(pending),
  };
}

/** The params of every version that the chain knows, oldest first. */
export async function readParamsVersions(reader: Reader): Promise<ParamsVersion[]> {
  const rows: ParamsVersion[] = [];
  for await (const [, value] of reader.range(keys.PARAMS_VERSIONS_PREFIX)) {
    rows.push(ParamsVersion.decode(value));
  }
  return rows;
}

/**
 * Seconds that a period of this chain could last at most, at any time: reads one row per change of
 * params. Where the chain does not know its first params, the default counts too.
 */
export async function longestUsagePeriod(reader: Reader): Promise<bigint> {
  const rows = await readParamsVersions(reader);
  const { maxUsagePeriod: byDefault } = DEFAULT_EXTENDED_PARAMS;
  return rows.reduce(
    (longest, { extendedParams }) => maxBigint(longest, extendedParams?.maxUsagePeriod ?? 0n),
    rows[0]?.version === 1n ? 0n : byDefault,
  );
}

/** The rules of a version; undefined for one that the chain does not know. */
export type RulesByVersion = (version: bigint) => RuleParams | undefined;

/** The rules of every version that the chain knows. */
export async function rulesByVersion(reader: Reader): Promise<RulesByVersion> {
  const rules = new KeyMap<RuleParams>();
  for (const row of await readParamsVersions(reader)) {
    rules.set(row.version.toString(), rulesOf(row));
  }
  return (version) => rules.get(version.toString());
}
