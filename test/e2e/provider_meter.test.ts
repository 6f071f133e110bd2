import process from "node:process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { MeterResult } from "../../src/provider/meter.ts";
import {
  initHome,
  type NodeProcess,
  settled,
  startNodeProcess,
  temporaryFolder,
} from "./node_process.ts";

let folder: { path: string; remove: () => Promise<void> };
let node: NodeProcess;

beforeAll(async () => {
  folder = await temporaryFolder();
  await initHome(folder.path);
  node = await startNodeProcess(folder.path);
});
afterAll(async () => {
  await node.program.end("SIGTERM");
  await folder.remove();
});

const place = () => ["--home", folder.path, "--node", node.rpc, "-o", "json"];

async function tx(...args: string[]): Promise<void> {
  const { code, stdout, stderr } = await settled([
    "tx",
    "settlement",
    ...args,
    "--yes",
    ...place(),
  ]);
  expect(code, stdout + stderr).toBe(0);
}

function meter(script: string) {
  const ids = ["--order", "order-1", "--lease", "lease-1", "--from", "provider-1"];
  const command = [process.execPath, "-e", script];
  return settled(["provider", "meter", ...ids, ...place(), "--", ...command]);
}

function resultOf(stdout: string): MeterResult {
  return JSON.parse(stdout.trim().split("\n").at(-1) as string) as MeterResult;
}

const spin = "const end = process.cpuUsage().user + 3e5; while (process.cpuUsage().user < end);";

describe("a metered command", () => {
  it("R-003-02 / D-16 is billed with what the kernel says, one window after the other", async () => {
    const refused = await meter(spin);
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toMatch(/refused/);

    await tx(
      "create-escrow",
      "order-1",
      "5000000uve",
      "--expires-in",
      "30d",
      "--from",
      "customer-1",
    );
    const to = ["--lease-id", "lease-1", "--recipient", "provider-1", "--from", "customer-1"];
    await tx("activate-escrow", "escrow-1", ...to);

    const first = await meter(`${spin} console.log("its own output")`);
    expect(first.code, first.stderr).toBe(0);
    expect(first.stdout).toMatch(/^its own output\n/);
    const one = resultOf(first.stdout);
    expect(Number(one.metrics["cpu_milliseconds"])).toBeGreaterThan(250);
    expect(Number(one.metrics["memory_byte_seconds"])).toBeGreaterThan(0);
    // Less than a unit of everything: the footprint of one CPU-hour.
    expect(one.records).toMatchObject([{ usageType: "cpu", units: 1, cost: "1500", refused: "" }]);
    expect(one.end).toBeGreaterThan(one.start);
    expect(first.stderr).toMatch(/network: not attributable/);

    const second = resultOf((await meter("")).stdout);
    expect(second.start).toBeGreaterThanOrEqual(one.end);
    expect(second.records[0]?.usageId).toMatch(/^usage-/);
  });

  it("passes on the command's exit code", async () => {
    expect((await meter("process.exit(9)")).code).toBe(9);
  });
});
