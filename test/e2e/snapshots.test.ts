import { copyFile, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Client } from "../../src/client/client.ts";
import { cli } from "../unit/cli/fake_io.ts";
import { initHome, type NodeProcess, startNodeProcess, temporaryFolder } from "./node_process.ts";

const BLOCKS = ["--block-mode", "interval", "--block-interval", "5ms"];

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let home: string;

beforeAll(async () => {
  folder = await temporaryFolder();
  home = join(folder.path, "home");
  await initHome(home);
  await runTo(home, 60n);
});

afterAll(async () => folder.remove());

/** Runs the node of a home until it has a height; the height that it then has at least. */
async function runTo(at: string, height: bigint): Promise<void> {
  const node = await startNodeProcess(at, ...BLOCKS);
  await reached(node, height);
  expect((await node.program.end("SIGINT")).code).toBe(0);
}

async function reached({ program, rpc }: NodeProcess, height: bigint): Promise<void> {
  const client = await Client.connect(rpc);
  await program.until(`height ${height}`, async () => {
    return (await client.status()).latestHeight >= height ? true : undefined;
  });
}

/** The app hash after a height, as the next block's header has it. */
async function appHashAt(node: NodeProcess, height: bigint): Promise<string> {
  const client = await Client.connect(node.rpc);
  const params = { height: (height + 1n).toString() };
  const { block } = (await client.rpc.call("block", params)) as {
    block: { header: { app_hash: string } };
  };
  return block.header.app_hash;
}

/** Runs a command that succeeds; its JSON. */
async function json(...args: string[]): Promise<Record<string, string | number>> {
  const { exit, stdout, stderr } = await cli([...args, "-o", "json"]);
  expect(stderr).toBe("");
  expect(exit).toBe(0);
  return JSON.parse(stdout) as Record<string, string | number>;
}

test("a snapshot of an earlier height goes on, on another machine, with the validator's key", async () => {
  const at = ["--home", home];
  const created = await json("snapshot", "create", "--height", "40", ...at);
  expect(created).toMatchObject({ height: "40" });
  await json("snapshot", "create", ...at);
  const list = await json("snapshot", "list", ...at);
  expect(list).toMatchObject([{ height: "40", app_hash: created["app_hash"] }, {}]);
  const copy = join(folder.path, "copy");
  const file = created["file"] as string;
  const bytes = await readFile(file);
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] as number) ^ 255;
  const bad = join(folder.path, "bad.snapshot");
  await writeFile(bad, bytes);
  const refused = await cli(["snapshot", "restore", bad, "--home", copy]);
  expect(refused.exit).toBe(1);
  expect(refused.stderr).toMatch(
    /error: .*bad\.snapshot: chunk \d+ of \d+: checksum \w+, expected/,
  );
  const restored = await json("snapshot", "restore", file, "--home", copy);
  expect(restored).toMatchObject({ height: "40", app_hash: created["app_hash"] });
  // No secret is in what was moved.
  const seed = (await readFile(join(home, "config", "priv_validator_key.json"), "utf8")).trim();
  expect((await readdir(join(copy, "config"))).sort()).toEqual(["config.json", "genesis.json"]);
  const key = "priv_validator_key.json";
  await copyFile(join(home, "config", key), join(copy, "config", key));
  expect((await readFile(join(copy, "config", key), "utf8")).trim()).toBe(seed);
  const node = await startNodeProcess(copy, ...BLOCKS);
  await reached(node, 50n);
  expect(await appHashAt(node, 40n)).toBe(created["app_hash"]);
  const { earliestHeight } = await (await Client.connect(node.rpc)).status();
  expect(earliestHeight).toBe(40n);
  expect((await node.program.end("SIGINT")).code).toBe(0);
});

test("a rollback asks first, goes to the state that the block recorded, and the chain goes on", async () => {
  const at = ["--home", home];
  const asked = await cli(["rollback", "--to", "30", ...at]);
  expect(asked.exit).toBe(2);
  expect(asked.stderr).toContain("--yes");
  const above = await cli(["rollback", "--to", "100000", "--yes", ...at]);
  expect(above.stderr).toContain("cannot go back to height 100000: the latest is");
  const snapshot = await json("snapshot", "create", "--height", "30", ...at);
  const back = await json("rollback", "--to", "30", "--yes", ...at);
  expect(back).toMatchObject({ height: "30", app_hash: snapshot["app_hash"] });
  const node = await startNodeProcess(home, ...BLOCKS);
  await reached(node, 60n);
  expect(await appHashAt(node, 30n)).toBe(back["app_hash"]);
  expect((await node.program.end("SIGINT")).code).toBe(0);
});

test("pruning a stopped chain shrinks it, and what is pruned is out of reach", async () => {
  const at = ["--home", home];
  const pruned = await json("prune", "--keep-history", "10", "--keep-blocks", "10", ...at);
  expect(pruned["bytes_after"]).toBeLessThan(pruned["bytes_before"] as number);
  const earliest = Number(pruned["earliest_history"]);
  expect(earliest).toBeGreaterThanOrEqual(50);
  expect(Number(pruned["earliest_block"])).toBe(earliest + 1);
  const lower = await cli(["rollback", "--to", "20", "--yes", ...at]);
  expect(lower.stderr).toContain(`the lowest height kept is ${earliest}`);
  const stateOnly = await cli(["rollback", "--to", String(earliest), "--yes", ...at]);
  expect(stateOnly.stderr).toContain(`the lowest block kept is ${earliest + 1}`);
  await json("rollback", "--to", String(earliest + 1), "--yes", ...at);
  await runTo(home, BigInt(earliest + 5));
});
