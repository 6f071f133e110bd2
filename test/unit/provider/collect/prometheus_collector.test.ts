import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Collector, Usage } from "../../../../src/provider/collect/collector.ts";
import type { PrometheusSettings } from "../../../../src/provider/collect/collector_settings.ts";
import { openPrometheusCollector } from "../../../../src/provider/collect/prometheus_collector.ts";
import { type Exporter, OPEN_METRICS, startExporter } from "./exporter.ts";
import { at, stored } from "./moments.ts";

const scratch = mkdtempSync(join(tmpdir(), "settled-scrape-"));
let exporter: Exporter;
let asked = 0;
beforeEach(async () => {
  exporter = await startExporter();
});
afterEach(async () => exporter.close());
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const open = (more: Partial<PrometheusSettings> = {}, cursor?: unknown, ms = 0) =>
  openPrometheusCollector(
    {
      ...{ kind: "prometheus", url: exporter.url, selector: 'pod="web"', exporter: "cadvisor" },
      ...more,
      // Settings of their own: collectors with the same share a page for half a second.
      timeoutMs: more.timeoutMs ?? 5000 + (asked += 1),
    },
    cursor,
    at(ms),
  );

const read = (collector: Collector, ms: number): Promise<Usage> => collector.read(at(ms));

const CPU = { tells: ["cpuMilliseconds"] } as const;
const MEMORY = { tells: ["memoryByteSeconds"] } as const;
const cpu = (seconds: string, more = "") =>
  `container_cpu_usage_seconds_total{pod="web"${more}} ${seconds}\n`;
const memory = (bytes: string) => `container_memory_working_set_bytes{pod="web"} ${bytes}\n`;

/** A page as the kubelet serves it: the pod, its containers, another pod, the whole machine. */
function kubeletPage(of: { cpu: number; rx: number; tx: number; bytes: number; disk: number }) {
  const pod = 'id="/kubepods/pod1",image="",name="",namespace="shop",pod="web"';
  const app = 'id="/kubepods/pod1/c1",image="nginx",name="app",namespace="shop",pod="web"';
  const other = 'id="/kubepods/pod2",namespace="shop",pod="db"';
  const line = (name: string, rest: string) => `${name}{${rest}\n`;
  return [
    "# HELP cadvisor_version_info A metric with a constant '1' value.\n",
    "# TYPE container_cpu_usage_seconds_total counter\n",
    line("container_cpu_usage_seconds_total", `container="",cpu="total",${pod}} ${of.cpu}`),
    line("container_cpu_usage_seconds_total", `container="app",cpu="total",${app}} ${of.cpu - 1}`),
    line("container_cpu_usage_seconds_total", `container="",cpu="cpu00",${pod}} ${of.cpu / 2}`),
    line("container_cpu_usage_seconds_total", `container="",cpu="total",${other}} 1e6`),
    line("container_cpu_usage_seconds_total", 'cpu="total",id="/"} 9.9e7'),
    line("container_memory_working_set_bytes", `container="",${pod}} ${of.bytes}`),
    line("container_memory_working_set_bytes", `container="app",${app}} ${of.bytes - 10}`),
    line("container_memory_usage_bytes", `container="",${pod}} ${of.bytes * 2}`),
    line("container_network_receive_bytes_total", `interface="eth0",${pod}} ${of.rx}`),
    line("container_network_receive_bytes_total", `interface="eth1",${pod}} ${of.rx}`),
    line("container_network_transmit_bytes_total", `interface="eth0",${pod}} ${of.tx}`),
    line("container_fs_usage_bytes", `device="/dev/sda1",${app}} ${of.disk}`),
    line("container_fs_usage_bytes", `device="/dev/sdb1",${app}} ${of.disk}`),
  ].join("");
}

