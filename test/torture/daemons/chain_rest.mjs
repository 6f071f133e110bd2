// The chain as the tiny daemon sees it, over REST alone.
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";

const PATIENCE_MS = 2000;
const NOT_FOUND = 404;

/** @param address of the node's REST; by default where the environment says */
export async function connect(address = process.env["SETTLED_REST"]) {
  const call = async (path, body) => {
    const post = body && { method: "POST", body: JSON.stringify(body) };
    const signal = AbortSignal.timeout(PATIENCE_MS);
    const response = await fetch(`${address}${path}`, { ...post, signal });
    if (response.ok) return response.json();
    throw Object.assign(new Error(`HTTP ${response.status}`), { status: response.status });
  };
  const { default_node_info: info } = await call("/cosmos/base/tendermint/v1beta1/node_info");
  return {
    chainId: info.network,
    account: async (of) => {
      const answer = await call(`/cosmos/auth/v1beta1/account_info/${of}`);
      const { account_number: number, sequence } = answer.info;
      return { accountNumber: BigInt(number), sequence: BigInt(sequence) };
    },
    broadcast: async (tx) => {
      const body = { tx_bytes: Buffer.from(tx).toString("base64"), mode: "BROADCAST_MODE_SYNC" };
      const { tx_response: answer } = await call("/cosmos/tx/v1beta1/txs", body);
      return { hash: answer.txhash, code: answer.code };
    },
    waitForTx: async (hash, timeoutMs) => {
      const end = Date.now() + timeoutMs;
      for (;;) {
        try {
          return await call(`/cosmos/tx/v1beta1/txs/${hash}`);
        } catch (error) {
          if (error.status !== NOT_FOUND || Date.now() > end) throw error;
          await sleep(20);
        }
      }
    },
    billedStarts: async (order) => {
      const answer = await call(`/virtengine/settlement/v1/usage/by-order/${order}`);
      return answer.usage_records.map(({ period_start: start }) => BigInt(start));
    },
  };
}
