import { afterEach, describe, expect, it } from "vitest";
import { type Door, openDoor } from "../../../../src/provider/daemon/door.ts";
import {
  healthAnswer,
  type HealthInput,
  unhealthyReasons,
} from "../../../../src/provider/daemon/health.ts";
import { DaemonMetrics } from "../../../../src/provider/daemon/metrics.ts";
import { RECORD_STATES, type RecordState } from "../../../../src/provider/outbox/outbox_record.ts";
import { closedWindow, outboxRecord } from "../outbox/records.ts";

const NOW = 1_700_000_000_000;
const LIMITS = {
  ...{ nodeSilentSeconds: 60, fundsLeast: 1000n, clockStepSeconds: 600 },
  ...{ lookSeconds: 60, openTxSeconds: 300 },
};

function facts(more: Partial<HealthInput> = {}): HealthInput {
  const url = "http://a:1";
  return {
    ...{ pid: 1, startedMs: NOW - 1e6, version: "1", chainId: "settled-1", provider: "ve1" },
    ...{ metricsUrl: "", faults: [], txsInFlight: 0, trouble: "", nowMs: NOW, broken: [] },
    nodes: [{ url, isUp: true, height: "7", answeredMs: NOW - 59_000, fault: "" }],
    sources: [{ name: "w", kind: "workload", readMs: NOW, reads: 1, isEnded: false, fault: "" }],
    funds: { denom: "uve", amount: "1000" },
    ...{ clockSteppedMs: undefined, oldestSentMs: undefined, diskFault: "" },
    ...more,
  };
}

const node = (answeredMs: number | undefined) => {
  return { url: "http://a:1", isUp: false, height: "", answeredMs, fault: "refused" };
};

describe("health", () => {
  it("is well just inside all bounds", () => {
    const [source] = facts().sources as [HealthInput["sources"][0]];
    const sources = [
      { ...source, readMs: NOW - 60_000 },
      { ...source, readMs: undefined },
      { ...source, readMs: 0, isEnded: true },
      { ...source, readMs: 0, kind: "feed" as const },
    ];
    const input = facts({ clockSteppedMs: NOW - 600_000, oldestSentMs: NOW - 300_000, sources });
    expect(unhealthyReasons(input, LIMITS)).toEqual([]);
  });

  it.each<[string, Partial<HealthInput>, RegExp]>([
    ["silent nodes", { nodes: [node(NOW - 61_000)] }, /no node has answered for 61 s: http:/],
    ["nodes that never answered", { nodes: [node(undefined)] }, /answered for 1000 s/],
    [
      "low funds",
      { funds: { denom: "uve", amount: "999" } },
      /999uve for gas, less than .* 1000uve/,
    ],
    ["a set clock", { clockSteppedMs: NOW - 599_000 }, /the wall clock was set at 2023-/],
    ["a full disk", { diskFault: "nothing can be written" }, /the disk: nothing can/],
    ["trouble with sending", { broken: ["raise the gas price"] }, /raise the gas price/],
    [
      "a meter that hangs",
      { sources: [{ ...facts().sources[0], readMs: NOW - 61_000 } as never] },
      /workload w: its meter has not answered for 61 s/,
    ],
    ["a chain without blocks", { oldestSentMs: NOW - 301_000 }, /sent 301 s ago and is in no bl/],
    [
      "a source",
      { sources: [{ ...facts().sources[0], fault: "no cpu.stat" } as never] },
      /workload w: no cpu.stat/,
    ],
  ])("says 503 with the reason: %s", (_name, more, expected) => {
    const reasons = unhealthyReasons(facts(more), LIMITS);
    expect(reasons).toHaveLength(1);
    expect(reasons[0]).toMatch(expected);
    expect(healthAnswer("settled-1", reasons)).toEqual({
      status: 503,
      body: { status: "unhealthy", chain_id: "settled-1", reasons },
    });
  });

  it("gives a daemon that has just started its time to reach a node", () => {
    const input = facts({ nodes: [node(undefined)], startedMs: NOW - 5000 });
    expect(unhealthyReasons(input, LIMITS)).toEqual([]);
  });
});

describe("the door for monitors", () => {
  let door: Door | undefined;
  afterEach(async () => door?.close());

  it("answers /metrics and /healthz, and nothing else", async () => {
    const metrics = new DaemonMetrics({ withProcess: false });
    const key = { txHash: "AB", state: "included", usageId: "usage-1", attempts: 1 } as const;
    metrics.written({ windows: [closedWindow(1, 1)], records: [outboxRecord(1, 1)] }, NOW);
    const sent = { bytes: new Uint8Array(), sequence: 1n, keys: [], timeoutHeight: 9n };
    metrics.written({ sent: [{ ...sent, hash: "AB", sentMs: NOW }] }, NOW);
    metrics.written({ resolved: ["AB"], records: [outboxRecord(1, 1, key)] }, NOW + 1500);
    metrics.written({ records: [outboxRecord(1, 2, { state: "refused" })] }, NOW);
    metrics.fed('a"b', { taken: 3, faulty: 0, repeated: 1 });
    const counts = Object.fromEntries(RECORD_STATES.map((state, at) => [state, at]));
    const view = {
      live: { ...facts(), unhealthy: ["x"] },
      counts: counts as Record<RecordState, number>,
      ...{ outboxBytes: 5, oldestPendingSeconds: 6, lastWindowEnd: 7, activeDisputes: 1 },
      reconciliationScore: undefined,
    };
    const health = healthAnswer("settled-1", ["x"]);
    door = await openDoor({
      ...{ host: "127.0.0.1", port: 0, health: () => health, metrics: () => metrics.scrape(view) },
    });
    const page = await (await fetch(`${door.url}/metrics`)).text();
    for (const line of [
      "provider_daemon_usage_records_collected_total 1",
      "provider_daemon_usage_records_submitted_total 1",
      'provider_daemon_submission_failures_total{kind="refused"} 1',
      'provider_daemon_windows_closed_total{partial="true"} 1',
      "provider_daemon_anomalies_detected_total 1",
      'provider_daemon_txs_total{result="included"} 1',
      'provider_daemon_submit_seconds_bucket{le="1"} 0',
      'provider_daemon_submit_seconds_bucket{le="2.5"} 1',
      'provider_daemon_feed_rows_total{feed="a\\"b",result="taken"} 3',
      'provider_daemon_records{state="refused"} 5',
      "provider_daemon_pending_records 1",
      'provider_daemon_node_up{node="http://a:1"} 1',
      'provider_daemon_source_up{kind="workload",source="w"} 1',
      'provider_daemon_gas_funds{denom="uve"} 1000',
      "provider_daemon_healthy 0",
      "provider_daemon_reconciliation_score -1",
      "provider_daemon_active_disputes 1",
    ]) {
      expect(page.split("\n")).toContain(line);
    }
    const { status } = await fetch(`${door.url}/healthz`);
    expect(status).toBe(503);
    expect((await fetch(`${door.url}/other`)).status).toBe(404);
    expect((await fetch(`${door.url}/metrics`, { method: "POST" })).status).toBe(405);
    const port = Number(new URL(door.url).port);
    const again = openDoor({
      host: "127.0.0.1",
      port,
      health: () => health,
      metrics: async () => "",
    });
    await expect(again).rejects.toMatchObject({ code: "port_in_use" });
  });
});
