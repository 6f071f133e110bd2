import * as state from "../../../src/gen/settled/settlement/v1/state.ts";
import type { Params as ExtendedParams } from "../../../src/gen/settled/settlement/v1/params.ts";
import type { Params as WireParams } from "../../../src/gen/virtengine/settlement/v1/query.ts";
import type { Coins } from "./coins.ts";

// What the model keeps: records as state.proto has them, with numbers, names and ids.

/** Kinds of records: what state.proto keeps of each, and which of its times is its first. */
export const KINDS = {
  escrow: [state.EscrowState, "createdAtNs"],
  usage: [state.UsageState, "submittedAtNs"],
  settlement: [state.SettlementState, "settledAtNs"],
  invoice: [state.InvoiceState, "issuedAtNs"],
  payout: [state.PayoutState, "createdAtNs"],
  dispute: [state.DisputeState, "openedAtNs"],
  refund: [state.RefundState, "refundedAtNs"],
  receivable: [state.ReceivableState, "createdAtNs"],
  entry: [state.RewardEntryState, "createdAtNs"],
  distribution: [state.DistributionState, "distributedAtNs"],
  claimable: [state.ClaimableState, "updatedAtNs"],
  creditNote: [state.CreditNoteState, "issuedAtNs"],
  ceiling: [state.PriceCeilingState, ""],
  terms: [state.BillingTerms, ""],
  series: [state.InvoiceSeries, ""],
} as const;
export type Kind = keyof typeof KINDS;
/** Single amounts, which state.proto has as text. */
type Whole = "cost" | "unitPrice" | "settledAmount" | "reward" | "discount" | "reserved";
type Field<K, V> = V extends string
  ? K extends Whole
    ? bigint
    : V
  : V extends number
    ? number extends V
      ? V
      : string
    : Stored<V>;
/** A message of state.proto with single amounts as numbers and enumerations by name. */
type Stored<T> = T extends Uint8Array
  ? T
  : T extends (infer Item)[]
    ? Stored<Item>[]
    : T extends object
      ? { [K in keyof T]: Field<K, T[K]> }
      : T;
/** What a record has beside. */
interface Beside {
  readonly kind: Kind;
  readonly id: string;
  /** Coins of a payout that are still here: of the net, of the holdback. */
  unpaid: Coins;
  kept: Coins;
  /** Of a settlement's total: what counts for its rewards, with fees that an agreement leaves. */
  counted: Coins;
  isGone: boolean;
}
export type Row<K extends Kind> = Stored<ReturnType<(typeof KINDS)[K][0]["decode"]>> & Beside;
export type Escrow = Row<"escrow">;
export type Usage = Row<"usage">;
export type Settlement = Row<"settlement">;
export type Leg = keyof state.RefundedLegs;
export type Params = WireParams & ExtendedParams;
export type Facts = Readonly<Record<string, unknown>>;
export type Message = { readonly type: string; readonly value: Facts };
export type ModelEvent = { readonly name: string; readonly facts: Facts };

/** Stands for a text for people: whatever it says, it says something. */
export const WORDS = "(words)";

export class Refusal extends Error {
  readonly code: number;
  constructor(code: number) {
    super(`refused with ${code}`);
    this.code = code;
  }
}

/** Throws the code of the first check that refuses. */
export function refuse(...checks: (readonly [code: number, isRefused: boolean])[]): void {
  for (const [code, isRefused] of checks) if (isRefused) throw new Refusal(code);
}

const snakes = new Map<string, string>();
/** "usageUnits" as "usage_units". */
export function snake(name: string): string {
  const known = snakes.get(name);
  const made = known ?? name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  if (known === undefined) snakes.set(name, made);
  return made;
}
export const isSame = (a: unknown, b: unknown): boolean => written(a) === written(b);
const written = (value: unknown): string =>
  JSON.stringify(value ?? null, (_, each) => (typeof each === "bigint" ? `${each}` : each));

/** README, "Usage types". */
export function normalised(usageType: string): string {
  const type = usageType.replace(/^[ \t]+|[ \t]+$/g, "").replace(/[A-Z]/g, (a) => a.toLowerCase());
  return Object.entries(ALIASES).find(([, names]) => names.split(" ").includes(type))?.[0] ?? type;
}
const ALIASES = {
  cpu: "compute cpu cpu_core_hours core-hour core_hours corehours cpu_hours",
  memory: "memory ram mem memory_gb_hours gb-hour gb_hours",
  storage: "storage disk storage_gb_hours",
  gpu: "gpu gpu_hours gpu-hour",
  network: "network bandwidth network_gb",
};
