import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { type Dec, mulFloor, parseDec } from "../types/dec.ts";
import { isDenom } from "../types/denom.ts";
import { ProviderError } from "./errors.ts";
import { RESOURCES, type Resource } from "./units.ts";

/** The price list that comes with the project; the same path from `src` and from `dist`. */
export const DEFAULT_PRICES_FILE: string = fileURLToPath(
  new URL("../../examples/prices.json", import.meta.url),
);

/** What a unit of a resource costs. */
export interface UnitPrice {
  readonly denom: string;
  /** Atomics: 10^-18 of the denom per unit; 0 only where the book says `free`. */
  readonly unitPrice: bigint;
}

/** A price as the book has it; a free one without a denom takes that of the order's prices. */
type Entry =
  | { readonly denom: string; readonly unitPrice: bigint }
  | { readonly denom: undefined; readonly unitPrice: 0n };

type Entries = ReadonlyMap<Resource, Entry>;

/** What the chain takes in the unit price of a report, counted in atomics. */
const PRICE_DIGITS_MAX = 78;
const FREE = /^free(?: (.*))?$/;
const PRICE = /^([0-9.+-]+)([a-zA-Z].*)$/;

/**
 * What each unit costs, by order and resource: `{default: {cpu: "1500uve", …}, orders: {"order-1":
 * {cpu: "2uve", gpu: "free"}}}`. An order's own price stands before the default one. A price is a
 * decimal text of at most 18 places and its denom; what costs nothing says `free`, and is reported
 * at price 0, so that it leaves a trace. A list `{denom, prices: {cpu: "1.5"}}` is read as a
 * default.
 */
export class PriceBook {
  /** What is allowed and may be a mistake all the same, for people. */
  readonly notices: readonly string[];
  readonly #source: string;
  readonly #default: Entries;
  readonly #orders: ReadonlyMap<string, Entries>;

  private constructor(source: string, defaults: Entries, orders: ReadonlyMap<string, Entries>) {
    this.#source = source;
    this.#default = defaults;
    this.#orders = orders;
    this.notices = [undefined, ...orders.keys()].flatMap((order) => this.#oddDenoms(order));
  }

  /** @throws ProviderError `bad_prices` naming the file and what is wrong in it. */
  static async read(file: string): Promise<PriceBook> {
    return PriceBook.parse(await readPricesFile(file), file);
  }

  /** @throws ProviderError `bad_prices` naming `source` and the field. */
  static parse(json: unknown, source: string): PriceBook {
    const book = asObject(json);
    if (book === undefined) {
      throw bad(source, `expected an object like {"default": {"cpu": "1500uve"}}`);
    }
    const isList = "prices" in book || "denom" in book;
    if (isList) return new PriceBook(source, parseList(book, source), new Map());
    const { default: defaults = {}, orders = {}, ...more } = book;
    const unknown = Object.keys(more)[0];
    if (unknown !== undefined) {
      throw bad(source, `unknown field "${unknown}", expected "default" or "orders"`);
    }
    const perOrder = asObject(orders);
    if (perOrder === undefined) throw bad(source, `"orders" must be an object of prices by order`);
    const own = Object.entries(perOrder).map(
      ([order, entries]) => [order, parseEntries(entries, `orders.${order}`, source)] as const,
    );
    const parsed = new PriceBook(source, parseEntries(defaults, "default", source), new Map(own));
    parsed.#requireFreeDenoms();
    return parsed;
  }

  /** @throws ProviderError `missing_price` naming order, resource and what to add. */
  priceOf(order: string, resource: Resource): UnitPrice {
    const entry = this.#entry(order, resource);
    if (entry === undefined) throw this.#missing([{ order, resource }]);
    const denom = entry.denom ?? this.#denomOf(order);
    if (denom === undefined) throw this.#noDenom(order, resource);
    return { denom, unitPrice: entry.unitPrice };
  }

  /**
   * What the chain will charge for units of a resource: floor(units × price), base units.
   * @throws ProviderError `missing_price`
   */
  chargeOf(order: string, resource: Resource, units: bigint): UnitPrice & { cost: bigint } {
    const { denom, unitPrice } = this.priceOf(order, resource);
    return { denom, unitPrice, cost: mulFloor(unitPrice as Dec, units) };
  }

  /**
   * Checks before anything is metered that all prices are there.
   * @param orders with the resources that they will use
   * @throws ProviderError `missing_price` naming all that are missing.
   */
  require(
    orders: Iterable<{ readonly order: string; readonly resources: readonly Resource[] }>,
  ): void {
    const missing: { order: string; resource: Resource }[] = [];
    for (const { order, resources } of orders) {
      for (const resource of resources) {
        if (this.#entry(order, resource) === undefined) missing.push({ order, resource });
        else this.priceOf(order, resource);
      }
    }
    if (missing.length > 0) throw this.#missing(missing);
  }

  #entry(order: string | undefined, resource: Resource): Entry | undefined {
    const own = order === undefined ? undefined : this.#orders.get(order)?.get(resource);
    return own ?? this.#default.get(resource);
  }

  /** Denom of the first resource of an order that has one. */
  #denomOf(order: string | undefined): string | undefined {
    return this.#denomsOf(order)[0]?.denom;
  }

