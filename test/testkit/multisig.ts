import {
  createMultisigThresholdPubkey,
  type MultisigThresholdPubkey,
  pubkeyToAddress,
  Secp256k1Wallet,
} from "@cosmjs/amino";
import { type EncodeObject, Registry } from "@cosmjs/proto-signing";
import {
  AminoTypes,
  createDefaultAminoConverters,
  defaultRegistryTypes,
  makeMultisignedTxBytes,
  SigningStargateClient,
} from "@cosmjs/stargate";
import { settledAminoConverters, settledTypes } from "../../src/client/amino_types.ts";
import { utf8 } from "../../src/lib/bytes.ts";
import { sha256 } from "../../src/lib/sha256.ts";

const registry = new Registry([...defaultRegistryTypes, ...settledTypes()]);
const aminoTypes = new AminoTypes({
  ...createDefaultAminoConverters(),
  ...settledAminoConverters(),
});

export interface SignDocFacts {
  readonly accountNumber: bigint;
  readonly sequence: number;
  readonly chainId: string;
}

interface Member {
  readonly address: string;
  readonly client: SigningStargateClient;
}

/** A multisig account and its members, all of it made by CosmJS. */
export interface MultisigParty {
  readonly key: MultisigThresholdPubkey;
  readonly address: string;
  /** In the order of the key. */
  readonly members: readonly Member[];
}

/** The multisig of members whose private keys are hashes of their names. */
export async function multisigParty(
  threshold: number,
  names: readonly string[],
  prefix = "ve",
): Promise<MultisigParty> {
  const members = await Promise.all(names.map((name) => member(name, prefix)));
  const keys = members.map(({ pubkey }) => pubkey);
  const key = createMultisigThresholdPubkey(keys, threshold, true);
  return { key, address: pubkeyToAddress(key, prefix), members };
}

async function member(name: string, prefix: string) {
  const wallet = await Secp256k1Wallet.fromKey(sha256(utf8(`member ${name}`)), prefix);
  const [account] = await wallet.getAccounts();
  if (account === undefined) throw new Error("a wallet has an account");
  const client = await SigningStargateClient.offline(wallet, { registry, aminoTypes });
  const pubkey = { type: "tendermint/PubKeySecp256k1", value: btoa(latin1(account.pubkey)) };
  return { address: account.address, client, pubkey };
}

function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}

export const MULTISIG_FEE = { amount: [{ denom: "uve", amount: "10000" }], gas: "400000" };

/** The body that all members sign, and what each of them signed, by address. */
export async function signatures(
  members: readonly Member[],
  messages: readonly EncodeObject[],
  facts: SignDocFacts,
): Promise<{ bodyBytes: Uint8Array; byAddress: Map<string, Uint8Array> }> {
  const byAddress = new Map<string, Uint8Array>();
  let bodyBytes = new Uint8Array(0);
  for (const { address, client } of members) {
    const signed = await client.sign(address, messages, MULTISIG_FEE, "", facts);
    bodyBytes = Uint8Array.from(signed.bodyBytes);
    byAddress.set(address, signed.signatures[0] as Uint8Array);
  }
  return { bodyBytes, byAddress };
}

/** The tx of a multisig with these signatures, as CosmJS puts it together. */
export function multisignedTx(
  { key }: MultisigParty,
  signed: { readonly bodyBytes: Uint8Array; readonly byAddress: Map<string, Uint8Array> },
  sequence: number,
): Uint8Array {
  const { bodyBytes, byAddress } = signed;
  return Uint8Array.from(makeMultisignedTxBytes(key, sequence, MULTISIG_FEE, bodyBytes, byAddress));
}
