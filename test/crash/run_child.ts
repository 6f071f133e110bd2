import { spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import type { Line, Task } from "./child.ts";
import { compileChild } from "./child_program.ts";

let compiled: Promise<string> | undefined;

/** How a child ended, and what it had told before. */
export interface ChildEnd {
  readonly isKilled: boolean;
  /** The highest height that it told of; undefined: none. */
  readonly height: number | undefined;
  /** Sizes of the logs after every synced write. */
  readonly logs: readonly Readonly<Record<string, number>>[];
}

/** Runs a task until it has killed itself or is done. @throws when it fails in another way */
export async function runChild(task: Task): Promise<ChildEnd> {
  compiled ??= compileChild("child.ts", "kill_db.ts", "replay_host.ts");
  const stdio: ["ignore", "pipe", "pipe"] = ["ignore", "pipe", "pipe"];
  const child = spawn(process.execPath, [await compiled, JSON.stringify(task)], { stdio });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const [code, signal] = (await once(child, "close")) as [number | null, string | null];
  // A line that was cut by the kill was not told.
  const lines = stdout
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Line);
  if (signal !== "SIGKILL" && code !== 0) throw new Error(`the child failed: ${stderr}`);
  const heights = lines.flatMap((line) => ("height" in line ? [line.height] : []));
  const logs = lines.flatMap((line) => ("logs" in line ? [line.logs] : []));
  return { isKilled: signal === "SIGKILL", height: heights.at(-1), logs };
}
