import { customer2, provider } from "../testkit/accounts.ts";
import { GENESIS, GENESIS_TIME, slot } from "../testkit/times.ts";
import type { ConcreteBlock } from "./compare.ts";
import { SECOND } from "./model/coins.ts";
import type { Facts } from "./model/records.ts";
import { type ModelMessage, PARTIES } from "./parties.ts";

// Messages and blocks of the tests that run what module and model once disagreed about.

export const SETTING = { params: {}, extended: { auto_settle_enabled: false }, pool: 0n };
export const [depositor = ""] = PARTIES.map(({ address }) => address);
export const recipient = provider.address;
export const other = customer2.address;
export const authority = PARTIES.find(({ name }) => name === "authority")?.address ?? "";

const NO_BYTES = new Uint8Array(0);

export function message(type: string, value: Facts & { readonly sender: string }): ModelMessage {
  return { type, value };
}

export function report(leaseId: string, start: number, units: bigint, price: bigint) {
  const { start: periodStart, end: periodEnd } = slot(start);
  const unitPrice = { denom: "uve", amount: `${price}` };
  const usage = { orderId: "o", leaseId, usageUnits: units, usageType: "cpu", unitPrice };
  const value = { sender: recipient, ...usage, periodStart, periodEnd };
  return message("MsgRecordUsage", { ...value, signature: Uint8Array.of(1) });
}

/** "usage-1767225603-1": made in the block with this number. */
export function idAt(kind: string, block: number, seq = 1): string {
  return `${kind}-${GENESIS + BigInt(block)}-${seq}`;
}

export function correct(usageId: string, usageUnits: bigint, amount: bigint, denom = "uve") {
  const unitPrice = { denom, amount: `${amount}` };
  const value = { sender: recipient, usageId, usageUnits, unitPrice, reason: "" };
  return message("MsgCorrectUsage", { ...value, signature: Uint8Array.of(1) });
}

export function acknowledge(usageId: string) {
  const value = { sender: depositor, usageId, signature: Uint8Array.of(1) };
  return message("MsgAcknowledgeUsage", value);
}

export function dispute(usageId: string) {
  const value = { sender: depositor, usageId, reason: "why", evidenceHash: NO_BYTES };
  return message("MsgDisputeUsage", value);
}

/** @param units of an amendment, at the price that the record has */
export function resolve(sender: string, number: number, resolution: string, units = 0n) {
  const facts = { disputeId: `dispute-${number}`, resolution, usageUnits: units };
  return message("MsgResolveDispute", { sender, ...facts, unitPrice: undefined });
}

export function settle(isFinal: boolean) {
  const value = { sender: depositor, orderId: "o", usageRecordIds: [], isFinal };
  return message("MsgSettleOrder", value);
}

export function setTax(sender: string, mode: string, ...rates: readonly [string, boolean?][]) {
  const all = rates.map(([rate, compound = false]) => ({ name: "VAT", rate, compound }));
  const tax = { mode, jurisdiction: "", rates: all, customerTaxId: "" };
  return message("MsgSetTax", { sender, orderId: "o", tax });
}

export function create(sender: string) {
  const amount = ["uusd", "uve"].map((denom) => ({ denom, amount: "10000" }));
  return message("MsgCreateEscrow", { sender, orderId: "o", amount, expiresIn: 3600n });
}

export function activate(sender: string, escrowId: string) {
  return message("MsgActivateEscrow", { sender, escrowId, leaseId: "l", recipient });
}

/** An active escrow of 10,000uve and 10,000uusd, and then these blocks a second apart each. */
export function after(...blocks: ConcreteBlock["txs"][]): ConcreteBlock[] {
  const head = [[[create(depositor)]], [[activate(depositor, "escrow-1")]]];
  return [...head, ...blocks].map((txs, at) => {
    return { timeNs: GENESIS_TIME + BigInt(at + 1) * SECOND, txs };
  });
}

/** The same blocks, those from a number on so many seconds later. */
export function delayed(
  blocks: readonly ConcreteBlock[],
  from: number,
  seconds: bigint,
): ConcreteBlock[] {
  return blocks.map((block, at) => {
    return at + 1 < from ? block : { ...block, timeNs: block.timeNs + seconds * SECOND };
  });
}
