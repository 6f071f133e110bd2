import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { splitCsvRow } from "../../../../src/provider/csv_row.ts";
import type { OutsideRow } from "../../../../src/provider/reconcile/outside_row.ts";
import { quantityText } from "../../../../src/provider/reconcile/quantity.ts";
import { type OutsidePrice, readOutside } from "../../../../src/provider/reconcile/read_outside.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "settled-outside-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function rowsOf(text: string, priceOf?: OutsidePrice): Promise<OutsideRow[]> {
  const file = join(folder, "usage");
  await writeFile(file, text);
  const rows: OutsideRow[] = [];
  for await (const row of readOutside(file, priceOf)) rows.push(row);
  return rows;
}

test("billed usage by either set of names, with times of both kinds", async () => {
  const short = `{"order":"o","lease":"l","type":"Compute","start":60,"end":"1970-01-01T00:02:00Z","units":"1.5","unit_price":"2.5uve","cost":3}`;
  const long = `{"order_id":"o","lease_id":"l","usage_type":"gpu","period_start":60,"period_end":120,"usage_units":9007199254740993,"denom":"uve"}`;
  const rows = await rowsOf(`${short}\n\n${long}\n`);
  expect(rows).toMatchObject([
    { usageType: "cpu", periodStart: 60n, periodEnd: 120n, denom: "uve", cost: 3n },
    { usageType: "gpu", denom: "uve", unitPrice: undefined, cost: undefined },
  ]);
  expect(rows.map(({ units }) => quantityText(units))).toEqual(["1.5", "9007199254740993"]);
  expect(rows[0]?.unitPrice).toBe(25n * 10n ** 17n);
  expect(rows[1]?.place).toMatch(/usage:3$/);
});

test("raw metrics come to one row per resource, exactly", async () => {
  const header = "order,lease,start,end,cpu_milliseconds,memory_byte_seconds,network_bytes_in";
  const rows = await rowsOf(
    `${header}\r\n"o,1",l,0,3600,5400000,1,1073741824\r\n`,
    (_, resource) => {
      return resource === "cpu" ? { denom: "uve", unitPrice: 7n } : undefined;
    },
  );
  const units = rows.map(({ usageType, units }) => [usageType, quantityText(units)]);
  expect(units).toEqual([
    ["cpu", "1.5"],
    ["memory", "~0"],
    ["storage", "0"],
    ["gpu", "0"],
    ["network", "1"],
  ]);
  expect(rows[0]).toMatchObject({ orderId: "o,1", denom: "uve", unitPrice: 7n });
  expect(rows[1]?.units).toEqual({ numerator: 1n, denominator: 3_865_470_566_400n });
});

test("a line that cannot be read is named with its field", async () => {
  const row = (more: string) => `order,lease,type,start,end,units,unit_price,cost\n${more}\n`;
  await expect(rowsOf(row("o,l,cpu,0,9,-1,,"))).rejects.toThrow(/line 2: "units" is not a decimal/);
  await expect(rowsOf(row("o,l,cpu,9,9,1,,"))).rejects.toThrow(/end 9 is not after start 9/);
  await expect(rowsOf(row("o,,cpu,0,9,1,,"))).rejects.toThrow(/"lease" or "lease_id" is missing/);
  await expect(rowsOf(row("o,l,cpu,0.5,9,1,,"))).rejects.toThrow(/"start" is not unix seconds/);
  await expect(rowsOf(row("o,l,cpu,0,9,1,x,"))).rejects.toThrow(/"unit_price" is not a decimal/);
  await expect(rowsOf(row("o,l,cpu,0,9,1,,1.5"))).rejects.toThrow(/"cost" is not whole base units/);
  await expect(rowsOf(row("o,l"))).rejects.toThrow(/line 2: expected 8 fields .*, found 2/);
  await expect(rowsOf("{}\nx\n")).rejects.toThrow(/line 1: field "start"/);
  await expect(rowsOf("")).rejects.toThrow(/the file is empty/);
});

test("CSV fields, quoted and not", () => {
  expect(splitCsvRow('a,"b ""c"", d",,e\r')).toEqual(["a", 'b "c", d', "", "e"]);
  expect(splitCsvRow("")).toEqual([""]);
  expect(splitCsvRow('"a')).toMatch(/does not end/);
  expect(splitCsvRow('"a"b')).toMatch(/expected a comma/);
  expect(splitCsvRow('a"b')).toMatch(/not quoted/);
});
