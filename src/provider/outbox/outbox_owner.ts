import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { ProviderError } from "../errors.ts";

const FILE = "owner.json";

/** Notes which process has the outbox of a folder, for the error of one that comes second. */
export async function noteOwner(folder: string): Promise<void> {
  const since = new Date().toISOString();
  await writeFile(join(folder, FILE), `${JSON.stringify({ pid: process.pid, since })}\n`);
}

/** Why an outbox cannot be opened whose LevelDB is locked by another process. */
export async function lockedError(folder: string): Promise<ProviderError> {
  const owner = await readOwner(folder);
  const who = owner === undefined ? "another process" : `process ${owner.pid} since ${owner.since}`;
  return new ProviderError(
    "outbox_in_use",
    `the outbox ${folder} is open in ${who}, and one process has it at a time: ask that one ` +
      "(`settled provider status` does), or stop it first",
  );
}

async function readOwner(folder: string): Promise<{ pid: number; since: string } | undefined> {
  try {
    const { pid, since } = JSON.parse(await readFile(join(folder, FILE), "utf8")) as {
      pid?: unknown;
      since?: unknown;
    };
    return typeof pid === "number" ? { pid, since: String(since) } : undefined;
  } catch {
    return undefined;
  }
}
