import { disputeUsage } from "../../client/settlement_msgs.ts";
import type { BilledUsage } from "../../client/usage_records.ts";
import { messageGas } from "../gas.ts";
import { signedAcknowledgement } from "../reports.ts";
import type { TxSender } from "../submit.ts";
import type { Outgoing } from "../tx_facts.ts";
import { reasonOf } from "./evidence.ts";

/** What became of one answer. */
export interface Answered {
  readonly usageId: string;
  /** Empty when the chain took it. */
  readonly refused: string;
}

/** A record that is disputed, and why. */
export interface Objection {
  readonly record: BilledUsage;
  readonly reason: string;
  /** sha256 of what the customer shows; empty for none. */
  readonly evidenceHash: Uint8Array;
}

/** Acknowledges records, many in one tx. A record that the chain refuses does not hold the others. */
export function acknowledgeAll(
  records: readonly BilledUsage[],
  sender: TxSender,
  chainId: string,
): Promise<Answered[]> {
  const items = records.map(({ usageId, denom, cost }) => {
    const totalCost = cost === 0n ? "" : `${cost}${denom}`;
    const message = signedAcknowledgement({ usageId, totalCost }, sender.signer, chainId);
    return { message, gas: messageGas("acknowledge") };
  });
  return send(records, items, sender);
}

/** Disputes records, many in one tx. */
export function disputeAll(
  objections: readonly Objection[],
  sender: TxSender,
): Promise<Answered[]> {
  const items = objections.map(({ record: { usageId }, reason, evidenceHash }) => {
    const facts = { usageId, reason: reasonOf(reason), evidenceHash };
    const message = disputeUsage({ sender: sender.signer.address, ...facts });
    return { message, gas: messageGas("dispute") };
  });
  const records = objections.map(({ record }) => record);
  return send(records, items, sender);
}

async function send(
  records: readonly BilledUsage[],
  items: readonly Outgoing[],
  sender: TxSender,
): Promise<Answered[]> {
  const outcomes = await sender.send(items);
  return records.map(({ usageId }, at) => {
    return { usageId, refused: outcomes[at]?.refusal?.log ?? "" };
  });
}
