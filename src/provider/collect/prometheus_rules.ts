import { ProviderError } from "../errors.ts";
import type { MetricName } from "./collector.ts";
import type { GpuMeasure, PrometheusRule, PrometheusSettings } from "./collector_settings.ts";

const MS_PER_SECOND = 1000n;
const PERCENT = 100n;

/** Metrics of cAdvisor, also as the kubelet serves them at /metrics/cadvisor. */
function cadvisorRules(memory: "working_set" | "usage"): readonly PrometheusRule[] {
  return [
    {
      ...{ metric: "cpuMilliseconds", series: "container_cpu_usage_seconds_total" },
      ...{ reading: "counter", multiply: MS_PER_SECOND },
    },
    { metric: "memoryByteSeconds", series: `container_memory_${memory}_bytes`, reading: "gauge" },
    { metric: "storageByteSeconds", series: "container_fs_usage_bytes", reading: "gauge" },
    {
      ...{ metric: "networkBytesIn", series: "container_network_receive_bytes_total" },
      reading: "counter",
    },
    {
      ...{ metric: "networkBytesOut", series: "container_network_transmit_bytes_total" },
      reading: "counter",
    },
  ];
}

const DCGM_RULES: Readonly<Record<GpuMeasure, PrometheusRule>> = {
  allocated: { metric: "gpuSeconds", series: "DCGM_FI_DEV_GPU_UTIL", reading: "present" },
  held: { metric: "gpuSeconds", series: "DCGM_FI_DEV_FB_USED", reading: "positive" },
  utilisation: {
    ...{ metric: "gpuSeconds", series: "DCGM_FI_DEV_GPU_UTIL" },
    ...{ reading: "gauge", divide: PERCENT, max: PERCENT },
  },
  engine: {
    ...{ metric: "gpuSeconds", series: "DCGM_FI_PROF_GR_ENGINE_ACTIVE" },
    ...{ reading: "gauge", max: 1n },
  },
};

/**
 * What is read of an exporter.
 * @throws ProviderError `bad_collector` when that is nothing, or one metric by two rules
 */
export function rulesOf(settings: PrometheusSettings): readonly PrometheusRule[] {
  const { exporter, memory = "working_set", gpu = "allocated", rules = [], tells } = settings;
  const own = { cadvisor: cadvisorRules(memory), dcgm: [DCGM_RULES[gpu]], custom: [] }[exporter];
  const chosen = own.filter(({ metric }) => tells === undefined || tells.includes(metric));
  const all = [...chosen, ...rules];
  const metrics = new Set<MetricName>();
  for (const { metric, series, multiply = 1n, divide = 1n } of all) {
    if (metrics.has(metric)) throw wrong(`${metric} is told by two rules; leave one of them out`);
    if (multiply < 1n || divide < 1n) throw wrong(`multiply and divide of ${series} begin at 1`);
    metrics.add(metric);
  }
  if (all.length === 0) {
    throw wrong(
      `nothing is read of the exporter ${exporter}; give rules, or other metrics in tells`,
    );
  }
  return all;
}

function wrong(text: string): ProviderError {
  return new ProviderError("bad_collector", `prometheus: ${text}`);
}
