import { execFileSync } from "node:child_process";
import {
  linkSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statfsSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { openDiskCollector } from "../../../../src/provider/collect/disk_collector.ts";
import { scanFolder } from "../../../../src/provider/collect/folder_scan.ts";
import { at, stored } from "./moments.ts";

const scratch = mkdtempSync(join(tmpdir(), "settled-disk-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

function folder(): string {
  const path = mkdtempSync(join(scratch, "held-"));
  mkdirSync(join(path, "deep", "er"), { recursive: true });
  writeFileSync(join(path, "one"), Buffer.alloc(100_000, 1));
  writeFileSync(join(path, "deep", "er", "two"), Buffer.alloc(50_000, 1));
  return path;
}

const du = (path: string, ...flags: string[]) =>
  BigInt(
    execFileSync("du", ["-s", "-x", ...flags, path], { encoding: "utf8" }).split("\t")[0] as string,
  );

describe("what a folder holds", () => {
  it("is what du says: hard links once, symbolic links not followed, holes not counted", async () => {
    const path = folder();
    linkSync(join(path, "one"), join(path, "deep", "again"));
    symlinkSync("/usr", join(path, "usr"));
    writeFileSync(join(path, "hollow"), "x");
    truncateSync(join(path, "hollow"), 10_000_000);
    const { bytes, faults } = await scanFolder(path, "allocated", 1000);
    expect(faults).toEqual([]);
    expect(bytes).toBe(du(path, "-B1"));
    const apparent = await scanFolder(path, "apparent", 1000);
    expect(apparent.bytes).toBeGreaterThan(10_150_000n);
    expect(apparent.bytes).toBeLessThan(10_180_000n);
  });

  it("is cut at the most entries that it may look at, and says so", async () => {
    const path = folder();
    expect((await scanFolder(path, "apparent", 1)).faults).toEqual([
      expect.stringMatching(/more entries than maxEntries/),
    ]);
    expect((await scanFolder(path, "apparent", 4)).faults).toEqual([]);
  });
});

describe("a disk collector", () => {
  it("counts bytes times the seconds for which they are held", async () => {
    const path = folder();
    const settings = { kind: "disk", path, scanSeconds: 0 } as const;
    const collector = await openDiskCollector(settings, undefined, at(0));
    const held = du(path, "-B1");
    expect((await collector.read(at(2000))).metrics).toEqual({ storageByteSeconds: held * 2n });
    writeFileSync(join(path, "three"), Buffer.alloc(1 << 20, 1));
    const more = du(path, "-B1");
    expect(more - held).toBe(1n << 20n);
    const usage = await collector.read(at(3000));
    expect(usage.metrics.storageByteSeconds).toBe((held + more) / 2n);
    expect(usage.faults).toEqual([]);
  });

  it("holds what it found until the next scan is due", async () => {
    const path = folder();
    const collector = await openDiskCollector({ kind: "disk", path }, undefined, at(0));
    const held = du(path, "-B1");
    writeFileSync(join(path, "three"), Buffer.alloc(1 << 20, 1));
    expect((await collector.read(at(9000))).metrics.storageByteSeconds).toBe(held * 9n);
    const due = await collector.read(at(10_000));
    expect(due.metrics.storageByteSeconds).toBe((held + du(path, "-B1")) / 2n);
  });

  it("counts nothing for a folder that cannot be read, and says so", async () => {
    const path = folder();
    const settings = { kind: "disk", path, scanSeconds: 0 } as const;
    const collector = await openDiskCollector(settings, undefined, at(0));
    rmSync(path, { recursive: true });
    const gone = await collector.read(at(1000));
    expect(gone.metrics.storageByteSeconds).toBe(0n);
    expect(gone.faults).toEqual([expect.stringMatching(/ENOENT.*counts 0/)]);
    mkdirSync(path);
    expect((await collector.read(at(2000))).metrics.storageByteSeconds).toBe(0n);
    expect((await collector.read(at(3000))).metrics.storageByteSeconds).toBe(du(path, "-B1"));
  });

  it("counts nothing for the time that the meter was away", async () => {
    const path = folder();
    const settings = { kind: "disk", path, scanSeconds: 0 } as const;
    const before = await openDiskCollector(settings, undefined, at(0));
    const after = await openDiskCollector(settings, stored(before.cursor()), at(100_000));
    const usage = await after.read(at(101_000));
    expect(usage.metrics.storageByteSeconds).toBe(du(path, "-B1"));
    expect(usage.startMs).toBe(at(0).wallMs);
    expect(usage.faults).toEqual([expect.stringMatching(/away for 100000 ms/)]);
  });

  it("takes the use of a whole file system", async () => {
    const settings = { kind: "disk", path: scratch, measure: "filesystem" } as const;
    const collector = await openDiskCollector(settings, undefined, at(0));
    const { metrics } = await collector.read(at(1000));
    const { bsize, blocks, bfree } = statfsSync(scratch);
    // Others write to it meanwhile: to a part in ten.
    const share = Number(metrics.storageByteSeconds) / (bsize * (blocks - bfree));
    expect(share).toBeGreaterThan(0.9);
    expect(share).toBeLessThan(1.1);
  });

  it("refuses a path that depends on where it was started", async () => {
    const open = openDiskCollector({ kind: "disk", path: "data" }, undefined, at(0));
    await expect(open).rejects.toThrow(/absolute/);
  });
});
