import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { loadOpenApp } from "../../../src/cli/open_app.ts";
import { type RunningChain, startChain } from "../../../src/cli/running_chain.ts";
import { Client } from "../../../src/client/client.ts";
import { readConfig } from "../../../src/node/config.ts";
import { silentLog } from "../../../src/node/log.ts";
import { type Family, readExposition, valueOf } from "../../testkit/exposition.ts";
import { cli } from "../cli/fake_io.ts";
import { writeDevHome } from "../../testkit/dev_home.ts";
import { ownMs } from "../../testkit/own_time.ts";
import { METRICS_TABLE } from "./metrics_table.ts";
import { StandingClock } from "./standing_clock.ts";

const OPEN_METRICS = "application/openmetrics-text; version=1.0.0";
/** What Prometheus itself sends. */
const PROMETHEUS =
  "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4," +
  "text/plain;version=0.0.4;q=0.3,*/*;q=0.2";

/** A family as a parser reads it that is not ours. */
interface ParsedFamily {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly metrics: readonly Readonly<Record<string, unknown>>[];
}
const parsePrometheus = createRequire(import.meta.url)("parse-prometheus-text-format") as (
  text: string,
) => readonly ParsedFamily[];

let home: string;
let chain: RunningChain;
let client: Client;
const faults: unknown[] = [];

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "settled-metrics-"));
  await writeDevHome(home);
  const config = await readConfig(home, { rpcPort: 0, blockMode: "manual" });
  const log = { ...silentLog, error: (text: string, facts: unknown) => faults.push([text, facts]) };
  chain = await startChain({ home, config, log, openApp: await loadOpenApp() });
  client = await Client.connect(chain.report.endpoints.rpc);
});

afterAll(async () => {
  await chain?.stop();
  await rm(home, { recursive: true, force: true });
});

function url(path: string): string {
  return `${chain.report.endpoints.metrics}${path}`;
}

async function scrape(
  accept = "text/plain",
): Promise<{ families: Map<string, Family>; text: string }> {
  const response = await fetch(url("/metrics"), { headers: { accept } });
  expect(response.status).toBe(200);
  const text = await response.text();
  const form = response.headers.get("content-type")?.startsWith("application/openmetrics-text")
    ? "openmetrics"
    : "prometheus";
  return { families: readExposition(text, form), text };
}

/** Sends a tx by the command line and makes its block. */
async function send(...words: string[]): Promise<void> {
  const flags = ["--home", home, "--gas", "400000", "--yes", "--no-wait", "-o", "json"];
  const { exit, stderr } = await cli(["tx", ...words, ...flags]);
  expect(stderr).toBe("");
  expect(exit).toBe(0);
  await client.devMine();
}

const recipient = () => chain.report.accounts.find(({ name }) => name === "customer-2")?.address;
const pay = (amount: string) =>
  send("bank", "send", recipient() as string, amount, "--from", "customer-1");

