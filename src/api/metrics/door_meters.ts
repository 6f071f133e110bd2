import { Counter, Gauge, type Histogram, type Registry } from "prom-client";
import type { DoorMetrics, RequestClass, RequestEnd } from "../../node/metrics.ts";

const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const SECONDS_NAME = "settled_api_request_seconds";

/** Requests of one door and class. */
interface Tally {
  readonly door: string;
  readonly class: RequestClass;
  readonly ended: Record<RequestEnd, number>;
  /** Requests by the first bound that they did not exceed; the last is for those above all. */
  readonly buckets: number[];
  sum: number;
  underWay: number;
}

/**
 * Requests at the doors, by door and class. Each costs a few additions: labels are looked at when
 * somebody scrapes.
 */
export function doorMeters(registry: Registry): DoorMetrics {
  const tallies = new Map<string, Tally>();
  const registers = [registry];
  showRequests(registers, tallies);
  registry.registerMetric(secondsOf(tallies));
  const refused = new Counter({
    name: "settled_api_limit_refusals_total",
    help: "How often a limit of a door has turned somebody away, by door and limit.",
    ...{ registers, labelNames: ["door", "limit"] },
  });
  return {
    began: (door: string, kind: RequestClass) => {
      const started = performance.now();
      const tally = tallyOf(tallies, door, kind);
      tally.underWay += 1;
      return (end: RequestEnd) => {
        const seconds = (performance.now() - started) / 1000;
        tally.underWay -= 1;
        tally.ended[end] += 1;
        tally.sum += seconds;
        const at = SECONDS.findIndex((bound) => seconds <= bound);
        const bucket = at === -1 ? SECONDS.length : at;
        tally.buckets[bucket] = (tally.buckets[bucket] as number) + 1;
      };
    },
    refused: (door, limit) => refused.inc({ door, limit }),
  };
}

function tallyOf(tallies: Map<string, Tally>, door: string, kind: RequestClass): Tally {
  const key = `${door} ${kind}`;
  const known = tallies.get(key);
  if (known !== undefined) return known;
  const tally: Tally = {
    ...{ door, class: kind, sum: 0, underWay: 0 },
    ended: { ok: 0, refused: 0, failed: 0 },
    buckets: [...SECONDS.map(() => 0), 0],
  };
  tallies.set(key, tally);
  return tally;
}

function showRequests(registers: Registry[], tallies: ReadonlyMap<string, Tally>): void {
  new Counter({
    name: "settled_api_requests_total",
    help: "Requests that have ended, by door, class, and end: ok, refused (the caller's to mend) or failed.",
    ...{ registers, labelNames: ["door", "class", "end"] },
    collect() {
      this.reset();
      for (const { door, class: kind, ended } of tallies.values()) {
        for (const [end, count] of Object.entries(ended))
          this.inc({ door, class: kind, end }, count);
      }
    },
  });
  new Gauge({
    name: "settled_api_requests_in_flight",
    help: "Requests under way, by door.",
    ...{ registers, labelNames: ["door"] },
    collect() {
      this.reset();
      for (const { door, underWay } of tallies.values()) this.inc({ door }, underWay);
    },
  });
}

/** The histogram as prom-client's registry takes it: prom-client's own sorts labels at every call. */
function secondsOf(tallies: ReadonlyMap<string, Tally>): Histogram {
  const facts = {
    name: SECONDS_NAME,
    help: "Seconds from the start of a request's work to its answer, waiting for its turn included.",
    type: "histogram",
    aggregator: "sum",
  };
  const get = async () => ({ ...facts, values: [...tallies.values()].flatMap(samplesOf) });
  const metric = { ...facts, get, reset: () => undefined, collect: () => undefined };
  return metric as unknown as Histogram;
}

function samplesOf({ door, class: kind, buckets, sum }: Tally) {
  const labels = { door, class: kind };
  let count = 0;
  const counted = buckets.map((inBucket, at) => {
    count += inBucket;
    const le = SECONDS[at] ?? "+Inf";
    return { metricName: `${SECONDS_NAME}_bucket`, labels: { ...labels, le }, value: count };
  });
  return [
    ...counted,
    { metricName: `${SECONDS_NAME}_sum`, labels, value: sum },
    { metricName: `${SECONDS_NAME}_count`, labels, value: count },
  ];
}
