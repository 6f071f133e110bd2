import { ProviderError } from "../errors.ts";
import type { Collector, MetricName, Moment, OpenCollector, Usage } from "./collector.ts";
import type { PrometheusRule, PrometheusSettings } from "./collector_settings.ts";
import { countedOnce } from "./counted_once.ts";
import { type CursorHead, EarlierCursor } from "./cursor.ts";
import { AREA_PER_SECOND, Gauge } from "./gauge.ts";
import { LabelSelector } from "./label_selector.ts";
import { rulesOf } from "./prometheus_rules.ts";
import type { Exposition, Sample } from "./prometheus_text.ts";
import { Remainders } from "./remainder.ts";
import { scrape, type ScrapeSettings } from "./scrape.ts";
import { SeriesCounters, type SeriesTotal } from "./series_counters.ts";
import { SpanClock } from "./span_clock.ts";

const KIND = "prometheus";
const NANO = 1_000_000_000n;
const TIMEOUT_MS = 5000;
const BYTES_MAX = 64 * 1024 * 1024;
const SERIES_MAX = 10_000;
const AGE_SECONDS_MAX = 300;
/** Of one look: the rest is told by number. */
const FAULTS_MAX = 10;

/** Meters a workload by what an exporter tells of it: cAdvisor, the DCGM exporter, or any other. */
export const openPrometheusCollector: OpenCollector<PrometheusSettings> = async (
  settings,
  cursor,
  now,
) => {
  const { url, timeoutMs = TIMEOUT_MS, maxBytes = BYTES_MAX } = settings;
  if (!/^https?:$/.test(URL.canParse(url) ? new URL(url).protocol : "")) {
    const found = JSON.stringify(url);
    throw new ProviderError("bad_collector", `prometheus: ${found} is no http or https address`);
  }
  if (!(timeoutMs > 0) || !(maxBytes > 0)) {
    throw new ProviderError("bad_collector", "prometheus: timeoutMs and maxBytes begin at 1");
  }
  const selector = LabelSelector.parse(settings.selector);
  const rules = rulesOf(settings);
  const earlier = EarlierCursor.read(cursor, KIND, placeOf(settings));
  const collector = new PrometheusCollector(settings, { selector, rules }, earlier, now);
  await collector.begin(now);
  return collector;
};

/** What is read by one rule. */
interface Reader {
  readonly rule: PrometheusRule;
  readonly counters: SeriesCounters;
  readonly gauge: Gauge;
}

class PrometheusCollector implements Collector {
  readonly name: string;
  readonly tells: readonly MetricName[];
  readonly #settings: PrometheusSettings;
  readonly #selector: LabelSelector;
  readonly #readers: readonly Reader[];
  readonly #clock: SpanClock;
  readonly #remainders: Remainders;
  readonly #scrape: ScrapeSettings;
  readonly #isNew: boolean;
  #faults: string[] = [];

