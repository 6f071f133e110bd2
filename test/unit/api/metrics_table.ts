import { type MetricRow, openMetrics } from "../../../src/api/metrics/recorder.ts";

/** The metrics of Settled's own, besides those of the process and of Node.js. */
export function METRICS_TABLE(): MetricRow[] {
  return openMetrics({ withProcess: false }).rows();
}
