import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { buildIfNeeded } from "../../scripts/lib/build.mjs";
import type { ChainReport } from "../../src/cli/running_chain.ts";
import { inRoot } from "../architecture/repository.ts";
import { writeDevHome } from "../testkit/dev_home.ts";

/** How long a busy machine may take for what a program must come to. */
const READY_MS = 100_000;

let built: Promise<unknown> | undefined;

/** Builds what the tests start, once per test file. SETTLED_NO_BUILD=1 takes dist as it is. */
export async function ensureBuilt(): Promise<void> {
  built ??= process.env["SETTLED_NO_BUILD"] === "1" ? Promise.resolve() : buildIfNeeded();
  await built;
}

/** A program that has been started, with what it has written so far. */
export class Program {
  readonly child: ChildProcess;
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  stdout = "";
  stderr = "";

  constructor(args: readonly string[], options: { env?: Record<string, string> } = {}) {
    const env = { ...process.env, NO_COLOR: "1", ...options.env };
    const stdio: ["ignore", "pipe", "pipe"] = ["ignore", "pipe", "pipe"];
    const child = spawn(process.execPath, args, { cwd: inRoot(), env, stdio });
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      this.stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
    });
    this.child = child;
    // "close": what a killed process had written has been read to its end.
    this.exited = once(child, "close").then(([code, signal]) => ({ code, signal }));
  }

  get pid(): number {
    return this.child.pid as number;
  }

  get output(): string {
    return `${this.stdout}\n${this.stderr}`;
  }

  get hasExited(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  /** Sends a signal and waits for the end. */
  async end(signal: NodeJS.Signals): Promise<{ code: number | null }> {
    if (!this.hasExited) this.child.kill(signal);
    const { code } = await this.exited;
    return { code };
  }

  /** Waits until `probe` gives something. @throws when the program ends before, or in time */
  async until<T>(what: string, probe: () => T | undefined | Promise<T | undefined>): Promise<T> {
    const end = Date.now() + READY_MS;
    for (;;) {
      const found = await probe();
      if (found !== undefined) return found;
      if (this.hasExited) throw new Error(`ended before ${what}:\n${this.output}`);
      if (Date.now() > end) throw new Error(`no ${what} in time:\n${this.output}`);
      await sleep(20);
    }
  }
}

/** Runs `settled` to its end. */
export async function settled(
  args: readonly string[],
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  await ensureBuilt();
  const program = new Program([inRoot("dist/cli/main.js"), ...args]);
  const { code } = await program.exited;
  return { code, stdout: program.stdout, stderr: program.stderr };
}

/** A temporary folder, and the function that removes it. */
export async function temporaryFolder(): Promise<{ path: string; remove: () => Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), "settled-e2e-"));
  return { path, remove: async () => rm(path, { recursive: true, force: true }) };
}

/** The content of a `--config-out` file; undefined while it is not there. */
export async function readReport(path: string): Promise<ChainReport | undefined> {
  const text = await readFile(path, "utf8").catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as ChainReport);
}

/** A node process on free ports. */
export interface NodeProcess {
  readonly program: Program;
  readonly report: ChainReport;
  readonly rpc: string;
}

/** Makes a dev chain in a folder; `flags` are those of `settled init`. */
export async function initHome(home: string, ...flags: string[]): Promise<void> {
  await writeDevHome(home, ...flags);
}

/** Starts the node of a home and waits until its RPC answers. */
export async function startNodeProcess(home: string, ...flags: string[]): Promise<NodeProcess> {
  await ensureBuilt();
  // A name of its own: a report of a run before is not taken for this one's.
  const configOut = join(home, `report-${randomUUID()}.json`);
  const args = ["start", "--home", home, "--rpc-port", "0", "--config-out", configOut, ...flags];
  const program = new Program([inRoot("dist/cli/main.js"), ...args]);
  const report = await program.until("report", async () => readReport(configOut));
  return { program, report, rpc: report.endpoints.rpc };
}

/** A JSON-RPC call: the result, or the error object. */
export async function rpcCall(
  url: string,
  method: string,
  params: object = {},
): Promise<{ status: number; result?: unknown; error?: { code: number; data: string } }> {
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
  const headers = { "content-type": "application/json" };
  const response = await fetch(url, { method: "POST", headers, body });
  const text = await response.text();
  try {
    return { status: response.status, ...(JSON.parse(text) as object) };
  } catch {
    return { status: response.status };
  }
}
