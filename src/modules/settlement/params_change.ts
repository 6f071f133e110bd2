import { messageToJson } from "../../codec/proto_json.ts";
import type { JsonValue } from "../../codec/canonical_json.ts";
import type { Params as ExtendedParams } from "../../gen/settled/settlement/v1/params.ts";
import type { Params as WireParams } from "../../gen/virtengine/settlement/v1/query.ts";
import { ChainError } from "../../lib/errors.ts";
import { parseAddress } from "../../types/address.ts";
import { ErrInvalidParams } from "./errors.ts";

/** Both params, as one message or genesis sets them. */
export interface BothParams {
  readonly wire: WireParams;
  readonly extended: ExtendedParams;
}

/** One param with the texts of its JSON before and after. */
export interface ParamChange {
  /** "params.min_settlement_amount", "extended_params.authority" */
  readonly name: string;
  readonly before: string;
  readonly after: string;
}

/** What differs between two pairs of params, in the order of their fields. */
export function changesOf(before: BothParams, after: BothParams): ParamChange[] {
  const wire = "virtengine.settlement.v1.Params";
  const extended = "settled.settlement.v1.Params";
  return [
    ...differences("params", jsonOf(wire, before.wire), jsonOf(wire, after.wire)),
    ...differences(
      "extended_params",
      jsonOf(extended, before.extended),
      jsonOf(extended, after.extended),
    ),
  ];
}

type Fields = Readonly<Record<string, JsonValue>>;

function jsonOf(name: string, params: object): Fields {
  return messageToJson(name, params) as Fields;
}

function differences(path: string, before: Fields, after: Fields): ParamChange[] {
  return Object.keys(before)
    .filter((name) => before[name] !== after[name])
    .map((name) => {
      const [old, now] = [before[name], after[name]];
      return { name: `${path}.${name}`, before: String(old), after: String(now) };
    });
}

/**
 * Addresses in the spelling that they are compared in. Those that are none stay for the check to
 * refuse them by name.
 */
export function canonicalExtended(params: ExtendedParams, bech32Prefix: string): ExtendedParams {
  return {
    ...params,
    authority: canonical(params.authority, bech32Prefix),
    rewardPoolAddress: canonical(params.rewardPoolAddress, bech32Prefix),
  };
}

function canonical(text: string, bech32Prefix: string): string {
  if (text === "") return text;
  try {
    return parseAddress(text, bech32Prefix);
  } catch (error) {
    if (error instanceof ChainError) return text;
    throw error;
  }
}

/** Names the param at fault. @throws ChainError settlement/1525 */
export function paramField(path: string, check: () => void): void {
  try {
    check();
  } catch (error) {
    if (!(error instanceof ChainError)) throw error;
    // A param's own refusal has a kind of its own in its text already.
    const detail = error.is(ErrInvalidParams) ? error.detail : error.message;
    throw new ChainError(ErrInvalidParams, `${path}: ${detail}`, { param: path });
  }
}
