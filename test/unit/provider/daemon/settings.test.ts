import { readFile } from "node:fs/promises";
import { Ajv } from "ajv";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { settingsSchema } from "../../../../src/cli/commands/provider_init.ts";
import { parseSettings } from "../../../../src/provider/daemon/settings.ts";
import { SETTINGS } from "../../../../src/provider/daemon/settings_table.ts";
import { settingsText } from "../../../../src/provider/daemon/settings_text.ts";
import { inRoot } from "../../../architecture/repository.ts";

const FILE = "/srv/p/provider/provider.yaml";
const LEAST = "key: {name: provider-1}\nprices: {default: {cpu: 1500uve}}\n";

const EVERYTHING = `${LEAST}
nodes: ["http://a:1", "https://b:2"]
chain_id: settled-1
gas_price: 0.1uve
interval_seconds: 60
unit_rounding: carry
workloads:
  - name: web
    order: order-1
    lease: lease-1
    start: "2026-01-31T08:00:00Z"
    end: "1770000000"
    collectors:
      - {kind: cgroup2, path: /sys/fs/cgroup/a}
      - {kind: network, interfaces: [eth0], side: outside}
      - kind: prometheus
        url: http://127.0.0.1:9400/metrics
        selector: pod="a"
        exporter: custom
        rules: [{metric: gpuSeconds, series: gpu_time, reading: counter, divide: "100"}]
feeds:
  - {kind: ndjson, name: a, file: usage.ndjson, follow: false}
  - {kind: csv, name: b, file: /var/usage.csv}
  - {kind: cloudevents, name: c, port: 0, token_file: token}
`;

async function refusal(body: string): Promise<string> {
  const error = await parseSettings(body, FILE).catch((thrown: Error) => thrown);
  if (error instanceof Error) return error.message;
  throw new Error("it was taken");
}

describe("settings of the daemon", () => {
  it("have a default for all but the key and the prices", async () => {
    const settings = await parseSettings(LEAST, FILE);
    expect(settings).toMatchObject({
      nodes: ["http://127.0.0.1:26657"],
      key: { name: "provider-1", keyring: "auto" },
      gasPrice: "0.025uve",
      intervalSeconds: 3600,
      sampleSeconds: 1,
      unitRounding: "floor",
      drainSeconds: 10,
      metrics: { enabled: true, host: "127.0.0.1", port: 26_670 },
      workloads: [],
      feeds: [],
    });
  });

  it("are written by init with a comment on each, and read back as the defaults", async () => {
    const text = settingsText(SETTINGS, {
      key: { name: "provider-1" },
      prices: { default: { cpu: "1500uve" } },
    });
    expect(await parseSettings(text, FILE)).toEqual(await parseSettings(LEAST, FILE));
    const fields = text.split("\n").filter((line) => /^\s*(# )?[a-z_]+:/.test(line));
    expect(fields.length).toBeGreaterThan(35);
    for (const name of Object.keys(SETTINGS.fields)) {
      expect(text).toMatch(new RegExp(`^# .*\\n(# )?${name}:`, "m"));
    }
  });

  it("take paths from the folder of the file, and factors as exact integers", async () => {
    const { feeds, workloads } = await parseSettings(EVERYTHING, FILE);
    expect(feeds.map((feed) => ("file" in feed ? feed.file : feed.tokenFile))).toEqual([
      "/srv/p/provider/usage.ndjson",
      "/var/usage.csv",
      "/srv/p/provider/token",
    ]);
    const [, , prometheus] = workloads[0]?.collectors ?? [];
    expect(prometheus).toMatchObject({ rules: [{ multiply: 1n, divide: 100n }] });
  });
});

describe("what is wrong in the settings is told with file, line, field, expected and found", () => {
  const cases: readonly (readonly [string, string, string])[] = [
    ["unknown field", `${LEAST}intervall_seconds: 5\n`, ":3: intervall_seconds: expected one of"],
    ["unknown field inside", "key: {name: a, nam: b}\n", ":1: key.nam: expected one of name, k"],
    ["number", `${LEAST}interval_seconds: 0\n`, "from 1 to 2678400, found 0"],
    ["text for a number", `${LEAST}interval_seconds: "60"\n`, 'found "60"'],
    ["choice", `${LEAST}unit_rounding: up\n`, 'expected floor or carry, found "up"'],
    ["missing", "prices: {default: {}}\n", "key.name: expected the name or address of a key"],
    ["kind", `${LEAST}feeds:\n  - {kind: xml}\n`, ':4: feeds[0]: expected a record whose "kind"'],
    ["deep", `${LEAST}workloads:\n  - name: a b\n`, ":4: workloads[0].name: expected 1 to 64"],
    ["list", `${LEAST}nodes: []\n`, "nodes: expected a list of 1 to 16, found 0"],
    ["number for a text", `${LEAST}gas_price: 5\n`, 'found 5; put it in quotes: "5"'],
    ["no prices", "key: {name: a}\n", "prices: expected prices or prices_file, found neither"],
    ["not YAML", "key: [\n", "not YAML"],
    ["twice", `${LEAST}key: {name: b}\n`, ":3: not YAML: Map keys must be unique"],
    ["alias", `${LEAST}log: &a {level: info}\nmetrics: *a\n`, "found an alias"],
  ];
  it.each(cases)("%s", async (_name, body, expected) => {
    const message = await refusal(body);
    expect(message).toContain(expected);
    expect(message.startsWith(`${FILE}:`)).toBe(true);
  });

  it("the same name or lease twice", async () => {
    const feed = "  - {kind: csv, name: a, file: b}\n";
    expect(await refusal(`${LEAST}feeds:\n${feed}${feed}`)).toMatch(/name of a feed.*"a" twice/);
  });
});

describe("the JSON schema of the settings", () => {
  it("is docs/provider.schema.json", async () => {
    const kept = await readFile(inRoot("docs/provider.schema.json"), "utf8");
    const advice =
      "settled provider init --schema > docs/provider.schema.json, then npm run format";
    expect(JSON.parse(kept), advice).toEqual(JSON.parse(await settingsSchema()));
  });

  it("takes what the daemon takes, and refuses what it refuses", async () => {
    const validate = new Ajv({ strict: true, allowUnionTypes: true }).compile(
      JSON.parse(await settingsSchema()) as object,
    );
    expect(validate(parse(LEAST)), JSON.stringify(validate.errors)).toBe(true);
    expect(validate(parse(EVERYTHING)), JSON.stringify(validate.errors)).toBe(true);
    for (const wrong of [
      `${LEAST}intervall_seconds: 5\n`,
      `${LEAST}interval_seconds: 0\n`,
      `${LEAST}unit_rounding: up\n`,
      `${LEAST}nodes: []\n`,
      `${LEAST}feeds:\n  - {kind: xml}\n`,
      "prices: {default: {}}\n",
    ]) {
      expect(validate(parse(wrong)), wrong).toBe(false);
      await refusal(wrong);
    }
  });
});
