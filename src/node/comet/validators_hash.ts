import { encodeSimpleValidator } from "../../codec/tendermint.ts";
import { merkleRoot } from "./merkle.ts";

/** The Merkle root over the validators in their order, each as key and power. */
export function validatorsHash(
  validators: readonly { readonly publicKey: Uint8Array; readonly power: bigint }[],
): Uint8Array {
  return merkleRoot(
    validators.map(({ publicKey, power }) => encodeSimpleValidator(publicKey, power)),
  );
}
