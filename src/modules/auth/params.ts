import { Params } from "../../gen/settled/auth/v1/state.ts";

/** Limits and gas prices of every tx. Gas is per tx byte and per signature. */
export const DEFAULT_PARAMS: Params = Params.fromPartial({
  maxMemoCharacters: 256n,
  txSigLimit: 7n,
  txSizeCostPerByte: 10n,
  sigVerifyCostSecp256k1: 1000n,
});
