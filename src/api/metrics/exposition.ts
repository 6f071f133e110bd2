import type { MetricObjectWithValues, MetricValue } from "prom-client";

/** The two forms that monitoring programs read. */
export type Exposition = "prometheus" | "openmetrics";

export const CONTENT_TYPES: Readonly<Record<Exposition, string>> = {
  prometheus: "text/plain; version=0.0.4; charset=utf-8",
  openmetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8",
};

/** As prom-client gives them; samples of a histogram carry their own names. */
type Metric = MetricObjectWithValues<MetricValue<string> & { readonly metricName?: string }>;

/**
 * Metrics as text. Names are the same in both forms: a counter that is not named `_total`, as some of
 * CometBFT's are not, is of unknown type in OpenMetrics, which would rename it otherwise.
 */
export function expose(metrics: readonly Metric[], form: Exposition): string {
  const families = metrics.map((metric) => family(metric, form));
  return form === "openmetrics" ? `${families.join("")}# EOF\n` : families.join("\n");
}

function family(metric: Metric, form: Exposition): string {
  const isOpen = form === "openmetrics";
  const isCounter = metric.type.toString() === "counter";
  const isTotal = metric.name.endsWith("_total");
  const name = isOpen && isCounter && isTotal ? metric.name.slice(0, -6) : metric.name;
  const type = isOpen && isCounter && !isTotal ? "unknown" : metric.type.toString();
  const lines = [`# HELP ${name} ${helpText(metric.help, isOpen)}`, `# TYPE ${name} ${type}`];
  for (const { labels, value, metricName = metric.name } of metric.values) {
    lines.push(`${metricName}${labelText(labels, isOpen)} ${numberText(value)}`);
  }
  return `${lines.join("\n")}\n`;
}

/** Quotes are escaped in OpenMetrics only. */
function helpText(text: string, isOpen: boolean): string {
  const escaped = text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
  return isOpen ? escaped.replaceAll('"', '\\"') : escaped;
}

function labelText(labels: Partial<Record<string, string | number>>, isOpen: boolean): string {
  const pairs = Object.entries(labels).map(([name, value = ""]) => {
    const text = name === "le" ? boundText(value, isOpen) : value.toString();
    const escaped = text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"');
    return `${name}="${escaped}"`;
  });
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

/** OpenMetrics writes bounds as floats: "1.0". */
function boundText(bound: string | number, isOpen: boolean): string {
  const text = bound.toString();
  return isOpen && /^[0-9]+$/.test(text) ? `${text}.0` : text;
}

function numberText(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "+Inf" : "-Inf";
  return value.toString();
}

/** The form that an Accept header prefers; Prometheus text where it says nothing of either. */
export function expositionFor(accept: string | undefined): Exposition {
  let [open, text] = [0, 0];
  for (const range of (accept ?? "").split(",", RANGES_MAX)) {
    const [type = "", ...parameters] = range.split(";").map((part) => part.trim().toLowerCase());
    const weight = weightOf(parameters);
    const version = parameters.find((parameter) => parameter.startsWith("version="));
    if (type === "application/openmetrics-text") {
      if (version === undefined || /^version="?1\.0\.0"?$/.test(version)) {
        open = Math.max(open, weight);
      }
    } else if (["text/plain", "text/*", "*/*"].includes(type)) text = Math.max(text, weight);
  }
  return open > 0 && open >= text ? "openmetrics" : "prometheus";
}

/** Media types of one header that are looked at. */
const RANGES_MAX = 20;

/** The q of a media type in thousandths; 0 for one that is none. */
function weightOf(parameters: readonly string[]): number {
  const given = parameters.find((parameter) => parameter.startsWith("q="));
  if (given === undefined) return 1000;
  const [, whole = "", fraction = ""] = /^q=([01])(?:\.([0-9]{0,3}))?$/.exec(given) ?? [];
  return Math.min(1000, Number(`${whole}${fraction.padEnd(3, "0")}`));
}
