import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadOpenApp } from "../../src/cli/open_app.ts";
import { type RunningChain, startChain } from "../../src/cli/running_chain.ts";
import { readConfig } from "../../src/node/config.ts";
import { genesisJson, genesisPath, writeGenesisFile } from "../../src/node/genesis_file.ts";

import { type LogFacts, silentLog } from "../../src/node/log.ts";
import { chainOfEverything } from "../testkit/everything.ts";

/** A node with every door, whose chain began with a record of every kind. */
export interface EverythingNode {
  readonly chain: RunningChain;
  readonly rest: string;
  /** What the node logged as an error. */
  readonly faults: readonly string[];
  stop(): Promise<void>;
}

/** Starts it in this process, making a block for each tx. */
export async function startEverythingNode(): Promise<EverythingNode> {
  const home = await mkdtemp(join(tmpdir(), "settled-everything-"));
  const source = await chainOfEverything();
  const doc = await source.app.exportGenesis();
  await source.app.close();
  await mkdir(join(home, "config"));
  await writeGenesisFile(genesisPath(home), genesisJson({ doc }));
  const flags = { rpcPort: "0", blockMode: "instant", minimumGasPrice: "0" };
  const config = await readConfig(home, flags);
  const faults: string[] = [];
  const error = (message: string, facts: LogFacts = {}) =>
    void faults.push(`${message} ${JSON.stringify(facts)}`);
  const log = { ...silentLog, error };
  const chain = await startChain({ home, config, log, openApp: await loadOpenApp() });
  const stop = async () => {
    await chain.stop();
    await rm(home, { recursive: true, force: true });
  };
  return { chain, rest: String(chain.report.endpoints.rest), faults, stop };
}
