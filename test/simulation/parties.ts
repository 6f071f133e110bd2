import { createHash } from "node:crypto";
import { AcknowledgeSignDoc, UsageSignDoc } from "../../src/gen/settled/settlement/v1/sign_doc.ts";
import { authority, customer, customer2, provider, provider2 } from "../testkit/accounts.ts";
import { stranger, type TestAccount, testAccount } from "../testkit/accounts.ts";
import { CHAIN_ID } from "../testkit/chain.ts";
import type { Facts } from "./model/records.ts";

/** A message that one of the parties signs. */
export interface ModelMessage {
  /** Such as "MsgSettleOrder". */
  readonly type: string;
  readonly value: { readonly sender: string };
}

export const CUSTOMERS = [customer, customer2, testAccount("customer3")];
export const PROVIDERS = [provider, provider2, testAccount("provider3")];
/** Everybody who signs. */
export const PARTIES: readonly TestAccount[] = [...CUSTOMERS, ...PROVIDERS, authority, stranger];

export function isParty(address: string): boolean {
  return PARTIES.some((party) => party.address === address);
}

/** @param doc facts of a usage report, or of an acknowledgement (RULES 18) */
export function signed(sender: string, doc: Facts): Uint8Array {
  const signer = PARTIES.find(({ address }) => address === sender) ?? stranger;
  const codec = "totalCost" in doc ? AcknowledgeSignDoc : UsageSignDoc;
  const bytes = codec.encode({ chainId: CHAIN_ID, ...doc } as never).finish();
  return signer.sign(createHash("sha256").update(bytes).digest());
}

export function isSigned(by: { sender: string; signature: Uint8Array }, doc: Facts): boolean {
  return Buffer.compare(by.signature, signed(by.sender, doc)) === 0;
}
