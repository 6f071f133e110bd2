import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readMessageFile } from "../../../src/cli/message_file.ts";
import { messageTypeNamed } from "../../../src/codec/message_types.ts";
import { cli } from "./fake_io.ts";

const DISCOUNTS = messageTypeNamed("settled.settlement.v1.MsgSetDiscounts").schema;
const TAX = messageTypeNamed("settled.settlement.v1.MsgSetTax").schema;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "settled-file-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function fileOf(json: unknown): Promise<string> {
  const file = join(folder, "message.json");
  await writeFile(file, typeof json === "string" ? json : JSON.stringify(json));
  return file;
}

test("a file gives the fields that it names, nested ones whole", async () => {
  const discounts = [{ kind: "fixed", amount: [{ denom: "uve", amount: "5" }], valid_until: "9" }];
  const message = readMessageFile(await fileOf({ discounts }), DISCOUNTS, { orderId: "o" });
  expect(Object.keys(message)).toEqual(["discounts"]);
  expect(message["discounts"]).toMatchObject([
    { kind: "fixed", amount: [{ denom: "uve", amount: "5" }], validUntil: 9n, rateBps: 0 },
  ]);
  const tax = { mode: "exclusive", rates: [{ name: "USt", rate: "0.19" }] };
  expect(readMessageFile(await fileOf({ tax }), TAX, {})).toMatchObject({
    tax: { mode: "exclusive", rates: [{ name: "USt", rate: "0.19", compound: false }] },
  });
});

test("what is wrong with a file is said with its name", async () => {
  const read = async (json: unknown, given: object = {}) =>
    readMessageFile(await fileOf(json), TAX, given as Record<string, unknown>);
  await expect(read("{")).rejects.toThrow(/--file .*message\.json: .*JSON/);
  await expect(read([])).rejects.toThrow("expected an object");
  await expect(read({ taxes: {} })).rejects.toThrow("taxes");
  await expect(read({ tax: { rates: "0.19" } })).rejects.toThrow("rates");
  await expect(read({ tax: {} }, { tax: {} })).rejects.toThrow("tax is given twice");
  expect(() => readMessageFile(join(folder, "none"), TAX, {})).toThrow("none");
});

test.each([
  ["set-discounts", "order-1 --file discounts.json --from provider-1"],
  ["set-tax", "order-1 --file tax.json --from customer-1"],
])("%s --help shows --file and how it is used", async (command, example) => {
  const { stdout: out } = await cli(["tx", "settlement", command, "--help"]);
  expect(out).toContain("--file <file>");
  expect(out).toContain(`${command} ${example}`);
});