  #denomsOf(order: string | undefined): { resource: Resource; denom: string }[] {
    return RESOURCES.flatMap((resource) => {
      const denom = this.#entry(order, resource)?.denom;
      return denom === undefined ? [] : [{ resource, denom }];
    });
  }

  #oddDenoms(order: string | undefined): string[] {
    const denoms = this.#denomsOf(order);
    const whose = order === undefined ? "default" : `orders.${order}`;
    if (denoms.length < 3) return [];
    return denoms
      .filter(({ denom }) => denoms.filter((other) => other.denom === denom).length === 1)
      .map(
        ({ resource, denom }) =>
          `${this.#source}: ${whose}.${resource} is in ${denom}, no other price of it is: its ` +
          `escrow must hold ${denom} too`,
      );
  }

  #requireFreeDenoms(): void {
    for (const order of [undefined, ...this.#orders.keys()]) {
      for (const resource of RESOURCES) {
        const entry = this.#entry(order, resource);
        if (entry === undefined || entry.denom !== undefined) continue;
        if (
          this.#denomOf(order) === undefined &&
          (order !== undefined || this.#orders.size === 0)
        ) {
          throw this.#noDenom(order, resource);
        }
      }
    }
  }

  #noDenom(order: string | undefined, resource: Resource): ProviderError {
    const whose = order === undefined ? "default" : `order "${order}"`;
    const rule = "no other price says in which denom it is reported";
    return bad(this.#source, `${resource} of ${whose} is free, and ${rule}: write "free uve"`);
  }

  #missing(missing: readonly { order: string; resource: Resource }[]): ProviderError {
    const list = missing.slice(0, 10).map(({ order, resource }) => {
      return `order "${order}" has no price for ${resource}`;
    });
    if (missing.length > list.length) list.push(`and ${missing.length - list.length} more`);
    const { order, resource } = missing[0] as (typeof missing)[number];
    const own = `"orders": {${JSON.stringify(order)}: {"${resource}": "1500uve"}}`;
    const what = `add ${own} or a default for ${resource}, or write "free" as its price`;
    return new ProviderError("missing_price", `${this.#source}: ${list.join("; ")}: ${what}`);
  }
}

/**
 * A price book as it stands in a file of JSON, or of YAML.
 * @throws ProviderError `bad_prices` naming the file.
 */
export async function readPricesFile(file: string): Promise<unknown> {
  const text = await readFile(file, "utf8").catch((error: unknown) => {
    throw new ProviderError("bad_prices", `cannot read prices: ${(error as Error).message}`);
  });
  // Who reads prices from the settings alone does without.
  const { parse } = await import("yaml");
  try {
    // JSON is YAML too.
    return parse(text) as unknown;
  } catch (error) {
    const rule = "is neither JSON nor YAML";
    throw new ProviderError("bad_prices", `${file} ${rule}: ${(error as Error).message}`);
  }
}

function bad(source: string, detail: string): ProviderError {
  return new ProviderError("bad_prices", `${source}: ${detail}`);
}

/** A list of prices in one denom, which is named once. */
function parseList(list: Record<string, unknown>, source: string): Entries {
  const { denom, prices, ...more } = list;
  const unknown = Object.keys(more)[0];
  if (unknown !== undefined) throw bad(source, `unknown field "${unknown}"`);
  if (typeof denom !== "string" || !isDenom(denom)) throw bad(source, `"denom" is not a denom`);
  const object = asObject(prices);
  if (object === undefined) {
    throw bad(source, `"prices" must be an object of decimals by resource`);
  }
  return parseEntries(object, "prices", source, denom);
}

/** @param denom of prices that do not name it themselves; undefined: they do */
function parseEntries(json: unknown, where: string, source: string, denom?: string): Entries {
  const object = asObject(json);
  if (object === undefined) throw bad(source, `${where} must be an object of prices by resource`);
  const entries = new Map<Resource, Entry>();
  for (const [name, value] of Object.entries(object)) {
    const resource = RESOURCES.find((known) => known === name);
    if (resource === undefined) {
      const known = RESOURCES.join(", ");
      throw bad(source, `${where}: unknown resource "${name}", expected ${known}`);
    }
    entries.set(resource, parseEntry(value, `${where}.${name}`, source, denom));
  }
  return entries;
}

function parseEntry(value: unknown, where: string, source: string, of = ""): Entry {
  const example = `"1500${of === "" ? "uve" : ""}"`;
  const refuse = (rule: string) => bad(source, `${where} ${rule}: ${JSON.stringify(value)}`);
  // A number of JSON has lost its places already: only texts are exact.
  if (typeof value !== "string") throw refuse(`must be a text like ${example}, or "free"`);
  const text = of === "" ? value : value === "free" ? `free ${of}` : value + of;
  const free = FREE.exec(text);
  if (free !== null) {
    const [, denom] = free;
    if (denom === undefined) return { denom: undefined, unitPrice: 0n };
    if (!isDenom(denom)) throw refuse("has no denom after free");
    return { denom, unitPrice: 0n };
  }
  const [, digits = "", denom = ""] = PRICE.exec(text) ?? [];
  const unitPrice = parseDec(digits);
  if (unitPrice === undefined || unitPrice < 0n) {
    const rest = of === "" ? ", and a denom" : "";
    throw refuse(`must be a decimal, not negative, of at most 18 places${rest} (${example})`);
  }
  if (!isDenom(denom)) throw refuse("has no denom after the number");
  if (unitPrice === 0n) throw refuse(`is 0: write "free" if that is what is meant`);
  if (unitPrice.toString().length > PRICE_DIGITS_MAX) throw refuse("is more than the chain takes");
  return { denom, unitPrice };
}

function asObject(value: unknown): Record<string, unknown> | undefined {
  const object = typeof value === "object" && value !== null && !Array.isArray(value);
  return object ? (value as Record<string, unknown>) : undefined;
}
