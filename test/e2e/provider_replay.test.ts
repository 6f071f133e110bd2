import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Client } from "../../src/client/client.ts";
import { usageOfOrder } from "../../src/client/settlement_msgs.ts";
import type { ReplaySummary } from "../../src/provider/tally.ts";
import { inRoot } from "../architecture/repository.ts";
import {
  initHome,
  type NodeProcess,
  Program,
  settled,
  startNodeProcess,
  temporaryFolder,
} from "./node_process.ts";

const MONTH = inRoot("examples/usage-month.ndjson");
const TRACE = inRoot("../shared/data/openb_pod_list_default.csv");
let folder: { path: string; remove: () => Promise<void> };
let node: NodeProcess;

async function start(flags: { init?: string[]; start?: string[] } = {}): Promise<void> {
  await initHome(folder.path, ...(flags.init ?? []));
  node = await startNodeProcess(folder.path, ...(flags.start ?? []));
}

function replayArgs(file: string, ...flags: string[]): string[] {
  const place = ["--home", folder.path, "--node", node.rpc, "-o", "json"];
  return ["provider", "replay", "--file", file, "--from", "provider-1", ...place, ...flags];
}

async function replay(file: string, ...flags: string[]): Promise<ReplaySummary> {
  const { code, stdout, stderr } = await settled(replayArgs(file, ...flags));
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout) as ReplaySummary;
}

/** Runs the independent checker: the counts that it computed, after it found no difference. */
async function check(file: string, ...flags: string[]): Promise<Record<string, unknown>> {
  const args = ["--file", file, "--node", node.rpc, "-o", "json", ...flags];
  const program = new Program([inRoot("scripts/check_replay.mjs"), ...args]);
  const { code } = await program.exited;
  expect(code, program.output).toBe(0);
  return JSON.parse(program.stdout) as Record<string, unknown>;
}

beforeEach(async () => {
  folder = await temporaryFolder();
});
afterEach(async () => {
  await node.program.end("SIGTERM");
  await folder.remove();
});

