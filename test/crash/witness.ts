import type { Client } from "../../src/client/client.ts";
import { RpcError } from "../../src/client/errors.ts";
import { must } from "../../src/lib/assert.ts";

/** What a node told of a height while it ran. */
export interface ToldBlock {
  readonly blockHash: string;
  readonly appHash: string;
}

/** What a node told of a tx that is in a block. */
export interface ToldTx {
  readonly height: bigint;
  readonly index: number;
  readonly code: number;
}

/** Notes what a node tells through its RPC, over all of its lives, and holds later lives to it. */
export class Witness {
  readonly blocks = new Map<bigint, ToldBlock>();
  readonly txs = new Map<string, ToldTx>();

  get highest(): bigint {
    return [...this.blocks.keys()].reduce((max, height) => (height > max ? height : max), 0n);
  }

  /** Asks for the status until the node is gone. */
  async watchBlocks(client: Client): Promise<void> {
    for (;;) {
      try {
        const { latestHeight, latestBlockHash, latestAppHash } = await client.status();
        this.note(latestHeight, { blockHash: latestBlockHash, appHash: latestAppHash });
      } catch {
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  note(height: bigint, told: ToldBlock): void {
    const before = this.blocks.get(height);
    if (
      before !== undefined &&
      (before.blockHash !== told.blockHash || before.appHash !== told.appHash)
    ) {
      throw new Error(`height ${height} was ${show(before)} and is now ${show(told)}`);
    }
    this.blocks.set(height, told);
  }

  /** Asks for each tx that is sent until it is in a block, or the node is gone. */
  async watchTxs(client: Client, sent: readonly string[], isOver: () => boolean): Promise<void> {
    let next = 0;
    while (!isOver()) {
      const hash = sent[next];
      const found =
        hash === undefined ? undefined : await client.tx(hash).catch(() => "gone" as const);
      if (found === "gone") return;
      if (found === undefined || hash === undefined) {
        await new Promise((resolve) => setTimeout(resolve, 2));
        continue;
      }
      const { height, index, code } = found;
      this.txs.set(hash, { height, index, code });
      next += 1;
    }
  }

  /** What of all that was told no longer holds; empty when everything does. */
  async faults(client: Client): Promise<string[]> {
    const faults: string[] = [];
    for (const [height, told] of this.blocks) {
      const now = await blockAt(client, height);
      if (now === undefined) faults.push(`block ${height} is lost; it was ${show(told)}`);
      else if (now.blockHash !== told.blockHash || now.appHash !== told.appHash) {
        faults.push(`block ${height} was ${show(told)} and is ${show(now)}`);
      }
    }
    for (const [hash, told] of this.txs) {
      const now = await client.tx(hash);
      if (now === undefined) faults.push(`tx ${hash} is lost; it was in block ${told.height}`);
      else if (now.height !== told.height || now.index !== told.index || now.code !== told.code) {
        faults.push(`tx ${hash} was in ${told.height}/${told.index} and is elsewhere or different`);
      }
    }
    return faults;
  }
}

function show({ blockHash, appHash }: ToldBlock): string {
  return `block hash ${blockHash}, app hash ${appHash}`;
}

/** Block hash and app hash of a height, from the block itself and from its results. */
async function blockAt(client: Client, height: bigint): Promise<ToldBlock | undefined> {
  try {
    const at = { height: height.toString() };
    const { block_id: id } = (await client.rpc.call("block", at)) as { block_id: { hash: string } };
    const results = (await client.rpc.call("block_results", at)) as { app_hash: string };
    const appHash = Buffer.from(must(results.app_hash, "0.38 tells it"), "base64").toString("hex");
    return { blockHash: id.hash, appHash: appHash.toUpperCase() };
  } catch (error) {
    if (error instanceof RpcError) return undefined;
    throw error;
  }
}
