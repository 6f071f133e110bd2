import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { lockHome } from "../../../src/node/home_lock.ts";

test.skipIf(!existsSync("/proc/self/stat"))(
  "a process that has ended does not hold a home, even while nobody has reaped it",
  async () => {
    const home = await mkdtemp(join(tmpdir(), "settled-lock-"));
    // The shell becomes a sleep, which never asks for its child's end. The child lives until then: a
    // shell asks.
    const parent = spawn("sh", ["-c", "sleep 0.5 & echo $!; exec sleep 20"]);
    try {
      const pid = await new Promise<number>((resolve) => {
        parent.stdout.once("data", (text: Buffer) => resolve(Number(text.toString())));
      });
      const stateOf = async () => /\) (.)/.exec(await readFile(`/proc/${pid}/stat`, "utf8"))?.[1];
      await expect.poll(stateOf).toBe("Z");
      await writeFile(join(home, "node.lock"), JSON.stringify({ pid }));
      await (await lockHome(home)).release();
      await writeFile(join(home, "node.lock"), JSON.stringify({ pid: parent.pid }));
      await expect(lockHome(home)).rejects.toThrow(`in use by process ${parent.pid}`);
    } finally {
      parent.kill("SIGKILL");
      await rm(home, { recursive: true, force: true });
    }
  },
);
