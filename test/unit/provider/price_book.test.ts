import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { DEFAULT_PRICES_FILE, PriceBook } from "../../../src/provider/price_book.ts";
import { RESOURCES } from "../../../src/provider/units.ts";

const ONE = 10n ** 18n;

function parse(json: unknown): PriceBook {
  return PriceBook.parse(json, "book.json");
}

describe("a price book", () => {
  const book = parse({
    default: { cpu: "1500uve", memory: "0.000000000000000001uve", network: "2.5uve" },
    orders: { "order-1": { cpu: "2uve", gpu: "free" }, gift: { storage: "free uusd" } },
  });

  it("prices by order and resource, an order's own before the default", () => {
    expect(book.priceOf("order-1", "cpu")).toEqual({ denom: "uve", unitPrice: 2n * ONE });
    expect(book.priceOf("order-2", "cpu")).toEqual({ denom: "uve", unitPrice: 1500n * ONE });
    expect(book.priceOf("order-1", "memory")).toEqual({ denom: "uve", unitPrice: 1n });
    expect(book.priceOf("order-1", "network").unitPrice).toBe((5n * ONE) / 2n);
  });

  it("reports what is free at price 0, in the order's denom or the one it names", () => {
    expect(book.priceOf("order-1", "gpu")).toEqual({ denom: "uve", unitPrice: 0n });
    expect(book.priceOf("gift", "storage")).toEqual({ denom: "uusd", unitPrice: 0n });
  });

  it("never takes a missing price for free: names order, resource and what to add", () => {
    expect(() => book.priceOf("order-2", "gpu")).toThrow(
      'book.json: order "order-2" has no price for gpu: add "orders": {"order-2": {"gpu": ' +
        '"1500uve"}} or a default for gpu, or write "free" as its price',
    );
    const orders = [
      { order: "order-1", resources: ["cpu", "gpu"] as const },
      { order: "order-3", resources: ["storage", "gpu"] as const },
    ];
    expect(() => book.require(orders.slice(0, 1))).not.toThrow();
    expect(() => book.require(orders)).toThrow(
      /"order-3" has no price for storage; order "order-3" has no price for gpu: add/,
    );
  });

  it("finds no price where the language keeps its own things", () => {
    expect(() => book.priceOf("__proto__", "gpu")).toThrow(/"__proto__" has no price for gpu/);
    expect(() => book.priceOf("constructor", "gpu")).toThrow(/has no price for gpu/);
  });

  it("allows a denom of one price alone, and tells", () => {
    expect(book.notices).toEqual([
      "book.json: orders.gift.storage is in uusd, no other price of it is: its escrow must hold uusd too",
    ]);
  });

  const broken: [string, unknown, RegExp][] = [
    ["a list", [], /expected an object like/],
    ["a field", { defaults: {} }, /unknown field "defaults", expected "default" or "orders"/],
    ["orders of a text", { orders: "x" }, /"orders" must be an object/],
    ["an order of a text", { orders: { a: "x" } }, /orders\.a must be an object of prices/],
    ["a resource", { default: { ram: "1uve" } }, /default: unknown resource "ram", expected cpu/],
    ["a number", { default: { cpu: 1.5 } }, /default\.cpu must be a text like "1500uve".*: 1\.5$/],
    ["no denom", { default: { cpu: "15" } }, /must be a decimal, .* and a denom .*: "15"$/],
    ["a bad denom", { default: { cpu: "15u" } }, /default\.cpu has no denom after the number/],
    ["no number", { default: { cpu: "uve" } }, /must be a decimal/],
    ["a typo", { orders: { a: { cpu: "1,5uve" } } }, /orders\.a\.cpu must be a decimal/],
    ["two points", { default: { cpu: "1.5.2uve" } }, /must be a decimal/],
    ["a negative price", { default: { cpu: "-1uve" } }, /not negative/],
    ["19 places", { default: { cpu: "1.0000000000000000001uve" } }, /at most 18 places/],
    ["zero", { default: { cpu: "0.0uve" } }, /default\.cpu is 0: write "free" if that is/],
    ["free of nothing", { default: { cpu: "free 1" } }, /has no denom after free/],
    ["too much", { default: { cpu: `${"9".repeat(61)}uve` } }, /more than the chain takes/],
    ["all free", { default: { cpu: "free" } }, /cpu of default is free, .* write "free uve"/],
    ["one free", { orders: { a: { gpu: "free" } } }, /gpu of order "a" is free, and no other/],
  ];
  it.each(broken)("refuses %s", (_what, json, message) => {
    expect(() => parse(json)).toThrow(message);
    expect(() => parse(json)).toThrow(/^book\.json: /);
  });

  it("R-003-12 a cost is units × price, floored", () => {
    const list = parse({ denom: "uve", prices: { cpu: "10.5", memory: "0.333" } });
    expect(list.chargeOf("a", "cpu", 2n)).toMatchObject({ denom: "uve", cost: 21n });
    expect(list.chargeOf("a", "memory", 10n).cost).toBe(3n);
  });

  it("reads a list in one denom, as the one that comes with the project", async () => {
    const list = await PriceBook.read(DEFAULT_PRICES_FILE);
    for (const resource of RESOURCES) {
      const { denom, unitPrice } = list.priceOf("any", resource);
      expect([denom, unitPrice > 0n]).toEqual(["uve", true]);
    }
    expect(list.priceOf("any", "memory").unitPrice).toBe((1875n * ONE) / 10n);
    expect(parse({ denom: "uve", prices: { gpu: "free" } }).priceOf("a", "gpu").unitPrice).toBe(0n);
  });

  const brokenLists: [string, unknown, RegExp][] = [
    ["no denom", { prices: {} }, /"denom" is not a denom/],
    ["a bad denom", { denom: "u v", prices: {} }, /"denom" is not a denom/],
    ["no prices", { denom: "uve" }, /"prices" must be an object/],
    ["an unknown field", { denom: "uve", prices: {}, more: 1 }, /unknown field "more"/],
    ["a resource", { denom: "uve", prices: { ram: "1" } }, /unknown resource "ram"/],
    ["a number", { denom: "uve", prices: { gpu: 5 } }, /prices\.gpu must be .* "1500", .*: 5$/],
    ["zero", { denom: "uve", prices: { gpu: "0" } }, /prices\.gpu is 0: write "free"/],
    ["a word", { denom: "uve", prices: { gpu: "x" } }, /a decimal, .* 18 places \("1500"\): "x"$/],
    ["a minus", { denom: "uve", prices: { cpu: "-1" } }, /not negative/],
  ];
  it.each(brokenLists)("refuses a list with %s", (_what, json, message) => {
    expect(() => parse(json)).toThrow(message);
  });

  it("is read from YAML as well, and says which file is neither", async () => {
    const folder = await mkdtemp(join(tmpdir(), "settled-prices-"));
    const file = join(folder, "prices.yaml");
    await writeFile(file, "default: {cpu: 1500uve, gpu: free}\n");
    const read = await PriceBook.read(file);
    expect(read.priceOf("any", "cpu")).toEqual({ denom: "uve", unitPrice: 1500n * ONE });
    await writeFile(file, "{");
    await expect(PriceBook.read(file)).rejects.toThrow(/prices\.yaml is neither JSON nor YAML/);
    await rm(folder, { recursive: true });
  });

  it("says which file cannot be read", async () => {
    await expect(PriceBook.read("/nowhere/p.json")).rejects.toThrow(
      /cannot read prices: .*nowhere/,
    );
  });
});
