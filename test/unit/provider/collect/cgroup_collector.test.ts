import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterAll, describe, expect, it } from "vitest";
import { openCgroupCollector } from "../../../../src/provider/collect/cgroup_collector.ts";
import { makeGroup, removeGroup } from "../../../testkit/cgroup.ts";
import { at, realNow, stored } from "./moments.ts";

const scratch = mkdtempSync(join(tmpdir(), "settled-cgroup-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** Writes the files of a group as the kernel does. */
function write(path: string, files: { cpu?: number; memory?: number; written?: number }): void {
  mkdirSync(path, { recursive: true });
  const { cpu = 0, memory = 0, written = 0 } = files;
  const put = (name: string, text: string) => writeFileSync(join(path, name), text);
  put("cpu.stat", `usage_usec ${cpu}\nuser_usec ${cpu}\nsystem_usec 0\nnr_periods 0\n`);
  put("memory.current", `${memory}\n`);
  put("memory.peak", `${memory * 2}\n`);
  put("pids.current", "3\n");
  put(
    "io.stat",
    `8:0 rbytes=10 wbytes=${written} rios=1 wios=1 dbytes=0 dios=0\n259:1 rbytes=7 wbytes=0\n`,
  );
}

function group(files: Parameters<typeof write>[1]): string {
  const path = join(mkdtempSync(join(scratch, "groups-")), "job");
  write(path, files);
  return path;
}

describe("a cgroup as the kernel writes it", () => {
  it("tells CPU growth and memory over time, with parts kept for the next span", async () => {
    const path = group({ cpu: 5_000_000, memory: 1000 });
    const collector = await openCgroupCollector({ kind: "cgroup2", path }, undefined, at(0));
    write(path, { cpu: 5_001_500, memory: 3000, written: 4096 });
    const one = await collector.read(at(1500));
    expect(one).toMatchObject({ isContinuous: true, faults: [] });
    expect(one.metrics).toEqual({ cpuMilliseconds: 1n, memoryByteSeconds: 3000n });
    expect(one.observed).toEqual({
      ...{ memoryPeakBytes: 6000n, processes: 3n, readBytes: 0n, writtenBytes: 4096n },
    });
    write(path, { cpu: 5_002_000, memory: 3000, written: 4096 });
    const two = await collector.read(at(1501));
    // Half a millisecond was left of the span before.
    expect(two.metrics).toEqual({ cpuMilliseconds: 1n, memoryByteSeconds: 3n });
    expect(two.startMs).toBe(one.endMs);
  });

  it("goes on after a restart: counters with what was missed, memory with a fault", async () => {
    const path = group({ cpu: 1_000_000, memory: 1000 });
    const settings = { kind: "cgroup2", path } as const;
    const before = await openCgroupCollector(settings, undefined, at(0));
    write(path, { cpu: 1_000_900, memory: 1000 });
    await before.read(at(1000));
    write(path, { cpu: 9_000_100, memory: 1000 });
    const after = await openCgroupCollector(settings, stored(before.cursor()), at(60_000));
    const usage = await after.read(at(61_000));
    expect(usage).toMatchObject({ startMs: at(1000).wallMs, isContinuous: false });
    expect(usage.metrics).toEqual({ cpuMilliseconds: 8000n, memoryByteSeconds: 1000n });
    expect(usage.faults).toEqual([expect.stringMatching(/away for 59000 ms.*memory.*count 0/)]);
    expect((await after.read(at(62_000))).faults).toEqual([]);
  });

  it("counts from 0 when the counter went back, and says so", async () => {
    const path = group({ cpu: 8_000_000 });
    const collector = await openCgroupCollector({ kind: "cgroup2", path }, undefined, at(0));
    write(path, { cpu: 250_000 });
    const usage = await collector.read(at(1000));
    expect(usage.metrics.cpuMilliseconds).toBe(250n);
    expect(usage.faults).toEqual([expect.stringMatching(/went back from 8000000 to 250000/)]);
  });

  it("counts from 0 after a start of the machine, even if the counter is higher now", async () => {
    const path = group({ cpu: 1_000_000 });
    const settings = { kind: "cgroup2", path } as const;
    const before = await openCgroupCollector(settings, undefined, at(0));
    write(path, { cpu: 3_000_000 });
    const cursor = { ...(before.cursor() as object), bootId: "another run of the kernel" };
    const after = await openCgroupCollector(settings, stored(cursor), at(5000));
    const usage = await after.read(at(6000));
    expect(usage.metrics.cpuMilliseconds).toBe(3000n);
    expect(usage.faults.join()).toMatch(/started anew/);
  });

  it("waits for a group that is made later and takes all of it", async () => {
    const path = join(scratch, "later");
    const collector = await openCgroupCollector({ kind: "cgroup2", path }, undefined, at(0));
    const none = await collector.read(at(1000));
    expect(none.metrics).toEqual({ cpuMilliseconds: 0n, memoryByteSeconds: 0n });
    expect(none.faults).toEqual([expect.stringMatching(/no such group/)]);
    write(path, { cpu: 70_000, memory: 500 });
    const usage = await collector.read(at(2000));
    expect(usage.metrics).toEqual({ cpuMilliseconds: 70n, memoryByteSeconds: 0n });
    expect(usage.faults).toEqual([]);
  });

  it("invents no memory for a look that failed; CPU comes with the next", async () => {
    const path = group({ cpu: 0, memory: 1000 });
    const collector = await openCgroupCollector({ kind: "cgroup2", path }, undefined, at(0));
    rmSync(join(path, "memory.current"));
    writeFileSync(join(path, "cpu.stat"), "usage_usec \n");
    const bad = await collector.read(at(1000));
    expect(bad.metrics).toEqual({ cpuMilliseconds: 0n, memoryByteSeconds: 0n });
    expect(bad.faults).toHaveLength(2);
    write(path, { cpu: 40_000, memory: 1000 });
    expect((await collector.read(at(2000))).metrics).toEqual({
      ...{ cpuMilliseconds: 40n, memoryByteSeconds: 0n },
    });
    expect((await collector.read(at(3000))).metrics.memoryByteSeconds).toBe(1000n);
  });

  it("integrates the peak, and bytes written from their writing on, where that is set", async () => {
    const path = group({ memory: 100, written: 1_000_000 });
    const settings = { kind: "cgroup2", path, memory: "peak", storage: "written" } as const;
    const collector = await openCgroupCollector(settings, undefined, at(0));
    expect(collector.tells).toEqual(["cpuMilliseconds", "memoryByteSeconds", "storageByteSeconds"]);
    write(path, { memory: 100, written: 1_000_500 });
    const { metrics } = await collector.read(at(1000));
    // 500 bytes came somewhere in that second: half a second each.
    expect(metrics).toMatchObject({ memoryByteSeconds: 200n, storageByteSeconds: 250n });
    expect((await collector.read(at(2000))).metrics.storageByteSeconds).toBe(500n);
  });

  it("refuses what is no group", async () => {
    const open = (path: string) => openCgroupCollector({ kind: "cgroup2", path }, undefined, at(0));
    await expect(open(scratch)).rejects.toThrow(/no cgroup of version 2/);
    await expect(open("jobs/a")).rejects.toThrow(/absolute/);
  });
});

const real = makeGroup("collector");

describe.skipIf(real === undefined)(
  "a cgroup of this kernel (skipped without a right to one)",
  () => {
    afterAll(() => removeGroup(real as string));

    it("has all CPU time of processes that lived between two reads", async () => {
      const path = real as string;
      const settings = { kind: "cgroup2", path, memory: "none" } as const;
      const collector = await openCgroupCollector(settings, undefined, realNow());
      // It counts from when it is in the group: what came before is nobody's.
      const burn = `require("node:fs").writeFileSync(process.argv[1] + "/cgroup.procs", "0");
      const since = process.cpuUsage();
      while (process.cpuUsage(since).user < 2e5);
      const { user, system } = process.cpuUsage(since);
      process.stdout.write(String(user + system), () => process.reallyExit(0));`;
      const args = ["-e", burn, path];
      const counted = Number(execFileSync(process.execPath, args, { encoding: "utf8" })) / 1000;
      const { metrics, faults } = await collector.read(realNow());
      expect(faults).toEqual([]);
      // Besides its own count there is only the end of the process.
      expect(Number(metrics.cpuMilliseconds)).toBeGreaterThanOrEqual(Math.floor(counted) - 1);
      expect(Number(metrics.cpuMilliseconds)).toBeLessThan(counted * 1.25 + 20);
    });
  },
);
