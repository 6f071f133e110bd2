import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { parseLines } from "./ndjson.ts";
import { cli } from "../unit/cli/fake_io.ts";
import { devNode } from "./dev_node.ts";

// A provider reports four hours of one lease; the customer has a meter of its own, and later a bill
// from outside the chain.

const HOUR = 3600;
const EPOCH = Math.floor(Date.now() / 1000 / HOUR) * HOUR - 10 * HOUR;
const MILLISECONDS_OF_AN_HOUR = 3_600_000;
const CPU_HOURS = [3.5, 4, 6, 2];

const node = devNode();

const file = (name: string) => join(node.home, name);
const json = () => ["--home", node.home, "--node", node.rpc, "-o", "json"];
const at = (hour: number) => `${EPOCH + hour * HOUR},${EPOCH + (hour + 1) * HOUR}`;

async function run(...args: string[]) {
  const { exit: code, stdout, stderr } = await cli([...args, ...json()]);
  return { code, stderr, lines: parseLines(stdout) as Record<string, unknown>[][] };
}

async function tx(...args: string[]): Promise<void> {
  const { code, stderr } = await run("tx", "settlement", ...args, "--yes");
  expect(code, stderr).toBe(0);
}

beforeAll(async () => {
  const customer = ["--from", "customer-1"];
  await tx("create-escrow", "o", "5000000uve", "--expires-in", "30d", ...customer);
  await tx(
    "activate-escrow",
    "escrow-1",
    "--lease-id",
    "l",
    "--recipient",
    "provider-1",
    ...customer,
  );
  const rows = CPU_HOURS.map((hours, hour) => {
    const nothing = { memory_byte_seconds: 0, storage_byte_seconds: 0, gpu_seconds: 0 };
    const traffic = { network_bytes_in: 0, network_bytes_out: 0 };
    const period = { start: hour * HOUR, end: (hour + 1) * HOUR };
    const cpu_milliseconds = hours * MILLISECONDS_OF_AN_HOUR;
    return {
      job: "j",
      order: "o",
      lease: "l",
      ...period,
      cpu_milliseconds,
      ...nothing,
      ...traffic,
    };
  });
  await writeFile(file("usage.ndjson"), `${rows.map((row) => JSON.stringify(row)).join("\n")}\n`);
  const replay = ["--file", file("usage.ndjson"), "--epoch", `${EPOCH}`, "--from", "provider-1"];
  const { code, stderr } = await run("provider", "replay", ...replay);
  expect(code, stderr).toBe(0);
});

const POLICY = `
meter: { file: meter.csv }   # beside this file
tolerance: { share: "0.02", units: 1 }
agrees: acknowledge
differs: dispute
unmetered: wait
`;

it("acknowledges what a second meter agrees with, and disputes what it contradicts", async () => {
  // The second meter agrees within a unit, within two per cent, not at all, and did not run.
  const metered = [`${at(0)},3.5`, `${at(1)},4.01`, `${at(2)},2`].map(
    (row) => `o,l,compute,${row}`,
  );
  await writeFile(file("meter.csv"), `order,lease,type,start,end,units\n${metered.join("\n")}\n`);
  await writeFile(file("policy.yaml"), POLICY);
  const policy = ["--from", "customer-1", "--policy", file("policy.yaml")];

  const dry = await run("customer", "acknowledge", ...policy, "--dry-run");
  const actions = dry.lines[0]?.map(({ usage_units, action }) => [usage_units, action]);
  expect(actions).toEqual([
    ["3", "acknowledge"],
    ["4", "acknowledge"],
    ["6", "dispute"],
    ["2", "wait"],
  ]);
  expect((await openUsage()).length, "a dry run sends nothing").toBe(4);

  const acknowledged = await run("customer", "acknowledge", ...policy);
  expect(acknowledged.code, acknowledged.stderr).toBe(0);
  expect(await openUsage()).toEqual(["6", "2"]);

  const disputed = await run("customer", "dispute", ...policy);
  expect(disputed.code, disputed.stderr).toBe(0);
  const usageId = disputed.lines[0]?.find(({ action }) => action === "dispute")?.["usage_id"];
  const { lines } = await run("query", "settlement", "disputes");
  const [dispute] = (lines[0] as unknown as { disputes: Record<string, string>[] }).disputes;
  const evidence = await readFile(file(`customer/evidence/${String(usageId)}.json`));
  expect(dispute).toMatchObject({
    usage_id: usageId,
    reason: "6 units reported, 2 by the second meter",
    evidence_hash: createHash("sha256").update(evidence).digest("base64"),
  });

  const byName = await run("customer", "acknowledge", "usage-9-9", "--from", "customer-1");
  expect(byName.code).not.toBe(0);
  expect(byName.stderr).toMatch(/usage-9-9 is no open record of this customer/);
});

