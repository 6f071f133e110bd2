import { messageFromJson, messageToJson } from "../../src/codec/proto_json.ts";
import type { Params as ExtendedParams } from "../../src/gen/settled/settlement/v1/params.ts";
import type { QueryParamsResponse as ExtendedAnswer } from "../../src/gen/settled/settlement/v1/query.ts";
import { MsgUpdateParams } from "../../src/gen/settled/settlement/v1/tx.ts";
import type {
  Params as WireParams,
  QueryParamsResponse,
} from "../../src/gen/virtengine/settlement/v1/query.ts";
import {
  DEFAULT_EXTENDED_PARAMS,
  DEFAULT_WIRE_PARAMS,
} from "../../src/modules/settlement/params.ts";
import { authority, type TestAccount } from "./accounts.ts";
import type { TestChain } from "./chain.ts";
import type { TestMessage } from "./messages.ts";

export const WIRE = "virtengine.settlement.v1.Params";
export const EXTENDED = "settled.settlement.v1.Params";

type Json = Record<string, unknown>;

/** Params by their JSON names; what is left out keeps its value. */
export interface ParamsJson {
  readonly params?: Json;
  readonly extended?: Json;
}

/** The answer about the params that the deployed module has. */
export async function wireParams(chain: TestChain): Promise<WireParams> {
  const { params } = await chain.query<QueryParamsResponse>(WIRE.replace("Params", "Query/Params"));
  if (params === undefined) throw new Error("the answer is empty");
  return params;
}

/** The answer about the params that Settled adds. */
export function extendedParams(chain: TestChain): Promise<ExtendedAnswer> {
  return chain.query<ExtendedAnswer>(EXTENDED.replace("Params", "Query/Params"));
}

/** A message that gives these params other values than the chain's genesis had. */
export function updateGenesisParams(
  chain: TestChain,
  given: ParamsJson,
  signer: TestAccount = authority,
): TestMessage {
  const genesis = chain.genesis.appState["settlement"] as { params: Json; extended_params: Json };
  const half = <T>(name: string, defaults: object, ...parts: (Json | undefined)[]): T =>
    messageFromJson<T>(name, Object.assign({}, messageToJson(name, defaults), ...parts) as Json);
  return messageBy(signer, {
    params: half<WireParams>(WIRE, DEFAULT_WIRE_PARAMS, genesis.params, given.params),
    extendedParams: half<ExtendedParams>(
      ...([EXTENDED, DEFAULT_EXTENDED_PARAMS, genesis.extended_params, given.extended] as const),
    ),
  });
}

/** A message that gives these params other values than a chain has now. */
export async function updateParams(
  chain: TestChain,
  given: ParamsJson,
  signer: TestAccount = authority,
): Promise<TestMessage> {
  const merged = <T>(name: string, now: object, json: Json | undefined): T | undefined =>
    json && messageFromJson<T>(name, { ...(messageToJson(name, now) as Json), ...json });
  const own = (await extendedParams(chain)).params ?? {};
  return messageBy(signer, {
    params: merged<WireParams>(WIRE, await wireParams(chain), given.params),
    extendedParams: merged<ExtendedParams>(EXTENDED, own, given.extended),
  });
}

function messageBy(signer: TestAccount, fields: Omit<MsgUpdateParams, "authority">): TestMessage {
  const value = MsgUpdateParams.encode({ authority: signer.address, ...fields }).finish();
  return { typeUrl: "/settled.settlement.v1.MsgUpdateParams", value, signer };
}
