import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setImmediate } from "node:timers/promises";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { openProcessCollector } from "../../../../src/provider/collect/process_collector.ts";
import { readStat } from "../../../../src/provider/proc_tree.ts";
import { realNow, stored } from "./moments.ts";

const scratch = mkdtempSync(join(tmpdir(), "settled-process-"));
const started: ChildProcess[] = [];
afterEach(() => {
  for (const child of started.splice(0)) child.kill("SIGKILL");
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** Starts a program that says a line when it is ready, and after each line that it is told. */
async function start(script: string) {
  const child = spawn(process.execPath, ["-e", script], { stdio: ["pipe", "pipe", "inherit"] });
  started.push(child);
  const line = async () => String((await once(child.stdout, "data"))[0]).trim();
  const tell = async () => {
    child.stdin.write("go\n");
    return await line();
  };
  await line();
  return { pid: child.pid as number, child, tell };
}

const burn = (ms: number) => `{ const end = process.cpuUsage().user + ${ms}e3;
  while (process.cpuUsage().user < end); }`;
const onLine = (body: string) => `console.log("ready");
  process.stdin.on("data", () => { ${body} });`;

describe.skipIf(!existsSync("/proc/self/smaps_rollup"))("a process collector (needs /proc)", () => {
  it("counts a child that came and went between two reads", async () => {
    const inner = `${burn(150)} console.log(process.cpuUsage().user + process.cpuUsage().system)`;
    const { pid, tell } = await start(
      onLine(`const { execFileSync } = require("node:child_process");
        const us = execFileSync(process.execPath, ["-e", ${JSON.stringify(inner)}]).toString();
        console.log(us.trim());`),
    );
    const collector = await openProcessCollector({ kind: "process", pid }, undefined, realNow());
    const countedMs = Number(await tell()) / 1000;
    const { metrics, faults, observed } = await collector.read(realNow());
    expect(faults).toEqual([]);
    expect(Number(metrics.cpuMilliseconds)).toBeGreaterThan(countedMs - 40);
    // The parent's own part in starting it is not in the child's count.
    expect(Number(metrics.cpuMilliseconds)).toBeLessThan(countedMs * 1.5 + 150);
    expect(observed?.processes).toBe(1n);
  });

  it("sums up to what the kernel has for the whole tree, however often it looks", async () => {
    const spin = "i=0; while [ $i -lt 4000 ]; do i=$((i+1)); done";
    const nested = `sh -c '${spin}' & sh -c '${spin}'; ${spin}; wait`;
    const chain = `for turn in 1 2 3 4 5 6 7 8; do (${nested}) & ${spin}; wait; done`;
    const script = `echo ready; read go; (${chain}) & (${chain}) & ${chain}; wait; echo end; read go`;
    const child = spawn("/bin/sh", ["-c", script], { stdio: ["pipe", "pipe", "inherit"] });
    started.push(child);
    const said = () => once(child.stdout, "data");
    await said();
    const pid = child.pid as number;
    const settings = { kind: "process", pid, memory: "none" } as const;
    const before = readStat(pid);
    let collector = await openProcessCollector(settings, undefined, realNow());
    child.stdin.write("go\n");
    let isEnded = false;
    const ended = said().then(() => {
      isEnded = true;
    });
    let total = 0n;
    let looks = 0;
    const look = async () => {
      const { metrics, faults } = await collector.read(realNow());
      expect(faults).toEqual([]);
      total += metrics.cpuMilliseconds ?? 0n;
      looks += 1;
    };
    while (!isEnded) {
      await look();
      // The meter is started anew time and again: its cursor has all that is needed.
      if (looks % 7 === 0) {
        collector = await openProcessCollector(settings, stored(collector.cursor()), realNow());
      }
      await setImmediate();
    }
    await ended;
    // What ended at the last look may be handed to its parent at the next one.
    await look();
    await look();
    const after = readStat(pid);
    const ticks = (stat: typeof after) => (stat?.ownTicks ?? 0n) + (stat?.waitedTicks ?? 0n);
    expect(looks).toBeGreaterThan(20);
    expect(total).toBeGreaterThan(100n);
    expect(total).toBe((ticks(after) - ticks(before)) * 10n);
  });

  it("counts pages that processes share once, unless told otherwise", async () => {
    const { pid, tell } = await start(
      onLine(`require("node:child_process")
        .spawn(process.execPath, ["-e", "setInterval(() => {}, 1e3); console.log(1)"])
        .stdout.once("data", () => console.log("there"));`),
    );
    await tell();
    const open = (memory: "resident" | "proportional") =>
      openProcessCollector({ kind: "process", pid, memory }, undefined, realNow());
    const [resident, proportional] = [await open("resident"), await open("proportional")];
    await new Promise((resolve) => setTimeout(resolve, 200));
    const now = realNow();
    const [many, once] = [await resident.read(now), await proportional.read(now)];
    // Both run the same program: tens of megabytes of it are there once.
    expect(Number(many.metrics.memoryByteSeconds)).toBeGreaterThan(
      Number(once.metrics.memoryByteSeconds) * 1.15,
    );
  });

  it("counts all memory that is touched", async () => {
    const { pid, tell } = await start(
      onLine("globalThis.held = Buffer.alloc(64 << 20, 1); console.log(held.length)"),
    );
    const collector = await openProcessCollector({ kind: "process", pid }, undefined, realNow());
    const perSecond = async () => {
      const { startMs } = await collector.read(realNow());
      await new Promise((resolve) => setTimeout(resolve, 300));
      const { metrics, endMs } = await collector.read(realNow());
      return Number(metrics.memoryByteSeconds) / ((endMs - startMs) / 1000);
    };
    await collector.read(realNow());
    const before = await perSecond();
    await tell();
    await collector.read(realNow());
    const after = await perSecond();
    expect(before).toBeGreaterThan(5e6);
    expect(after - before).toBeGreaterThan((64 << 20) * 0.5);
    expect(after).toBeLessThan((64 << 20) + 200e6);
  });

  it("goes on after a restart of the meter", async () => {
    const { pid, tell } = await start(onLine(`${burn(120)} console.log("done")`));
    const settings = { kind: "process", pid, memory: "none" } as const;
    const before = await openProcessCollector(settings, undefined, realNow());
    const cursor = stored(before.cursor());
    await tell();
    const after = await openProcessCollector(settings, cursor, realNow());
    const { metrics, isContinuous, faults } = await after.read(realNow());
    expect(Number(metrics.cpuMilliseconds)).toBeGreaterThanOrEqual(100);
    expect(isContinuous).toBe(false);
    expect(faults).toEqual([]);
  });

  it("says once that the process has ended, and bills nothing after", async () => {
    const { pid, child } = await start(onLine(""));
    const collector = await openProcessCollector({ kind: "process", pid }, undefined, realNow());
    child.kill("SIGKILL");
    await once(child, "exit");
    const last = await collector.read(realNow());
    expect(last.faults.join()).toMatch(/has ended: what it used after the last look is not known/);
    const later = await collector.read(realNow());
    expect(later.faults).toEqual([]);
    expect(later.metrics.cpuMilliseconds).toBe(0n);
  });

  it("follows a pid file to the next process, and no stranger", async () => {
    const pidFile = join(scratch, "service.pid");
    const settings = { kind: "process", pidFile, memory: "none" } as const;
    const collector = await openProcessCollector(settings, undefined, realNow());
    expect((await collector.read(realNow())).faults.join()).toMatch(/service.pid cannot be read/);
    const { pid, tell, child } = await start(onLine(`${burn(120)} console.log("done")`));
    await tell();
    writeFileSync(pidFile, `${pid}\n`);
    const first = await collector.read(realNow());
    expect(first.faults).toEqual([]);
    // It began after the meter did: all of it counts.
    expect(Number(first.metrics.cpuMilliseconds)).toBeGreaterThanOrEqual(100);
    child.kill("SIGKILL");
    await once(child, "exit");
    writeFileSync(pidFile, `${process.pid}\n`);
    utimesSync(pidFile, 1, 1);
    expect((await collector.read(realNow())).faults.join()).toMatch(/began after .* was written/);
  });

  it("refuses settings that can never work", async () => {
    const open = (settings: object) =>
      openProcessCollector({ kind: "process", ...settings }, undefined, realNow());
    await expect(open({})).rejects.toThrow(/one of pid .* and pidFile/);
    await expect(open({ pid: 1, pidFile: "/run/a.pid" })).rejects.toThrow(/one of pid/);
    await expect(open({ pid: 4_194_305 })).rejects.toThrow(/no process 4194305/);
  });
});
