import { createHash } from "node:crypto";
import { cp, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openTestKeyring } from "../../src/cli/keyring/test_keyring.ts";
import type { Client } from "../../src/client/client.ts";
import { type Signer, signerFromPrivateKey } from "../../src/client/signer.ts";
import type { EncodedMessage } from "../../src/client/wire.ts";
import { MsgSend } from "../../src/gen/cosmos/bank/v1beta1/tx.ts";
import { makeDevHome, NodeProcess } from "../../src/torture/node_process.ts";
import { Purse } from "./purse.ts";

const PREFIX = "ve";
const NODE_FLAGS = ["--block-interval", "20ms", "--log-level", "error"];
/** What each account of a lane begins with: enough for thousands of runs. */
const FUNDS = [
  { denom: "uusd", amount: (100n * 10n ** 9n).toString() },
  { denom: "uve", amount: (100n * 10n ** 12n).toString() },
];

/** A provider and a customer that are nobody else's: the runs of a lane come one after the other. */
export interface Lane {
  readonly index: number;
  readonly provider: Purse;
  readonly providerKey: Uint8Array;
  readonly customer: Purse;
}

/** A node in a process, with the lanes of several runs at a time. */
export class Bench {
  readonly folder: string;
  readonly program: readonly string[];
  readonly node: NodeProcess;
  readonly lanes: readonly Lane[];
  #attempts = 0;

  private constructor(
    folder: string,
    program: readonly string[],
    node: NodeProcess,
    lanes: readonly Lane[],
  ) {
    this.folder = folder;
    this.program = program;
    this.node = node;
    this.lanes = lanes;
  }

  /** @param cli path of the compiled main.js of the command line */
  static async open(cli: string, laneCount: number): Promise<Bench> {
    const folder = await mkdtemp(join(tmpdir(), "settled-runs-"));
    const program = [process.execPath, cli];
    const [home, logFile] = [join(folder, "node"), join(folder, "node.log")];
    await makeDevHome(program, home, logFile);
    const node = await NodeProcess.start({ program, home, flags: NODE_FLAGS, logFile });
    const lanes = Array.from({ length: laneCount }, (_, index) => laneOf(index, node.url));
    await fund(home, node.url, lanes);
    return new Bench(folder, program, node, lanes);
  }

  /** A name for the orders of a try that no other has. */
  nextName(seed: number): string {
    this.#attempts += 1;
    return `run-${seed}-${this.#attempts}`;
  }

  /** A home for a daemon: the provider's key, and the chain that it is for. */
  async daemonHome(dir: string, { providerKey }: Lane): Promise<string> {
    const home = join(dir, "home");
    await mkdir(join(home, "config"), { recursive: true });
    const genesis = join("config", "genesis.json");
    await cp(join(this.folder, "node", genesis), join(home, genesis));
    const keyring = openTestKeyring(join(home, "keyring-test"), PREFIX);
    await keyring.add({ name: "me", privateKey: providerKey, mnemonic: undefined });
    return home;
  }

  async close(isKept = false): Promise<void> {
    await this.node.close();
    if (!isKept) await rm(this.folder, { recursive: true, force: true });
  }
}

function laneOf(index: number, url: string): Lane {
  const key = (role: string) =>
    new Uint8Array(createHash("sha256").update(`torture ${role} ${index}`).digest());
  const signer = (role: string): Signer => signerFromPrivateKey(key(role), PREFIX);
  return {
    index,
    provider: new Purse(signer("provider"), url),
    providerKey: key("provider"),
    customer: new Purse(signer("customer"), url),
  };
}

async function fund(home: string, url: string, lanes: readonly Lane[]): Promise<void> {
  const keyring = openTestKeyring(join(home, "keyring-test"), PREFIX);
  const rich = new Purse(await keyring.signer("customer-1"), url);
  const accounts = lanes.flatMap(({ provider, customer }) => [provider, customer]);
  await rich.send(accounts.map(({ signer }) => payment(rich.signer.address, signer.address)));
}

function payment(fromAddress: string, toAddress: string): EncodedMessage {
  const value = MsgSend.encode({ fromAddress, toAddress, amount: FUNDS }).finish();
  return { typeUrl: "/cosmos.bank.v1beta1.MsgSend", value };
}

/** Balances of an account in the denoms of the runs. */
export async function balancesOf(client: Client, address: string): Promise<Map<string, bigint>> {
  const denoms = FUNDS.map(({ denom }) => denom);
  const amounts = await Promise.all(denoms.map((denom) => client.balance(address, denom)));
  return new Map(denoms.map((denom, index) => [denom, amounts[index] ?? 0n]));
}
