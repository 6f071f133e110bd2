import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { type Dec, mulFloor, parseDec } from "../types/dec.ts";
import { isDenom } from "../types/denom.ts";
import { ProviderError } from "./errors.ts";
import { RESOURCES, type Resource } from "./units.ts";

/** What a unit of each resource costs, in one denom. */
export interface Prices {
  readonly denom: string;
  /** Atomics (10^-18 of the denom) per unit; a resource without a price cannot be billed. */
  readonly atomics: Readonly<Partial<Record<Resource, Dec>>>;
}

/** The price list that comes with the project; the same path from `src` and from `dist`. */
export const DEFAULT_PRICES_FILE: string = fileURLToPath(
  new URL("../../examples/prices.json", import.meta.url),
);

/**
 * Reads a price list `{denom, prices: {cpu: "1.5", …}}`.
 * @throws ProviderError `bad_prices` naming the file and what is wrong in it.
 */
export async function readPrices(file: string): Promise<Prices> {
  const text = await readFile(file, "utf8").catch((error: unknown) => {
    throw new ProviderError("bad_prices", `cannot read prices: ${(error as Error).message}`);
  });
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new ProviderError("bad_prices", `${file} is not JSON: ${(error as Error).message}`);
  }
  return parsePrices(json, file);
}

/** @throws ProviderError `bad_prices` naming `source` and the field. */
export function parsePrices(json: unknown, source: string): Prices {
  const refuse = (detail: string) => new ProviderError("bad_prices", `${source}: ${detail}`);
  const { denom, prices, ...more } = asObject(json) ?? {};
  const unknown = Object.keys(more)[0];
  if (unknown !== undefined) throw refuse(`unknown field "${unknown}"`);
  if (typeof denom !== "string" || !isDenom(denom)) throw refuse(`"denom" is not a denom`);
  const list = asObject(prices);
  if (list === undefined) throw refuse(`"prices" must be an object of decimals by resource`);
  const atomics: Partial<Record<Resource, Dec>> = {};
  for (const [name, value] of Object.entries(list)) {
    const resource = RESOURCES.find((known) => known === name);
    if (resource === undefined) {
      throw refuse(`unknown resource "${name}", expected ${RESOURCES.join(", ")}`);
    }
    // A number of JSON has lost its places already: only texts are exact.
    const price = typeof value === "string" ? parseDec(value) : undefined;
    if (price === undefined || price < 0n) {
      const rule = "a decimal text, not negative, of at most 18 places";
      throw refuse(`the price of ${name} must be ${rule}: ${JSON.stringify(value)}`);
    }
    atomics[resource] = price;
  }
  return { denom, atomics };
}

function asObject(value: unknown): Record<string, unknown> | undefined {
  const object = typeof value === "object" && value !== null && !Array.isArray(value);
  return object ? (value as Record<string, unknown>) : undefined;
}

/** @throws ProviderError `missing_price` naming the resource. */
export function priceOf(prices: Prices, resource: Resource): Dec {
  const price = prices.atomics[resource];
  if (price === undefined) {
    throw new ProviderError(
      "missing_price",
      `the file uses ${resource}, but the prices have none for it: add "${resource}" to them`,
    );
  }
  return price;
}

/** What the chain will charge: floor(units × price). */
export function costOf(prices: Prices, resource: Resource, units: bigint): bigint {
  return mulFloor(priceOf(prices, resource), units);
}
