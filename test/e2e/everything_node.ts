import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadOpenApp } from "../../src/cli/open_app.ts";
import { type RunningChain, startChain } from "../../src/cli/running_chain.ts";
import { readConfig } from "../../src/node/config.ts";
import { buildTx } from "../../src/client/tx_builder.ts";
import { toBase64 } from "../../src/lib/bytes.ts";
import { genesisJson, genesisPath, writeGenesisFile } from "../../src/node/genesis_file.ts";
import { type LogFacts, silentLog } from "../../src/node/log.ts";
import { CHAIN_ID, FREE } from "../testkit/chain.ts";
import { chainOfEverything } from "../testkit/everything.ts";
import type { TestMessage } from "../testkit/messages.ts";
import { rpcCall } from "./node_process.ts";

/** A node with every door, whose chain began with a record of every kind. */
export interface EverythingNode {
  readonly chain: RunningChain;
  readonly rest: string;
  /** What the node logged as an error. */
  readonly faults: readonly string[];
  /** The bytes of a tx of messages that have one signer. */
  tx(...messages: readonly TestMessage[]): Promise<Uint8Array>;
  /** Sends them and waits for their block. @throws Error when the tx fails */
  send(...messages: readonly TestMessage[]): Promise<DeliveredTx>;
  stop(): Promise<void>;
}

/** What `broadcast_tx_commit` says of a tx that was executed. */
export interface DeliveredTx {
  readonly height: string;
  readonly tx_result: { readonly code: number; readonly log: string; readonly data: string };
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
  const { rpc, rest } = chain.report.endpoints;
  const tx = async (...messages: readonly TestMessage[]) => signedTx(String(rest), messages);
  const send = async (...messages: readonly TestMessage[]) => {
    const params = { tx: toBase64(await tx(...messages)) };
    const { result, error } = await rpcCall(rpc, "broadcast_tx_commit", params);
    const delivered = result as DeliveredTx | undefined;
    if (delivered?.tx_result.code === 0) return delivered;
    throw new Error(JSON.stringify(error ?? result));
  };
  return { chain, rest: String(rest), faults, tx, send, stop };
}

/** Account number and sequence are what the node says now. */
async function signedTx(rest: string, messages: readonly TestMessage[]): Promise<Uint8Array> {
  const [{ signer }] = messages as [TestMessage];
  const response = await fetch(`${rest}/cosmos/auth/v1beta1/account_info/${signer.address}`);
  const { info } = (await response.json()) as { info: Record<string, string> };
  const accountNumber = BigInt(info["account_number"] ?? 0);
  const sequence = BigInt(info["sequence"] ?? 0);
  const fee = { ...FREE, gasLimit: 5_000_000n };
  return buildTx({ messages, signer, chainId: CHAIN_ID, accountNumber, sequence, fee });
}