describe("metrics of cAdvisor", () => {
  it("are told of one pod: counters by growth, levels by time, nothing twice", async () => {
    exporter.page = kubeletPage({ cpu: 100.5, rx: 1000, tx: 50, bytes: 4000, disk: 700 });
    const collector = await open({ selector: 'namespace="shop",pod="web"' });
    expect(collector.tells).toHaveLength(5);
    exporter.page = kubeletPage({ cpu: 102.75, rx: 1600, tx: 51, bytes: 6000, disk: 700 });
    const { metrics, faults } = await read(collector, 10_000);
    expect(faults).toEqual([]);
    expect(metrics).toEqual({
      ...{ cpuMilliseconds: 2250n, memoryByteSeconds: 50_000n, storageByteSeconds: 14_000n },
      ...{ networkBytesIn: 1200n, networkBytesOut: 1n },
    });
  });

  it("keep what is below a millisecond for the next span", async () => {
    exporter.page = cpu("1.0000000");
    const collector = await open(CPU);
    exporter.page = cpu("1.0019999");
    expect((await read(collector, 1000)).metrics.cpuMilliseconds).toBe(1n);
    exporter.page = cpu("1.002");
    expect((await read(collector, 2000)).metrics.cpuMilliseconds).toBe(1n);
  });

  it("count a reset counter from 0 and a new series from its beginning", async () => {
    exporter.page = cpu("500");
    const collector = await open(CPU);
    exporter.page = cpu("3.5") + cpu("2", ',container="new"');
    const reset = await read(collector, 1000);
    expect(reset.metrics.cpuMilliseconds).toBe(5500n);
    expect(reset.faults).toEqual([expect.stringMatching(/went back from 500 to 3.5/)]);
    exporter.page = cpu("4.5");
    const gone = await read(collector, 2000);
    expect(gone.metrics.cpuMilliseconds).toBe(1000n);
    expect(gone.faults).toEqual([expect.stringMatching(/container="new".*is gone/)]);
    // A series that was only away for a page goes on where it was.
    exporter.page = cpu("4.5") + cpu("2.25", ',container="new"');
    expect((await read(collector, 3000)).metrics.cpuMilliseconds).toBe(250n);
  });

  it("go on after a restart of the meter: counters, not levels", async () => {
    const both = { tells: ["cpuMilliseconds", "memoryByteSeconds"] } as const;
    exporter.page = cpu("10") + memory("1000");
    const before = await open(both);
    exporter.page = cpu("70.5") + memory("1000");
    const after = await open(both, stored(before.cursor()), 60_000);
    const { metrics, faults, startMs, isContinuous } = await read(after, 61_000);
    expect(metrics).toEqual({ cpuMilliseconds: 60_500n, memoryByteSeconds: 1000n });
    expect({ startMs, isContinuous }).toEqual({ startMs: at(0).wallMs, isContinuous: false });
    expect(faults).toEqual([expect.stringMatching(/away for 60000 ms: memoryByteSeconds/)]);
  });
});

describe("a page that is not as it should be", () => {
  it("counts no level while the exporter fails, and lets counters catch up", async () => {
    const both = { tells: ["cpuMilliseconds", "memoryByteSeconds"] } as const;
    exporter.page = cpu("10") + memory("1000");
    const collector = await open(both);
    const nothing = { cpuMilliseconds: 0n, memoryByteSeconds: 0n };
    exporter.status = 503;
    const down = await read(collector, 1000);
    expect(down).toMatchObject({ metrics: nothing, isContinuous: true });
    expect(down.faults).toEqual([expect.stringMatching(/status 503/)]);
    exporter.status = 200;
    exporter.isCut = true;
    expect((await read(collector, 2000)).faults).toHaveLength(1);
    exporter.isCut = false;
    exporter.page = cpu("12") + memory("1000");
    const up = await read(collector, 3000);
    expect(up).toMatchObject({ metrics: { ...nothing, cpuMilliseconds: 2000n }, faults: [] });
    expect((await read(collector, 4000)).metrics.memoryByteSeconds).toBe(1000n);
  });

  it("is bounded in time and bytes, and must be whole", async () => {
    exporter.page = cpu("10");
    const slow = await open({ ...CPU, timeoutMs: 150 });
    const small = await open({ ...CPU, maxBytes: 20 });
    const cut = await open(CPU);
    expect((await read(small, 1000)).faults.join()).toMatch(/longer than maxBytes \(20\)/);
    exporter.type = OPEN_METRICS;
    expect((await read(cut, 1000)).faults.join()).toMatch(/no "# EOF" at its end/);
    exporter.delayMs = 1000;
    expect((await read(slow, 1000)).faults.join()).toMatch(/no whole page within 150 ms/);
    await exporter.close();
    expect((await read(cut, 2000)).faults.join()).toMatch(/ECONNREFUSED/);
    exporter = await startExporter();
  });

  it("has its NaN, negative, old, repeated and superfluous series left out, and told", async () => {
    const old = at(0).wallMs - 10 * 60_000;
    const fresh = at(0).wallMs;
    exporter.page = [
      'container_memory_working_set_bytes{pod="web",c="1"} NaN\n',
      'container_memory_working_set_bytes{pod="web",c="2"} -5\n',
      `container_memory_working_set_bytes{pod="web",c="3"} 5 ${old}\n`,
      `container_memory_working_set_bytes{pod="web",c="4"} 7 ${fresh}\n`,
      'container_memory_working_set_bytes{pod="web",c="4"} 7\n',
      'container_memory_working_set_bytes{pod="web",c="5"} 100\n',
    ].join("");
    const collector = await open({ ...MEMORY, maxSeries: 4 });
    const { metrics, faults } = await read(collector, 1000);
    expect(metrics.memoryByteSeconds).toBe(7n);
    for (const text of [/c="1".*NaN/, /c="2".*-5/, /c="3".*older/, /c="4".*twice/, /c="5".*maxS/]) {
      expect(faults.join("\n")).toMatch(text);
    }
  });

  it("without a series of the workload is a fault, or nothing used where that is set", async () => {
    exporter.page = memory("500").replace("web", "other");
    const usage = await (await open(MEMORY)).read(at(1000));
    expect(usage.metrics.memoryByteSeconds).toBe(0n);
    expect(usage.faults).toEqual([expect.stringMatching(/no series of container_memory/)]);
    const quiet = await open({ ...MEMORY, absent: "zero" });
    expect((await quiet.read(at(1000))).faults).toEqual([]);
  });

  it("that comes first after the start leaves out what it had counted before", async () => {
    exporter.status = 500;
    const collector = await open(CPU);
    exporter.status = 200;
    exporter.page = cpu("900");
    const first = await read(collector, 1000);
    expect(first.metrics.cpuMilliseconds).toBe(0n);
    expect(first.faults).toEqual([expect.stringMatching(/first page/)]);
    exporter.page = cpu("901");
    expect((await read(collector, 2000)).metrics.cpuMilliseconds).toBe(1000n);
  });
});

