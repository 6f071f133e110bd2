import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import { type LevelOutbox, openOutbox } from "../../../../src/provider/outbox/level_outbox.ts";
import { naturalKey } from "../../../../src/provider/outbox/outbox_record.ts";
import { outboxRecord } from "./records.ts";

// A real full disk: a file system of four megabytes, which only root may mount.

const place = mkdtempSync(join(tmpdir(), "settled-full-"));
const isMounted = mounted();

function mounted(): boolean {
  try {
    const words = ["-t", "tmpfs", "-o", "size=4m", "tmpfs", place];
    execFileSync("mount", words, { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

afterAll(() => {
  if (isMounted) execFileSync("umount", [place]);
  rmSync(place, { recursive: true, force: true });
});

const folder = join(place, "outbox");
const ballast = join(place, "ballast");
let outbox: LevelOutbox;

beforeEach(async () => {
  if (isMounted) outbox = await openOutbox(folder);
});
afterEach(async () => {
  if (isMounted) await outbox.close();
  await rm(folder, { recursive: true, force: true });
  await rm(ballast, { force: true });
});

/** Writes until the disk takes no more. @returns the records that it took, and why it ended */
async function fillUp(): Promise<{ taken: number; error: Error & { code?: string } }> {
  await writeFile(ballast, new Uint8Array(3_000_000));
  for (let taken = 0; ; taken += 1) {
    const notes = new Map([[`note-${taken}`, "x".repeat(7000)]]);
    try {
      await outbox.write({ records: [outboxRecord(1, taken)], notes });
    } catch (error) {
      return { taken, error: error as Error };
    }
  }
}

describe.skipIf(!isMounted)(
  "an outbox whose disk is full (skipped where none can be mounted)",
  () => {
    it("names file, cause and what to do", async () => {
      const { error } = await fillUp();
      expect(error).toMatchObject({ code: "outbox_disk" });
      expect(error.message).toContain(`the outbox ${folder} cannot be written: `);
      expect(error.message).toMatch(/db\/[0-9]+\.log: No space left on device: make room/);
    });

    it("keeps what it took, and takes nothing that would be gone after the next start", async () => {
      const { taken } = await fillUp();
      expect(taken).toBeGreaterThan(20);
      // Still full: each write is refused, and what there is can be read.
      const next = outboxRecord(2, 1);
      await expect(outbox.write({ records: [next] })).rejects.toMatchObject({
        code: "outbox_disk",
      });
      expect((await outbox.records({ limit: 10_000 })).length).toBe(taken);
      await rm(ballast);
      const reading = Promise.all(
        Array.from({ length: 20 }, () => outbox.records({ limit: 9999 })),
      );
      await outbox.write({ records: [next] });
      for (const page of await reading) expect(page.length).toBeGreaterThanOrEqual(taken);
      expect(outbox.counts().pending).toBe(taken + 1);
      await outbox.close();
      outbox = await openOutbox(folder);
      expect(await outbox.record(naturalKey(next))).toEqual(next);
      expect(await outbox.records({ limit: 10_000 })).toHaveLength(taken + 1);
      expect(outbox.counts().pending).toBe(taken + 1);
    });
  },
);
