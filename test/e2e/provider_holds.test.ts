import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { readCreateEscrow } from "../../src/client/settlement_msgs.ts";
import { OutboxDesk } from "../../src/provider/daemon/desk.ts";
import type { DispatcherOptions } from "../../src/provider/dispatch/dispatch_options.ts";
import type { Dispatcher } from "../../src/provider/dispatch/dispatcher.ts";
import { type LevelOutbox, openOutbox } from "../../src/provider/outbox/level_outbox.ts";
import { naturalKey, type OutboxRecord } from "../../src/provider/outbox/outbox_record.ts";
import { customer, provider } from "../testkit/accounts.ts";
import { msg } from "../testkit/messages.ts";
import { PATIENCE_MS } from "../testkit/until.ts";
import { LIMITS, quickDispatcher, quickPool, runDry } from "./dispatch_run.ts";
import {
  makeUsageHome,
  orderOf,
  removeHome,
  sendFrom,
  startUsageNode,
  type UsageNode,
  usageOnChain,
  usageRecord,
} from "./usage_node.ts";

// What the chain would refuse is asked of a node first: a tx that fails in a block costs gas.

const ORDERS = 12;
const PATIENCE = { timeout: PATIENCE_MS, interval: 10 };
/** Of which the chain has no escrow. */
const NO_ESCROW = ORDERS + 5;
const NO_ESCROW_EITHER = ORDERS + 6;

let home: string;
let node: UsageNode;
let folder: string;
let outbox: LevelOutbox;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "settled-holds-"));
  await makeUsageHome(home, { orders: ORDERS });
  node = await startUsageNode(home, { minimumGasPrice: "0" });
});
afterAll(async () => {
  await node.stop();
  await removeHome(home);
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "settled-outbox-"));
  outbox = await openOutbox(folder);
});
afterEach(async () => {
  await outbox.close();
  await removeHome(folder);
});

/** Every test has hours of its own. */
let hour = 0;

function dispatcher(more: Partial<DispatcherOptions> = {}): Dispatcher {
  return quickDispatcher(outbox, quickPool(node.rpc, 7), 7, more);
}

/** Runs a dispatcher while something is done with it. */
async function running(subject: Dispatcher, work: () => Promise<void>): Promise<void> {
  const stop = new AbortController();
  const isDone = subject.run(stop.signal);
  try {
    await work();
  } finally {
    stop.abort();
    await isDone;
  }
}

async function statesOf(records: readonly OutboxRecord[]): Promise<(string | undefined)[]> {
  const found = await Promise.all(records.map((record) => outbox.record(naturalKey(record))));
  return found.map((record) => record?.state);
}

const desk = () => new OutboxDesk({ outbox, nowMs: () => Date.now() });

/** Txs that the provider has paid for. */
const sequence = async () => (await node.client.account(provider.address))?.sequence ?? 0n;

