import { type Signer, signerFromPrivateKey } from "../../src/client/signer.ts";
import { utf8 } from "../../src/lib/bytes.ts";
import { sha256 } from "../../src/lib/sha256.ts";

/** An account of a test chain, always the same for the same name. */
export interface TestAccount extends Signer {
  readonly name: string;
}

const known = new Map<string, TestAccount>();

/** The account of a name: its private key is the name's hash. */
export function testAccount(name: string): TestAccount {
  const found = known.get(name);
  if (found !== undefined) return found;
  const account = { ...signerFromPrivateKey(sha256(utf8(`test account ${name}`)), "ve"), name };
  known.set(name, account);
  return account;
}

export const customer = testAccount("customer");
export const customer2 = testAccount("customer2");
export const provider = testAccount("provider");
export const provider2 = testAccount("provider2");
/** The account that the param `authority` names. */
export const authority = testAccount("authority");
/** Somebody with coins and no part in anything. */
export const stranger = testAccount("stranger");

export const CAST: readonly TestAccount[] = [
  ...[customer, customer2, provider, provider2, authority, stranger],
];
