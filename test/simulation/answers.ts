import { TxMsgData } from "../../src/gen/cosmos/base/abci/v1beta1/abci.ts";
import * as own from "../../src/gen/settled/settlement/v1/tx.ts";
import * as wire from "../../src/gen/virtengine/settlement/v1/tx.ts";
import { plain, sides } from "./difference.ts";
import { SECOND } from "./model/coins.ts";
import type { Done } from "./model/model.ts";
import type { Message } from "./model/records.ts";

// Answers of messages: each field says what the event of the message says.

const CODECS = { ...wire, ...own };
/** Event that an answer repeats; the first of a message that has several. */
const EVENTS: Readonly<Record<string, string>> = {
  ...{ MsgCreateEscrow: "EscrowCreated", MsgReleaseEscrow: "EscrowReleased" },
  ...{ MsgRefundEscrow: "EscrowRefunded", MsgSettleOrder: "OrderSettled" },
  ...{ MsgRecordUsage: "UsageRecorded", MsgClaimRewards: "RewardsClaimed" },
  ...{ MsgUpdateParams: "ParamsProposed", MsgSetPriceCeiling: "PriceCeilingSet" },
  ...{ MsgPayInvoice: "InvoicePaid", MsgCreditInvoice: "InvoiceCredited" },
  ...{ MsgRefundPayout: "PayoutRefunded", MsgDisputeUsage: "UsageDisputed" },
  ...{ MsgCorrectUsage: "UsageCorrected", MsgWithdrawFees: "FeesWithdrawn" },
  MsgResolveDispute: "DisputeResolved DisputeProposed",
  MsgReleasePayout: "PayoutCompleted HoldbackReleased PayoutFailed",
  ...{ MsgRefundSettlement: "SettlementRefunded", MsgPayReceivable: "ReceivablePaid" },
  MsgDistributeProviderRewards: "RewardsDistributed",
  MsgDistributeVerificationReward: "RewardsDistributed",
};
/** Fields that answers name otherwise than events. */
const NAMES: Readonly<Record<string, string>> = {
  ...{ releasedAmount: "amount", refundedAmount: "amount", creditedAmount: "amount" },
  ...{ paidAmount: "amount", owedAmount: "owed" },
  // What came back at once, tax included.
  "MsgRefundSettlement.refundedAmount": "returned",
  ...{ "MsgCorrectUsage.totalCost": "newCost", "MsgResolveDispute.usageId": "amendedUsageId" },
  ...{ "MsgResolveDispute.state": "status", "MsgReleasePayout.state": "status" },
  "MsgReleasePayout.paidAmount": "paid",
};

/** @returns the first field of an answer that differs from what the model's event says */
export function differenceOfAnswers(
  tx: readonly Message[],
  done: readonly Done[],
  { data, second }: { readonly data: Uint8Array; readonly second: bigint },
): string | undefined {
  const answers = TxMsgData.decode(data).msgResponses;
  for (const [index, { type }] of tx.entries()) {
    const { typeUrl = "", value = new Uint8Array() } = answers[index] ?? {};
    const name = typeUrl.slice(typeUrl.lastIndexOf(".") + 1);
    if (name !== `${type}Response`) return `answer: ${sides(`${type}Response`, name)}`;
    const codec = CODECS[name as "MsgCreateEscrowResponse"];
    const answer = codec.decode(value) as unknown as Record<string, unknown>;
    const { events = [], answer: more = {} } = done[index] ?? {};
    const event = events.find(({ name: event, facts }) => {
      return EVENTS[type]?.split(" ").includes(event) && facts["records"] !== 0;
    });
    for (const [field, found] of Object.entries(answer)) {
      const isTime = field.endsWith("At") && field !== "expiresAt";
      const fact = isTime ? second : factOf(type, field, { ...event?.facts, ...more });
      if (text(fact) !== text(found)) return `answer ${field}: ${sides(text(fact), text(found))}`;
    }
  }
  return undefined;
}

function factOf(type: string, field: string, facts: Readonly<Record<string, unknown>>): unknown {
  if (field === "expiresAt") return (facts["expiresAtNs"] as bigint) / SECOND;
  return facts[NAMES[`${type}.${field}`] ?? NAMES[field] ?? field];
}

function text(value: unknown): string {
  return typeof value === "string" ? value : plain(value);
}
