import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { type Bench, type Group, secondsOf } from "../harness/bench.ts";
import type { ChildMessage } from "../processes/messages.ts";
import { startChild } from "../processes/start.ts";
import { benchAccounts, cycled } from "../world/accounts.ts";
import { openOrders } from "../world/chain.ts";
import { benchGenesis } from "../world/genesis.ts";
import { makeHome } from "../world/home.ts";
import { recordUsage } from "../world/messages.ts";
import { type BenchOrder, benchOrders } from "../world/orders.ts";
import { RpcCaller } from "../world/rpc_caller.ts";
import { signedTx } from "../world/signing.ts";

const PROVIDERS = 100;
/** Few, because their escrows are made one block after the other. */
const CUSTOMERS = 2;
/** Calls of a JSON-RPC batch: what clients send, and the most that a node takes. */
const BATCH = 20;
const CONNECTIONS = 4;
const NAME = "node_tx_s";

/** A running node and a client in this process, which has signed everything beforehand. */
export const nodeTxGroup: Group = {
  name: "node_tx",
  figures: [
    {
      ...{ name: NAME, unit: "tx/s", scale: "rate", better: "higher" },
      target: { of: "ratio", bound: 0.5 },
    },
  ],
  run: async (bench) => {
    if (bench.isInProcess) return bench.skip(NAME, "it needs a process of its own");
    const customers = benchAccounts("customer", CUSTOMERS);
    const providers = benchAccounts("provider", PROVIDERS);
    const accounts = [...customers, ...providers];
    accounts.forEach((account, index) => {
      account.number = BigInt(index);
    });
    const home = `${bench.folder}/node`;
    await makeHome(home, benchGenesis(accounts));
    const node = startChild("node_process", { home }, () => undefined);
    // A node that does not come up rejects its value; waiting for its address would never end.
    const url = await Promise.race([addressOf(node.process), node.value.then(String)]);
    try {
      const orders = benchOrders("order", PROVIDERS, { customers, providers });
      await measure(bench, url, orders);
    } finally {
      if (node.process.connected) node.process.disconnect();
      await node.value;
    }
  },
};

async function addressOf(child: ChildProcess): Promise<string> {
  for (;;) {
    const [message] = (await once(child, "message")) as [ChildMessage];
    if (message.type === "ready") return message.url;
  }
}

async function measure(bench: Bench, url: string, orders: readonly BenchOrder[]): Promise<void> {
  const callers = Array.from({ length: CONNECTIONS }, () => new RpcCaller(url));
  const [first] = callers as [RpcCaller];
  await openOrders(orders, (txs) => first.commit(txs));
  let next = 0;
  await bench.repeat(NAME, {
    prepare: async () => {
      // Txs of one signer stay on one connection, in order.
      const batches: string[][] = callers.map(() => []);
      for (let at = 0; at < bench.sizes.nodeTxs / BATCH; at += 1, next += 1) {
        const order = cycled(orders, next);
        const txs = Array.from({ length: BATCH }, () => {
          return signedTx(order.provider, [recordUsage(order)]);
        });
        batches[(next % orders.length) % CONNECTIONS]?.push(RpcCaller.broadcastBatch(txs));
      }
      return { batches, before: await first.height() };
    },
    run: async ({ batches, before }) => {
      const answers: string[] = [];
      const seconds = await secondsOf(async () => {
        const sending = callers.map(async (caller, at) => {
          for (const batch of batches[at] ?? []) answers.push(await caller.post(batch));
        });
        await Promise.all(sending);
        await first.untilMempoolIsEmpty();
      });
      RpcCaller.requireAccepted(answers);
      const done = await first.goodTxsAbove(before);
      const expected = batches.flat().length * BATCH;
      if (done !== expected) throw new Error(`${done} of ${expected} txs are good in blocks`);
      return expected / seconds;
    },
  });
  for (const caller of callers) caller.close();
}
