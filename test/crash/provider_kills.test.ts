import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type LevelOutbox, openOutbox } from "../../src/provider/outbox/level_outbox.ts";
import { naturalKey, RECORD_STATES } from "../../src/provider/outbox/outbox_record.ts";
import { flakyProxy, type Mishap } from "../e2e/flaky_proxy.ts";
import {
  makeUsageHome,
  removeHome,
  startUsageNode,
  usageOnChain,
  usageRecord,
} from "../e2e/usage_node.ts";
import { compileChild } from "./child_program.ts";
import type { ProviderTask } from "./provider_child.ts";
import { seededRandom } from "./random.ts";

const isLong = process.env["SETTLED_LONG"] === "1";
const KILLS = isLong ? 60 : 2;
const seed = Number(process.env["SETTLED_CRASH_SEED"] ?? "11");

let folder: string;
let child: string;

/** Runs a task until it is done, or until SIGKILL so long after it has told so many things. */
async function runTask(
  task: ProviderTask,
  killAfterMs: number,
  tells = 1,
): Promise<{ isKilled: boolean; told: string[] }> {
  const stdio: ["ignore", "pipe", "pipe"] = ["ignore", "pipe", "pipe"];
  const program = spawn(process.execPath, [child, JSON.stringify(task)], { stdio });
  let [stdout, stderr] = ["", ""];
  program.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  let timer: NodeJS.Timeout | undefined;
  program.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    if (stdout.split("\n").length <= tells) return;
    timer ??= setTimeout(() => program.kill("SIGKILL"), killAfterMs);
  });
  const [code, signal] = (await once(program, "close")) as [number | null, string | null];
  clearTimeout(timer);
  if (signal !== "SIGKILL" && code !== 0) throw new Error(`the child failed: ${stderr}`);
  return { isKilled: signal === "SIGKILL", told: stdout.split("\n").slice(0, -1) };
}

/** What is wrong with an outbox after a kill. */
async function faultsOf(outbox: LevelOutbox, told: readonly string[]): Promise<string[]> {
  const faults: string[] = [];
  const written = await outbox.notes("write/");
  for (const number of told) if (!written.has(`write/${number}`)) faults.push(`${number} is lost`);
  const perWrite = new Map<string, number>();
  for (const { periodStart } of await outbox.records({ limit: 1_000_000 })) {
    const name = `write/${(periodStart - 1_700_000_000n) / 60n}`;
    perWrite.set(name, (perWrite.get(name) ?? 0) + 1);
  }
  for (const [name, count] of written) {
    if (String(perWrite.get(name)) !== count) faults.push(`${name}: ${perWrite.get(name)} records`);
  }
  if (perWrite.size !== written.size) faults.push(`${perWrite.size} of ${written.size} changes`);
  for (const state of RECORD_STATES) {
    const found = (await outbox.records({ state, limit: 1_000_000 })).length;
    const counted = outbox.counts()[state];
    if (found !== counted) faults.push(`${state}: ${found} found, ${counted} counted`);
  }
  const due = await outbox.due(Date.now(), 1_000_000, new Set());
  if (due.length !== outbox.counts().pending) faults.push(`${due.length} are due`);
  return faults;
}

beforeAll(async () => {
  child = await compileChild("provider_child.ts");
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "settled-provider-"));
});
afterEach(() => removeHome(folder));

describe(`a provider's process that is killed ${KILLS} times (seed ${seed})`, () => {
  it("leaves every change of its outbox whole or absent, none that it told of lost, and counts that agree", {
    timeout: 120_000 + KILLS * 5000,
  }, async () => {
    const draw = seededRandom(seed);
    const path = join(folder, "outbox");
    const all: string[] = [];
    for (let kill = 0; kill < KILLS; kill += 1) {
      const { isKilled, told } = await runTask({ do: "write", folder: path }, draw(250), 4);
      expect(isKilled).toBe(true);
      all.push(...told);
      const outbox = await openOutbox(path);
      expect(await faultsOf(outbox, all)).toEqual([]);
      await outbox.close();
    }
    expect(all.length).toBeGreaterThan(KILLS * 3);
  });

  it("RULES 16 has each record on the chain exactly once, also when answers are lost", {
    timeout: 240_000 + KILLS * 10_000,
  }, async () => {
    const draw = seededRandom(seed + 1);
    const home = join(folder, "node");
    await makeUsageHome(home, { orders: 20 });
    const node = await startUsageNode(home, { minimumGasPrice: "0" });
    const proxy = await flakyProxy(node.rpc);
    const path = join(folder, "outbox");
    try {
      const records = Array.from({ length: KILLS * 60 }, (_, at) => {
        return usageRecord(at % 20, Math.floor(at / 20));
      });
      const outbox = await openOutbox(path);
      await outbox.write({ records });
      await outbox.close();
      const mishaps: readonly Mishap[] = ["none", "none", "mute", "slow", "twice", "lost"];
      proxy.decide = () => mishaps[draw(mishaps.length)] ?? "none";
      const task = { do: "send", folder: path, url: proxy.url, account: "provider" } as const;
      let kills = 0;
      while (kills < KILLS && (await runTask(task, draw(600))).isKilled) kills += 1;
      proxy.decide = () => "none";
      await runTask(task, 100_000);
      expect(kills).toBeGreaterThan(0);
      const counts = new Map<string, number>();
      for (const usage of await usageOnChain(node.client)) {
        counts.set(naturalKey(usage), (counts.get(naturalKey(usage)) ?? 0) + 1);
      }
      expect([...counts.keys()].sort()).toEqual(records.map(naturalKey).sort());
      expect(Math.max(...counts.values())).toBe(1);
      const after = await openOutbox(path);
      expect(after.counts()).toMatchObject({ included: records.length, pending: 0, sent: 0 });
      await after.close();
    } finally {
      await proxy.close();
      await node.stop();
    }
  });
});
