import type { PreparedTx } from "../../src/types/application.ts";
import { type Bench, type Group, secondsOf } from "../harness/bench.ts";
import { type BenchAccount, benchAccounts, cycled } from "../world/accounts.ts";
import { type BenchChain, openChain, requireOk } from "../world/chain.ts";
import { benchGenesis } from "../world/genesis.ts";
import { recordUsage } from "../world/messages.ts";
import { benchOrders } from "../world/orders.ts";
import { signedTx } from "../world/signing.ts";

const ACCOUNTS = 500;
/** Txs that arrive together, and how many such groups are being verified at a time. */
const CHUNK = 64;
const WINDOW = 6;

/** CheckTx of signed txs with one MsgRecordUsage, verification included. */
export const checkTxGroup: Group = {
  name: "check_tx",
  figures: [
    {
      ...{ name: "check_tx_s", unit: "tx/s", scale: "rate", better: "higher" },
      target: { of: "ratio", bound: 1.6 },
    },
    {
      ...{ name: "check_tx_one_account_s", unit: "tx/s", scale: "rate", better: "higher" },
      target: { of: "ratio", bound: 1.6 },
    },
  ],
  run: async (bench) => {
    const accounts = benchAccounts("provider", ACCOUNTS);
    const home = `${bench.folder}/check`;
    const chain = await openChain({ genesis: benchGenesis(accounts), home });
    await chain.learn(accounts);
    await measure(bench, chain, { name: "check_tx_s", accounts });
    await measure(bench, chain, { name: "check_tx_one_account_s", accounts: accounts.slice(0, 1) });
    await chain.close();
  },
};

async function measure(
  bench: Bench,
  chain: BenchChain,
  input: { name: string; accounts: readonly BenchAccount[] },
): Promise<void> {
  const { name, accounts } = input;
  if (!bench.wants(name)) return;
  const count = bench.sizes.checkTxs;
  await bench.repeat(name, {
    prepare: async () => {
      // A commit takes the check state back to where the signers' sequences begin; new messages
      // make new signatures, whose verdicts nobody remembers.
      await chain.deliver([]);
      const starts = accounts.map(({ sequence }) => sequence);
      const txs = Array.from({ length: count }, (_, index) => {
        const provider = cycled(accounts, index);
        return signedTx(provider, [recordUsage(freshOrder(provider, unique++))]);
      });
      accounts.forEach((account, index) => {
        account.sequence = starts[index] as bigint;
      });
      return txs;
    },
    run: async (txs) => txs.length / (await secondsOf(() => checkAll(chain, txs))),
  });
}

let unique = 0;

/** CheckTx looks at the signer, not at the order: any order will do. */
function freshOrder(provider: BenchAccount, index: number) {
  const [order] = benchOrders(`check-${index}`, 1, {
    customers: [provider],
    providers: [provider],
  });
  if (order === undefined) throw new Error("asked for one order");
  return order;
}

/** Signatures of some txs are verified while those before are checked, as in a mempool. */
async function checkAll(chain: BenchChain, txs: readonly Uint8Array[]): Promise<void> {
  const ahead: Promise<readonly PreparedTx[]>[] = [];
  for (let at = 0; at < txs.length + WINDOW * CHUNK; at += CHUNK) {
    if (at < txs.length) ahead.push(chain.prepare(txs.slice(at, at + CHUNK)));
    const due = at >= WINDOW * CHUNK ? ahead.shift() : undefined;
    for (const tx of (await due) ?? []) requireOk(chain.app.checkTx(tx));
  }
}
