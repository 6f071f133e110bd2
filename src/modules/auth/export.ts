import { messageToJson } from "../../codec/proto_json.ts";
import { AccountState, GenesisState, Params } from "../../gen/settled/auth/v1/state.ts";
import { keyOfBytes, u64FromKey } from "../../lib/key.ts";
import type { Reader } from "../../store/read_view.ts";
import { ACCOUNT_PREFIX, NEXT_NUMBER_KEY, PARAMS_KEY } from "./keys.ts";
import { DEFAULT_PARAMS } from "./params.ts";

/** Params and accounts as genesis JSON. */
export async function exportAuth(reader: Reader): Promise<unknown> {
  const params = await reader.get(PARAMS_KEY);
  const next = await reader.get(NEXT_NUMBER_KEY);
  const genesis = GenesisState.fromPartial({
    params: params === undefined ? DEFAULT_PARAMS : Params.decode(params),
    nextAccountNumber: next === undefined ? 0n : u64FromKey(keyOfBytes(next), 0),
  });
  for await (const [, value] of reader.range(ACCOUNT_PREFIX)) {
    genesis.accounts.push(AccountState.decode(value));
  }
  return messageToJson("settled.auth.v1.GenesisState", genesis);
}