describe("an order without an escrow", () => {
  it("costs no tx however often it is tried, holds nobody up, and says why it waits", async () => {
    hour += 10;
    const waits = [0, 1, 2].map((at) => usageRecord(NO_ESCROW, hour + at));
    const works = Array.from({ length: 10 }, (_, order) => usageRecord(order, hour));
    await outbox.write({ records: [...waits, ...works] });
    const before = await sequence();
    const limits = { ...LIMITS, retry: { minMs: 20, maxMs: 60 } };
    const subject = dispatcher({ limits });
    await running(subject, async () => {
      await vi.waitFor(async () => {
        expect(outbox.counts().included).toBe(10);
        const [held] = (await desk().status()).held;
        expect(held?.failures).toBeGreaterThan(4);
      }, PATIENCE);
      expect(subject.state).toMatchObject({ txsSent: 1, txsFailed: 0 });
      expect(await sequence()).toBe(before + 1n);
      const { held } = await desk().status();
      expect(held).toMatchObject([{ order: `order-${NO_ESCROW}` }]);
      expect(held[0]?.reason).toMatch(/^settlement\/1501: .*order-17/);
      expect(held[0]?.untilMs).toBeGreaterThan(held[0]?.sinceMs ?? Infinity);

      // The customer opens the escrow: all goes by itself.
      const { orderId: order, leaseId } = orderOf(NO_ESCROW);
      const create = msg.create(customer, "1000000uve", { order, expiresIn: 31_536_000n });
      const { responses } = await sendFrom(node.client, [create]);
      const { escrowId } = readCreateEscrow(responses[0]?.value ?? new Uint8Array(0));
      await sendFrom(node.client, [msg.activate(customer, escrowId, provider.address, leaseId)]);
      await vi.waitFor(() => expect(outbox.counts().included).toBe(13), PATIENCE);
    });
    expect((await desk().status()).held).toEqual([]);
    expect(subject.state.txsFailed).toBe(0);
  });

  it("waits with all its records, of which none is asked for by itself", async () => {
    hour += 10;
    const waits = Array.from({ length: 200 }, (_, at) => usageRecord(NO_ESCROW_EITHER, hour + at));
    await outbox.write({ records: waits });
    const beganMs = Date.now();
    expect(await runDry(dispatcher())).toBe(true);
    const until = await Promise.all(
      waits.map(async (record) => (await outbox.record(naturalKey(record)))?.notBeforeMs ?? 0),
    );
    // One question put them all off together, and a person's retry asks for one anew.
    expect(new Set(until).size).toBe(1);
    expect(until[0]).toBeGreaterThan(beganMs);
    const [first] = waits as [OutboxRecord];
    expect((await outbox.record(naturalKey(first)))?.attempts).toBe(1);
    await desk().retry({ key: naturalKey(first) });
    expect(await runDry(dispatcher())).toBe(true);
    const [held] = (await desk().status()).held;
    expect(held).toMatchObject({ failures: 2 });
  });

  it("is forgotten at the next start when none of its records waits any more", async () => {
    hour += 10;
    const record = usageRecord(NO_ESCROW_EITHER, hour);
    await outbox.write({ records: [record] });
    await runDry(dispatcher());
    expect((await desk().status()).held).toHaveLength(1);
    await desk().park(naturalKey(record), "not ours");
    await runDry(dispatcher());
    expect((await desk().status()).held).toEqual([]);
  });
});

describe("many records that the chain refuses for good", () => {
  it("are found out one by one without a failed tx; all others are billed", async () => {
    hour += 300;
    const all = Array.from({ length: 60 }, (_, at) => {
      const record = usageRecord(at % 10, hour + Math.floor(at / 10));
      return at % 3 === 0 ? { ...record, leaseId: "another" } : record;
    });
    await outbox.write({ records: all });
    const before = await sequence();
    const subject = dispatcher();
    expect(await runDry(subject)).toBe(true);
    expect(await statesOf(all)).toEqual(
      all.map((_, at) => (at % 3 === 0 ? "refused" : "included")),
    );
    expect(subject.state.txsFailed).toBe(0);
    expect(await sequence()).toBeLessThanOrEqual(before + 4n);
    const onChain = new Set((await usageOnChain(node.client)).map(naturalKey));
    expect(all.filter((record) => onChain.has(naturalKey(record)))).toHaveLength(40);
  });

  it("cost one failed tx where the orders were good before, and no more", async () => {
    hour += 10;
    const subject = dispatcher();
    await running(subject, async () => {
      const good = Array.from({ length: 10 }, (_, order) => usageRecord(order, hour));
      await outbox.write({ records: good });
      await vi.waitFor(() => expect(outbox.counts().included).toBe(10), PATIENCE);
      for (let round = 1; round <= 5; round += 1) {
        const bad = Array.from({ length: 4 }, (_, order) => {
          return usageRecord(order, hour + round, { denom: "uusd" });
        });
        await outbox.write({ records: [...bad, usageRecord(9, hour + round)] });
        subject.wake();
        await vi.waitFor(() => {
          expect(outbox.counts()).toMatchObject({ included: 10 + round, refused: 4 * round });
        }, PATIENCE);
      }
    });
    expect(subject.state.txsFailed).toBe(1);
  });
});
