import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { Collector } from "../../../../src/provider/collect/collector.ts";
import { Daemon } from "../../../../src/provider/daemon/daemon.ts";
import { DaemonMetrics } from "../../../../src/provider/daemon/metrics.ts";
import { openFeed } from "../../../../src/provider/daemon/open_feed.ts";
import { parseSettings } from "../../../../src/provider/daemon/settings.ts";
import { NodePool } from "../../../../src/provider/dispatch/node_pool.ts";
import { openOutbox } from "../../../../src/provider/outbox/level_outbox.ts";
import { PriceBook } from "../../../../src/provider/price_book.ts";
import { NO_LOG } from "../../../../src/provider/provider_log.ts";
import { MeterClock } from "../../../../src/provider/windows/meter_clock.ts";
import { provider } from "../../../testkit/accounts.ts";
import { ownMs } from "../../../testkit/own_time.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "settled-stop-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const SETTINGS = `key: {name: a}
prices: {default: {storage: 1uve, cpu: 1uve}}
drain_seconds: 1
metrics: {enabled: false}
workloads:
  - {name: w, order: o, lease: l, collectors: [{kind: disk, path: "."}]}
feeds:
  - {kind: ndjson, name: f, file: usage.ndjson}
`;

/** As one that looks at a network disk whose server is gone. */
const hung: Collector = {
  ...{ name: "hung", tells: ["storageByteSeconds"], cursor: () => null },
  read: () => new Promise(() => undefined),
  close: () => Promise.resolve(),
};

/** Starts a daemon, and stops it after a moment. @returns what hangs, and how long it took */
async function stopped(nodes: readonly string[], collector: Collector) {
  const settings = await parseSettings(SETTINGS, join(folder, "provider.yaml"));
  const outbox = await openOutbox(join(folder, "outbox"));
  const daemon = new Daemon({
    ...{ settings, outbox, signer: provider, prices: PriceBook.parse(settings.prices, "p") },
    prune: (beforeMs) => outbox.prune(beforeMs),
    pool: new NodePool(nodes),
    ...{ clock: new MeterClock(), random: Math.random, log: NO_LOG, version: "1" },
    metrics: new DaemonMetrics({ withProcess: false }),
    ...{ openCollector: () => Promise.resolve(collector), openFeed, controlPath: undefined },
  });
  await daemon.open();
  const stop = new AbortController();
  setTimeout(() => stop.abort(), 200);
  const ms = await ownMs(() => daemon.run(stop.signal));
  return { hanging: daemon.hanging, ms };
}

it("stops in time though a meter hangs and no node answers, and names the meter", async () => {
  const { hanging, ms } = await stopped(["http://127.0.0.1:1"], hung);
  expect(hanging).toEqual(["workload w"]);
  expect(ms).toBeLessThan(5000);
});

it("stops in time though all nodes take calls and answer none", async () => {
  const sockets: Socket[] = [];
  const server = createServer((socket) => void sockets.push(socket)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const nodes = ["a", "b", "c"].map((path) => `http://127.0.0.1:${port}/${path}`);
  const still = { startMs: 0, endMs: 0, metrics: {}, isContinuous: false, faults: [] };
  const idle = { ...hung, read: () => Promise.resolve(still) };
  const { hanging, ms } = await stopped(nodes, idle);
  for (const socket of sockets) socket.destroy();
  server.close();
  expect(hanging).toContain("watching nodes");
  expect(ms).toBeLessThan(8000);
});
