import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { parse } from "yaml";
import { type Dec, parseDec } from "../../types/dec.ts";
import { isDenom } from "../../types/denom.ts";
import { normaliseUsageType } from "../../types/usage_type.ts";
import { ProviderError } from "../errors.ts";
import { parseQuantity, type Quantity } from "../reconcile/quantity.ts";

/** What is done with a record: `wait` leaves it to a person, or to the next look. */
export type Action = "acknowledge" | "dispute" | "wait";

/** How a customer decides about usage that a provider reports. */
export interface Policy {
  /** The second meter's usage file, NDJSON or CSV; undefined: there is none. */
  readonly meterFile: string | undefined;
  /** How far the chain's units may be from the meter's: this share of them, … */
  readonly toleranceShare: Quantity;
  /** … or so many units, whichever is more. Below both, the meters agree. */
  readonly toleranceUnits: Quantity;
  /** When the meters agree, when they do not, and when the second one has nothing of the period. */
  readonly agrees: Action;
  readonly differs: Action;
  readonly unmetered: Action;
  /** Highest unit price by normalised type, atomics; a higher one counts as a difference. */
  readonly unitPriceMax: ReadonlyMap<string, { readonly denom: string; readonly atomics: bigint }>;
  /** Records that cost more than so much of a denom wait for a person. */
  readonly costMax: { readonly denom: string; readonly amount: bigint } | undefined;
  /** Empty: all orders of the customer. */
  readonly orders: readonly string[];
}

type Fields = Readonly<Record<string, unknown>>;

/**
 * Reads a policy, YAML or JSON; docs/guides/customer.md shows one. A relative path of the meter's
 * file is beside the policy.
 * @throws ProviderError `bad_policy` naming the field, what is expected and what was found
 */
export async function readPolicy(file: string): Promise<Policy> {
  const text = await readFile(file, "utf8").catch((error: unknown) => {
    throw new ProviderError("bad_policy", `cannot read the policy: ${(error as Error).message}`);
  });
  let value: unknown;
  try {
    value = parse(text, { intAsBigInt: true, schema: "core" });
  } catch (error) {
    throw new ProviderError("bad_policy", `${file}: ${(error as Error).message}`);
  }
  const policy = parsePolicy(value, file);
  const { meterFile } = policy;
  return meterFile === undefined
    ? policy
    : { ...policy, meterFile: resolve(dirname(file), meterFile) };
}

/** @throws ProviderError `bad_policy` */
export function parsePolicy(value: unknown, source: string): Policy {
  const top = new Section(value, source, "");
  const tolerance = top.section("tolerance");
  const limits = top.section("limits");
  const policy: Policy = {
    meterFile: top.section("meter").text("file"),
    toleranceShare: tolerance.quantity("share", "0.01"),
    toleranceUnits: tolerance.quantity("units", "1"),
    agrees: top.action("agrees", "acknowledge"),
    differs: top.action("differs", "wait"),
    unmetered: top.action("unmetered", "wait"),
    unitPriceMax: limits.prices("unit_price"),
    costMax: limits.amount("cost"),
    orders: top.texts("orders"),
  };
  if (policy.differs === "acknowledge") {
    throw top.wrong("differs", `"dispute" or "wait"`, "acknowledge");
  }
  if (policy.agrees === "dispute") throw top.wrong("agrees", `"acknowledge" or "wait"`, "dispute");
  for (const section of [top, tolerance, limits, top.section("meter")]) section.refuseOthers();
  return policy;
}

/** Fields of one level, which remembers those that were asked for. */
class Section {
  readonly #fields: Fields;
  readonly #source: string;
  readonly #path: string;
  readonly #known = new Set<string>();
  readonly #sections = new Map<string, Section>();

  constructor(value: unknown, source: string, path: string) {
    [this.#source, this.#path] = [source, path];
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw new ProviderError("bad_policy", `${source}: ${path || "the policy"} is not a map`);
    }
    this.#fields = value as Fields;
  }

  section(name: string): Section {
    this.#known.add(name);
    const known = this.#sections.get(name);
    if (known !== undefined) return known;
    const made = new Section(this.#fields[name] ?? {}, this.#source, `${this.#path}${name}.`);
    this.#sections.set(name, made);
    return made;
  }

  text(name: string): string | undefined {
    const value = this.#value(name);
    if (value === undefined || (typeof value === "string" && value !== "")) return value;
    throw this.wrong(name, "a text that is not empty", value);
  }

  texts(name: string): string[] {
    const value = this.#value(name) ?? [];
    const isList = Array.isArray(value) && value.every((each) => typeof each === "string");
    if (!isList) throw this.wrong(name, "a list of texts", value);
    return value as string[];
  }

  action(name: string, standard: Action): Action {
    const value = this.#value(name) ?? standard;
    if (value === "acknowledge" || value === "dispute" || value === "wait") return value;
    throw this.wrong(name, `"acknowledge", "dispute" or "wait"`, value);
  }

  quantity(name: string, standard: string): Quantity {
    const value = this.#value(name) ?? standard;
    const quantity = parseQuantity(typeof value === "bigint" ? `${value}` : textOr(value));
    if (quantity !== undefined) return quantity;
    throw this.wrong(name, `a decimal in quotes, as in "0.02"`, value);
  }

  amount(name: string): Policy["costMax"] {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const [, amount = "", denom = ""] = /^([0-9]+)(.*)$/.exec(text) ?? [];
    if (amount !== "" && isDenom(denom)) return { denom, amount: BigInt(amount) };
    throw this.wrong(name, "an amount as in 1000000uve", text);
  }

  prices(name: string): Policy["unitPriceMax"] {
    this.#known.add(name);
    const prices = new Section(this.#fields[name] ?? {}, this.#source, `${this.#path}${name}.`);
    const found = new Map<string, { denom: string; atomics: Dec }>();
    for (const type of Object.keys(prices.#fields)) {
      const text = prices.text(type) ?? "";
      const [, amount = "", denom = ""] = /^([0-9.]+)(.*)$/.exec(text) ?? [];
      const atomics = parseDec(amount);
      if (atomics === undefined || !isDenom(denom)) {
        throw prices.wrong(type, "a price as in 1.5uve", text);
      }
      found.set(normaliseUsageType(type), { denom, atomics });
    }
    return found;
  }

  refuseOthers(): void {
    const other = Object.keys(this.#fields).find((name) => !this.#known.has(name));
    if (other === undefined) return;
    const known = [...this.#known].map((name) => this.#path + name).join(", ");
    const detail = `unknown field "${this.#path}${other}", expected ${known}`;
    throw new ProviderError("bad_policy", `${this.#source}: ${detail}`);
  }

  wrong(name: string, expected: string, found: unknown): ProviderError {
    const text = typeof found === "bigint" ? `${found}` : JSON.stringify(found);
    const detail = `${this.#path}${name}: expected ${expected}, found ${text}`;
    return new ProviderError("bad_policy", `${this.#source}: ${detail}`);
  }

  #value(name: string): unknown {
    this.#known.add(name);
    return this.#fields[name] ?? undefined;
  }
}

function textOr(value: unknown): string {
  return typeof value === "string" ? value : "";
}
