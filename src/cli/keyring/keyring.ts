import type { Signer } from "../../client/signer.ts";

export type KeyringBackend = "test" | "file";

export const KEYRING_BACKENDS: readonly KeyringBackend[] = ["test", "file"];

/** What a keyring tells of a key without a password. */
export interface KeyInfo {
  readonly name: string;
  readonly address: string;
  /** 33 bytes. */
  readonly publicKey: Uint8Array;
  /** Free text such as "provider": what the account is for. */
  readonly role: string | undefined;
}

/** What a keyring keeps secret. The mnemonic is absent when a bare private key was imported. */
export interface KeySecret {
  /** 32 bytes. */
  readonly privateKey: Uint8Array;
  readonly mnemonic: string | undefined;
}

export interface NewKey extends KeySecret {
  readonly name: string;
  readonly role?: string | undefined;
}

/** Keys by name, in files under a home. Addresses are shown with the chain's prefix. */
export interface Keyring {
  readonly backend: KeyringBackend;
  /** @throws CliError `key_exists`, `bad_key_name`, `wrong_password`, `no_password` */
  add(key: NewKey): Promise<KeyInfo>;
  /** By name in byte order. */
  list(): Promise<KeyInfo[]>;
  /** By name or address. @throws CliError `key_not_found` naming the keys that there are. */
  find(nameOrAddress: string): Promise<KeyInfo>;
  /** @throws CliError `key_not_found`, `wrong_password`, `no_password` */
  secret(name: string): Promise<KeySecret>;
  signer(nameOrAddress: string): Promise<Signer>;
  /** @throws CliError `key_not_found` */
  delete(name: string): Promise<void>;
}
