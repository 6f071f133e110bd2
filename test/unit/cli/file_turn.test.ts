import { mkdtemp, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { inTurn } from "../../../src/cli/file_turn.ts";

let folder: string;
let lock: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "settled-turn-"));
  lock = join(folder, "deep", "key.lock");
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

test("only one is at work at a time, and nothing is left behind", async () => {
  let inside = 0;
  let most = 0;
  const work = async (n: number) => {
    inside += 1;
    most = Math.max(most, inside);
    await sleep(3);
    inside -= 1;
    return n;
  };
  const all = Array.from({ length: 12 }, (_, n) => inTurn(lock, () => work(n)));
  expect(await Promise.all(all)).toEqual(Array.from({ length: 12 }, (_, n) => n));
  expect(most).toBe(1);
  expect(await readdir(join(folder, "deep"))).toEqual([]);
});

test("the turn ends with work that fails", async () => {
  await expect(inTurn(lock, () => Promise.reject(new Error("no")))).rejects.toThrow("no");
  expect(await inTurn(lock, async () => 1)).toBe(1);
});

test.each([
  ["of a process that is gone", "999999999\n", 0],
  ["without a pid", "", 0],
  ["that is held for too long", `${process.pid}\n`, 60],
])("a lock %s is taken over", async (_, text, ageSeconds) => {
  const path = join(folder, "key.lock");
  await writeFile(path, text);
  const then = Date.now() / 1000 - ageSeconds;
  await utimes(path, then, then);
  expect(await inTurn(path, async () => "mine")).toBe("mine");
});
