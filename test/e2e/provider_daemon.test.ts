import { appendFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Client } from "../../src/client/client.ts";
import {
  activateEscrow,
  createEscrow,
  type OrderUsage,
  usageOfOrder,
} from "../../src/client/settlement_msgs.ts";
import { signerFromMnemonic } from "../../src/client/signer.ts";
import { controlPath } from "../../src/provider/daemon/control.ts";
import type { ExportRow } from "../../src/provider/daemon/export_row.ts";
import { RemoteDesk } from "../../src/provider/daemon/remote_desk.ts";
import { DEFAULT_GAS_PRICE, parseGasPrice } from "../../src/provider/gas.ts";
import { TxSender } from "../../src/provider/submit.ts";
import { inRoot } from "../architecture/repository.ts";
import {
  initHome,
  type NodeProcess,
  Program,
  settled,
  startNodeProcess,
  temporaryFolder,
} from "./node_process.ts";

const WINDOW_SECONDS = 2;
const FED_START = Math.floor(Date.now() / 2000) * 2 - 600;
const ROWS = 60;

let folder: { path: string; remove: () => Promise<void> };
let node: NodeProcess;
let feed: string;
let daemon: Program;

const place = () => ["--home", folder.path, "--node", node.rpc, "-o", "json"];

/** Opens and activates the escrows of both orders, as the customer. */
async function openEscrows(): Promise<void> {
  const client = await Client.connect(node.rpc);
  const account = (name: string) => {
    const found = node.report.accounts.find((each) => each.name === name);
    return signerFromMnemonic(found?.mnemonic ?? "");
  };
  const [customer, { address: recipient }] = await Promise.all([
    account("customer-1"),
    account("provider-1"),
  ]);
  const sender = customer.address;
  const orders = [
    ...[["order-fed", "lease-fed"] as const, ["order-live", "lease-live"] as const],
    ["example-order", "example-lease"] as const,
  ];
  const messages = orders.flatMap(([orderId, leaseId], at) => [
    createEscrow({
      ...{ sender, orderId, expiresIn: 2_592_000n },
      amount: [{ denom: "uve", amount: "50000000" }],
    }),
    activateEscrow({ sender, escrowId: `escrow-${at + 1}`, leaseId, recipient }),
  ]);
  const gasPrice = parseGasPrice(DEFAULT_GAS_PRICE);
  const txs = new TxSender(client, customer, { gasPrice });
  const outcomes = await txs.send(messages.map((message) => ({ message, gas: 30_000n })));
  expect(outcomes.map(({ refusal }) => refusal)).toEqual(messages.map(() => undefined));
}

/** Row n: n+1 CPU-hours and a part of one, every seventh row nothing at all. */
function rowText(at: number): string {
  const start = FED_START + at * WINDOW_SECONDS;
  const cpu = at % 7 === 6 ? 0 : (at + 1) * 3_600_000 + 1_200_000;
  const zero = { storage_byte_seconds: 0, gpu_seconds: 0, network_bytes_in: 0 };
  const metrics = { cpu_milliseconds: cpu, memory_byte_seconds: 0, ...zero, network_bytes_out: 0 };
  const row = { order: "order-fed", lease: "lease-fed", start, end: start + WINDOW_SECONDS };
  return `${JSON.stringify({ ...row, ...metrics })}\n`;
}

const append = (from: number, to: number) =>
  appendFile(feed, Array.from({ length: to - from }, (_, at) => rowText(from + at)).join(""));

/** CPU-hours by window that the rows come to; a window without any bills its footprint. */
function fedUnits(): Map<number, bigint> {
  return new Map(
    Array.from({ length: ROWS }, (_, at) => {
      return [FED_START + at * WINDOW_SECONDS, at % 7 === 6 ? 1n : BigInt(at + 1)];
    }),
  );
}

async function startDaemon(): Promise<string> {
  const args = ["provider", "start", "--metrics-port", "0", "--log-format", "json"];
  daemon = new Program([inRoot("dist/cli/main.js"), ...args, ...place()]);
  const ready = await daemon.until("report", () =>
    daemon.stdout.includes("\n") ? daemon.stdout : undefined,
  );
  return (JSON.parse(ready) as { metrics: string }).metrics;
}

