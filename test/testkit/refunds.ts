import type * as ext from "../../src/gen/settled/settlement/v1/query.ts";
import * as tx from "../../src/gen/settled/settlement/v1/tx.ts";
import { authority, type TestAccount } from "./accounts.ts";
import type { TestChain } from "./chain.ts";
import { text, wire } from "./coins.ts";
import type { TestMessage } from "./messages.ts";
import { responseOf } from "./outcome.ts";
import { own } from "./own_message.ts";

const OWN = "settled.settlement.v1.Query";

/** Messages about refunds of settlements. */
export const refundMsg = {
  refund: (
    settlementId: string,
    amount = "",
    o: { signer?: TestAccount; reason?: string } = {},
  ): TestMessage => {
    const { signer = authority, reason = "no service" } = o;
    return own("MsgRefundSettlement", tx.MsgRefundSettlement, signer, {
      ...{ sender: signer.address, settlementId, amount: wire(amount), reason },
    });
  },
  pay: (signer: TestAccount, receivableId: string, amount = ""): TestMessage =>
    own("MsgPayReceivable", tx.MsgPayReceivable, signer, {
      ...{ sender: signer.address, receivableId, amount: wire(amount) },
    }),
};

/** Refunds a settlement and returns what the message answered. */
export async function refunded(
  chain: TestChain,
  settlementId: string,
  amount = "",
): Promise<tx.MsgRefundSettlementResponse> {
  return responseOf(await chain.ok(refundMsg.refund(settlementId, amount)));
}

export const seeRefund = {
  one: async (chain: TestChain, refundId: string): Promise<ext.Refund> => {
    const answer = await chain.query<ext.QueryRefundResponse>(`${OWN}/Refund`, { refundId });
    if (answer.refund === undefined) throw new Error("the answer is empty");
    return answer.refund;
  },
  of: async (chain: TestChain, settlementId: string): Promise<ext.Refund[]> => {
    const path = `${OWN}/RefundsBySettlement`;
    return (await chain.query<ext.QueryRefundsBySettlementResponse>(path, { settlementId }))
      .refunds;
  },
  receivables: async (chain: TestChain, request: object = {}): Promise<ext.Receivable[]> => {
    const path = `${OWN}/Receivables`;
    return (await chain.query<ext.QueryReceivablesResponse>(path, request)).receivables;
  },
};

/** "platform fee, validator fee, holdback, net, tax" of a refund. */
export function legsText(refund: ext.Refund): string[] {
  const { platformFee, validatorFee, holdback, net, tax } = refund;
  return [platformFee, validatorFee, holdback, net, tax].map(text);
}
