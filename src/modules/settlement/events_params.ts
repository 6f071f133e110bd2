import { canonicalJson, type JsonObject } from "../../codec/canonical_json.ts";
import { type Event, event } from "../../types/event.ts";
import type { ParamChange } from "./params_change.ts";

/** Events about params. The list with all attributes is in README.md. */

const PREFIX = "virtengine.settlement.v1.Event";

/** Params that hold from a later block on. */
export function paramsProposed(e: {
  authority: string;
  effectiveHeight: bigint;
  version: bigint;
  changes: readonly ParamChange[];
}): Event {
  return event(`${PREFIX}ParamsProposed`, {
    authority: e.authority,
    effective_height: e.effectiveHeight.toString(),
    params_version: e.version.toString(),
    ...changed(e.changes),
  });
}

/** Params that hold from this block on. */
export function paramsUpdated(e: { version: bigint; changes: readonly ParamChange[] }): Event {
  const params_version = e.version.toString();
  return event(`${PREFIX}ParamsUpdated`, { params_version, ...changed(e.changes) });
}

/** Names with commas between, and the values before and after as JSON by name. */
function changed(changes: readonly ParamChange[]): { changed: string; old: string; new: string } {
  const [before, after]: [JsonObject, JsonObject] = [{}, {}];
  for (const change of changes) {
    before[change.name] = change.before;
    after[change.name] = change.after;
  }
  const names = changes.map(({ name }) => name).join(",");
  return { changed: names, old: canonicalJson(before), new: canonicalJson(after) };
}
