import { setTimeout as sleep } from "node:timers/promises";
import { Client, type TxInfo } from "../../src/client/client.ts";
import type { Signer } from "../../src/client/signer.ts";
import { buildTx } from "../../src/client/tx_builder.ts";
import type { EncodedMessage } from "../../src/client/wire.ts";
import { AuthInfo, TxRaw } from "../../src/gen/cosmos/tx/v1beta1/tx.ts";
import { patiently } from "../../src/torture/patience.ts";

/** Settling an order costs more with each of its records. */
const GAS_PER_MESSAGE = 400_000n;
const LOOK_MS = 2000;

/** An account of the harness, on a node that is killed at times: the same bytes are sent again. */
export class Purse {
  readonly signer: Signer;
  readonly #url: string;

  constructor(signer: Signer, url: string) {
    this.signer = signer;
    this.#url = url;
  }

  connect(): Promise<Client> {
    return patiently(() => Client.connect(this.#url));
  }

  /** Until the tx is in a block. @throws Error when it fails there */
  async send(messages: readonly EncodedMessage[]): Promise<TxInfo> {
    const client = await this.connect();
    const account = await patiently(() => client.account(this.signer.address));
    if (account === undefined) throw new Error(`no account ${this.signer.address}`);
    const gasLimit = GAS_PER_MESSAGE * BigInt(messages.length) + 100_000n;
    const fee = (gasLimit * 25n + 999n) / 1000n;
    const tx = buildTx({
      ...{ signer: this.signer, chainId: client.chainId, messages },
      ...account,
      fee: { amount: [{ denom: "uve", amount: fee.toString() }], gasLimit },
    });
    for (;;) {
      const found = await this.#offer(client, tx);
      if (found === undefined) continue;
      if (found.code !== 0) throw new Error(`tx ${found.hash} failed: ${found.log}`);
      return found;
    }
  }

  async #offer(client: Client, tx: Uint8Array): Promise<TxInfo | undefined> {
    const hash = Buffer.from(await crypto.subtle.digest("SHA-256", Uint8Array.from(tx))).toString(
      "hex",
    );
    try {
      const { code, log } = await client.broadcastSync(tx);
      // 32: its sequence is used, by itself if the node was killed before it could tell.
      if (code !== 0 && code !== 32) throw new RefusedError(log);
    } catch (error) {
      if (error instanceof RefusedError) throw error;
    }
    const end = Date.now() + LOOK_MS;
    while (Date.now() < end) {
      const found = await client.tx(hash).catch(() => undefined);
      if (found !== undefined) return found;
      await sleep(10);
    }
    return undefined;
  }
}

class RefusedError extends Error {}

/** Fees in uve of all txs that an account has sent from one sequence up to another. */
export async function feesPaid(
  client: Client,
  address: string,
  from: bigint,
  until: bigint,
): Promise<bigint> {
  let fees = 0n;
  for (let sequence = from; sequence < until; sequence += 1n) {
    const query = `tx.acc_seq='${address}/${sequence}'`;
    const { txs } = await patiently(() => client.searchTxs(query));
    const [found] = txs;
    if (found === undefined || txs.length !== 1) throw new Error(`${txs.length} txs of ${query}`);
    const { fee } = AuthInfo.decode(TxRaw.decode(found.tx).authInfoBytes);
    for (const { denom, amount } of fee?.amount ?? []) if (denom === "uve") fees += BigInt(amount);
  }
  return fees;
}
