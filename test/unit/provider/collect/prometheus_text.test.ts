import { describe, expect, it } from "vitest";
import { parseNano } from "../../../../src/provider/collect/nano.ts";
import { Exposition } from "../../../../src/provider/collect/prometheus_text.ts";
import { LabelSelector } from "../../../../src/provider/collect/label_selector.ts";

const NANO = 1_000_000_000n;

describe("a number of an exporter", () => {
  it.each([
    ["0", 0n],
    ["1.5", 1_500_000_000n],
    [".5", 500_000_000n],
    ["3.", 3n * NANO],
    ["+17", 17n * NANO],
    ["-2.25", -2_250_000_000n],
    ["1.23456789e+06", 1_234_567_890_000_000n],
    ["5e-9", 5n],
    ["9.99e-10", 0n],
    ["1e-400", 0n],
    ["9007199254740993", 9_007_199_254_740_993n * NANO],
    // As a float it would be 1234567.1234567892.
    ["1234567.123456789", 1_234_567_123_456_789n],
    ["0.1", 100_000_000n],
    ["1e29", 10n ** 29n * NANO],
  ])("%s is read exactly", (text, nano) => {
    expect(parseNano(text)).toBe(nano);
  });

  it.each(["NaN", "+Inf", "-Inf", "", ".", "e5", "1e30", "1e9999", "0x10", "1_000", "1 2"])(
    "%s is none",
    (text) => {
      expect(parseNano(text)).toBeUndefined();
    },
  );
});

describe("a page of metrics", () => {
  const samplesOf = (page: string, name: string, isOpenMetrics = false) =>
    new Exposition(page, isOpenMetrics).samples(name);

  it("has samples with labels, escapes and times", () => {
    const page = [
      "# HELP http_requests_total The total, with \\\\ and \\n in it.",
      "# TYPE http_requests_total counter",
      'http_requests_total{method="post",code="200"} 1027 1395066363000',
      'http_requests_total{ path = "C:\\\\DIR\\\\", error="Cannot find:\\n\\"FILE\\"" , } 1.458255915e9',
      "http_requests_total 3 -100",
      "",
    ].join("\n");
    const { samples, faults } = samplesOf(page, "http_requests_total");
    expect(faults).toEqual([]);
    expect(samples.map(({ labels }) => Object.fromEntries(labels))).toEqual([
      { method: "post", code: "200" },
      { path: "C:\\DIR\\", error: 'Cannot find:\n"FILE"' },
      {},
    ]);
    expect(samples.map(({ nano }) => nano)).toEqual([
      1027n * NANO,
      1_458_255_915n * NANO,
      3n * NANO,
    ]);
    expect(samples[0]?.timestampMs).toBe(1_395_066_363_000n);
    expect(samples[1]?.timestampMs).toBeUndefined();
  });

  it("may be OpenMetrics: exemplars are no part of it, times are seconds", () => {
    const page = [
      "# TYPE foo counter",
      "# UNIT foo seconds",
      'foo_total{a="b # c"} 17.0 1520879607.789 # {trace_id="KOO5S4vxi0o"} 0.67 1520879607.7',
      'foo_created{a="b # c"} 1520430000.123',
      "# EOF",
      "",
    ].join("\n");
    const { samples } = samplesOf(page, "foo_total", true);
    expect(samples).toMatchObject([{ nano: 17n * NANO, timestampMs: 1_520_879_607_789n }]);
    expect(samples[0]?.labels.get("a")).toBe("b # c");
    expect(new Exposition(page, true).isWhole).toBe(true);
    expect(new Exposition(page.replace("# EOF\n", ""), true).isWhole).toBe(false);
    expect(new Exposition("a 12", false).isWhole).toBe(false);
  });

  it("may have quoted names", () => {
    const { samples, faults } = samplesOf('{"my.metric","a.b"="c",d="e"} 5\n', "my.metric");
    expect(faults).toEqual([]);
    expect(samples[0]?.nano).toBe(5n * NANO);
    expect(Object.fromEntries(samples[0]?.labels ?? [])).toEqual({ "a.b": "c", d: "e" });
  });

  it("keeps NaN and infinities as what they are: no numbers", () => {
    const { samples } = samplesOf("a NaN\na +Inf\na -inf\n", "a");
    expect(samples.map(({ nano }) => nano)).toEqual([undefined, undefined, undefined]);
  });

  it("tells a line that cannot be read by its number, and reads the others", () => {
    const page = 'a{x="1"} 1\na{x=2} 2\na{x="3} 3\na 4 5 6\na{x="1",x="2"} 5\na five\na 6\n';
    const { samples, faults } = samplesOf(page, "a");
    expect(samples.map(({ text }) => text)).toEqual(["1", "6"]);
    expect(faults.map((text) => /^line ([0-9]+)/.exec(text)?.[1])).toEqual([
      "2",
      "3",
      "4",
      "5",
      "6",
    ]);
  });
});

describe("a selector of series", () => {
  const matches = (selector: string, labels: Record<string, string>) =>
    LabelSelector.parse(selector).matches(new Map(Object.entries(labels)));

  it("takes matchers as Prometheus does, patterns over the whole value", () => {
    const selector = '{ namespace="shop", pod=~"web-.*|api", container!="", image!~".*pause.*" }';
    const labels = { namespace: "shop", pod: "web-1", container: "c", image: "nginx" };
    expect(matches(selector, labels)).toBe(true);
    expect(matches(selector, { ...labels, pod: "my-web-1" })).toBe(false);
    expect(matches(selector, { ...labels, pod: "api2" })).toBe(false);
    expect(matches(selector, { ...labels, container: "" })).toBe(false);
    expect(matches(selector, { ...labels, image: "a/pause:3" })).toBe(false);
    expect(matches('a="x\\"y\\\\"', { a: 'x"y\\' })).toBe(true);
    // A label that is not there is empty.
    expect(matches('a="b",c=""', { a: "b" })).toBe(true);
  });

  it.each([
    ["", /lets every series pass/],
    ['pod=~".*"', /lets every series pass/],
    ['pod="a" namespace="b"', /cannot be read from/],
    ["pod=a", /cannot be read from/],
    ['pod=~"("', /pattern for pod/],
  ])("%s is refused", (selector, message) => {
    expect(() => LabelSelector.parse(selector)).toThrow(message);
  });
});
