import { LegacyAminoPubKey } from "../gen/cosmos/crypto/multisig/keys.ts";
import type { CompactBitArray } from "../gen/cosmos/crypto/multisig/v1beta1/multisig.ts";
import { PubKey } from "../gen/cosmos/crypto/secp256k1/keys.ts";
import { concatBytes, equalBytes } from "../lib/bytes.ts";
import { ChainError } from "../lib/errors.ts";
import { sha256 } from "../lib/sha256.ts";
import { type Address, addressOfBytes } from "../types/address.ts";
import { ErrInvalidPubKey } from "../types/sdk_errors.ts";

export const MULTISIG_TYPE = "/cosmos.crypto.multisig.LegacyAminoPubKey";
/** Members of one multisig; params of a chain may allow fewer. */
export const MULTISIG_MEMBERS_MAX = 20;

const SECP256K1_TYPE = "/cosmos.crypto.secp256k1.PubKey";
const AMINO_MULTISIG = Uint8Array.of(0x22, 0xc1, 0xf7, 0xe2);
const AMINO_SECP256K1 = Uint8Array.of(0xeb, 0x5a, 0xe9, 0x87, 0x21);

/** A key of which some members must sign. */
export interface MultisigKey {
  /** From 1 to the number of members. */
  readonly threshold: number;
  /** 33 bytes each, compressed secp256k1. */
  readonly members: readonly Uint8Array[];
  /** The encoded LegacyAminoPubKey; bytes of its own. */
  readonly encoded: Uint8Array;
}

/**
 * Reads an encoded LegacyAminoPubKey of single secp256k1 keys.
 * @throws ChainError sdk/8 for anything else, a multisig inside a multisig included
 */
export function readMultisigKey(bytes: Uint8Array): MultisigKey {
  const { threshold, publicKeys } = decoded(bytes);
  const count = publicKeys.length;
  if (count === 0 || count > MULTISIG_MEMBERS_MAX) {
    throw invalid(`a multisig has 1 to ${MULTISIG_MEMBERS_MAX} members, got ${count}`);
  }
  if (threshold < 1 || threshold > count) {
    throw invalid(`the threshold of ${count} members is from 1 to ${count}, got ${threshold}`);
  }
  const members = publicKeys.map(({ typeUrl, value }, index) => {
    if (typeUrl !== SECP256K1_TYPE) {
      const found = typeUrl.slice(0, 100);
      throw invalid(`member ${index}: expected ${SECP256K1_TYPE}, got ${found}`);
    }
    return memberKey(value, index);
  });
  const encoded = LegacyAminoPubKey.encode({ threshold, publicKeys }).finish();
  // Whoever finds two encodings of one key would have two keys of one address.
  if (!equalBytes(encoded, bytes)) throw invalid("the multisig key is not in its plain encoding");
  return { threshold, members, encoded };
}

function decoded(bytes: Uint8Array): LegacyAminoPubKey {
  try {
    return LegacyAminoPubKey.decode(bytes);
  } catch {
    throw invalid("the multisig key does not decode");
  }
}

function memberKey(value: Uint8Array, index: number): Uint8Array {
  // Field 1, 33 bytes: the one plain encoding of a compressed key.
  if (value.length !== 35) throw invalid(`member ${index}: a compressed key has 33 bytes`);
  const key = value.subarray(2);
  if (!equalBytes(PubKey.encode({ key }).finish(), value)) {
    throw invalid(`member ${index}: the key is not in its plain encoding`);
  }
  return key;
}

function invalid(detail: string): ChainError {
  return new ChainError(ErrInvalidPubKey, detail);
}

/** The first 20 bytes of sha256 of the key's amino encoding, as Cosmos addresses multisigs. */
export function multisigAddress(
  { threshold, members }: Pick<MultisigKey, "threshold" | "members">,
  prefix: string,
): Address {
  const parts = members.flatMap((key) => [
    Uint8Array.of(0x12, AMINO_SECP256K1.length + key.length),
    AMINO_SECP256K1,
    key,
  ]);
  // The threshold is below 128, so its varint is one byte.
  const amino = concatBytes(AMINO_MULTISIG, Uint8Array.of(0x08, threshold), ...parts);
  return addressOfBytes(sha256(amino).subarray(0, 20), prefix);
}

/** How many bits a bit array has. */
export function bitCount({ extraBitsStored, elems }: CompactBitArray): number {
  if (elems.length === 0) return 0;
  return extraBitsStored === 0 ? elems.length * 8 : (elems.length - 1) * 8 + extraBitsStored;
}

/** Places of the set bits in order, spare ones of the last byte included. */
export function setBits({ elems }: CompactBitArray): number[] {
  const places: number[] = [];
  for (let place = 0; place < elems.length * 8; place += 1) {
    if (((elems[place >> 3] as number) & (0x80 >> (place & 7))) !== 0) places.push(place);
  }
  return places;
}
