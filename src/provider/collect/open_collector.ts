import { ProviderError } from "../errors.ts";
import { openCgroupCollector } from "./cgroup_collector.ts";
import type { Collector, Moment } from "./collector.ts";
import type { CollectorSettings } from "./collector_settings.ts";
import { openDiskCollector } from "./disk_collector.ts";
import { openNetworkCollector } from "./network_collector.ts";
import { openProcessCollector } from "./process_collector.ts";
import { openPrometheusCollector } from "./prometheus_collector.ts";

const KINDS = "cgroup2, process, network, disk and prometheus";

/**
 * Starts the collector that the settings name.
 * @param cursor what the one before it left; undefined for a new workload
 * @throws ProviderError `bad_collector` when the settings can never work
 */
export async function openCollector(
  settings: CollectorSettings,
  cursor: unknown,
  now: Moment,
): Promise<Collector> {
  switch (settings.kind) {
    case "cgroup2":
      return openCgroupCollector(settings, cursor, now);
    case "process":
      return openProcessCollector(settings, cursor, now);
    case "network":
      return openNetworkCollector(settings, cursor, now);
    case "disk":
      return openDiskCollector(settings, cursor, now);
    case "prometheus":
      return openPrometheusCollector(settings, cursor, now);
    default: {
      const found = JSON.stringify((settings as { kind?: unknown }).kind);
      throw new ProviderError(
        "bad_collector",
        `unknown kind of collector ${found}; there are ${KINDS}`,
      );
    }
  }
}
