import { hash } from "node:crypto";
import { type Signer, signerFromPrivateKey } from "../../src/client/signer.ts";

/** An account of a bench chain, and where it stands: what its next signature covers. */
export interface BenchAccount {
  readonly signer: Signer;
  number: bigint;
  sequence: bigint;
}

/** The account of a name, always the same: its private key is the hash of the name. */
export function benchAccount(name: string): BenchAccount {
  const key = hash("sha256", `settled bench ${name}`, "buffer");
  return { signer: signerFromPrivateKey(key, "ve"), number: 0n, sequence: 0n };
}

/** Accounts "name 0", "name 1", … */
export function benchAccounts(name: string, count: number): BenchAccount[] {
  return Array.from({ length: count }, (_, index) => benchAccount(`${name} ${index}`));
}

/** The item of an index that may run past the end: the list starts over. */
export function cycled<T>(list: readonly T[], index: number): T {
  const item = list[index % list.length];
  if (item === undefined) throw new Error("an empty list has no items");
  return item;
}
