import { customer, provider, type TestAccount } from "./accounts.ts";
import { type ChainOptions, moduleAccount, openChain, type TestChain } from "./chain.ts";
import { msg, ORDER } from "./messages.ts";
import { acknowledged, activeEscrow, recorded, settled } from "./orders.ts";
import { slot } from "./times.ts";

/** A chain whose reward pool is empty, so that settlements reward nothing. */
export function chainOfPool(o: ChainOptions = {}): Promise<TestChain> {
  return openChain({ ...o, extended: { reward_funding: "pool", ...o.extended } });
}

/** Anyone may fill the pool. */
export async function fillPool(chain: TestChain, amount: string): Promise<void> {
  await chain.ok(msg.send(customer, moduleAccount("reward_pool"), amount));
}

/** Settles records of one order, acknowledged and on time, that cost so much each; their ids. */
export async function settledRecords(
  chain: TestChain,
  prices: readonly string[],
  o: { order?: string; lease?: string; recipient?: TestAccount; type?: string } = {},
): Promise<string[]> {
  const { order = ORDER, recipient = provider, lease = `lease of ${order}`, type = "cpu" } = o;
  await activeEscrow(chain, "1000000uusd,1000000uve", { order, lease, recipient });
  const ids: string[] = [];
  for (const [index, price] of prices.entries()) {
    const report = { order, lease, type, ...slot(index), price };
    ids.push(await recorded(chain, report, recipient));
  }
  await acknowledged(chain, ids);
  await settled(chain, { order });
  return ids;
}
