import { createHash } from "node:crypto";
import { writeSync } from "node:fs";
import process from "node:process";
import { signerFromPrivateKey } from "../../src/client/signer.ts";
import { Dispatcher } from "../../src/provider/dispatch/dispatcher.ts";
import { NodePool } from "../../src/provider/dispatch/node_pool.ts";
import { Watcher } from "../../src/provider/dispatch/watcher.ts";
import { parseGasPrice } from "../../src/provider/gas.ts";
import { openOutbox } from "../../src/provider/outbox/level_outbox.ts";
import type { OutboxRecord } from "../../src/provider/outbox/outbox_record.ts";

/** What the child does until it is killed or done. */
export type ProviderTask =
  /** Writes changes without end, and tells the number of each that is on the disk. */
  | { readonly do: "write"; readonly folder: string }
  /** Sends what is in the outbox, as the account of a name. */
  | {
      readonly do: "send";
      readonly folder: string;
      readonly url: string;
      readonly account: string;
    };

/** Records of one change. */
const PER_WRITE = 5;
/** Changes that are written side by side. */
const AT_ONCE = 3;

function recordOf(write: number, place: number, state: OutboxRecord["state"]): OutboxRecord {
  const periodStart = BigInt(1_700_000_000 + write * 60);
  return {
    ...{ orderId: `order-${place}`, leaseId: "lease", usageType: "cpu", usageUnits: 1n },
    ...{ periodStart, periodEnd: periodStart + 60n, denom: "uve", unitPrice: 1n, cost: 0n, state },
    ...{ attempts: write, notBeforeMs: 0, txHash: "", usageId: "", reason: undefined },
    ...{ createdMs: 0, changedMs: 0 },
  };
}

async function write(folder: string): Promise<void> {
  const outbox = await openOutbox(folder);
  const first = Number((await outbox.note("next")) ?? "0");
  const one = async (number: number) => {
    const place = (at: number) => recordOf(number, at, "pending");
    const fresh = Array.from({ length: PER_WRITE }, (_, at) => place(at));
    // Those of an earlier change go on, and every third one's period is no longer due.
    const state = number % 3 === 0 ? "refused" : "sent";
    const changed = number < AT_ONCE ? [] : [recordOf(number - AT_ONCE, number % PER_WRITE, state)];
    const notes = new Map([
      [`write/${number}`, `${PER_WRITE}`],
      ["next", `${number + 1}`],
    ]);
    await outbox.write({ records: [...fresh, ...changed], notes });
    writeSync(1, `${number}\n`);
  };
  for (let number = first; ; number += AT_ONCE) {
    await Promise.all(Array.from({ length: AT_ONCE }, (_, at) => one(number + at)));
  }
}

async function send({ folder, url, account }: Extract<ProviderTask, { do: "send" }>) {
  const key = createHash("sha256").update(`test account ${account}`).digest();
  const signer = signerFromPrivateKey(new Uint8Array(key), "ve");
  const outbox = await openOutbox(folder);
  const pool = new NodePool([url], { backOff: { minMs: 5, maxMs: 50 }, timeoutMs: 2000 });
  const limits = { recordsPerTx: 10, batchAgeMs: 0, pollMs: 10, offerAgainMs: 300 };
  const common = { outbox, pool, now: () => Date.now() };
  const dispatcher = new Dispatcher({ ...common, signer, gasPrice: parseGasPrice("0uve"), limits });
  const clearedHeight = () => dispatcher.clearedHeight;
  const watcher = new Watcher({ ...common, provider: signer.address, clearedHeight, pollMs: 20 });
  const stop = new AbortController();
  const running = [dispatcher.run(stop.signal), watcher.run(stop.signal)];
  writeSync(1, "running\n");
  const isDone = await dispatcher.drain(Date.now() + 90_000);
  stop.abort();
  await Promise.all(running);
  await outbox.close();
  if (!isDone) throw new Error("not drained");
}

const task = JSON.parse(process.argv[2] ?? "{}") as ProviderTask;
await (task.do === "write" ? write(task.folder) : send(task));
