// The chain as the tiny daemon sees it, over CometBFT's RPC.
import process from "node:process";
import { Client } from "../../../dist/client/client.js";
import { usageOfOrder } from "../../../dist/client/settlement_msgs.js";

/** @param address of the node's RPC; by default where the environment says */
export async function connect(address = process.env["SETTLED_NODE"]) {
  const client = await Client.connect(address, { timeoutMs: 2000 });
  return {
    chainId: client.chainId,
    account: (of) => client.account(of),
    broadcast: (tx) => client.broadcastSync(tx),
    waitForTx: (hash, timeoutMs) => client.waitForTx(hash, { timeoutMs }),
    billedStarts: async (order) => {
      const records = await usageOfOrder(client, order);
      return records.map(({ periodStart }) => periodStart);
    },
  };
}
