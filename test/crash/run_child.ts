import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import ts from "typescript";
import { inRoot } from "../architecture/repository.ts";
import { ensureBuilt } from "../e2e/node_process.ts";
import type { Line, Task } from "./child.ts";

/** What a child imports of this folder. */
const FILES = ["child.ts", "kill_db.ts", "replay_host.ts"];
const OUT = inRoot("node_modules", ".cache", "settled", "crash");

let compiled: Promise<string> | undefined;

/** The child as a program of its own, over the build of src. */
async function compileChild(): Promise<string> {
  await ensureBuilt();
  await mkdir(OUT, { recursive: true });
  const target = ts.ScriptTarget.ES2022;
  for (const file of FILES) {
    const text = await readFile(inRoot("test", "crash", file), "utf8");
    const { outputText } = ts.transpileModule(text, {
      compilerOptions: { target, module: ts.ModuleKind.ES2022, verbatimModuleSyntax: true },
    });
    const dist = pathToFileURL(inRoot("dist")).href;
    const linked = outputText
      .replaceAll(/(from ")\.\.\/\.\.\/src\/([^"]+)\.ts"/g, `$1${dist}/$2.js"`)
      .replaceAll(/(from "\.\/[^"]+)\.ts"/g, '$1.mjs"');
    await writeFile(join(OUT, `${basename(file, ".ts")}.mjs`), linked);
  }
  return join(OUT, "child.mjs");
}

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
  compiled ??= compileChild();
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
