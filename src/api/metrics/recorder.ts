import { Counter, collectDefaultMetrics, Registry } from "prom-client";
import type { DoorMetrics, NodeMetrics } from "../../node/metrics.ts";
import type { NodeView } from "../../node/view.ts";
import { doorMeters } from "./door_meters.ts";
import { type Exposition, expose } from "./exposition.ts";
import { nodeMeters } from "./node_meters.ts";
import { SettlementGauges } from "./settlement_gauges.ts";

/** Least time between two looks at the state for figures of modules, in milliseconds. */
const REFRESH_MS = 1000;

export interface MetricsOptions {
  /** Least time between two looks at the state, in milliseconds. */
  readonly refreshMs?: number;
  /** Metrics of the process and of Node.js too, the default. */
  readonly withProcess?: boolean;
}

/** A name with what its page says of it. */
export interface MetricRow {
  readonly name: string;
  readonly type: string;
  readonly help: string;
}

/** Counts what the node and its doors tell, and writes it down when it is asked for. */
export interface MetricsRecorder extends NodeMetrics, DoorMetrics {
  /**
   * All metrics as text. Calls at the same time share one look at the node.
   * @param report told when figures of modules could not be read; the others are there
   */
  scrape(view: NodeView, form: Exposition, report: (error: unknown) => void): Promise<string>;
  /** Every metric that there is, in order. */
  rows(): MetricRow[];
}

export function openMetrics(options: MetricsOptions = {}): MetricsRecorder {
  const registry = new Registry();
  const { read, ...node } = nodeMeters(registry);
  const doors = doorMeters(registry);
  const settlement = new SettlementGauges(registry, options.refreshMs ?? REFRESH_MS);
  const faults = new Counter({
    name: "settled_scrape_faults_total",
    help: "Scrapes whose figures of modules could not be read: those shown are older.",
    registers: [registry],
  });
  if (options.withProcess !== false) collectDefaultMetrics({ register: registry });
  const look = async (view: NodeView, report: (error: unknown) => void) => {
    registry.setDefaultLabels({ chain_id: view.info.chainId });
    read(view);
    await settlement.read(view).catch((error: unknown) => {
      faults.inc();
      report(error);
    });
    return registry.getMetricsAsJSON();
  };
  let underWay: ReturnType<typeof look> | undefined;
  return {
    ...node,
    ...doors,
    scrape: async (view, form, report) => {
      underWay ??= look(view, report).finally(() => {
        underWay = undefined;
      });
      return expose(await underWay, form);
    },
    rows: () =>
      registry.getMetricsAsArray().map(({ name, type, help }) => {
        return { name, type: type.toString(), help };
      }),
  };
}
