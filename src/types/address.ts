import { decodeBech32, encodeBech32 } from "../lib/bech32.ts";
import { utf8 } from "../lib/bytes.ts";
import { ChainError } from "../lib/errors.ts";
import { keyOfBytes } from "../lib/key.ts";
import { Memo } from "../lib/memo.ts";
import { ripemd160, sha256 } from "../lib/sha256.ts";
import { ErrInvalidAddress } from "./sdk_errors.ts";

/** A bech32 account address that has been checked: prefix, checksum and length. */
export type Address = string & { readonly __address: unique symbol };

/** Defaults of DESIGN section 2; genesis may choose another prefix. */
export const DEFAULT_BECH32_PREFIX = "ve";

const LENGTHS = [20, 32];

/**
 * Checks an address from outside.
 * @throws ChainError sdk/7 saying what is wrong with it.
 */
export function parseAddress(text: string, prefix: string): Address {
  const known = checked.get(text);
  if (known?.prefix === prefix) return known.address;
  const address = checkedAddress(text, prefix);
  checked.set(text, { prefix, address });
  return address;
}

// Whether a text is an address depends on text and prefix alone, and few addresses sign much.
const checked = new Memo<{ readonly prefix: string; readonly address: Address }>(10_000);

function checkedAddress(text: string, prefix: string): Address {
  if (text === "") throw invalid("empty address string is not allowed");
  const decoded = decodeBech32(text);
  if (decoded === undefined) throw invalid(`decoding bech32 failed for "${text.slice(0, 100)}"`);
  if (decoded.prefix !== prefix) {
    throw invalid(`invalid Bech32 prefix; expected ${prefix}, got ${decoded.prefix}`);
  }
  if (!LENGTHS.includes(decoded.data.length)) {
    throw invalid(`address length must be 20 or 32 bytes, got ${decoded.data.length}`);
  }
  return text.toLowerCase() as Address;
}

function invalid(detail: string): ChainError {
  return new ChainError(ErrInvalidAddress, detail);
}

export function addressOfBytes(bytes: Uint8Array, prefix: string): Address {
  return encodeBech32(prefix, bytes) as Address;
}

/** ripemd160(sha256(compressed key)), as Cosmos addresses single secp256k1 keys. */
export function addressOfPublicKey(publicKey: Uint8Array, prefix: string): Address {
  const key = keyOfBytes(publicKey);
  const known = derived.get(key);
  if (known?.prefix === prefix) return known.address;
  const address = addressOfBytes(ripemd160(sha256(publicKey)), prefix);
  derived.set(key, { prefix, address });
  return address;
}

// A new signer's address is derived in each check until a block has its key, and in the block.
const derived = new Memo<{ readonly prefix: string; readonly address: Address }>(10_000);

/** The address of a module account: the first 20 bytes of sha256(name). */
export function moduleAddress(name: string, prefix: string): Address {
  return addressOfBytes(sha256(utf8(name)).slice(0, 20), prefix);
}
