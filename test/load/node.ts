import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { ChainReport } from "../../src/cli/running_chain.ts";
import type { LoadOptions } from "./roles.ts";

const READY_MS = 30_000;
/** Connections beside those of the load: attacker, payer, and who reads the figures. */
const SPARE = 100;

export interface LoadNode {
  readonly report: ChainReport;
  readonly pid: number;
  stop(): Promise<void>;
}

/** Starts the node of a home in a process, with room for the load. */
export async function startLoadNode(
  cli: string,
  home: string,
  { subscribers, clients }: LoadOptions,
): Promise<LoadNode> {
  const env = {
    ...process.env,
    SETTLED_RPC_CONNECTIONS_MAX: String(subscribers + clients + SPARE),
    SETTLED_RPC_SOCKETS_MAX: String(subscribers + SPARE),
    SETTLED_KEEP_HISTORY: "1000",
  };
  const configOut = join(home, "report.json");
  const flags = ["--home", home, "--rpc-port", "0", "--config-out", configOut];
  const args = ["--max-semi-space-size=64", cli, "start", ...flags, "--log-level", "warn"];
  const child = spawn(process.execPath, args, { env, stdio: ["ignore", "ignore", "inherit"] });
  const end = Date.now() + READY_MS;
  let text: string | undefined;
  while (text === undefined && Date.now() < end && child.exitCode === null) {
    text = await readFile(configOut, "utf8").catch(() => undefined);
    await sleep(50);
  }
  const stop = async () => {
    if (child.exitCode !== null) return;
    const ended = once(child, "exit");
    child.kill("SIGTERM");
    await ended;
  };
  if (text === undefined) {
    await stop();
    throw new Error("the node did not start");
  }
  return { report: JSON.parse(text) as ChainReport, pid: child.pid as number, stop };
}
