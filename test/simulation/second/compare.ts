import type { Event } from "../../../src/types/event.ts";
import type { TxResult } from "../../../src/types/tx.ts";
import { differenceOfRecord, plain, sides } from "../difference.ts";
import { SecondModel } from "./model.ts";
import type { Message, ModelEvent } from "./records.ts";
import { paramsOf, SECOND } from "./rules.ts";

// Runs the second model beside a chain and compares what came of each tx and block.

type Facts = Readonly<Record<string, unknown>>;

/** What both begin with. */
export interface SecondSetting {
  readonly params: Facts;
  readonly extended: Facts;
  /** By address and denom. */
  readonly balances: ReadonlyMap<string, ReadonlyMap<string, bigint>>;
  readonly modules: Readonly<Record<string, string>>;
  readonly timeNs: bigint;
  readonly isSigned: ConstructorParameters<typeof SecondModel>[0]["isSigned"];
}

/** What a block came to on the chain. */
export interface SecondOutput {
  readonly timeNs: bigint;
  readonly txs: readonly (readonly Message[])[];
  readonly txResults: readonly TxResult[];
  readonly events: readonly Event[];
}

const PREFIX = "virtengine.settlement.v1.Event";
/** Names in genesis of the model's records. */
const NAMES = {
  ...{ escrow: "escrows", usage: "usage", settlement: "settlements", invoice: "invoices" },
  ...{ payout: "payouts", dispute: "disputes", refund: "refunds", receivable: "receivables" },
  ...{ entry: "reward_entries", distribution: "distributions", claimable: "claimable" },
  ...{ creditNote: "credit_notes", ceiling: "price_ceilings", terms: "billing_terms" },
  series: "invoice_series",
} as const;
type Kind = keyof typeof NAMES;
/** Fields of records that the second model leaves to the long one. */
const LEFT: Readonly<Record<string, readonly string[]>> = {
  escrow: [],
  settlement: ["journalSeq"],
  invoice: ["ledgerCount", "ledgerHash"],
  entry: ["height"],
  payout: ["txHash", "ledgerCount", "lastError"],
};
/** What the model's records have beside those of the state. */
const BESIDE = ["kind", "id", "unpaid", "kept", "isGone"];
const UNNUMBERED = ["claimable", "ceiling", "terms", "series"];

/** Attributes that were compared, and those that the model does not know, by event. */
export interface Seen {
  readonly compared: Map<string, Set<string>>;
  readonly unknown: Map<string, Set<string>>;
}

export class SecondSide {
  readonly model: SecondModel;
  readonly seen: Seen = { compared: new Map(), unknown: new Map() };

  constructor(setting: SecondSetting) {
    const balances = new Map(
      [...setting.balances].map(([address, coins]) => {
        return [address, [...coins].map(([denom, amount]) => ({ denom, amount: `${amount}` }))];
      }),
    );
    const params = paramsOf(setting.params, setting.extended);
    const { modules, timeNs, isSigned } = setting;
    this.model = new SecondModel({ balances, params, modules, timeNs, isSigned });
  }

  /** As compare.ts changes the chain's genesis: an escrow's provider becomes an account that cannot be paid. */
  restarted(misdirected: bigint): void {
    const escrow = this.model.tables.escrow[Number(misdirected) - 1];
    if (escrow !== undefined) escrow.recipient = this.model.modules["fee_collector"] as string;
  }

  /** Runs a block and compares codes and events. @returns what they disagree about */
  block({ timeNs, txs, txResults, events }: SecondOutput): string | undefined {
    const { model } = this;
    const own = [...model.begin(timeNs)];
    for (const [at, tx] of txs.entries()) {
      const result = txResults[at] as TxResult;
      const outcome = model.deliver(tx);
      const names = tx.map(({ type }) => type).join(", ");
      const differs = this.#ofTx(outcome, result);
      if (differs !== undefined) {
        return `second model, tx ${at + 1} (${names}) of block ${model.height}: ${differs}; log: ${result.log}`;
      }
    }
    own.push(...model.end());
    const differs = this.#ofEvents(own, events);
    return differs && `second model, block ${model.height} itself: ${differs}`;
  }