describe("metrics of GPUs", () => {
  const page = (util: number, engine: string, used: number) =>
    ["0", "1"]
      .map((gpu) => `gpu="${gpu}",UUID="GPU-${gpu}",modelName="NVIDIA A100",pod="web"`)
      .map(
        (labels, at) =>
          `DCGM_FI_DEV_GPU_UTIL{${labels}} ${util}\nDCGM_FI_DEV_FB_USED{${labels}} ${used * at}\n` +
          `DCGM_FI_PROF_GR_ENGINE_ACTIVE{${labels}} ${engine}\n`,
      )
      .join("");

  it.each([
    ["allocated", 20n],
    ["held", 10n],
    ["utilisation", 5n],
    ["engine", 2n],
  ] as const)("are GPU seconds by %s", async (gpu, seconds) => {
    exporter.page = page(25, "0.125", 4096);
    const collector = await open({ exporter: "dcgm", gpu });
    const { metrics, faults } = await read(collector, 10_000);
    expect({ metrics, faults }).toEqual({ metrics: { gpuSeconds: seconds }, faults: [] });
  });

  it("beyond what can be are not counted", async () => {
    exporter.page = page(25, "9223372036854775794", 0);
    const collector = await open({ exporter: "dcgm", gpu: "engine" });
    const { metrics, faults } = await read(collector, 10_000);
    expect(metrics.gpuSeconds).toBe(0n);
    expect(faults.join()).toMatch(/9223372036854775794, which cannot be/);
  });
});

describe("a scrape", () => {
  it("is shared by collectors that read at the same time, and brings its token", async () => {
    const tokenFile = join(scratch, "token");
    writeFileSync(tokenFile, "secret-1\n");
    exporter.page = cpu("1") + cpu("1").replace("web", "db");
    const more = { ...CPU, tokenFile, timeoutMs: 4000 };
    const one = await open(more);
    const two = await open({ ...more, selector: 'pod="db"' });
    await Promise.all([one.read(at(1000)), two.read(at(1000))]);
    // One page for both to begin with, and one for both to read.
    expect(exporter.requests).toHaveLength(2);
    expect(exporter.requests[0]?.headers.authorization).toBe("Bearer secret-1");
  });

  it("reads any exporter by rules", async () => {
    exporter.page = 'jobs_bytes_sent{pod="web"} 10\njobs_kib_held{pod="web"} 3\n';
    const collector = await open({
      exporter: "custom",
      rules: [
        { metric: "networkBytesOut", series: "jobs_bytes_sent", reading: "counter" },
        ...[
          { metric: "storageByteSeconds", series: "jobs_kib_held", multiply: 1024n } as const,
        ].map((rule) => ({ ...rule, reading: "gauge" as const })),
      ],
    });
    const { metrics } = await read(collector, 2000);
    expect(metrics).toEqual({ networkBytesOut: 0n, storageByteSeconds: 6144n });
  });

  it.each([
    [{ url: "ftp://x/metrics" }, /no http or https address/],
    [{ exporter: "custom" as const }, /nothing is read/],
    [{ selector: "" }, /lets every series pass/],
    [{ timeoutMs: -1 }, /begin at 1/],
    [
      { rules: [{ metric: "cpuMilliseconds", series: "x", reading: "counter" } as const] },
      /cpuMilliseconds is told by two rules/,
    ],
  ])("refuses settings that can never work: %o", async (more, message) => {
    await expect(open(more)).rejects.toThrow(message);
  });
});
