import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { afterAll, beforeAll, expect, test } from "vitest";
import { requireNode } from "../../scripts/lib/node_version.mjs";
import type { ChainReport } from "../../src/cli/running_chain.ts";
import { Client } from "../../src/client/client.ts";
import {
  QueryTotalsRequest,
  QueryTotalsResponse,
} from "../../src/gen/settled/settlement/v1/query.ts";
import { must } from "../../src/lib/assert.ts";
import { nowTime, parseTime } from "./times.ts";
import { inRoot } from "../architecture/repository.ts";
import { ensureBuilt, Program, readReport, temporaryFolder } from "./node_process.ts";

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
const started: Program[] = [];

beforeAll(async () => {
  folder = await temporaryFolder();
  await ensureBuilt();
});

afterAll(async () => {
  for (const program of started) await program.end("SIGKILL");
  await folder.remove();
});

function npmStart(name: string, ...flags: string[]): Program {
  const home = join(folder.path, name);
  const program = new Program([inRoot("scripts/start.mjs"), "--home", home, ...flags]);
  started.push(program);
  return program;
}

let reports = 0;

async function startAndReport(
  name: string,
  ...flags: string[]
): Promise<{ program: Program; report: ChainReport; file: string }> {
  reports += 1;
  const file = join(folder.path, `report-${reports}.json`);
  const program = npmStart(name, "--rpc-port", "0", "--config-out", file, ...flags);
  return { program, file, report: await program.until("report", async () => readReport(file)) };
}

test("an old Node.js is told what it needs", () => {
  expect(() => requireNode("18.19.1")).toThrow(/needs Node\.js 20\.19 or newer; this is 18\.19\.1/);
  expect(() => requireNode("20.18.3")).toThrow(/needs Node\.js 20\.19/);
  for (const version of ["20.19.0", "20.20.2", "22.1.0", "24.0.0"]) requireNode(version);
});

test("help and unknown flags", async () => {
  const help = npmStart("none", "--help");
  expect((await help.exited).code).toBe(0);
  expect(help.stdout).toContain("--config-out FILE");
  const unknown = npmStart("none", "--rcp-port", "1");
  expect((await unknown.exited).code).toBe(2);
  expect(unknown.stderr).toContain("unknown flag --rcp-port");
  const wrong = npmStart("none", "--rpc-port", "many");
  expect((await wrong.exited).code).toBe(2);
  expect(wrong.stderr).toContain("--rpc-port: expected a whole number");
  expect(existsSync(join(folder.path, "none"))).toBe(false);
});

test("without the demo: answers, reports, refuses a second one, stops, goes on", async () => {
  const { program, report, file } = await startAndReport("plain", "--no-demo");
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(report).toMatchObject({ chainId: "settled-1", pid: program.pid, bech32Prefix: "ve" });
  expect(report).toMatchObject({ denom: "uve", endpoints: { ledger: null } });
  const ready = await fetch(`${report.endpoints.metrics}/ready`);
  expect([ready.status, await ready.json()]).toMatchObject([200, { status: "ready" }]);
  expect(report.accounts.map(({ role }) => role)).toEqual(
    expect.arrayContaining(["provider", "customer", "authority"]),
  );
  await program.until("banner", () => program.stdout.includes("Ctrl-C") || undefined);
  for (const { mnemonic, address } of report.accounts) {
    expect(mnemonic.split(" ")).toHaveLength(12);
    expect(program.stdout).toContain(address);
    expect(program.output).not.toContain(mnemonic);
  }
  const client = await Client.connect(report.endpoints.rpc);
  const { latestHeight } = await client.status();
  const sameHome = npmStart("plain", "--rpc-port", "0", "--no-demo");
  expect((await sameHome.exited).code).toBe(1);
  expect(sameHome.stderr).toContain(`in use by process ${program.pid}`);
  const { port } = new URL(report.endpoints.rpc);
  const samePort = npmStart("other", "--rpc-port", port, "--no-demo");
  expect((await samePort.exited).code).toBe(1);
  expect(samePort.stderr).toContain("--rpc-port");
  const end = await program.end("SIGINT");
  expect(end.code).toBe(0);
  const again = await startAndReport("plain");
  expect(again.program.stderr).toContain("no demo is run");
  expect(again.report.accounts).toEqual(report.accounts);
  const later = await (await Client.connect(again.report.endpoints.rpc)).status();
  expect(later.latestHeight).toBeGreaterThanOrEqual(latestHeight);
  expect((await again.program.end("SIGTERM")).code).toBe(0);
});