/** What `settled provider status` asks the running daemon. */
const status = () => new RemoteDesk(controlPath(folder.path)).status();

async function exported(): Promise<ExportRow[]> {
  const flags = ["--home", folder.path, "-o", "ndjson"];
  const { stdout } = await settled(["provider", "windows", ...flags]);
  const rows = stdout.trim().split("\n");
  return rows.map((row) => JSON.parse(row) as ExportRow);
}

beforeAll(async () => {
  folder = await temporaryFolder();
  await initHome(folder.path);
  node = await startNodeProcess(folder.path);
  await openEscrows();
  feed = join(folder.path, "usage.ndjson");
  const data = join(folder.path, "held");
  await mkdir(data);
  await writeFile(join(data, "file"), Buffer.alloc(1_000_000));
  await mkdir(join(folder.path, "provider"));
  await writeFile(
    join(folder.path, "provider/provider.yaml"),
    `key: {name: provider-1}
interval_seconds: ${WINDOW_SECONDS}
write_seconds: 1
late_seconds: 1
batch: {age_ms: 50, records: 7}
prices: {default: {cpu: 1500uve, memory: 1uve, storage: 1uve}}
workloads:
  - name: live
    order: order-live
    lease: lease-live
    collectors:
      - {kind: process, pid: ${process.pid}, memory: resident}
      - {kind: disk, path: ${data}}
feeds:
  - {kind: ndjson, name: fed, file: ${feed}}
`,
  );
});
afterAll(async () => {
  await (daemon as Program | undefined)?.end("SIGKILL");
  await node.program.end("SIGTERM");
  await folder.remove();
});

describe("the daemon", () => {
  it("bills a feed and live workloads once, through SIGKILL, and drains on SIGTERM", async () => {
    await append(0, 20);
    await startDaemon();
    await daemon.until("first records", async () =>
      (await status()).counts.included > 5 ? true : undefined,
    );
    await append(20, 40);
    // In the middle of whatever it does with them.
    await sleep(30);
    await daemon.end("SIGKILL");
    await append(40, 50);
    const metrics = await startDaemon();

    const second = await settled(["provider", "start", ...place()]);
    expect(second.code).toBe(1);
    expect(second.stderr).toContain(`the daemon with pid ${daemon.pid} runs for this home`);

    await append(50, ROWS);
    await appendFile(feed, "no row\n");
    const report = await daemon.until("all rows", async () => {
      const now = await status();
      return now.counts.included >= ROWS + 2 && now.counts.pending === 0 ? now : undefined;
    });
    expect(report.daemon).toMatchObject({ pid: daemon.pid, chainId: "settled-1", trouble: "" });
    expect(report.daemon?.sources).toMatchObject([
      { kind: "workload", name: "live", fault: "" },
      { kind: "feed", name: "fed", fault: "" },
    ]);
    expect(report.daemon?.faults.map(({ place: at, text }) => `${at}: ${text}`)).toContainEqual(
      `feed fed ${feed}:${ROWS + 1}: not JSON`,
    );

    const shownText = await settled(["provider", "status", "--home", folder.path]);
    expect(shownText.stdout).toMatch(/^daemon +pid [0-9]+ since .*, ok$/m);
    expect(shownText.stdout).toMatch(/^included +[0-9]+ +[0-9]+$/m);

    const page = await (await fetch(`${metrics}/metrics`)).text();
    expect(page).toMatch(/^provider_daemon_records\{state="included"\} [1-9]/m);
    expect(page).toMatch(/^provider_daemon_node_up\{node="http.*"\} 1$/m);
    expect(page).toMatch(/^provider_daemon_feed_rows_total\{feed="fed",result="faulty"\} 1$/m);
    expect(page).toMatch(/^provider_daemon_txs_total\{result="included"\} [1-9]/m);
    const health = await fetch(`${metrics}/healthz`);
    expect(await health.json()).toEqual({ status: "ok", chain_id: "settled-1", reasons: [] });
    expect(health.status).toBe(200);

    const ended = await daemon.end("SIGTERM");
    expect(ended.code, daemon.stderr).toBe(0);
    const rows = (await exported()).filter(({ order }) => order.startsWith("order-"));
    const client = await Client.connect(node.rpc);
    const [fed, live] = [
      await usageOfOrder(client, "order-fed"),
      await usageOfOrder(client, "order-live"),
    ];
    const billed = new Map(fed.map((each) => [Number(each.periodStart), each.usageUnits]));
    expect(fed).toHaveLength(ROWS);
    expect(billed).toEqual(fedUnits());
    const shown = [...fed, ...live].map(asExported).sort();
    expect(rows.map(asRow).sort()).toEqual(shown);
    expectToTouch(live);
  });

  it("says in its logs which window, and never a secret", async () => {
    const lines = daemon.stderr.trim().split("\n");
    const closed = lines.map((line) => JSON.parse(line) as { msg: string; window?: string });
    const windows = closed.filter(({ msg }) => msg === "a window is closed");
    expect(windows.length).toBeGreaterThan(5);
    for (const { window } of windows) {
      expect(window).toMatch(/^order-(fed|live)\/lease-(fed|live) 20..-.*Z–20..-.*Z$/);
    }
    for (const { mnemonic } of node.report.accounts) {
      expect(daemon.output).not.toContain(mnemonic);
    }
  });
});