describe("a replay through a running node", () => {
  it("R-003-01 / D-13 takes the example month from metrics to claimed rewards, in its own time", async () => {
    await start({ init: ["--genesis-time", "31d ago"], start: ["--time", "virtual"] });
    // All of the month is what `npm start` does (start.test.ts).
    const part = ["--format", "metrics", "--limit", "20"];
    const flags = [...part, "--with-orders", "--virtual-time"];
    const beganMs = Date.now();
    const summary = await replay(MONTH, ...flags);
    expect(summary).toMatchObject({ jobs: 20, skipped: 0, refused: 0, orders: 20 });
    expect(summary.settled).toEqual(summary.cost);
    expect(summary.claimed).toEqual(summary.rewards);
    const { cost, rewards, records } = summary;
    const counts = await check(MONTH, ...part);
    expect(counts).toMatchObject({ records, cost: cost["uve"], rewards: rewards["uve"] });
    const client = await Client.connect(node.rpc);
    const { latestTime } = await client.status();
    // The last block is at the file's last instant: the second in which the replay began.
    expect(Date.parse(latestTime)).toBeGreaterThanOrEqual(Math.floor(beganMs / 1000) * 1000);
    expect(Date.parse(latestTime)).toBeLessThanOrEqual(Date.now());

    const again = await replay(MONTH, ...flags);
    expect(again).toMatchObject({ records, refused: 0, cost });
    expect([again.settled, again.claimed]).toEqual([{}, {}]);
  });

  it.skipIf(!existsSync(TRACE))(
    "goes on after SIGKILL where it stopped, with pods of the trace (skipped where ../shared/data is absent)",
    async () => {
      await start();
      const file = join(folder.path, "pods.csv");
      writeFileSync(file, shareOfTrace());
      const flags = ["--format", "pods", "--with-orders"];
      const cut = new Program([inRoot("dist/cli/main.js"), ...replayArgs(file, ...flags)]);
      const client = await Client.connect(node.rpc);
      await cut.until("records on the chain", async () =>
        (await client.status()).latestHeight > 5n ? true : undefined,
      );
      await cut.end("SIGKILL");
      // What was in the mempool still gets into a block.
      await sleep(500);
      const summary = await replay(file, ...flags);
      expect(summary).toMatchObject({ skipped: 20, refused: 0 });
      const counts = await check(file, "--format", "pods");
      expect(counts).toMatchObject({ jobs: summary.jobs, records: summary.records });
      expect(summary.cost).toEqual({ uve: counts["cost"] });
    },
  );

  it("R-003-11 R-003-20 carries remainders, acknowledges a share and returns what a margin leaves", async () => {
    await start();
    const share = ["--ack-share", "0.5", "--escrow-margin", "1.1", "--unit-rounding", "carry"];
    const flags = ["--format", "metrics", "--limit", "14", ...share];
    const summary = await replay(MONTH, ...flags, "--with-orders");
    expect(summary).toMatchObject({ jobs: 14, refused: 0, orders: 14 });
    expect(summary.settled).toEqual(summary.cost);
    const counts = await check(MONTH, ...flags);
    expect(counts).toMatchObject({ records: summary.records, rewards: summary.rewards["uve"] });
  });

  it("prices by the book of the daemon: by order, in two denoms, and what is free", async () => {
    await start();
    const [first = ""] = readFileSync(MONTH, "utf8").split("\n");
    const { order } = JSON.parse(first) as { order: string };
    const book = join(folder.path, "book.yaml");
    const prices = "{cpu: 1500uve, memory: 187.5uusd, storage: free, gpu: 36000uve, network: 9uve}";
    writeFileSync(book, `default: ${prices}\norders: {${order}: {cpu: 2uusd}}\n`);
    const flags = ["--format", "metrics", "--limit", "6", "--with-orders", "--prices", book];
    const summary = await replay(MONTH, ...flags);
    expect(summary).toMatchObject({ jobs: 6, refused: 0, orders: 6 });
    expect(Object.keys(summary.cost)).toEqual(["uusd", "uve"]);
    expect(summary.settled).toEqual(summary.cost);
    const client = await Client.connect(node.rpc);
    const cpu = (await usageOfOrder(client, order)).find(({ usageType }) => usageType === "cpu");
    expect(cpu?.totalCost).toBe(`${2n * (cpu?.usageUnits ?? 0n)}uusd`);
  });

  it("refuses broken files and unknown orders, and changes nothing", async () => {
    await start();
    const client = await Client.connect(node.rpc);
    const provider = node.report.accounts.find(({ name }) => name === "provider-1");
    const sequence = async () => (await client.account(provider?.address ?? ""))?.sequence;
    const before = await sequence();
    const broken = join(folder.path, "broken.csv");
    const header = "name,cpu_milli,memory_mib,num_gpu,gpu_milli,deletion_time,scheduled_time";
    writeFileSync(broken, `${header}\na,1000,1024,0,0,7200,0\nb,many,1024,0,0,7200,0\n`);
    const refused = await settled(replayArgs(broken, "--format", "pods", "--with-orders"));
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toMatch(/line 3: cpu_milli is not a whole number: \\?"many/);

    const month = readFileSync(MONTH, "utf8").split("\n");
    const mixed = join(folder.path, "broken.ndjson");
    writeFileSync(mixed, `${month[0]}\n${month[0]}\n`);
    const overlap = await settled(replayArgs(mixed, "--format", "metrics", "--with-orders"));
    expect(overlap.code).not.toBe(0);
    expect(overlap.stderr).toMatch(/line 2: window .* overlaps/);

    const unknown = await replay(MONTH, "--format", "metrics", "--limit", "1");
    expect(unknown).toMatchObject({ records: 0, txs: 0, orders: 0 });
    expect(unknown.refused).toBeGreaterThan(0);
    expect(await sequence()).toBe(before);
  });
});

/** Pods of the trace that make a small file: short lives, one of over 1,000 records, some skipped. */
function shareOfTrace(): string {
  const [header = "", ...rows] = readFileSync(TRACE, "utf8").trim().split("\n");
  const lifeOf = (row: string) => {
    const fields = row.split(",");
    return fields[10] === "" ? undefined : Number(fields[9]) - Number(fields[10]);
  };
  const short = rows.filter((row) => (lifeOf(row) ?? Number.POSITIVE_INFINITY) < 6 * 3600);
  const skipped = rows.filter((row) => lifeOf(row) === undefined);
  const long = rows.find((row) => Math.abs((lifeOf(row) ?? 0) - 400 * 3600) < 50 * 3600) ?? "";
  return [header, long, ...short.slice(0, 150), ...skipped.slice(0, 20)].join("\n");
}
