import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { healthOf, readinessOf, serveHealth } from "../../../src/api/metrics/health.ts";
import { openMetrics } from "../../../src/api/metrics/recorder.ts";
import { utf8 } from "../../../src/lib/bytes.ts";
import { type NodeConfig, resolveConfig } from "../../../src/node/config.ts";
import { type RunningNode, startNode } from "../../../src/node/node.ts";
import {
  QueryOpenWorkResponse,
  QueryTotalsResponse,
} from "../../../src/gen/settled/settlement/v1/query.ts";
import { readExposition, valueOf } from "../../testkit/exposition.ts";
import { until } from "../../testkit/until.ts";
import { FakeApp, testGenesis } from "../node/fake_app.ts";
import { fakeNode } from "./fake_node.ts";

/** Instead of the five seconds that a block may be late in earnest. */
const LATE_MS = 100;

const running: RunningNode[] = [];

afterEach(async () => {
  for (const node of running.splice(0)) await node.stop();
});

async function start(flags: Partial<NodeConfig>): Promise<RunningNode & { app: FakeApp }> {
  let app: FakeApp | undefined;
  const node = await startNode({
    ...{ home: undefined, config: resolveConfig({}, flags), genesis: testGenesis() },
    openApp: async (opening) => {
      app = await FakeApp.open(opening);
      return app;
    },
    appVersion: "0.1.0",
  });
  running.push(node);
  return { ...node, app: app as FakeApp };
}

test("a node whose disk hangs is not ready, says why, and is ready again when it goes on", async () => {
  const { view, app } = await start({ blockMode: "interval", blockIntervalMs: 20 });
  await until(() => view.status().latestHeight > 3n, "blocks");
  await until(() => readinessOf(view, LATE_MS).status === 200, "readiness");
  let goOn: () => void = () => undefined;
  const hung = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  app.beforeCommit = async () => hung;
  await until(() => readinessOf(view, LATE_MS).status === 503, "readiness to turn false");
  const { body } = readinessOf(view, LATE_MS);
  expect(body.status).toBe("not ready");
  expect(body.reason).toMatch(/^a block has been due for \d+ ms, more than 100 ms/);
  expect(healthOf(view).status).toBe(200);
  app.beforeCommit = async () => undefined;
  goOn();
  await until(() => readinessOf(view, LATE_MS).status === 200, "readiness to come back");
});

test("a node that has halted is neither healthy nor ready, with the reason", async () => {
  const { view, halted } = await start({ blockMode: "instant" });
  await view.mempool.add(utf8("halt"));
  await halted;
  const reason = expect.stringContaining("books do not balance");
  expect(readinessOf(view)).toMatchObject({ status: 503, body: { status: "not ready", reason } });
  expect(healthOf(view)).toMatchObject({ status: 503, body: { status: "halted", reason } });
});

test("where no block is due none is late, and the answer says so", async () => {
  const byHand = await start({ blockMode: "manual", dev: true });
  const withTxs = await start({ blockMode: "instant" });
  await new Promise((resolve) => setTimeout(resolve, 3 * LATE_MS));
  const manual = readinessOf(byHand.view, LATE_MS);
  expect(manual).toMatchObject({ status: 200, body: { height: "1" } });
  expect(manual.body.reason).toContain("by hand");
  const instant = readinessOf(withTxs.view, LATE_MS);
  expect(instant.status).toBe(200);
  expect(instant.body.reason).toContain("when txs come");
});

test("empty blocks that are far apart are not late, nor is the block of a first tx after them", async () => {
  const { view } = await start({ blockMode: "mixed", emptyBlockIntervalMs: 86_400_000 });
  await new Promise((resolve) => setTimeout(resolve, 2 * LATE_MS));
  expect(readinessOf(view, LATE_MS).status).toBe(200);
  await view.mempool.add(utf8("a"));
  expect(readinessOf(view, LATE_MS).status).toBe(200);
});

test("blocks that are made by hand on a chain with a schedule do not make it late", async () => {
  const { view } = await start({ blockMode: "mixed", emptyBlockIntervalMs: 50, dev: true });
  // Once more where the test itself was late.
  await expect
    .poll(async () => {
      await view.dev?.mine({ blocks: 200 });
      return readinessOf(view, LATE_MS).status;
    })
    .toBe(200);
});

test("any HTTP server can mount the handler", async () => {
  const view = fakeNode();
  const server = createServer((request, response) => {
    if (!serveHealth(view, request, response)) response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const get = async (path: string, method = "GET") => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { method });
    return { status: response.status, text: await response.text() };
  };
  expect(await get("/health?verbose")).toMatchObject({ status: 200 });
  expect(await get("/ready", "HEAD")).toEqual({ status: 200, text: "" });
  expect((await get("/metrics")).status).toBe(404);
  await new Promise((resolve) => server.close(resolve));
});

test("amounts above 2^53 are shown as the nearest number, and their help says so", async () => {
  const view = fakeNode();
  const [huge, above] = [9_007_199_254_740_993n, 10n ** 30n];
  const coins = [
    { denom: "big", amount: above.toString() },
    { denom: "uve", amount: huge.toString() },
  ];
  view.query = async ({ path }) => {
    const value = path.endsWith("/Totals")
      ? QueryTotalsResponse.encode(QueryTotalsResponse.fromPartial({ settled: coins })).finish()
      : QueryOpenWorkResponse.encode(
          QueryOpenWorkResponse.fromPartial({ incomplete: ["escrows"] }),
        ).finish();
    const none = new Uint8Array(0);
    return { code: 0, codespace: "", log: "", key: none, value, height: 1n };
  };
  const metrics = openMetrics({ withProcess: false });
  const text = await metrics.scrape(view, "openmetrics", () => undefined);
  const families = readExposition(text, "openmetrics");
  const settled = (denom: string) => valueOf(families, "settled_settlement_settled", { denom });
  expect(settled("uve")).toBe(9_007_199_254_740_992);
  expect(settled("big")).toBe(1e30);
  expect(families.get("settled_settlement_settled")?.help).toContain("Rounded to 53 bits");
  expect(valueOf(families, "settled_settlement_counts_incomplete")).toBe(1);
});

test("figures that cannot be read are reported, counted, and leave the others alone", async () => {
  const metrics = openMetrics({ withProcess: false, refreshMs: 0 });
  const faults: unknown[] = [];
  const scrape = async () => {
    const text = await metrics.scrape(fakeNode(), "prometheus", (error) => faults.push(error));
    return readExposition(text, "prometheus");
  };
  await scrape();
  const families = await scrape();
  expect(valueOf(families, "settled_scrape_faults_total")).toBe(2);
  expect(valueOf(families, "cometbft_consensus_height")).toBeGreaterThan(0);
  expect(String(faults[0])).toContain("Totals of the settlement module");
});
