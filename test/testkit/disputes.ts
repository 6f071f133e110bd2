import * as tx from "../../src/gen/settled/settlement/v1/tx.ts";
import { customer, type TestAccount } from "./accounts.ts";
import type { TestChain } from "./chain.ts";
import { price } from "./coins.ts";
import type { TestMessage } from "./messages.ts";
import { responseOf } from "./outcome.ts";
import { own } from "./own_message.ts";

/** Messages about disputes of usage records, and what they answer. */

export function disputeUsage(
  usageId: string,
  o: { reason?: string; evidence?: Uint8Array } = {},
  signer = customer,
): TestMessage {
  return own("MsgDisputeUsage", tx.MsgDisputeUsage, signer, {
    sender: signer.address,
    usageId,
    reason: o.reason ?? "the job had ended",
    evidenceHash: o.evidence ?? new Uint8Array(0),
  });
}

/** What somebody wants: "accepted", "rejected", or the units (and price) of an amended record. */
export type Wish = "accepted" | "rejected" | { readonly units: bigint; readonly price?: string };

export function resolve(disputeId: string, wish: Wish, signer: TestAccount): TestMessage {
  const amended = typeof wish === "string" ? undefined : wish;
  return own("MsgResolveDispute", tx.MsgResolveDispute, signer, {
    sender: signer.address,
    disputeId,
    resolution: typeof wish === "string" ? wish : "amended",
    usageUnits: amended?.units ?? 0n,
    unitPrice: amended?.price === undefined ? undefined : price(amended.price),
  });
}

/** Opens a dispute and returns its id. */
export async function disputed(chain: TestChain, usageId: string): Promise<string> {
  const result = await chain.ok(disputeUsage(usageId));
  return responseOf<tx.MsgDisputeUsageResponse>(result).disputeId;
}

export async function resolved(
  chain: TestChain,
  disputeId: string,
  wish: Wish,
  signer: TestAccount,
): Promise<tx.MsgResolveDisputeResponse> {
  return responseOf<tx.MsgResolveDisputeResponse>(await chain.ok(resolve(disputeId, wish, signer)));
}
