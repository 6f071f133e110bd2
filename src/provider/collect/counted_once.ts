import type { Sample } from "./prometheus_text.ts";

/**
 * The samples that are not within another one. cAdvisor tells of a pod and of each container in it,
 * and of all CPUs together and of each: a sum over all would bill the same usage twice. What counts
 * is the outermost group (by the path in the label `id`) and, where there is one, cpu="total".
 */
export function countedOnce(samples: readonly Sample[]): ReadonlySet<Sample> {
  const groups = new Set(samples.map((sample) => groupOf(sample, idOf(sample))));
  const isWithin = (sample: Sample) => {
    const id = idOf(sample);
    if (cpuOf(sample) !== "total" && groups.has(groupOf(sample, id, "total"))) return true;
    // Of the ids above, what is told for all CPUs stands for each of them.
    return idsAbove(id).some(
      (above) => groups.has(groupOf(sample, above)) || groups.has(groupOf(sample, above, "total")),
    );
  };
  return new Set(samples.filter((sample) => !isWithin(sample)));
}

const idOf = ({ labels }: Sample): string => labels.get("id") ?? "";
const cpuOf = ({ labels }: Sample): string => labels.get("cpu") ?? "total";

/** Samples of one group are of one path, one set of CPUs and one device. */
function groupOf(sample: Sample, id: string, cpu = cpuOf(sample)): string {
  const { labels } = sample;
  const instance = ["instance", "node", "device", "interface"].map(
    (name) => labels.get(name) ?? "",
  );
  return JSON.stringify([id, cpu, ...instance]);
}

/** "/pods/a/b": "/pods/a", "/pods" and "/". */
function idsAbove(id: string): string[] {
  const above: string[] = [];
  if (!id.startsWith("/") || id === "/") return above;
  for (let at = id.lastIndexOf("/"); at > 0; at = id.lastIndexOf("/", at - 1)) {
    above.push(id.slice(0, at));
  }
  return [...above, "/"];
}
