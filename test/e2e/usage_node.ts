import { mkdir, rm } from "node:fs/promises";
import { loadOpenApp } from "../../src/cli/open_app.ts";
import { startChain } from "../../src/cli/running_chain.ts";
import { Client, type TxInfo } from "../../src/client/client.ts";
import { buildTx, type Fee } from "../../src/client/tx_builder.ts";
import type { MsgCreateEscrowResponse } from "../../src/gen/virtengine/settlement/v1/tx.ts";
import { type ChainUsage, usageOfProvider } from "../../src/client/usage_queries.ts";
import { readConfig } from "../../src/node/config.ts";
import { genesisJson, genesisPath, writeGenesisFile } from "../../src/node/genesis_file.ts";
import { silentLog } from "../../src/node/log.ts";
import type { OutboxRecord } from "../../src/provider/outbox/outbox_record.ts";
import type { TimeNs } from "../../src/types/time.ts";
import { customer, provider } from "../testkit/accounts.ts";
import { type ChainOptions, FREE, openChain } from "../testkit/chain.ts";
import { msg, type TestMessage } from "../testkit/messages.ts";
import { responsesOf } from "../testkit/outcome.ts";
import { GENESIS } from "../testkit/times.ts";

/** A node on whose chain a provider has active orders, and none of their usage. */
export interface UsageNode {
  readonly rpc: string;
  readonly client: Client;
  stop(): Promise<void>;
}

export const HOUR = 3600n;
const PER_TX = 500;
/** Every block of the preparation is a second later than the one before. */
const BEFORE_MS = 3_600_000;

/** Order and lease of a number, as the orders of the node are named. */
export function orderOf(order: number): { orderId: string; leaseId: string } {
  return { orderId: `order-${order}`, leaseId: `lease-${order}` };
}

/** A pending record of an hour of an order, in the past of the chain. */
export function usageRecord(
  order: number,
  hour: number,
  more: Partial<OutboxRecord> = {},
): OutboxRecord {
  const periodStart = GENESIS + BigInt(hour) * HOUR;
  return {
    ...{ ...orderOf(order), usageType: "cpu", periodStart, periodEnd: periodStart + HOUR },
    ...{ usageUnits: BigInt(1 + (hour % 7)), denom: "uve", unitPrice: 10n ** 18n, cost: 1n },
    ...{ state: "pending", attempts: 0, notBeforeMs: 0, txHash: "", usageId: "" },
    ...{ reason: undefined, createdMs: 0, changedMs: 0 },
    ...more,
  };
}

/** A genesis with so many active orders. @param pending orders whose escrow is not activated */
async function genesisWithOrders(orders: number, pending: number, options: ChainOptions) {
  const chain = await openChain(options);
  // Escrows live for a year at most, and the node goes on by the wall clock from here.
  chain.time = (BigInt(Date.now() - BEFORE_MS) * 1_000_000n) as TimeNs;
  const ids: string[] = [];
  const inBatches = async (messages: readonly TestMessage[]) => {
    for (let at = 0; at < messages.length; at += PER_TX) {
      const result = await chain.ok(...messages.slice(at, at + PER_TX));
      for (const each of responsesOf<MsgCreateEscrowResponse>(result)) ids.push(each.escrowId);
    }
  };
  const numbers = Array.from({ length: orders }, (_, order) => order);
  const expiresIn = 31_536_000n;
  await inBatches(
    numbers.map((order) => {
      return msg.create(customer, "1000000uve", { order: orderOf(order).orderId, expiresIn });
    }),
  );
  const made = ids.slice(0, orders - pending);
  await inBatches(
    made.map((id, order) => msg.activate(customer, id, provider.address, orderOf(order).leaseId)),
  );
  const doc = await chain.app.exportGenesis();
  await chain.app.close();
  return doc;
}

export interface UsageNodeOptions {
  readonly orders: number;
  readonly pending?: number;
  readonly chain?: ChainOptions;
  readonly flags?: Record<string, string>;
}

/** Writes the home of such a chain. */
export async function makeUsageHome(home: string, options: UsageNodeOptions): Promise<void> {
  const { orders, pending = 0, chain = {} } = options;
  const doc = await genesisWithOrders(orders, pending, chain);
  await mkdir(`${home}/config`, { recursive: true });
  await writeGenesisFile(genesisPath(home), genesisJson({ doc }));
}

/** Starts a node in this process. The home may have a chain already. */
export async function startUsageNode(
  home: string,
  flags: Record<string, string> = {},
): Promise<UsageNode> {
  const config = await readConfig(home, { rpcPort: "0", ...flags });
  const chain = await startChain({ home, config, log: silentLog, openApp: await loadOpenApp() });
  const { rpc } = chain.report.endpoints;
  const client = await Client.connect(rpc);
  return { rpc, client, stop: () => chain.stop() };
}

export async function removeHome(home: string): Promise<void> {
  await rm(home, { recursive: true, force: true });
}

/** Sends messages of one signer and waits for their block. @throws Error when the tx fails */
export async function sendFrom(
  client: Client,
  messages: readonly TestMessage[],
  fee: Fee = FREE,
): Promise<TxInfo> {
  const { signer } = messages[0] as TestMessage;
  const account = await client.account(signer.address);
  const { accountNumber = 0n, sequence = 0n } = account ?? {};
  const { chainId } = client;
  const tx = buildTx({ messages, signer, chainId, accountNumber, sequence, fee });
  const { hash, code, log } = await client.broadcastSync(tx);
  if (code !== 0) throw new Error(log);
  const info = await client.waitForTx(hash);
  if (info.code !== 0) throw new Error(info.log);
  return info;
}

/** All records that the provider has on the chain. */
export async function usageOnChain(client: Client): Promise<ChainUsage[]> {
  const all: ChainUsage[] = [];
  for await (const page of usageOfProvider(client, provider.address, 0n)) all.push(...page);
  return all;
}
