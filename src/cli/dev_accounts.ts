import {
  hdPathOf,
  newMnemonic,
  privateKeyOfMnemonic,
  signerFromMnemonic,
} from "../client/signer.ts";
import type { Coins } from "../types/coins.ts";
import type { Keyring } from "./keyring/keyring.ts";

export type DevRole = "provider" | "customer" | "authority";

/** An account of a dev chain, with a mnemonic of its own. */
export interface DevAccount {
  readonly name: string;
  readonly role: DevRole;
  readonly address: string;
  readonly mnemonic: string;
}

const NAMES: readonly (readonly [string, DevRole])[] = [
  ["provider-1", "provider"],
  ["provider-2", "provider"],
  ["customer-1", "customer"],
  ["customer-2", "customer"],
  ["authority", "authority"],
];

/** What each account of a dev chain has at genesis. */
export function devFunds(denom: string): Coins {
  const coins = [
    { denom, amount: 10n ** 15n },
    { denom: "uusd", amount: 10n ** 12n },
  ];
  return coins.sort((a, b) => (a.denom < b.denom ? -1 : 1));
}

/**
 * The accounts of a new dev chain. Every one has a mnemonic of its own, so that any wallet can
 * take over any of them. They come from `mnemonic` and the account's place when it is given: the
 * same one gives the same chain again.
 */
export async function devAccounts(prefix: string, mnemonic?: string): Promise<DevAccount[]> {
  const accounts: DevAccount[] = [];
  for (const [index, [name, role]] of NAMES.entries()) {
    const own = mnemonic === undefined ? await newMnemonic(12) : await childOf(mnemonic, index);
    const { address } = await signerFromMnemonic(own, { prefix });
    accounts.push({ name, role, address, mnemonic: own });
  }
  return accounts;
}

/** A mnemonic of 12 words whose entropy is the start of a child key of `mnemonic`. */
async function childOf(mnemonic: string, index: number): Promise<string> {
  const { Bip39 } = await import("@cosmjs/crypto");
  const key = await privateKeyOfMnemonic(mnemonic, hdPathOf(index));
  return Bip39.encode(key.slice(0, 16)).toString();
}

/** Puts the accounts into a keyring. */
export async function storeDevAccounts(
  keyring: Keyring,
  accounts: readonly DevAccount[],
): Promise<void> {
  for (const { name, role, mnemonic } of accounts) {
    const privateKey = await privateKeyOfMnemonic(mnemonic);
    await keyring.add({ name, role, mnemonic, privateKey });
  }
}

/** The dev accounts that a test keyring holds, in the order of `init`. */
export async function loadDevAccounts(keyring: Keyring): Promise<DevAccount[]> {
  const accounts: DevAccount[] = [];
  const keys = await keyring.list();
  for (const [name, role] of NAMES) {
    const key = keys.find((each) => each.name === name && each.role === role);
    if (key === undefined) continue;
    const { mnemonic } = await keyring.secret(name);
    if (mnemonic !== undefined) accounts.push({ name, role, address: key.address, mnemonic });
  }
  return accounts;
}
