import { Client } from "../../src/client/client.ts";
import { type Signer, signerFromMnemonic } from "../../src/client/signer.ts";
import { buildTx } from "../../src/client/tx_builder.ts";
import { encodePartial } from "../../src/client/wire.ts";
import { MsgSend } from "../../src/gen/cosmos/bank/v1beta1/tx.ts";
import { must } from "../../src/lib/assert.ts";
import { until } from "../testkit/until.ts";
import { initHome, type NodeProcess, startNodeProcess } from "../e2e/node_process.ts";
import { seededRandom } from "./random.ts";
import { Witness } from "./witness.ts";

/** What a run of kills came to. */
export interface CrashReport {
  readonly kills: number;
  /** Heights and txs that were told before a kill and checked after it. */
  readonly blocks: number;
  readonly txs: number;
  /** Kills after which the chain had a block more than it had told of. */
  readonly ahead: number;
  readonly faults: readonly string[];
}

/** Blocks as fast as they can be made, so that most moments are inside of one. */
const NODE_FLAGS = ["--block-interval", "3ms"];
const KILL_AFTER_MS_MAX = 700;
const SENT_AT_ONCE = 5;

/**
 * Kills a node over and over with SIGKILL at seeded random moments, most of them while txs flow,
 * and holds what it has after each restart against what it had told before.
 */
export async function crashRun(options: {
  readonly home: string;
  readonly seed: number;
  readonly rounds: number;
  readonly note?: (line: string) => void;
}): Promise<CrashReport> {
  const { home, rounds, note = () => undefined } = options;
  const random = seededRandom(options.seed);
  await initHome(home);
  const witness = new Witness();
  const faults: string[] = [];
  let ahead = 0;
  let node = await startNodeProcess(home, ...NODE_FLAGS);
  for (let round = 1; round <= rounds; round += 1) {
    // Every fourth kill comes after the txs have stopped: between blocks.
    const killAfterMs = random(KILL_AFTER_MS_MAX);
    await lifeUntilKill(node, witness, { killAfterMs, quiet: round % 4 === 0 });
    const told = maxBigint(witness.highest, loggedHeight(node));
    node = await startNodeProcess(home, ...NODE_FLAGS);
    const found = startedHeight(node);
    if (found < told) faults.push(`round ${round}: told of height ${told}, came back at ${found}`);
    // Nothing shows of a block before it is on disk, and nothing is begun before it shows.
    if (found > told + 1n) faults.push(`round ${round}: told of ${told}, came back at ${found}`);
    if (found === told + 1n) ahead += 1;
    faults.push(...(await afterRestart(node, witness)).map((text) => `round ${round}: ${text}`));
    note(`kill ${round}: after ${killAfterMs} ms at height ${told}, back at ${found}`);
    if (faults.length > 0) break;
  }
  await node.program.end("SIGKILL");
  const { blocks, txs } = witness;
  return { kills: rounds, blocks: blocks.size, txs: txs.size, ahead, faults };
}

async function lifeUntilKill(
  node: NodeProcess,
  witness: Witness,
  moment: { readonly killAfterMs: number; readonly quiet: boolean },
): Promise<void> {
  const client = await Client.connect(node.rpc);
  const sent: string[] = [];
  let over = false;
  const watching = Promise.all([
    witness.watchBlocks(client),
    witness.watchTxs(client, sent, () => over),
    keepSending(client, await signerOf(node), sent, () => over),
  ]);
  // From here on there is something to lose, however slow the machine is.
  const [blocks, txs] = [witness.blocks.size, witness.txs.size];
  const isUnderWay = () => witness.blocks.size > blocks + 3 && witness.txs.size > txs + 1;
  await until(isUnderWay, "blocks and txs");
  await sleep(moment.killAfterMs);
  if (moment.quiet) {
    over = true;
    await sleep(60);
  }
  await node.program.end("SIGKILL");
  over = true;
  await watching;
}

async function signerOf(node: NodeProcess): Promise<Signer> {
  const [first] = node.report.accounts;
  return signerFromMnemonic(must(first, "a dev chain has accounts").mnemonic);
}

/** Sends txs of one account, a few at a time, until told to stop or the node is gone. */
async function keepSending(
  client: Client,
  signer: Signer,
  sent: string[],
  isOver: () => boolean,
): Promise<void> {
  const account = await client.account(signer.address).catch(() => undefined);
  if (account === undefined) return;
  let { sequence } = account;
  const { accountNumber } = account;
  const { chainId } = client;
  const fee = { amount: [{ denom: "uve", amount: "5000" }], gasLimit: 200_000n };
  while (!isOver()) {
    const amount = [{ denom: "uve", amount: "1" }];
    const value = encodePartial(MsgSend, { fromAddress: signer.address, toAddress: TO, amount });
    const messages = [{ typeUrl: "/cosmos.bank.v1beta1.MsgSend", value }];
    const tx = buildTx({ signer, chainId, accountNumber, sequence, fee, messages });
    const answer = await client.broadcastSync(tx).catch(() => undefined);
    if (answer === undefined) return;
    if (answer.code === 0) {
      sent.push(answer.hash);
      sequence += 1n;
    }
    if (sequence % BigInt(SENT_AT_ONCE) === 0n) await sleep(2);
  }
}

/** An account that nobody has the key of and that nothing else is sent to: its balance counts. */
const TO = "ve17gp5mk5vw75kr0tjwwx2k4xhpw0hsjnmhyghmz";

/** What was told before and no longer holds, and whether state, blocks and indexes are of one mind. */
async function afterRestart(node: NodeProcess, witness: Witness): Promise<string[]> {
  const client = await Client.connect(node.rpc);
  const faults = await witness.faults(client);
  const { total } = await client.searchTxs(`transfer.recipient='${TO}'`, { perPage: 1 });
  const balance = await client.balance(TO, "uve");
  if (balance !== BigInt(total)) {
    faults.push(`the index has ${total} transfers to the counting account, which holds ${balance}`);
  }
  return faults;
}

/** The highest block that a dead node had logged: its log counts as told. */
function loggedHeight({ program }: NodeProcess): bigint {
  return lastHeight(program.stderr, / block height=([0-9]+) .*\n/g);
}

/** The height that a node started at. */
function startedHeight({ program }: NodeProcess): bigint {
  return lastHeight(program.stderr, / started chain=\S+ height=([0-9]+) /g);
}

function lastHeight(log: string, pattern: RegExp): bigint {
  return BigInt([...log.matchAll(pattern)].at(-1)?.[1] ?? "0");
}

function maxBigint(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
