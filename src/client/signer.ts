import { addressOfPublicKey, DEFAULT_BECH32_PREFIX } from "../types/address.ts";
import { ClientError } from "./errors.ts";
import { signingCurve } from "./native_secp256k1.ts";

/** An account that can sign. The private key stays inside; it is never logged or shown. */
export interface Signer {
  readonly address: string;
  /** 33 bytes, compressed. */
  readonly publicKey: Uint8Array;
  /** 64-byte r‖s with low s over a 32-byte digest. */
  sign(digest32: Uint8Array): Uint8Array;
}

/** The path of the first account of a Cosmos wallet (BIP-44, coin type 118). */
export const DEFAULT_HD_PATH = "m/44'/118'/0'/0/0";

/** The path of the account with a given index. */
export function hdPathOf(index: number): string {
  return `m/44'/118'/0'/0/${index}`;
}

/**
 * The signer of a BIP-39 mnemonic (12 to 24 English words).
 * @throws ClientError `bad_mnemonic` when a word or the checksum is wrong.
 */
export async function signerFromMnemonic(
  mnemonic: string,
  options: { prefix?: string; hdPath?: string } = {},
): Promise<Signer> {
  const key = await privateKeyOfMnemonic(mnemonic, options.hdPath ?? DEFAULT_HD_PATH);
  return signerFromPrivateKey(key, options.prefix ?? DEFAULT_BECH32_PREFIX);
}

/** @throws ClientError `bad_key` when the 32 bytes are not a key of the curve. */
export function signerFromPrivateKey(key: Uint8Array, prefix: string): Signer {
  const curve = signingCurve();
  if (key.length !== 32 || !curve.isPrivateKey(key)) {
    throw new ClientError("bad_key", "not a private key of secp256k1: 32 bytes (64 hex digits)");
  }
  const secret = Uint8Array.from(key);
  const publicKey = curve.publicKey(secret);
  const address = addressOfPublicKey(publicKey, prefix);
  return { address, publicKey, sign: (digest32) => curve.sign(digest32, secret) };
}

/** The 32-byte private key that a mnemonic has at an HD path. */
export async function privateKeyOfMnemonic(
  mnemonic: string,
  hdPath: string = DEFAULT_HD_PATH,
): Promise<Uint8Array> {
  // Loaded on use: the word list and its helpers cost more start-up time than all else here.
  const { Bip39, EnglishMnemonic, Slip10, Slip10Curve, stringToPath } = await import(
    "@cosmjs/crypto"
  );
  const words = parseMnemonic(mnemonic, EnglishMnemonic);
  const seed = await Bip39.mnemonicToSeed(words);
  return Slip10.derivePath(Slip10Curve.Secp256k1, seed, parsePath(hdPath, stringToPath)).privkey;
}

function parseMnemonic<T>(text: string, Mnemonic: new (text: string) => T): T {
  const normal = text.trim().toLowerCase().split(/\s+/).join(" ");
  try {
    return new Mnemonic(normal);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ClientError("bad_mnemonic", `not a BIP-39 mnemonic of English words: ${why}`);
  }
}

function parsePath<T>(text: string, parse: (text: string) => T): T {
  try {
    return parse(text);
  } catch {
    throw new ClientError("bad_hd_path", `not an HD path: "${text}", expected ${DEFAULT_HD_PATH}`);
  }
}

/** A new mnemonic of 12 or 24 words, from the operating system's randomness. */
export async function newMnemonic(words: 12 | 24 = 24): Promise<string> {
  const { Bip39, Random } = await import("@cosmjs/crypto");
  return Bip39.encode(Random.getBytes(words === 12 ? 16 : 32)).toString();
}