async function openUsage(): Promise<unknown[]> {
  const { lines } = await run(
    "customer",
    "acknowledge",
    "--from",
    "customer-1",
    "--all",
    "--dry-run",
  );
  return (lines[0] ?? []).map(({ usage_units }) => usage_units);
}

it("names every difference between the chain and a bill from outside", async () => {
  const header = "order,lease,type,start,end,units,denom,unit_price";
  const rows = [
    `o,l,cpu,${at(0)},3.5,uve,1500`,
    `o,l,cpu,${at(1)},4,uve,1400`,
    `o,l,cpu,${at(2)},5,uve,1500`,
    `o,l,cpu,${at(2)},5,uve,1500`,
    `o,l,cpu,${at(200)},1,uve,1500`,
  ];
  await writeFile(file("bill.csv"), `${[header, ...rows].join("\n")}\n`);
  const { code, lines } = await run("provider", "reconcile", "--against", file("bill.csv"));
  expect(code).toBe(12);
  const found = lines[0] as unknown as Record<string, Record<string, unknown>[]>;
  expect(found["kinds"]?.map(({ kind, count, amount }) => [kind, count, amount])).toEqual([
    ["rounding", 1, "-750"],
    ["missing_on_chain", 1, "-1500"],
    ["missing_in_file", 1, "3000"],
    ["duplicate", 1, "-7500"],
    ["price", 1, "400"],
    ["units", 1, "1500"],
  ]);
  // 3 + 4 + 6 + 2 CPU-hours at 1500; 5250 + 5600 + 7500 + 7500 + 1500 in the file.
  expect(found["money"]).toEqual([
    { denom: "uve", chain: "22500", file: "27350", difference: "-4850", residual: "0" },
  ]);
});

it("a bill that contradicts itself leaves a residual, with an exit code of its own", async () => {
  const row = `o,l,cpu,${at(1)},4,uve,1500,9999`;
  await writeFile(
    file("odd.csv"),
    `order,lease,type,start,end,units,denom,unit_price,cost\n${row}\n`,
  );
  const since = ["--since", `${EPOCH + HOUR}`, "--before", `${EPOCH + 2 * HOUR}`];
  const { code, stderr } = await run(
    "provider",
    "reconcile",
    "--against",
    file("odd.csv"),
    ...since,
  );
  expect(code).toBe(13);
  expect(stderr).toMatch(/not explained: -3999uve/);
});

it("raw metrics are compared unit by unit, and what was floored is rounding", async () => {
  const shifted = (await readFile(file("usage.ndjson"), "utf8")).replace(
    /"(start|end)":(\d+)/g,
    (_, name: string, seconds: string) => `"${name}":${Number(seconds) + EPOCH}`,
  );
  await writeFile(file("raw.ndjson"), shifted);
  const { code, lines } = await run("provider", "reconcile", "--against", file("raw.ndjson"));
  expect(code).toBe(0);
  const found = lines[0] as unknown as Record<string, Record<string, unknown>[]>;
  expect(found["kinds"]).toEqual([{ kind: "rounding", denom: "uve", count: 1, amount: "-750" }]);
});
