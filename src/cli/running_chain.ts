import { rm } from "node:fs/promises";
import type { NodeConfig } from "../node/config.ts";
import type { NodeLog } from "../node/log.ts";
import { type OpenApp, startNode } from "../node/node.ts";
import { writeFileAtomic } from "./atomic_file.ts";
import { type DevAccount, loadDevAccounts } from "./dev_accounts.ts";
import { openDoors } from "./doors.ts";
import { type Endpoints, isLoopbackHost } from "./endpoints.ts";
import { runningNodePath } from "./home.ts";
import { openTestKeyring } from "./keyring/test_keyring.ts";
import { join } from "node:path";
import { toJson } from "./output.ts";
import { packageVersion } from "./version.ts";

/** What a started chain tells: the content of `--config-out`. */
export interface ChainReport {
  readonly chainId: string;
  readonly pid: number;
  readonly bech32Prefix: string;
  readonly denom: string;
  readonly endpoints: Endpoints;
  /** Of dev chains, with their mnemonics; empty otherwise. */
  readonly accounts: readonly DevAccount[];
}

export interface RunningChain {
  readonly report: ChainReport;
  readonly halted: Promise<Error>;
  stop(): Promise<void>;
}

/**
 * Starts the node of a home and its doors, and notes the endpoints in the home.
 * @throws NodeStartError, PortInUseError
 */
export async function startChain({
  home,
  config,
  log,
  openApp,
}: {
  readonly home: string;
  readonly config: NodeConfig;
  readonly log: NodeLog;
  readonly openApp: OpenApp;
}): Promise<RunningChain> {
  const { openMetrics } = await import("../api/metrics/recorder.ts");
  const metrics = openMetrics();
  const appVersion = packageVersion();
  const node = await startNode({ home, config, openApp, appVersion, log, metrics });
  try {
    const doors = await openDoors({ home, view: node.view, config, log, metrics });
    const { endpoints } = doors;
    if (node.view.dev !== undefined && !isLoopbackHost(config.host)) {
      const text = "others can reach this node: it has no dev controls, and no faucet";
      log.warn(text, { host: config.host });
    }
    const report = await reportOf(home, node.view.info, config, endpoints);
    const note = {
      pid: process.pid,
      chainId: report.chainId,
      rpc: endpoints.rpc,
      rest: endpoints.rest,
      grpc: endpoints.grpc,
    };
    await writeJson(runningNodePath(home), note);
    const stop = async () => {
      await rm(runningNodePath(home), { force: true });
      await doors.close();
      await node.stop();
    };
    return { report, halted: node.halted, stop };
  } catch (error) {
    await node.stop();
    throw error;
  }
}

async function reportOf(
  home: string,
  info: { chainId: string; bech32Prefix: string; bondDenom: string },
  config: NodeConfig,
  endpoints: Endpoints,
): Promise<ChainReport> {
  const { chainId, bech32Prefix, bondDenom: denom } = info;
  const keyring = openTestKeyring(join(home, "keyring-test"), bech32Prefix);
  const accounts = config.dev ? await loadDevAccounts(keyring) : [];
  return { chainId, pid: process.pid, bech32Prefix, denom, endpoints, accounts };
}

/** Writes a JSON file in one step, readable by its owner only. */
export async function writeJson(path: string, value: unknown): Promise<void> {
  await writeFileAtomic(path, `${toJson(value, 2)}\n`, { mode: 0o600, overwrite: true });
}