async function totalsOf(client: Client): Promise<QueryTotalsResponse> {
  const path = "/settled.settlement.v1.Query/Totals";
  return client.query(path, QueryTotalsRequest, {}, QueryTotalsResponse);
}

/** Ends a demo by a signal as soon as so many records are there; it must be in the middle. */
async function cutAt(records: bigint, signal: NodeJS.Signals): Promise<void> {
  const { program, report } = await startAndReport("demo");
  const client = await Client.connect(report.endpoints.rpc);
  await program.until(`${records} records`, async () => {
    const { usageRecords } = await totalsOf(client);
    return usageRecords >= records ? true : undefined;
  });
  const { code } = await program.end(signal);
  expect(code).toBe(signal === "SIGINT" ? 0 : null);
  expect(program.stdout).not.toContain("a month of metered jobs");
}

test("the demo, stopped once and killed once, comes to the totals of an independent checker", async () => {
  await cutAt(500n, "SIGINT");
  await cutAt(2500n, "SIGKILL");
  const { program, report } = await startAndReport("demo");
  expect(program.stderr).toContain("cut short: it goes on where it stopped");
  await program.until(
    "the end of the demo",
    () => program.stdout.includes("try next") || undefined,
  );
  // Its own arithmetic over the file, compared with the chain record by record.
  const checker = ["scripts/check_replay.mjs", "--file", "examples/usage-month.ndjson"];
  const flags = ["--format", "metrics", "--node", report.endpoints.rpc, "-o", "json"];
  const expected = JSON.parse(
    execFileSync(process.execPath, [...checker, ...flags], { cwd: inRoot(), encoding: "utf8" }),
  ) as { records: number; settled: string; differences: number };
  expect(expected.differences).toBe(0);
  const client = await Client.connect(report.endpoints.rpc);
  const totals = await totalsOf(client);
  expect(totals.usageRecords).toBe(BigInt(expected.records));
  expect(totals.settled).toEqual([{ denom: "uve", amount: expected.settled }]);
  const settled = expected.settled.replace(/\B(?=([0-9]{3})+$)/g, ",");
  expect(program.stdout).toContain(`${settled} uve`);
  await checkTimes(client);
  await checkCommands(program);
  expect((await program.end("SIGINT")).code).toBe(0);
  const last = await startAndReport("demo");
  expect(last.program.stderr).toContain("no demo is run");
  await last.program.end("SIGINT");
}, 300_000);

/** Block times rise over the month and end at the present, never past it. */
async function checkTimes(client: Client): Promise<void> {
  const { latestHeight } = await client.status();
  let before = 0n;
  let first: bigint | undefined;
  for (let height = 1n; height <= latestHeight; height += 1n) {
    const { block } = (await client.rpc.call("block", { height: height.toString() })) as {
      block: { header: { time: string } };
    };
    const time = parseTime(block.header.time);
    expect(time).toBeGreaterThan(before);
    before = time;
    first ??= time;
  }
  const now = nowTime();
  expect(before).toBeLessThanOrEqual(now);
  const days = (now - must(first, "there are blocks")) / 86_400_000_000_000n;
  expect(days).toBe(31n);
  const { latestTime } = await client.status();
  expect(parseTime(latestTime)).toBeLessThanOrEqual(nowTime());
}

/** The commands that the demo prints for copying work as they are. */
async function checkCommands(program: Program): Promise<void> {
  const lines = program.stdout.slice(program.stdout.indexOf("try next")).split("\n");
  const commands = lines.filter((line) => line.startsWith("  node "));
  expect(commands).toHaveLength(3);
  for (const command of commands) {
    const [, ...args] = command.trim().split(" ");
    const run = new Program(args);
    expect(`${(await run.exited).code} ${run.stderr}`).toMatch(/^0 /);
    expect(run.stdout).not.toBe("");
  }
}