describe("a scrape of a node with txs", () => {
  test("is of Prometheus' text format, and has what dashboards for CometBFT ask for", async () => {
    await pay("5uve");
    const { families } = await scrape();
    const { latestHeight } = await client.status();
    const names = ["height", "latest_block_height"];
    for (const name of names) {
      expect(valueOf(families, `cometbft_consensus_${name}`)).toBe(Number(latestHeight));
    }
    const figures: Readonly<Record<string, number>> = {
      ...{ consensus_rounds: 0, consensus_validators: 1, consensus_validators_power: 10 },
      ...{ consensus_num_txs: 1, consensus_total_txs: 1, mempool_size: 0, mempool_size_bytes: 0 },
      ...{ mempool_tx_size_bytes_count: 1, mempool_failed_txs: 0, p2p_peers: 0 },
      state_block_processing_time_count: Number(latestHeight),
      consensus_block_interval_seconds_count: Number(latestHeight) - 1,
    };
    for (const [name, value] of Object.entries(figures)) {
      const found = valueOf(families, `cometbft_${name}`, { chain_id: "settled-1" });
      expect([name, found ?? 0]).toEqual([name, value]);
    }
    expect(valueOf(families, "cometbft_consensus_block_size_bytes")).toBeGreaterThan(500);
    expect(valueOf(families, "settled_txs_total", { result: "ok" })).toBe(1);
    expect(valueOf(families, "settled_gas_used_total")).toBeGreaterThan(10_000);
    expect(valueOf(families, "settled_store_batch_sync_seconds_count")).toBe(Number(latestHeight));
    expect(valueOf(families, "settled_store_committed_keys")).toBeGreaterThan(10);
    expect(valueOf(families, "process_resident_memory_bytes")).toBeGreaterThan(1e7);
    expect(valueOf(families, "nodejs_version_info")).toBe(1);
    expect(faults).toEqual([]);
  });

  test("is read by another parser, with the same families, types and figures", async () => {
    const { families, text } = await scrape();
    const parsed = parsePrometheus(text);
    expect(parsed.map(({ name }) => name)).toEqual([...families.keys()]);
    for (const { name, type, help, metrics } of parsed) {
      const ours = families.get(name);
      expect([name, type.toLowerCase(), help]).toEqual([name, ours?.type, ours?.help]);
      if (type === "HISTOGRAM") {
        expect(metrics.every(({ buckets }) => typeof buckets === "object")).toBe(true);
        continue;
      }
      const figures = metrics.map(({ value, labels = {} }) => ({ labels, value: Number(value) }));
      const expected = ours?.samples.map(({ labels, value }) => ({ labels, value }));
      expect([name, figures]).toEqual([name, expected]);
    }
  });

  test("is OpenMetrics for who asks for it, with the same names and figures", async () => {
    const { families: plain } = await scrape();
    for (const accept of [OPEN_METRICS, PROMETHEUS]) {
      const { families, text } = await scrape(accept);
      expect(text).toContain("\n# EOF\n");
      const names = [...families.keys()];
      const counters = [...plain.values()].filter(({ type }) => type === "counter");
      expect(counters.length).toBeGreaterThan(5);
      for (const { name } of plain.values()) {
        const isTotal = plain.get(name)?.type === "counter" && name.endsWith("_total");
        expect(names).toContain(isTotal ? name.slice(0, -6) : name);
      }
      expect(families.get("settled_txs")?.type).toBe("counter");
      expect(families.get("cometbft_mempool_failed_txs")?.type).toBe("unknown");
      const total = valueOf(families, "settled_txs_total", { result: "ok" });
      expect(total).toBe(valueOf(plain, "settled_txs_total", { result: "ok" }));
    }
    const plainly = ["", "text/plain", "text/html,*/*;q=0.8", "application/openmetrics-text;q=0"];
    for (const accept of plainly) expect((await scrape(accept)).text).not.toContain("# EOF");
  });

  test("has the names, types and help of the guide", async () => {
    const { families } = await scrape();
    for (const { name, type, help } of METRICS_TABLE()) {
      expect([families.get(name)?.type, families.get(name)?.help]).toEqual([type, help]);
    }
    const known = METRICS_TABLE().map(({ name }) => name);
    const others = [...families.keys()].filter((name) => !known.includes(name));
    expect(others.filter((name) => !/^(process|nodejs)_/.test(name))).toEqual([]);
  });

  test("counts up, and never down", async () => {
    const before = (await scrape()).families;
    await pay("1uve");
    const rejected = await fetch(chain.report.endpoints.rpc, { method: "POST", body: "[]" });
    expect(rejected.status).toBe(400);
    const after = (await scrape()).families;
    let compared = 0;
    for (const { name, type, samples } of before.values()) {
      if (type !== "counter" && type !== "histogram") continue;
      for (const sample of samples) {
        const now = valueOf(after, sample.name, sample.labels) as number;
        expect([name, now >= sample.value]).toEqual([name, true]);
        compared += 1;
      }
    }
    expect(compared).toBeGreaterThan(100);
    const grown = (name: string, labels: Record<string, string> = {}) =>
      (valueOf(after, name, labels) ?? 0) - (valueOf(before, name, labels) ?? 0);
    expect(grown("cometbft_consensus_total_txs")).toBe(1);
    expect(grown("settled_txs_total", { result: "ok" })).toBe(1);
    expect(grown("settled_api_requests_total", { door: "rpc", class: "tx", end: "ok" })).toBe(1);
    expect(grown("settled_api_requests_total", { class: "control", end: "ok" })).toBe(1);
    expect(valueOf(after, "settled_api_requests_in_flight", { door: "rpc" })).toBe(0);
  });

  test("counts requests by door, class and end, and whom a limit turned away", async () => {
    const { rpc, rest } = chain.report.endpoints;
    const call = (method: string, params: object = {}) =>
      fetch(rpc, {
        method: "POST",
        body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
      });
    const count = async (labels: Record<string, string>) =>
      valueOf((await scrape()).families, "settled_api_requests_total", labels) ?? 0;
    await call("status");
    await call("no_such_method_whatever");
    await call("block", { height: "999999" });
    await call("tx_search", { query: "tx.height=1" });
    await call("broadcast_tx_sync", { tx: "AAAA" });
    expect(await count({ class: "read", end: "ok" })).toBeGreaterThan(0);
    expect(await count({ class: "read", end: "refused" })).toBe(1);
    expect(await count({ class: "unknown", end: "refused" })).toBe(1);
    expect(await count({ class: "search", end: "ok" })).toBe(1);
    await fetch(`${rest}/cosmos/bank/v1beta1/supply`);
    expect(await count({ door: "rest", class: "query", end: "ok" })).toBe(1);
    const status = { jsonrpc: "2.0", id: 1, method: "health" };
    const batch = JSON.stringify(Array.from({ length: 21 }, () => status));
    await fetch(rpc, { method: "POST", body: batch });
    const { families } = await scrape();
    const refused = valueOf(families, "settled_api_limit_refusals_total", { limit: "batch" });
    expect(refused).toBe(1);
    expect(valueOf(families, "cometbft_mempool_failed_txs")).toBe(1);
    expect(valueOf(families, "settled_mempool_refused_total", { reason: "check" })).toBe(1);
    expect(valueOf(families, "settled_api_request_seconds_count", { class: "search" })).toBe(1);
  });
});

