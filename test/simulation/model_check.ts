import type * as wire from "../../src/gen/virtengine/settlement/v1/tx.ts";
import { bytesOf, isAddress, isDenom, parsed } from "./model_sums.ts";

type Check = readonly [holds: boolean, code: number];

/** What a message must say by itself, in order, and the code without it (settlement.md 1.2). */
const CHECKS: Readonly<Record<string, (message: never) => readonly Check[]>> = {
  MsgCreateEscrow: (m: wire.MsgCreateEscrow) => [
    [isId(m.orderId), 2],
    [(parsed(m.amount)?.size ?? 0) > 0, 3],
    [m.expiresIn !== 0n, 2],
  ],
  MsgActivateEscrow: (m: wire.MsgActivateEscrow) => [
    [m.escrowId !== "" && isId(m.leaseId), 2],
    [isAddress(m.recipient), 1],
  ],
  MsgReleaseEscrow: (m: wire.MsgReleaseEscrow) => [
    [m.escrowId !== "", 2],
    [parsed(m.amount) !== undefined, 3],
  ],
  MsgRefundEscrow: (m: wire.MsgRefundEscrow) => [[m.escrowId !== "" && m.reason !== "", 2]],
  MsgDisputeEscrow: (m: wire.MsgDisputeEscrow) => [[m.escrowId !== "" && m.reason !== "", 2]],
  MsgSettleOrder: (m: wire.MsgSettleOrder) => [
    [m.orderId !== "" && !m.usageRecordIds.includes(""), 4],
    [new Set(m.usageRecordIds).size === m.usageRecordIds.length, 4],
  ],
  MsgRecordUsage: (m: wire.MsgRecordUsage) => [
    [isId(m.orderId) && isId(m.leaseId) && m.usageUnits !== 0n, 5],
    [m.usageType !== "" && bytesOf(m.usageType) <= 64 && m.periodEnd > m.periodStart, 5],
    [m.signature.length > 0, 6],
    [isDenom(m.unitPrice?.denom ?? "") && isPrice(m.unitPrice?.amount ?? ""), 5],
  ],
  // README gives checks of a message alone the codes 1 to 7; this one is 1509 all the same.
  MsgClaimRewards: (m: wire.MsgClaimRewards) => [
    [["", "staking", "usage", "verification", "provider"].includes(m.source), 1509],
  ],
  MsgAcknowledgeUsage: (m: wire.MsgAcknowledgeUsage) => [
    [m.usageId !== "", 5],
    [m.signature.length > 0, 6],
  ],
};

/** @returns the code of the first check that a message fails by itself, or undefined */
export function failsAlone(type: string, message: object): number | undefined {
  return CHECKS[type]?.(message as never).find(([holds]) => !holds)?.[1];
}

/** RULES 9: order and lease ids. */
function isId(id: string): boolean {
  return id !== "" && bytesOf(id) <= 128;
}

function isPrice(atomics: string): boolean {
  return /^[0-9]+$/.test(atomics) && BigInt(atomics) < 10n ** 78n;
}
