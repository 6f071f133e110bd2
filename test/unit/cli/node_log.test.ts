import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { LOG_LEVELS, nodeLog } from "../../../src/cli/node_log.ts";
import { loadOpenApp } from "../../../src/cli/open_app.ts";
import { startChain } from "../../../src/cli/running_chain.ts";
import { Client } from "../../../src/client/client.ts";
import { readConfig } from "../../../src/node/config.ts";
import { validatorKeyPath } from "../../../src/node/validator_key.ts";
import { writeDevHome } from "../../testkit/dev_home.ts";
import { cli, fakeIo } from "./fake_io.ts";

const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

type Format = "text" | "json";

interface Logged {
  readonly home: string;
  readonly log: string;
  readonly said: string;
  /** Of the key in the file keyring, told once when it was made. */
  readonly mnemonic: string;
}

describe("lines", () => {
  test("in words: time, level, message, facts, and one line whatever the facts hold", () => {
    const io = fakeIo();
    const log = nodeLog(io, "debug", "text");
    log.info("block", { height: 5n, txs: 2, isEmpty: false });
    log.error("a fault", { error: "Error: x\n    at y", path: "/a b", empty: "", quote: '"' });
    log.warn("two\nlines");
    const lines = io.stderr().split("\n");
    expect(lines).toHaveLength(4);
    const [time = "", ...rest] = (lines[0] as string).split(" ");
    expect(time).toMatch(INSTANT);
    expect(rest.join(" ")).toBe("INFO  block height=5 txs=2 isEmpty=false");
    expect(lines[1]).toContain(
      ' ERROR a fault error="Error: x\\n    at y" path="/a b" empty="" quote="\\""',
    );
    expect(lines[2]).toContain('WARN  "two\\nlines"');
  });

  test("in JSON: level in words, time in UTC, whole numbers above 2^53 as text", () => {
    const io = fakeIo();
    nodeLog(io, "info", "json").warn("late", { height: 9_007_199_254_740_993n, ms: 3 });
    const line = JSON.parse(io.stderr()) as Record<string, unknown>;
    expect(line).toMatchObject({ level: "warn", msg: "late", height: "9007199254740993", ms: 3 });
    expect(line["time"]).toMatch(INSTANT);
    expect(Object.keys(line).sort()).toEqual(["height", "level", "ms", "msg", "time"]);
  });

  test.each(["text", "json"] as const)("of a level and those above it, in %s", (format) => {
    const shown = LOG_LEVELS.map((level) => {
      const io = fakeIo();
      const log = nodeLog(io, level, format);
      log.debug("a");
      log.info("a");
      log.warn("a");
      log.error("a");
      return io.stderr().split("\n").length - 1;
    });
    expect(shown).toEqual([4, 3, 2, 1, 0]);
  });
});