describe("figures of the settlement module", () => {
  const gauge = async (name: string, labels: Record<string, string> = {}) =>
    valueOf((await scrape()).families, `settled_settlement_${name}`, labels);
  let clock: StandingClock;
  beforeAll(() => {
    clock = new StandingClock();
  });
  afterAll(() => vi.restoreAllMocks());
  /** Figures of modules are read again after a second at the earliest. */
  const aSecond = () => {
    clock.ms += 1000;
  };

  test("are of the committed state: what is open, and sums", async () => {
    await send(
      "settlement",
      "create-escrow",
      "order-1",
      "5000000uve",
      "--expires-in",
      "30d",
      "--from",
      "customer-1",
    );
    await send(
      ...["settlement", "activate-escrow", "escrow-1", "--lease-id", "lease-1"],
      ...["--recipient", "provider-1", "--from", "customer-1"],
    );
    const end = Math.floor(Date.now() / 1000) - 5;
    await send(
      ...["settlement", "record-usage", "order-1", "--lease-id", "lease-1", "--usage-type", "cpu"],
      ...["--usage-units", "10", "--period-start", `${end - 60}`, "--period-end", `${end}`],
      ...["--unit-price", "1500uve", "--from", "provider-1"],
    );
    aSecond();
    expect(await gauge("escrows_live")).toBe(1);
    expect(await gauge("usage_open")).toBe(1);
    expect(await gauge("disputes_open")).toBe(0);
    expect(await gauge("payouts_failed")).toBe(0);
    expect(await gauge("counts_incomplete")).toBe(0);
    expect(await gauge("escrowed", { denom: "uve" })).toBe(5_000_000);
    expect(await gauge("records", { kind: "usage_record" })).toBe(1);
    expect(await gauge("height")).toBe(Number((await client.status()).latestHeight));
    await send("settlement", "settle-order", "order-1", "--is-final", "--from", "customer-1");
    aSecond();
    expect(await gauge("escrows_live")).toBe(0);
    expect(await gauge("usage_open")).toBe(0);
    expect(await gauge("settled", { denom: "uve" })).toBe(15_000);
    expect(await gauge("platform_fees", { denom: "uve" })).toBe(750);
    const exact = await cli(["query", "settlement", "open-work", "--home", home, "-o", "json"]);
    expect(JSON.parse(exact.stdout)).toMatchObject({ escrows: "0", incomplete: [] });
  });

  test("are read once per second at most, however often somebody scrapes", async () => {
    await client.devMine();
    aSecond();
    const height = await gauge("height");
    await client.devMine();
    clock.ms += 999;
    expect(await gauge("height")).toBe(height);
    clock.ms += 1;
    expect(await gauge("height")).toBe((height as number) + 1);
  });
});

describe("the door", () => {
  test("answers what it has, and says what it has", async () => {
    expect((await fetch(url("/"))).status).toBe(200);
    const missing = await fetch(url("/metricz"));
    expect(missing.status).toBe(404);
    expect(await missing.text()).toContain("GET /metrics, /health or /ready");
    const posted = await fetch(url("/metrics"), { method: "POST", body: "x" });
    expect(posted.status).toBe(405);
    expect(posted.headers.get("allow")).toBe("GET, HEAD");
    const head = await fetch(url("/metrics"), { method: "HEAD" });
    expect(head.status).toBe(200);
    expect(await head.text()).toBe("");
  });

  test("scrapes of many at once share one look at the node, and none takes long", async () => {
    const took: number[] = [];
    const one = async () => {
      let height: number | undefined;
      const ms = await ownMs(async () => {
        height = valueOf((await scrape()).families, "cometbft_consensus_height");
      });
      took.push(ms);
      return height;
    };
    const payments = (async () => {
      for (let count = 0; count < 3; count += 1) await pay("1uve");
    })();
    const heights = await Promise.all(Array.from({ length: 40 }, one));
    await payments;
    expect(heights.every((height) => (height ?? 0) > 0)).toBe(true);
    expect(Math.max(...took)).toBeLessThan(2000);
  });

  test("health and readiness of a node whose blocks are made by hand", async () => {
    const health = await fetch(url("/health"));
    expect(health.status).toBe(200);
    expect(await health.json()).toMatchObject({ status: "ok", chain_id: "settled-1" });
    const ready = await fetch(url("/ready"));
    expect(ready.status).toBe(200);
    const reason = expect.stringContaining("by hand");
    expect(await ready.json()).toMatchObject({ status: "ready", reason });
  });
});
