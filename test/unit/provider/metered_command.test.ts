import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterAll, describe, expect, it } from "vitest";
import { MeterCgroup } from "../../../src/provider/cgroup2.ts";
import { runMetered } from "../../../src/provider/metered_command.ts";
import { processTree } from "../../../src/provider/proc_tree.ts";

const scratch = mkdtempSync(join(tmpdir(), "settled-meter-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const node = (script: string) => ({ command: process.execPath, args: ["-e", script] });
const spin = (ms: number) => `const end = process.cpuUsage().user + ${ms}e3;
  while (process.cpuUsage().user < end);`;

describe.skipIf(!existsSync("/proc/self/stat"))("a metered command (skipped without /proc)", () => {
  it("R-003-02 measures CPU, memory and writes of the command from the kernel", async () => {
    const file = join(scratch, "written");
    const script = `${spin(300)}
      const fs = require("node:fs");
      const fd = fs.openSync(${JSON.stringify(file)}, "w");
      fs.writeSync(fd, Buffer.alloc(8 << 20, 1));
      fs.fsyncSync(fd);
      setTimeout(() => {}, 300);`;
    const run = await runMetered({ ...node(script), sampleMs: 50, useCgroup: false });
    const { metrics } = run;
    expect(run.exitCode).toBe(0);
    expect(metrics.cpuMilliseconds).toBeGreaterThan(250n);
    expect(metrics.cpuMilliseconds).toBeLessThan(5000n);
    const seconds = (run.endedAt - run.startedAt) / 1000;
    // A Node process holds 20 to 200 MB for as long as it runs.
    expect(Number(metrics.memoryByteSeconds)).toBeGreaterThan(10e6 * seconds);
    expect(Number(metrics.memoryByteSeconds)).toBeLessThan(500e6 * seconds);
    expect(metrics.gpuSeconds).toBe(0n);
    expect(run.notes.join()).toMatch(/network: not attributable/);
  });

  it("counts children that have ended, of children too", async () => {
    const inner = `${spin(200)}`;
    const script = `const { spawnSync } = require("node:child_process");
      spawnSync(process.execPath, ["-e", ${JSON.stringify(inner)}]);
      spawnSync(process.execPath, ["-e", ${JSON.stringify(inner)}]);`;
    const run = await runMetered({ ...node(script), sampleMs: 50, useCgroup: false });
    expect(run.metrics.cpuMilliseconds).toBeGreaterThan(400n);
  });

  it("passes on the exit code, and a signal as 128 and its number", async () => {
    expect((await runMetered(node("process.exit(7)"))).exitCode).toBe(7);
    expect((await runMetered(node("process.kill(process.pid, 'SIGKILL')"))).exitCode).toBe(137);
  });

  it("says so when the command cannot be run", async () => {
    const run = runMetered({ command: "/nowhere/tool", args: [], useCgroup: false });
    await expect(run).rejects.toThrow(/cannot run \/nowhere\/tool/);
  });

  it("finds a process and what descends from it", () => {
    expect(processTree(process.pid)[0]).toBe(process.pid);
    expect(processTree(process.ppid)).toContain(process.pid);
  });
});

describe("a cgroup of version 2", () => {
  function fakeRoot(files: Record<string, string>): string {
    const root = mkdtempSync(join(scratch, "cgroup-"));
    writeFileSync(join(root, "cgroup.controllers"), "cpu io memory");
    mkdirSync(join(root, "own", "meter"), { recursive: true });
    for (const [name, text] of Object.entries(files)) {
      writeFileSync(join(root, "own", "meter", name), text);
    }
    return root;
  }

  it("is not made where there is no version 2, no right or no memory accounting", () => {
    expect(MeterCgroup.make("meter", join(scratch, "none"), "/own")).toBeUndefined();
    // The kernel fills a new group with files; a plain folder has none of them.
    const root = fakeRoot({});
    expect(MeterCgroup.make("meter-2", root, "/own")).toBeUndefined();
    expect(existsSync(join(root, "own", "meter-2"))).toBe(false);
  });

  it("reads CPU time, memory and bytes written over all devices", () => {
    const root = fakeRoot({
      "cpu.stat": "usage_usec 1234567\nuser_usec 1000000\nsystem_usec 234567\n",
      "memory.current": "4096000\n",
      "io.stat":
        "8:0 rbytes=10 wbytes=1000 rios=1 wios=1 dbytes=0 dios=0\n8:16 rbytes=0 wbytes=24\n",
    });
    expect(new MeterCgroup(join(root, "own", "meter")).read()).toEqual({
      cpuMilliseconds: 1234.567,
      memoryBytes: 4_096_000,
      writtenBytes: 1024,
    });
  });
});
