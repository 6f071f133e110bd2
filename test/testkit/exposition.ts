/**
 * A reader of what monitoring programs scrape, from the texts of the two formats alone: Prometheus'
 * text format 0.0.4 and OpenMetrics 1.0.0. It refuses what they forbid.
 */

export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Family {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly samples: readonly Sample[];
}

type Building = { name: string; type: string; help: string; samples: Sample[] };

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*/;
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|\})/;
const NUMBER = /^(?:NaN|[+-]?Inf|[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)$/;

const TYPES = {
  prometheus: ["counter", "gauge", "histogram", "summary", "untyped"],
  openmetrics: ["counter", "gauge", "histogram", "gaugehistogram", "stateset", "info", "summary"],
} as const;

/** @throws Error naming the line that is not of the format */
export function readExposition(text: string, form: keyof typeof TYPES): Map<string, Family> {
  if (!text.endsWith("\n")) throw new Error("the last line has no end");
  const lines = text.slice(0, -1).split("\n");
  if (form === "openmetrics" && lines.pop() !== "# EOF") throw new Error("no # EOF at the end");
  const families = new Map<string, Building>();
  let current: Building | undefined;
  for (const line of lines) {
    if (line === "" && form === "prometheus") continue;
    if (line.startsWith("#")) {
      const [, word, name = "", rest = ""] = /^# (HELP|TYPE) (\S+) ?(.*)$/.exec(line) ?? fail(line);
      if (NAME.exec(name)?.[0] !== name) fail(line);
      if (current?.name !== name) {
        if (families.has(name)) fail(`${line}: its lines are not together`);
        current = { name, type: "", help: "", samples: [] };
        families.set(name, current);
      }
      if (current.samples.length > 0) fail(`${line}: after its samples`);
      if (word === "HELP") current.help = rest;
      else {
        const known: readonly string[] = [...TYPES[form], "unknown"];
        if (!known.includes(rest) || (form === "prometheus" && rest === "unknown")) fail(line);
        current.type = rest;
      }
      continue;
    }
    const sample = readSample(line);
    if (current === undefined || !belongs(sample.name, current, form)) fail(`${line}: no family`);
    (current as Building).samples.push(sample);
  }
  for (const family of families.values()) check(family);
  return families;
}

function fail(what: string): never {
  throw new Error(`not of the format: ${what}`);
}

function readSample(line: string): Sample {
  const name = NAME.exec(line)?.[0] ?? fail(line);
  let rest = line.slice(name.length);
  const labels: Record<string, string> = {};
  if (rest.startsWith("{")) {
    rest = rest.slice(1);
    for (;;) {
      const [all, label = "", value = "", end] = LABEL.exec(rest) ?? fail(line);
      if (labels[label] !== undefined) fail(`${line}: ${label} twice`);
      labels[label] = value.replaceAll(/\\(.)/g, (_, one: string) => (one === "n" ? "\n" : one));
      rest = rest.slice(all.length);
      if (end === "}") break;
    }
  }
  const number = rest.slice(1);
  if (!rest.startsWith(" ") || !NUMBER.test(number)) fail(line);
  return { name, labels, value: Number(number.replace("Inf", "Infinity")) };
}

const SUFFIXES: Readonly<Record<string, readonly string[]>> = {
  histogram: ["_bucket", "_sum", "_count"],
};

function belongs(name: string, family: Building, form: keyof typeof TYPES): boolean {
  const ofCounter = form === "openmetrics" ? ["_total"] : [""];
  const suffixes = family.type === "counter" ? ofCounter : (SUFFIXES[family.type] ?? [""]);
  return suffixes.some((suffix) => name === `${family.name}${suffix}`);
}

/** Help and type are there, no sample stands twice, buckets count up to the count. */
function check({ name, type, help, samples }: Building): void {
  if (type === "" || help === "") fail(`${name}: no type or help`);
  const keys = samples.map((sample) => keyOf(sample));
  if (new Set(keys).size !== keys.length) fail(`${name}: a sample stands twice`);
  if (type === "counter" && samples.some(({ value }) => !(value >= 0))) fail(`${name}: below 0`);
  if (type !== "histogram") return;
  const groups = new Map<string, { buckets: [number, number][]; count?: number; sum?: number }>();
  for (const { name: of, labels, value } of samples) {
    const { le, ...others } = labels;
    const key = JSON.stringify(Object.entries(others).sort());
    const group = groups.get(key) ?? { buckets: [] };
    groups.set(key, group);
    if (of.endsWith("_bucket")) group.buckets.push([Number(le?.replace("Inf", "Infinity")), value]);
    else if (of.endsWith("_sum")) group.sum = value;
    else group.count = value;
  }
  for (const { buckets, count, sum } of groups.values()) {
    const rising = buckets.every(([bound, value], at) => {
      const [before, least] = buckets[at - 1] ?? [Number.NEGATIVE_INFINITY, 0];
      return bound > before && value >= least;
    });
    const [last, all] = buckets.at(-1) ?? [];
    if (!rising || last !== Number.POSITIVE_INFINITY || all !== count || sum === undefined) {
      fail(`${name}: buckets do not add up`);
    }
  }
}

function keyOf({ name, labels }: Sample): string {
  return `${name} ${JSON.stringify(Object.entries(labels).sort())}`;
}

/** The value of one sample; undefined when there is none. @param labels that it has, among others */
export function valueOf(
  families: ReadonlyMap<string, Family>,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number | undefined {
  for (const { samples } of families.values()) {
    for (const sample of samples) {
      const fits = Object.entries(labels).every(([label, value]) => sample.labels[label] === value);
      if (sample.name === name && fits) return sample.value;
    }
  }
  return undefined;
}
