import { expect, test } from "vitest";
import { openMetrics } from "../../src/api/metrics/recorder.ts";
import { projectFiles, read } from "./repository.ts";

const GUIDE = "docs/guides/operate.md";
const RULES = "docs/alerts.yml";
const guide = read(GUIDE);
const rows = openMetrics({ withProcess: false }).rows();

/** The table as it should be, line by line. */
function tableOf(): string {
  return rows.map(({ name, type, help }) => `| \`${name}\` | ${type} | ${help} |`).join("\n");
}

test("the guide has every metric with its type and what it is", () => {
  const table = guide.split("\n").filter((line) => /^\| `(cometbft|settled)_/.test(line));
  expect(table.join("\n"), `put this table into ${GUIDE}:\n${tableOf()}`).toBe(tableOf());
});

test("every metric that the guide and the alert rules name exists", () => {
  const known = new Set(
    rows.flatMap(({ name, type }) =>
      type === "histogram" ? ["_bucket", "_sum", "_count"].map((end) => name + end) : [name],
    ),
  );
  for (const { name } of rows) known.add(name);
  const named = (text: string) => text.match(/\b(?:cometbft|settled)_[a-z0-9_]+\b/g) ?? [];
  const unknown = (text: string) => named(text).filter((name) => !known.has(name));
  expect(unknown(guide)).toEqual([]);
  expect(unknown(read(RULES))).toEqual([]);
  expect(named(read(RULES)).length).toBeGreaterThan(5);
});

test("the guide has every limit that turns somebody away", () => {
  const told = projectFiles()
    .filter((path) => /^src\/api\/.*\.ts$/.test(path))
    .flatMap((path) => [...read(path).matchAll(/refused\((?:[\w.]+, )?"([a-z_]+)"\)/g)])
    .map(([, limit]) => limit);
  expect(new Set(told).size).toBeGreaterThan(8);
  const rowsOfLimits = guide.split("\n").filter((line) => /^\| `[a-z_]+`(, `|.* \| )/.test(line));
  const named = rowsOfLimits.flatMap((line) => [...line.matchAll(/`([a-z_]+)`/g)]);
  expect(named.map(([, limit]) => limit)).toEqual(expect.arrayContaining([...new Set(told)]));
});
