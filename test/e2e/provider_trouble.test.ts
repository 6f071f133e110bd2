import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, vi } from "vitest";
import { parseGasPrice } from "../../src/provider/gas.ts";
import { openOutbox } from "../../src/provider/outbox/level_outbox.ts";
import { customer, provider } from "../testkit/accounts.ts";
import { msg } from "../testkit/messages.ts";
import { PATIENCE_MS } from "../testkit/until.ts";
import { LIMITS, quickDispatcher, quickPool } from "./dispatch_run.ts";
import { makeUsageHome, removeHome, sendFrom, startUsageNode, usageRecord } from "./usage_node.ts";

/** How long a busy machine may take: a quick one is done in a tenth of a second. */
const PATIENCE = { timeout: PATIENCE_MS, interval: 5 };

it("waits and says why when the fee is too low or cannot be paid, and goes on when it can", async () => {
  const folder = await mkdtemp(join(tmpdir(), "settled-trouble-"));
  const home = join(folder, "node");
  await makeUsageHome(home, { orders: 3, chain: { funds: { [provider.address]: "5uve" } } });
  const node = await startUsageNode(home, { minimumGasPrice: "0.025uve" });
  const outbox = await openOutbox(join(folder, "outbox"));
  const pool = quickPool(node.rpc, 1);
  const limits = { ...LIMITS, retry: { minMs: 100, maxMs: 400 } };
  const errors: string[] = [];
  const silent = () => undefined;
  const error = (message: string) => void errors.push(message);
  const log = { debug: silent, info: silent, warn: silent, error };
  try {
    await outbox.write({ records: [0, 1, 2].map((order) => usageRecord(order, 1)) });
    const tooFree = new AbortController();
    const free = quickDispatcher(outbox, pool, 1, { limits, log });
    const runningFree = free.run(tooFree.signal);
    await vi.waitFor(() => {
      expect(free.state.trouble).toMatch(/wants a fee of at least [0-9]+uve.*raise the gas price/);
      expect(outbox.counts()).toMatchObject({ pending: 3, sent: 0, refused: 0 });
    }, PATIENCE);
    expect(errors[0]).toBe("nothing can be sent");
    tooFree.abort();
    await runningFree;

    const gasPrice = parseGasPrice("0.025uve");
    const poor = quickDispatcher(outbox, pool, 2, { limits, gasPrice, log });
    const stop = new AbortController();
    const running = poor.run(stop.signal);
    await vi.waitFor(
      () => expect(poor.state.trouble).toMatch(/cannot pay the fee: send it uve/),
      PATIENCE,
    );
    const pay = msg.send(customer, provider.address, "100000uve");
    const fee = { amount: [{ denom: "uve", amount: "100000" }], gasLimit: 1_000_000n };
    await sendFrom(node.client, [pay], fee);
    expect(await poor.drain(Date.now() + PATIENCE.timeout)).toBe(true);
    expect(poor.state.trouble).toBe("");
    stop.abort();
    await running;
    expect(outbox.counts()).toMatchObject({ included: 3, refused: 0 });
  } finally {
    await outbox.close();
    await node.stop();
    await removeHome(folder);
  }
});