  constructor(
    settings: PrometheusSettings,
    parts: { readonly selector: LabelSelector; readonly rules: readonly PrometheusRule[] },
    earlier: EarlierCursor | undefined,
    now: Moment,
  ) {
    this.name = `${KIND} ${placeOf(settings)}`;
    this.#settings = settings;
    this.#selector = parts.selector;
    this.#clock = new SpanClock(now, earlier?.wallMs);
    const series = earlier?.record("series") ?? {};
    this.#readers = parts.rules.map((rule) => {
      const counters = new SeriesCounters(series[rule.series], now.wallMs);
      return { rule, counters, gauge: new Gauge() };
    });
    const perWhole = Object.fromEntries(parts.rules.map((rule) => [rule.metric, finePer(rule)]));
    this.tells = Object.keys(perWhole) as MetricName[];
    this.#remainders = new Remainders(perWhole, (metric) => earlier?.left(metric));
    this.#isNew = earlier === undefined;
    const { url, timeoutMs = TIMEOUT_MS, maxBytes = BYTES_MAX, tokenFile, caFile } = settings;
    this.#scrape = {
      ...{ url, timeoutMs, maxBytes },
      ...(tokenFile === undefined ? {} : { tokenFile }),
      ...(caFile === undefined ? {} : { caFile }),
    };
  }

  /** The first look: counters of a new workload begin here, levels of any. */
  async begin(now: Moment): Promise<void> {
    const levels = this.#readers.filter(({ rule }) => rule.reading !== "counter");
    // Counters of a workload that was metered before go on with the first read.
    await this.#look(now, this.#isNew ? this.#readers : levels);
    this.#faults = [];
    if (this.#isNew || levels.length === 0) return;
    this.#fault(this.#clock.awayText(levels.map(({ rule }) => rule.metric).join(", ")));
  }

  async read(now: Moment): Promise<Usage> {
    const { startMs, endMs, isContinuous } = this.#clock.cut(now);
    await this.#look(now, this.#readers);
    const all = this.#faults;
    this.#faults = [];
    const more = all.length - FAULTS_MAX;
    const rest = more > 0 ? [`and ${more} more faults`] : [];
    const faults = [...all.slice(0, FAULTS_MAX), ...rest];
    return { startMs, endMs, metrics: this.#remainders.take(), isContinuous, faults };
  }

  async #look(now: Moment, readers: readonly Reader[]): Promise<void> {
    const result = await scrape(this.#scrape, now.steadyMs);
    if ("reason" in result) {
      this.#fault(`${result.reason}; levels count 0, counters go on with the next page`);
      for (const { gauge } of readers) gauge.look(undefined, now.steadyMs);
      return;
    }
    const isFirst = ({ rule, counters }: Reader) => rule.reading === "counter" && !counters.hasPage;
    if (readers.some(isFirst)) {
      this.#fault("this is the first page: what was counted before it is left out");
    }
    const absent: string[] = [];
    for (const reader of readers) {
      const isThere = this.#lookBy(reader, result.page, now);
      if (!isThere) absent.push(reader.rule.series);
    }
    if (absent.length === 0 || this.#settings.absent === "zero") return;
    this.#fault(
      `no series of ${absent.join(", ")} is the workload's; check the selector, leave the metric out (tells), or set absent: zero if it may have stopped`,
    );
  }

  /** Whether the page has a series of the workload. */
  #lookBy({ rule, counters, gauge }: Reader, page: Exposition, now: Moment): boolean {
    const samples = this.#samplesOf(rule, page);
    const counted = countedOnce(samples);
    const numbers = new Map(samples.map((each) => [each, this.#numberOf(rule, each, now)]));
    const { multiply = 1n } = rule;
    if (rule.reading === "counter") {
      const totals = samples.map(
        (sample): SeriesTotal => ({
          key: keyOf(sample),
          nano: numbers.get(sample),
          isCounted: counted.has(sample),
        }),
      );
      const { grown, faults } = counters.look(totals, now.wallMs, this.#limit);
      this.#remainders.add(rule.metric, grown * multiply);
      for (const text of faults) this.#fault(text);
      return samples.length > 0;
    }
    const known = [...counted]
      .map((sample) => numbers.get(sample))
      .filter((it) => it !== undefined);
    // Nothing there is nothing used only where the settings say so.
    const isEmpty = samples.length === 0 && this.#settings.absent === "zero";
    const level = known.length === 0 && !isEmpty ? undefined : levelOf(rule, known);
    const area = gauge.look(level, now.steadyMs);
    this.#remainders.add(rule.metric, (area ?? 0n) * multiply);
    return samples.length > 0;
  }

  get #limit(): number {
    return this.#settings.maxSeries ?? SERIES_MAX;
  }

  /** The workload's samples, each series once. */
  #samplesOf({ series }: PrometheusRule, page: Exposition): readonly Sample[] {
    const { samples, faults } = page.samples(series);
    for (const text of faults) this.#fault(text);
    const found = new Map<string, Sample>();
    for (const sample of samples) {
      if (!this.#selector.matches(sample.labels)) continue;
      const key = keyOf(sample);
      if (found.has(key)) this.#fault(`${key} is on the page twice: the first one counts`);
      else if (found.size >= this.#limit) this.#fault(`${key} is beyond maxSeries and counts 0`);
      else found.set(key, sample);
    }
    return [...found.values()];
  }

  /** The value in billionths; undefined, and said, when it is none that can count. */
  #numberOf(rule: PrometheusRule, sample: Sample, { wallMs }: Moment): bigint | undefined {
    const { nano, timestampMs, text } = sample;
    const { maxAgeSeconds = AGE_SECONDS_MAX } = this.#settings;
    if (timestampMs !== undefined && BigInt(wallMs) - timestampMs > BigInt(maxAgeSeconds) * 1000n) {
      this.#fault(`${keyOf(sample)} is older than ${maxAgeSeconds} s: it is not read`);
      return undefined;
    }
    if (rule.reading === "present") return NANO;
    const isTooHigh = rule.max !== undefined && nano !== undefined && nano > rule.max * NANO;
    if (nano !== undefined && nano >= 0n && !isTooHigh) return nano;
    this.#fault(`${keyOf(sample)} is ${text}, which cannot be: it counts 0`);
    return undefined;
  }

  #fault(text: string): void {
    this.#faults.push(text);
  }

  cursor(): CursorHead & Record<string, unknown> {
    const counters = this.#readers.filter(({ rule }) => rule.reading === "counter");
    const { wallMs } = this.#clock;
    return {
      ...{ version: 1, kind: KIND, place: placeOf(this.#settings), wallMs, bootId: "" },
      series: Object.fromEntries(counters.map((it) => [it.rule.series, it.counters.toJson()])),
      left: this.#remainders.toJson(),
    };
  }

  async close(): Promise<void> {}
}

function placeOf({ url, selector }: PrometheusSettings): string {
  return `${url} ${selector}`;
}

/** Labels in the order of their names: what a series is known by. */
function keyOf({ name, labels }: Sample): string {
  const pairs = [...labels].sort(([one], [other]) => (one < other ? -1 : 1));
  return `${name}{${pairs.map(([label, value]) => `${label}=${JSON.stringify(value)}`).join(",")}}`;
}

function levelOf({ reading }: PrometheusRule, values: readonly bigint[]): bigint {
  if (reading === "positive") return BigInt(values.filter((value) => value > 0n).length) * NANO;
  return values.reduce((sum, value) => sum + value, 0n);
}

/** Fine amounts in a whole one: billionths, and for levels their areas. */
function finePer({ reading, divide = 1n }: PrometheusRule): bigint {
  return NANO * divide * (reading === "counter" ? 1n : AREA_PER_SECOND);
}