describe("of a node", () => {
  let root: string;
  /** Tests read the same log. */
  const logs = new Map<Format, Promise<Logged>>();

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), "settled-log-"));
  });
  afterAll(async () => rm(root, { recursive: true, force: true }));

  async function logged(format: Format): Promise<Logged> {
    const log = logs.get(format) ?? makeLog(format);
    logs.set(format, log);
    return log;
  }

  /** Starts a node that logs all there is, uses it well and badly, and stops it. */
  async function makeLog(format: Format): Promise<Logged> {
    const home = join(root, format);
    await writeDevHome(home);
    const io = fakeIo();
    const config = await readConfig(home, { rpcPort: 0, blockMode: "manual" });
    const log = nodeLog(io, "debug", format);
    const chain = await startChain({ home, config, log, openApp: await loadOpenApp() });
    const { rpc, rest, metrics } = chain.report.endpoints;
    const client = await Client.connect(rpc);
    const to = chain.report.accounts.at(-1)?.address as string;
    const env = { SETTLED_KEYRING_PASSWORD: PASSWORD };
    const file = ["--home", home, "--keyring-backend", "file"];
    const bob = await cli(["keys", "add", "bob", "--show-mnemonic", ...file, "-o", "json"], {
      env,
    });
    const { address, mnemonic } = JSON.parse(bob.stdout) as { address: string; mnemonic: string };
    expect(mnemonic.split(" ").length).toBeGreaterThanOrEqual(12);
    let said = "";
    const run = async (...words: string[]) => {
      const flags = ["--home", home, "--yes", "--no-wait", "--gas", "200000"];
      const outcome = await cli([...words, ...flags], { env });
      said += outcome.stdout + outcome.stderr;
      await client.devMine();
      return outcome.exit;
    };
    const pay = ["tx", "bank", "send", "--memo", MEMO];
    expect(await run(...pay, address, "9000000uve", "--from", "customer-1")).toBe(0);
    const fromFile = ["--from", "bob", "--keyring-backend", "file"];
    expect(await run(...pay, to, "7uve", ...fromFile)).toBe(0);
    await run("tx", "bank", "send", to, "999999999999999999uve", "--from", "customer-1");
    for (const body of [
      "{",
      "[]",
      '{"id":1,"method":"broadcast_tx_sync","params":{"tx":"AAAA"}}',
    ]) {
      await fetch(rpc, { method: "POST", body });
    }
    for (const url of [`${rest}/no/such/thing`, `${metrics}/metrics`, `${metrics}/ready`]) {
      await (await fetch(url)).text();
    }
    await chain.stop();
    return { home, log: io.stderr(), said, mnemonic };
  }

  /** Long enough to be looked for, and nothing that a log could have by chance. */
  const PASSWORD = "correct-horse-battery-staple";
  const MEMO = "a-memo-of-two-parties-alone";

  async function secrets(home: string): Promise<string[]> {
    const found: string[] = [];
    const folder = join(home, "keyring-test");
    for (const name of await readdir(folder)) {
      const { privateKey, mnemonic } = JSON.parse(await readFile(join(folder, name), "utf8"));
      const bytes = Buffer.from(privateKey as string, "hex");
      expect(bytes).toHaveLength(32);
      found.push(privateKey as string, bytes.toString("base64"), mnemonic as string);
    }
    for (const path of [validatorKeyPath(home), join(home, "config", "node_key.json")]) {
      const value = JSON.parse(await readFile(path, "utf8")).priv_key.value as string;
      const seed = Buffer.from(value, "base64").subarray(0, 32);
      found.push(value, seed.toString("hex"), seed.toString("base64"));
    }
    return found;
  }

  test("has one line per block, with what it cost", async () => {
    const { log } = await logged("json");
    const lines = log
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const blocks = lines.filter(({ msg }) => msg === "block");
    expect(blocks.length).toBeGreaterThanOrEqual(4);
    const heights = blocks.map(({ height }) => Number(height));
    expect(heights).toEqual(heights.map((_, at) => at + 1));
    for (const block of blocks) {
      expect(block).toMatchObject({ level: "info", txs: expect.any(Number) });
      for (const name of ["executeMs", "syncMs", "ms"]) expect(block[name]).toBeTypeOf("number");
      expect(block["appHash"]).toMatch(/^[0-9a-f]{12}$/);
    }
    const gas = blocks.map((block) => Number(block["gas"]));
    expect(gas.filter((used) => used > 10_000).length).toBeGreaterThanOrEqual(2);
    // The payment of more than there is.
    expect(blocks.filter(({ failed }) => failed === 1)).toHaveLength(1);
    expect(lines.filter(({ level }) => level === "error")).toEqual([]);
  });

  test.each(["text", "json"] as const)(
    "holds no key, mnemonic, password or content of a tx at any level, in %s",
    async (format) => {
      const { home, log, said, mnemonic } = await logged(format);
      expect(log).toContain("block id");
      const all = [...(await secrets(home)), mnemonic];
      expect(all.length).toBeGreaterThan(15);
      const written = (where: string) =>
        all.filter((secret) => where.toLowerCase().includes(secret.toLowerCase()));
      expect(written(log)).toEqual([]);
      expect(written(said)).toEqual([]);
      expect(log + said).not.toContain(PASSWORD);
      expect(log).not.toContain(MEMO);
    },
  );
});
