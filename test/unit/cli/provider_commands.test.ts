import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parseSettings } from "../../../src/provider/daemon/settings.ts";
import { openOutbox } from "../../../src/provider/outbox/level_outbox.ts";
import { naturalKey } from "../../../src/provider/outbox/outbox_record.ts";
import { read } from "../../architecture/repository.ts";
import { closedWindow, outboxRecord } from "../provider/outbox/records.ts";
import { cli } from "./fake_io.ts";

let home: string;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "settled-cli-provider-"));
});
afterEach(async () => {
  await rm(home, { recursive: true, force: true });
});

const provider = (...words: string[]) => cli(["provider", ...words, "--home", home]);

/** An outbox such as a daemon leaves. */
async function given(): Promise<string[]> {
  const outbox = await openOutbox(join(home, "provider/outbox"));
  const reason = { codespace: "settlement", code: 1518, log: "the escrow has expired" };
  const records = [
    outboxRecord(1, 1, { state: "included", usageId: "usage-1" }),
    outboxRecord(1, 2, { state: "refused", reason }),
    outboxRecord(2, 1),
  ];
  await outbox.write({ records, windows: [closedWindow(1, 1), closedWindow(1, 2)] });
  await outbox.close();
  return records.map(naturalKey);
}

describe("settled provider init", () => {
  it("writes settings that can be read, with an example on request, and never over others", async () => {
    const first = await provider("init", "--from", "p-1", "--example", "--node", "http://n:1");
    expect(first).toMatchObject({ exit: 0, stderr: "" });
    const file = join(home, "provider/provider.yaml");
    expect(first.stdout).toContain(`wrote ${file}`);
    const settings = await parseSettings(await readFile(file, "utf8"), file);
    expect(settings).toMatchObject({ key: { name: "p-1" }, nodes: ["http://n:1"] });
    expect(settings.workloads).toMatchObject([{ order: "order-1", collectors: [{ pid: 1 }] }]);
    const second = await provider("init");
    expect(second.exit).toBe(1);
    expect(second.stderr).toContain("is there already");
  });

  it("has the prices of examples/prices.json", async () => {
    await provider("init");
    const file = join(home, "provider/provider.yaml");
    const { prices } = await parseSettings(await readFile(file, "utf8"), file);
    const listed = JSON.parse(read("examples/prices.json")) as { prices: Record<string, string> };
    const texts = Object.entries(listed.prices).map(([name, price]) => [name, `${price}uve`]);
    expect(prices).toEqual({ default: Object.fromEntries(texts) });
  });
});

describe("the provider commands without a daemon", () => {
  it("say what to do where nothing has run, and where the settings are wrong", async () => {
    expect(await provider("status")).toMatchObject({ exit: 6 });
    const start = await provider("start");
    expect(start.exit).toBe(2);
    expect(start.stderr).toContain("`settled provider init` writes one");
    await mkdir(join(home, "provider"));
    await writeFile(join(home, "provider/provider.yaml"), "key: {name: a}\nprises: {}\n");
    const doctor = await provider("doctor");
    expect(doctor.exit).toBe(1);
    expect(doctor.stdout).toMatch(/^FAIL {2}config: .*provider\.yaml:2: prises: expected one of/);
  });

  it("show what a daemon has left", async () => {
    await given();
    const status = await provider("status");
    expect(status.exit, status.stderr).toBe(0);
    expect(status.stdout).toMatch(/^daemon +not running$/m);
    expect(status.stdout).toMatch(/^metered +45uve$/m);
    expect(status.stdout).toMatch(/^refused +1 +15$/m);
    expect(status.stdout).toMatch(/refused order-1\/.*: settlement\/1518: the escrow has expired/);
    const rows = (await provider("windows", "-o", "ndjson")).stdout.trim().split("\n");
    expect(rows.map((row) => (JSON.parse(row) as { state: string }).state)).toEqual([
      ...["included", "refused", "pending"],
    ]);
    const refused = await provider("windows", "--state", "refused", "--order", "order-1");
    expect(refused.stdout.split("\n")).toHaveLength(3);
    const partial = await provider("windows", "--partial", "-o", "json");
    expect(JSON.parse(partial.stdout)).toMatchObject([{ partial: true, faults: ["no cpu.stat"] }]);
    expect((await provider("windows", "--limit", "1", "-o", "json")).stdout).toMatch(
      /^\[\{[^{]*\]\n$/,
    );
  });

  it("retry and park records by key", async () => {
    const [included = "", refused = "", pending = ""] = await given();
    expect((await provider("retry")).exit).toBe(2);
    expect((await provider("retry", refused, "--all")).exit).toBe(2);
    expect((await provider("retry", "no/such")).exit).toBe(6);
    expect((await provider("retry", refused)).stdout).toBe("1 records go again\n");
    expect((await provider("park", pending, "--reason", "waived")).exit).toBe(0);
    const late = await provider("park", included, "--reason", "waived");
    expect(late.exit).toBe(1);
    expect(late.stderr).toContain("is included: only one that waits");
    const rows = JSON.parse((await provider("windows", "-o", "json")).stdout) as object[];
    expect(rows).toMatchObject([
      ...[{ state: "included" }, { state: "pending" }],
      { state: "parked", reason: "waived" },
    ]);
  });

  it("refuse formats and states that there are not", async () => {
    await given();
    const format = await provider("windows", "-o", "xml");
    expect(format.stderr).toContain('--output is text, json, ndjson, not "xml"');
    expect((await provider("windows", "--state", "lost")).exit).toBe(2);
    expect((await provider("start", "--until", "paid")).stderr).toContain("included or settled");
  });
});
