import { encodeHashedParams } from "../../codec/tendermint.ts";
import { sha256 } from "../../lib/sha256.ts";

/** sha256 of the two consensus params that headers commit to: block bytes and block gas. */
export function consensusHash(params: {
  readonly maxBytes: bigint;
  readonly maxGas: bigint;
}): Uint8Array {
  return sha256(encodeHashedParams(params.maxBytes, params.maxGas));
}
