import { describe, expect, it } from "vitest";
import {
  costOf,
  DEFAULT_PRICES_FILE,
  parsePrices,
  readPrices,
} from "../../../src/provider/prices.ts";
import { RESOURCES } from "../../../src/provider/units.ts";

describe("prices", () => {
  it("reads decimals of up to 18 places as atomics", () => {
    const prices = parsePrices(
      { denom: "uve", prices: { cpu: "1.5", gpu: "0.000000000000000001" } },
      "x",
    );
    expect(prices).toEqual({ denom: "uve", atomics: { cpu: 15n * 10n ** 17n, gpu: 1n } });
  });

  it("R-003-12 a cost is units × price, floored", () => {
    const prices = parsePrices({ denom: "uve", prices: { cpu: "10.5", memory: "0.333" } }, "x");
    expect(costOf(prices, "cpu", 2n)).toBe(21n);
    expect(costOf(prices, "memory", 10n)).toBe(3n);
  });

  it("names the resource that has no price", () => {
    const prices = parsePrices({ denom: "uve", prices: { cpu: "1" } }, "x");
    expect(() => costOf(prices, "gpu", 1n)).toThrow(/uses gpu, but the prices have none/);
  });

  const broken: [string, unknown, RegExp][] = [
    ["a list", [], /"denom" is not a denom/],
    ["no denom", { prices: {} }, /x: "denom" is not a denom/],
    ["a bad denom", { denom: "u v", prices: {} }, /"denom" is not a denom/],
    ["no prices", { denom: "uve" }, /"prices" must be an object/],
    ["an unknown field", { denom: "uve", prices: {}, more: 1 }, /unknown field "more"/],
    ["an unknown resource", { denom: "uve", prices: { ram: "1" } }, /unknown resource "ram"/],
    ["a number", { denom: "uve", prices: { cpu: 1.5 } }, /price of cpu must be .*: 1.5/],
    ["a negative price", { denom: "uve", prices: { cpu: "-1" } }, /not negative/],
    ["19 places", { denom: "uve", prices: { cpu: "1.0000000000000000001" } }, /at most 18 places/],
  ];
  it.each(broken)("refuses %s", (_what, json, message) => {
    expect(() => parsePrices(json, "x")).toThrow(message);
  });

  it("says which file cannot be read", async () => {
    await expect(readPrices("/nowhere/prices.json")).rejects.toThrow(
      /cannot read prices: .*nowhere/,
    );
  });

  it("has a price for every resource in the list that comes with the project", async () => {
    const prices = await readPrices(DEFAULT_PRICES_FILE);
    for (const resource of RESOURCES) expect(prices.atomics[resource]).toBeGreaterThan(0n);
  });
});
