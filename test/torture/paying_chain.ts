import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeDevHome } from "../../src/cli/commands/init.ts";
import { openTestKeyring } from "../../src/cli/keyring/test_keyring.ts";
import { loadOpenApp } from "../../src/cli/open_app.ts";
import { type RunningChain, startChain } from "../../src/cli/running_chain.ts";
import { Client } from "../../src/client/client.ts";
import type { Signer } from "../../src/client/signer.ts";
import { buildTx } from "../../src/client/tx_builder.ts";
import { MsgSend } from "../../src/gen/cosmos/bank/v1beta1/tx.ts";
import { readConfig } from "../../src/node/config.ts";
import { silentLog } from "../../src/node/log.ts";
import type { NodeDoors } from "../../src/torture/doors.ts";

/** A node with all doors, and somebody who pays 1uve (and 5000uve of fee) with each tx. */
export class PayingChain {
  readonly direct: Client;
  readonly payer: Signer;
  readonly #home: string;
  readonly #chain: RunningChain;
  readonly #payee: string;

  private constructor(parts: {
    home: string;
    chain: RunningChain;
    direct: Client;
    payer: Signer;
    payee: string;
  }) {
    this.#home = parts.home;
    this.#chain = parts.chain;
    this.direct = parts.direct;
    this.payer = parts.payer;
    this.#payee = parts.payee;
  }

  static async start(): Promise<PayingChain> {
    const home = await mkdtemp(join(tmpdir(), "settled-proxy-"));
    await makeDevHome(home, "now");
    const free = { rpcPort: "0", restPort: "0", grpcPort: "0" };
    const config = await readConfig(home, { ...free, blockIntervalMs: "20" });
    const chain = await startChain({ home, config, log: silentLog, openApp: await loadOpenApp() });
    const direct = await Client.connect(chain.report.endpoints.rpc);
    const keyring = openTestKeyring(join(home, "keyring-test"), "ve");
    const payer = await keyring.signer("customer-1");
    const payee = (await keyring.find("provider-1")).address;
    return new PayingChain({ home, chain, direct, payer, payee });
  }

  get doors(): NodeDoors & { readonly rest: string; readonly grpc: string } {
    const { rpc, rest, grpc } = this.#chain.report.endpoints;
    if (rest === null || grpc === null) throw new Error("the node has a door less");
    return { rpc, rest, grpc };
  }

  async payment(): Promise<Uint8Array> {
    const { payer, direct } = this;
    const account = await direct.account(payer.address);
    if (account === undefined) throw new Error("the payer has no account");
    const amount = [{ denom: "uve", amount: "1" }];
    const send = { fromAddress: payer.address, toAddress: this.#payee, amount };
    const value = MsgSend.encode(send).finish();
    return buildTx({
      ...{ signer: payer, chainId: direct.chainId, ...account },
      messages: [{ typeUrl: "/cosmos.bank.v1beta1.MsgSend", value }],
      fee: { amount: [{ denom: "uve", amount: "5000" }], gasLimit: 200_000n },
    });
  }

  async paymentsMade(): Promise<bigint> {
    return (await this.direct.account(this.payer.address))?.sequence ?? 0n;
  }

  async stop(): Promise<void> {
    await this.#chain.stop();
    await rm(this.#home, { recursive: true, force: true });
  }
}
