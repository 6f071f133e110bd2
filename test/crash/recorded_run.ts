import { toBase64 } from "../../src/lib/bytes.ts";
import { genesisJson } from "../../src/node/genesis_file.ts";
import { customer, customer2, provider, stranger } from "../testkit/accounts.ts";
import { openChain, type TestChain } from "../testkit/chain.ts";
import { msg } from "../testkit/messages.ts";
import { acknowledged, activeEscrow, recordedCosts, settled } from "../testkit/orders.ts";
import { seededRandom } from "./random.ts";
import type { RecordedRun } from "./replay_host.ts";

/** Runs a chain of orders, usage, settlements and payments once, the same for the same seed. */
export async function recordRun(blockCount: number, seed: number): Promise<RecordedRun> {
  const chain = await openChain();
  const appHashes = [chain.appHash];
  const random = seededRandom(seed);
  for (let order = 1; chain.height < BigInt(blockCount); order += 1) {
    await runOrder(chain, `order-${order}`, random);
  }
  const blocks = chain.blocks.slice(0, blockCount);
  appHashes.push(...blocks.map(({ appHash }) => appHash));
  return {
    genesis: genesisJson({ doc: chain.genesis }),
    appHashes: appHashes.map((hash) => hash.toLowerCase()),
    blocks: blocks.map(({ time, txs }) => ({ time: time.toString(), txs: txs.map(toBase64) })),
  };
}

async function runOrder(
  chain: TestChain,
  order: string,
  random: (below: number) => number,
): Promise<void> {
  await activeEscrow(chain, "100000uve", { order });
  let from = 0;
  for (let step = 0; step < 3; step += 1) {
    const costs = Array.from({ length: 1 + random(6) }, () => 1 + random(900));
    const ids = await recordedCosts(chain, costs, { order, from });
    from += costs.length;
    if (random(2) === 0) await acknowledged(chain, ids);
    await pay(chain, random);
  }
  await settled(chain, { order, final: random(2) === 0 });
  if (random(3) === 0) await chain.block();
}

/** A block of several payments; one of them fails, and has its result and its fee like the rest. */
async function pay(chain: TestChain, random: (below: number) => number): Promise<void> {
  const amount = `${1 + random(1000)}uve`;
  await chain.block(
    await chain.tx([msg.send(customer, stranger.address, amount)]),
    await chain.tx([msg.send(customer2, provider.address, amount)]),
    await chain.tx([msg.send(stranger, customer.address, "999999999999999999uve")]),
  );
}