  #ofTx(outcome: ReturnType<SecondModel["deliver"]>, result: TxResult): string | undefined {
    const ours = typeof outcome === "number" ? `settlement/${outcome}` : "success";
    const theirs = result.code === 0 ? "success" : `${result.codespace}/${result.code}`;
    if (ours !== theirs) return sides(ours, theirs);
    if (typeof outcome === "number") return undefined;
    for (const [index, events] of outcome.entries()) {
      const found = result.events.filter(({ attributes }) => {
        return attributes.some(({ key, value }) => key === "msg_index" && value === `${index}`);
      });
      const differs = this.#ofEvents(events, found);
      if (differs !== undefined) return `message ${index + 1}: ${differs}`;
    }
    return undefined;
  }

  /** Events as sets. */
  #ofEvents(expected: readonly ModelEvent[], all: readonly Event[]): string | undefined {
    const found = all.filter(({ type }) => type.startsWith(PREFIX));
    const left = [...found];
    for (const event of expected) {
      const same = left.filter(({ type }) => type === PREFIX + event.name);
      const tries = same.map((each) => this.#ofEvent(event, each));
      const at = tries.indexOf(undefined);
      if (at < 0) return `event ${event.name}: ${tries[0] ?? `none of ${namesOf(found)}`}`;
      left.splice(left.indexOf(same[at] as Event), 1);
    }
    const missing = left.map(({ type, attributes }) => {
      return `${type.slice(PREFIX.length)} ${attributes.map(({ key, value }) => `${key}=${value}`).join(" ")}`;
    });
    return missing.length === 0 ? undefined : `events that the model lacks: ${missing.join(" | ")}`;
  }

  #ofEvent({ name, facts }: ModelEvent, { attributes }: Event): string | undefined {
    for (const { key, value } of attributes) {
      if (key === "msg_index" || key === "mode") continue;
      const fact = this.#factOf(key, facts);
      note(fact === undefined ? this.seen.unknown : this.seen.compared, name, key);
      if (fact !== undefined && fact !== value) return `${key}: ${sides(fact, value)}`;
    }
    return undefined;
  }

  /** The model's text of an attribute; a time that no record says is that of the block. */
  #factOf(key: string, facts: Facts): string | undefined {
    const camel = key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
    const fact = facts[camel];
    if (fact !== undefined) return written(fact);
    if (key === "expires_at" || key === "due_at")
      return `${(facts[`${camel}Ns`] as bigint) / SECOND}`;
    return key.endsWith("_at") ? `${this.model.second}` : undefined;
  }

  /** Compares all balances. */
  balances(appState: Facts): string | undefined {
    const { balances } = appState["bank"] as { balances: readonly Facts[] };
    const theirs = new Map(balances.map(({ address, coins }) => [address, coins]));
    for (const [address, { coins }] of this.model.accounts) {
      const [ours, found] = [plain(coins), plain(theirs.get(address) ?? [])];
      const module = Object.entries(this.model.modules).find(([, each]) => each === address)?.[0];
      if (ours !== found)
        return `second model, balance of ${module ?? address}: ${sides(ours, found)}`;
    }
    return undefined;
  }

  /** Compares all records with an export. */
  state(appState: Facts): string | undefined {
    const differs = this.balances(appState);
    if (differs !== undefined) return differs;
    const settlement = appState["settlement"] as Readonly<Record<string, readonly Facts[]>>;
    for (const [kind, name] of Object.entries(NAMES) as [Kind, string][]) {
      const ours = this.#records(kind);
      const theirs = settlement[name] ?? [];
      if (ours.length !== theirs.length) {
        return `second model, number of ${name}: ${sides(ours.length, theirs.length)}`;
      }
      for (const record of ours) {
        const found = theirs.find((each) => keyOf(kind, each) === keyOf(kind, record));
        if (found === undefined) return `second model, ${name}: none like ${keyOf(kind, record)}`;
        const different = differenceOfRecord(record, found);
        if (different !== undefined)
          return `second model, ${name} ${keyOf(kind, record)}: ${different}`;
      }
    }
    return undefined;
  }

  #records(kind: Kind): Facts[] {
    const records = this.model.tables[kind] as unknown as readonly Record<string, unknown>[];
    const there = records.filter(
      (record) => record["isGone"] === false && !isNothing(kind, record),
    );
    const unknown = [
      ...BESIDE,
      ...(LEFT[kind] ?? []),
      ...(UNNUMBERED.includes(kind) ? ["seq", "height"] : []),
    ];
    return there.map((record) => {
      const known = Object.entries(record).filter(([key]) => !unknown.includes(key));
      return Object.fromEntries(known);
    });
  }
}

/** Terms of an order that has none are no record. */
function isNothing(kind: Kind, record: Facts): boolean {
  const { discounts, tax } = record as { discounts?: readonly unknown[]; tax?: unknown };
  return kind === "terms" && discounts?.length === 0 && tax === undefined;
}

function keyOf(kind: Kind, record: Facts): string {
  const names: readonly string[] = {
    ...{ claimable: ["address"], ceiling: ["orderId", "usageType"], terms: ["orderId"] },
    ...{ series: ["provider"] },
  }[kind as "series"] ?? ["seq"];
  return names
    .map((name) => record[name] ?? record[name.replace(/[A-Z]/g, (a) => `_${a.toLowerCase()}`)])
    .join(" ");
}

function written(fact: unknown): string {
  if (fact instanceof Uint8Array) return Buffer.from(fact).toString("hex");
  if (!Array.isArray(fact)) return `${fact}`;
  return (fact as { denom: string; amount: string }[])
    .map(({ denom, amount }) => amount + denom)
    .join(",");
}

function note(seen: Map<string, Set<string>>, name: string, key: string): void {
  seen.set(name, (seen.get(name) ?? new Set()).add(key));
}

function namesOf(events: readonly Event[]): string {
  return events.map(({ type }) => type.slice(PREFIX.length)).join(", ") || "no events";
}