describe("the settings of examples/provider.yaml", () => {
  it("bill the four hours of their file on a dev chain, and stand a doctor's look", async () => {
    const config = ["--config", inRoot("examples/provider.yaml"), ...place()];
    const doctor = await settled(["provider", "doctor", ...config]);
    expect(doctor.code, doctor.stdout).toBe(0);
    const findings = JSON.parse(doctor.stdout) as { check: string; status: string }[];
    expect(findings.map(({ check, status }) => `${check} ${status}`)).toEqual([
      ...["config ok", "key ok", "prices ok", "node ok", "clock ok", "funds ok", "disk ok"],
      ...["feed example ok", "daemon ok", "outbox ok"],
    ]);
    const start = ["provider", "start", "--until", "included", "--metrics-port", "0"];
    const { code, stderr } = await settled([...start, ...config]);
    expect(code, stderr).toBe(0);
    const rows = (await exported()).filter(({ order }) => order === "example-order");
    const sums = new Map<string, number>();
    for (const { type, units } of rows) sums.set(type, (sums.get(type) ?? 0) + Number(units));
    // 7.5 CPU-hours, 10.5 and 32 GB-hours, 3 GPU-hours, 7 GB; the idle hour bills 1 CPU-hour.
    const expected = { cpu: 8, memory: 10, storage: 32, gpu: 3, network: 7 };
    expect(Object.fromEntries(sums)).toEqual(expected);
    expect(rows.every(({ state }) => state === "included")).toBe(true);
  });
});

const asRow = (row: ExportRow) =>
  [row.order.slice(6), row.type, row.start, row.end, row.units, row.cost, row.usage_id].join(" ");

function asExported(record: OrderUsage): string {
  const { usageType, periodStart, periodEnd, usageUnits, totalCost, usageId } = record;
  const order = record.leaseId.slice("lease-".length);
  const cost = totalCost.replace("uve", "");
  return [order, usageType, periodStart, periodEnd, usageUnits, cost, usageId].join(" ");
}

/** Live windows are whole ones, and no second is in two of a type. */
function expectToTouch(records: readonly OrderUsage[]): void {
  const cpu = records.filter(({ usageType }) => usageType === "cpu");
  expect(cpu.length).toBeGreaterThan(1);
  const starts = cpu.map(({ periodStart }) => Number(periodStart)).sort((a, b) => a - b);
  expect(new Set(starts).size).toBe(starts.length);
  for (const { periodStart, periodEnd } of cpu) {
    expect(Number(periodEnd - periodStart)).toBeLessThanOrEqual(WINDOW_SECONDS);
  }
}
