import * as state from "../../../src/gen/settled/settlement/v1/state.ts";
import type { Coin } from "../../../src/gen/cosmos/base/v1beta1/coin.ts";
import { plus } from "./rules.ts";

// What the second model keeps: records as state.proto has them, with coins, names and numbers.

/** Kinds of records, with what state.proto keeps of each. */
export const KINDS = {
  ...{ escrow: state.EscrowState, usage: state.UsageState, settlement: state.SettlementState },
  ...{ invoice: state.InvoiceState, payout: state.PayoutState, dispute: state.DisputeState },
  ...{
    refund: state.RefundState,
    receivable: state.ReceivableState,
    entry: state.RewardEntryState,
  },
  ...{ distribution: state.DistributionState, claimable: state.ClaimableState },
  ...{ creditNote: state.CreditNoteState, ceiling: state.PriceCeilingState },
  ...{ terms: state.BillingTerms, series: state.InvoiceSeries },
};
export type Kind = keyof typeof KINDS;
/** Single amounts, which state.proto has as text. */
export type Whole = "cost" | "unitPrice" | "settledAmount" | "reward" | "discount" | "reserved";
export type Field<K, V> = V extends string
  ? K extends Whole
    ? bigint
    : V
  : V extends number
    ? number extends V
      ? V
      : string
    : Stored<V>;
/** A message of state.proto with single amounts as numbers and enumerations by name. */
export type Stored<T> = T extends Uint8Array
  ? T
  : T extends (infer Item)[]
    ? Stored<Item>[]
    : T extends object
      ? { [K in keyof T]: Field<K, T[K]> }
      : T;
/** What a record has beside: coins of a payout that are still here, entries that are gone. */
export interface Beside {
  readonly kind: Kind;
  readonly id: string;
  unpaid: Coin[];
  kept: Coin[];
  /** Of a settlement's total: what counts for its rewards, with fees that an agreement leaves. */
  counted: Coin[];
  isGone: boolean;
}
export type Row<K extends Kind> = Stored<ReturnType<(typeof KINDS)[K]["decode"]>> & Beside;
export type Escrow = Row<"escrow">;
export type Usage = Row<"usage">;
export type Settlement = Row<"settlement">;
export type Payout = Row<"payout">;
export type Leg = keyof state.RefundedLegs;
export interface ModelEvent {
  readonly name: string;
  readonly facts: Readonly<Record<string, unknown>>;
}
export interface Message {
  readonly type: string;
  readonly value: Readonly<Record<string, unknown>>;
}
export type Check = (
  by: { sender: string; signature: Uint8Array },
  doc: Record<string, unknown>,
) => boolean;

export const NO_FEES = { platformFee: [], validatorFee: [] };
export const LEGS: readonly Leg[] = ["platformFee", "validatorFee", "holdback", "net", "tax"];

export const isLive = ({ status }: Escrow): boolean =>
  ["pending", "active", "disputed"].includes(status);
export const by =
  <K extends string>(key: K) =>
  (a: Record<K, bigint>, b: Record<K, bigint>): number =>
    a[key] < b[key] ? -1 : a[key] > b[key] ? 1 : 0;
export const bySeq = (a: { seq: bigint }, b: { seq: bigint }): number => (a.seq < b.seq ? -1 : 1);
export const byText = (a: string, b: string): number =>
  Buffer.compare(Buffer.from(a), Buffer.from(b));
export const snake = (name: string): string =>
  name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
export const isSame = (a: unknown, b: unknown): boolean => written(a) === written(b);
export const written = (value: unknown): string =>
  JSON.stringify(value ?? null, (_, each) => (typeof each === "bigint" ? `${each}` : each));

/** What parts of a settlement gave, tax aside. */
export function legsTotal(legs: state.RefundedLegs | undefined): Coin[] {
  return plus(
    legs?.platformFee ?? [],
    legs?.validatorFee ?? [],
    legs?.holdback ?? [],
    legs?.net ?? [],
  );
}

/** How many records have no more units than one settlement can count. */
export function countableOf(usages: readonly Usage[]): number {
  let units = 0n;
  const end = usages.findIndex((usage) => (units += usage.units) >= 2n ** 64n);
  return end < 0 ? usages.length : end;
}

/** Intervals that periods merge to. */
export function gapsOf(periods: readonly { periodStart: bigint; periodEnd: bigint }[]): number {
  return periods.filter((each) => !periods.some(({ periodEnd }) => periodEnd === each.periodStart))
    .length;
}
