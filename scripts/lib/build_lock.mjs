import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { inRoot, UserError } from "./root.mjs";

const LOCK = inRoot("node_modules", ".settled-build.lock");
const WAIT_MS = 180_000;

/** Runs `work` while no other process of this project builds. A dead process's lock is taken over. */
export async function withBuildLock(work) {
  const end = Date.now() + WAIT_MS;
  while (!take()) {
    if (Date.now() > end) throw new UserError(`another build does not end; remove ${LOCK}`);
    await sleep(100);
  }
  try {
    return await work();
  } finally {
    rmSync(LOCK, { recursive: true, force: true });
  }
}

function take() {
  try {
    mkdirSync(LOCK);
    writeFileSync(`${LOCK}/pid`, String(process.pid));
    return true;
  } catch (error) {
    if (error.code !== "EEXIST") throw error;
    if (!isHeld()) rmSync(LOCK, { recursive: true, force: true });
    return false;
  }
}

function isHeld() {
  try {
    process.kill(Number(readFileSync(`${LOCK}/pid`, "utf8")), 0);
    return true;
  } catch (error) {
    // Without a pid the lock is being made at this moment, or its maker died in that very moment.
    if (error.code === "ENOENT") return ageMs() < 2000;
    return error.code === "EPERM";
  }
}

function ageMs() {
  const stat = statSync(LOCK, { throwIfNoEntry: false });
  return stat === undefined ? 0 : Date.now() - stat.mtimeMs;
}
