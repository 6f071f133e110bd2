import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Event } from "../../../src/types/event.ts";
import type { TxResult } from "../../../src/types/tx.ts";
import { differenceOfRecord, plain, sides } from "../difference.ts";
import { differenceOfAnswers } from "./answers.ts";
import { Held } from "./held.ts";
import { SecondModel } from "./model.ts";
import { differenceOfOnce } from "./once.ts";
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
const BESIDE = ["kind", "id", "unpaid", "kept", "counted", "isGone"];
const UNNUMBERED = ["claimable", "ceiling", "terms", "series"];

/** Attributes with words for people. */
const TEXTS = [
  ...["error", "DiscountsSet.old", "DiscountsSet.new", "TaxSet.old", "TaxSet.new"],
  "RewardSkipped.reason",
];
/** What the module's README says of each event. */
const ATTRIBUTES = attributesOf(readFileSync(readmePath(), "utf8"));

export class SecondSide {
  readonly model: SecondModel;
  readonly #held: Held;

  constructor(setting: SecondSetting) {
    const balances = new Map(
      [...setting.balances].map(([address, coins]) => {
        return [address, [...coins].map(([denom, amount]) => ({ denom, amount: `${amount}` }))];
      }),
    );
    const params = paramsOf(setting.params, setting.extended);
    const { modules, timeNs, isSigned } = setting;
    this.#held = new Held(balances);
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
    this.#held.apply(events.filter(isBegin));
    const begun = this.#balances();
    if (begun !== undefined) return `second model, begin of block ${model.height}: ${begun}`;
    for (const [at, tx] of txs.entries()) {
      const result = txResults[at] as TxResult;
      const outcome = model.deliver(tx);
      const names = tx.map(({ type }) => type).join(", ");
      this.#held.apply(result.events);
      const differs = this.#ofTx(tx, outcome, result) ?? this.#balances();
      if (differs !== undefined) {
        return `second model, tx ${at + 1} (${names}) of block ${model.height}: ${differs}; log: ${result.log}`;
      }
    }
    own.push(...model.end());
    this.#held.apply(events.filter((event) => !isBegin(event)));
    const differs = this.#ofEvents(own, events) ?? this.#balances();
    return differs && `second model, block ${model.height} itself: ${differs}`;
  }

  /** All balances as the bank's events have them. */
  #balances(): string | undefined {
    for (const [address, { coins }] of this.model.accounts) {
      const found = this.#held.of(address);
      const isSame =
        coins.length === found.length &&
        coins.every(({ denom, amount }, at) => {
          return found[at]?.denom === denom && found[at]?.amount === amount;
        });
      if (!isSame)
        return `balance of ${this.#nameOf(address)}: ${sides(plain(coins), plain(found))}`;
    }
    return undefined;
  }

  #nameOf(address: string): string {
    return Object.entries(this.model.modules).find(([, each]) => each === address)?.[0] ?? address;
  }

  #ofTx(
    tx: readonly Message[],
    outcome: ReturnType<SecondModel["deliver"]>,
    result: TxResult,
  ): string | undefined {
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
    const { second } = this.model;
    return differenceOfAnswers(
      tx.map(({ type }) => type),
      outcome,
      { data: result.data, second },
    );
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

  /** All attributes that the README names; one that the chain leaves out is empty. */
  #ofEvent({ name, facts }: ModelEvent, { attributes }: Event): string | undefined {
    const found = new Map(attributes.map(({ key, value }) => [key, value]));
    const named = ATTRIBUTES.get(name);
    for (const key of found.keys()) {
      if (key !== "msg_index" && key !== "mode" && !named?.has(key))
        return `${key} is not documented`;
    }
    for (const key of named ?? []) {
      if (TEXTS.includes(key) || TEXTS.includes(`${name}.${key}`)) continue;
      const [fact, value] = [this.#factOf(key, facts), found.get(key) ?? ""];
      if (fact !== value) return `${key}: ${sides(fact, value)}`;
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
    return key.endsWith("_at") ? `${this.model.second}` : "";
  }

  /** Compares all balances. */
  balances(appState: Facts): string | undefined {
    const { balances } = appState["bank"] as { balances: readonly Facts[] };
    const theirs = new Map(balances.map(({ address, coins }) => [address, coins]));
    for (const [address, { coins }] of this.model.accounts) {
      const [ours, found] = [plain(coins), plain(theirs.get(address) ?? [])];
      if (ours !== found)
        return `second model, balance of ${this.#nameOf(address)}: ${sides(ours, found)}`;
    }
    return undefined;
  }

  /** Compares all records with an export. */
  state(appState: Facts): string | undefined {
    const differs = this.balances(appState);
    if (differs !== undefined) return differs;
    const settlement = appState["settlement"] as Readonly<Record<string, readonly Facts[]>>;
    const once = differenceOfOnce(this.model, settlement);
    if (once !== undefined) return `second model, ${once}`;
    for (const [kind, name] of Object.entries(NAMES) as [Kind, string][]) {
      const ours = this.#records(kind);
      const theirs = settlement[name] ?? [];
      if (ours.length !== theirs.length) {
        return `second model, number of ${name}: ${sides(ours.length, theirs.length)}`;
      }
      const byKey = new Map(theirs.map((each) => [keyOf(kind, each), each]));
      for (const record of ours) {
        const key = keyOf(kind, record);
        const found = byKey.get(key);
        if (found === undefined) return `second model, ${name}: none like ${key}`;
        const different = differenceOfRecord(record, found);
        if (different !== undefined) return `second model, ${name} ${key}: ${different}`;
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

function isBegin({ attributes }: Event): boolean {
  return attributes.some(({ key, value }) => key === "mode" && value === "BeginBlock");
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

/** Of the module, above this file or above what was compiled of it. */
function readmePath(): string {
  const above = [import.meta.dirname];
  for (let at = dirname(import.meta.dirname); !above.includes(at); at = dirname(at)) above.push(at);
  const files = above.map((folder) => join(folder, "src", "modules", "settlement", "README.md"));
  const found = files.find((file) => existsSync(file));
  if (found === undefined) throw new Error(`no README.md of the module above ${above[0]}`);
  return found;
}

/** Names of attributes by event, from the README's table of events. */
function attributesOf(readme: string): Map<string, Set<string>> {
  const rows = readme.slice(readme.indexOf("## Events"), readme.indexOf("## Errors")).split("\n");
  const named = rows.flatMap((row): [string, Set<string>][] => {
    const [, name, attributes] = /^\| ([A-Z][A-Za-z]*)[^|]*\| (.*) \|$/.exec(row) ?? [];
    if (name === undefined || attributes === undefined) return [];
    const bare = attributes.replace(/\([^()]*\)/g, "");
    return [
      [
        name,
        new Set(
          bare.match(/[a-z]+(?:_[a-z]+)*/g)?.filter((word) => word !== "and" && word !== "or"),
        ),
      ],
    ];
  });
  return new Map(named);
}

function namesOf(events: readonly Event[]): string {
  return events.map(({ type }) => type.slice(PREFIX.length)).join(", ") || "no events";
}
