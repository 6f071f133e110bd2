import { expect, test } from "vitest";
import { parse } from "yaml";
import { DaemonMetrics } from "../../src/provider/daemon/metrics.ts";
import { read } from "./repository.ts";

const GUIDE = "docs/guides/provider-daemon.md";
const RULES = "docs/provider-alerts.yml";
const guide = read(GUIDE);
const rows = new DaemonMetrics({ withProcess: false }).rows();

/** Names that the source documents give; monitors that exist already read them. */
const SOURCE_NAMES = [
  "usage_records_collected_total",
  "usage_records_submitted_total",
  "submission_failures_total",
  "settlements_processed_total",
  "disputes_created_total",
  "anomalies_detected_total",
  "pending_records",
  "active_disputes",
  "reconciliation_score",
];

test("the daemon's guide has every metric with its type and what it is", () => {
  const wanted = rows.map(({ name, type, help }) => `| \`${name}\` | ${type} | ${help} |`);
  const table = guide.split("\n").filter((line) => line.startsWith("| `provider_daemon_"));
  expect(table, `put this table into ${GUIDE}:\n${wanted.join("\n")}`).toEqual(wanted);
});

test("the daemon has the metrics that the source documents name", () => {
  const names = rows.map(({ name }) => name);
  for (const name of SOURCE_NAMES) expect(names).toContain(`provider_daemon_${name}`);
});

test("every metric that the daemon's alert rules name exists, and each rule says what is wrong", () => {
  const known = new Set(rows.map(({ name }) => name));
  const { groups } = parse(read(RULES)) as {
    groups: { rules: { alert: string; expr: string; annotations: { summary: string } }[] }[];
  };
  const rules = groups.flatMap((group) => group.rules);
  expect(rules.length).toBeGreaterThan(10);
  for (const { alert, expr, annotations } of rules) {
    const named = expr.match(/\bprovider_daemon_[a-z0-9_]+\b/g) ?? [];
    expect(alert).toMatch(/^Provider[A-Za-z]+$/);
    expect(annotations.summary).toMatch(/\.$/);
    expect(named.filter((name) => !known.has(name))).toEqual([]);
    expect(named.length + (expr.match(/^up\{/g)?.length ?? 0)).toBeGreaterThan(0);
  }
});
