import { execFileSync } from "node:child_process";

/** Whether a process may be given a network of its own here. */
export function canUnshare(): boolean {
  try {
    execFileSync("unshare", ["-rn", "ip", "link", "set", "lo", "up"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
