import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { decodeTxRecord, encodeTxRecord } from "../../src/codec/tendermint.ts";
import { bytesOfKey, keyOfBytes } from "../../src/lib/key.ts";
import { txKey } from "../../src/node/block_keys.ts";
import { databasePath } from "../../src/node/home.ts";
import { openLevelDb } from "../../src/store/leveldb.ts";
import { cli } from "../unit/cli/fake_io.ts";
import { initHome, type NodeProcess, rpcCall } from "./node_process.ts";
import { startNodeProcess, temporaryFolder } from "./node_process.ts";

const REPLAY_DIFFERS = 11;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let home: string;
let node: NodeProcess | undefined;

beforeAll(async () => {
  folder = await temporaryFolder();
  home = join(folder.path, "home");
  await initHome(home);
  node = await startNodeProcess(home, "--block-mode", "instant");
});

afterAll(async () => {
  await node?.program.end("SIGKILL");
  await folder.remove();
});

async function json(args: readonly string[]) {
  const { exit, stdout, stderr } = await cli([...args, "-o", "json"]);
  const text = exit === 0 ? stdout : stderr;
  return { exit, value: JSON.parse(text) as Record<string, unknown> };
}

async function send(amount: string): Promise<bigint> {
  const to = node?.report.accounts.find(({ name }) => name === "provider-1")?.address ?? "";
  const tx = ["tx", "bank", "send", to, amount, "--from", "customer-1", "--yes"];
  const { value } = await json([...tx, "--home", home]);
  return BigInt(value["height"] as string);
}

test("a chain that a node made comes out as recorded, and the first altered result is named", async () => {
  const heights = [await send("5uve"), await send("6uve")];
  const running = await cli(["replay", "--home", home]);
  expect(running.exit).toBe(1);
  expect(running.stderr).toContain(`in use by process ${node?.program.pid}: stop it`);
  expect((await node?.program.end("SIGTERM"))?.code).toBe(0);

  const whole = await json(["replay", "--home", home]);
  expect(whole).toMatchObject({ exit: 0, value: { from_height: "1", txs: 2, into: null } });
  const blocks = whole.value["blocks"] as number;
  expect(BigInt(blocks)).toBeGreaterThanOrEqual(heights[1] as bigint);
  const trusted = await json(["replay", "--home", home, "--trust-signatures"]);
  expect(trusted.value).toMatchObject({
    app_hash: whole.value["app_hash"],
    trusted_signatures: true,
  });
  const part = await cli(["replay", "--home", home, "--to", "2"]);
  expect(part.stdout).toContain("blocks 1 to 2 came out as recorded");

  const log = join(folder.path, "chain.log");
  const recorded = await json(["replay", "--home", home, "--record", log]);
  expect(recorded.value).toMatchObject({ written: log, blocks, txs: 2 });
  const again = join(folder.path, "again");
  const replayed = await json(["replay", "--log", log, "--into", again]);
  expect(replayed.value).toMatchObject({ app_hash: whole.value["app_hash"], into: again, blocks });
  await expectNodeGoesOn(again, blocks);

  const damaged = await readFile(log);
  damaged[300] = (damaged[300] as number) ^ 4;
  await writeFile(log, damaged);
  const refused = await cli(["replay", "--log", log]);
  expect(refused.exit).toBe(1);
  expect(refused.stderr).toContain("chunk 1 is damaged");

  await alterGasUsed(heights[1] as bigint);
  const differs = await json(["replay", "--home", home]);
  expect(differs.exit).toBe(REPLAY_DIFFERS);
  expect(differs.value["error"]).toMatchObject({
    ...{ code: "replay_differs", exit: REPLAY_DIFFERS, expected: "12345" },
    ...{ height: heights[1]?.toString(), field: "txs[0].gas_used" },
  });
  expect((await cli(["replay", "--home", home, "--to", `${heights[0]}`])).exit).toBe(0);
});

test("wrong flags are usage errors", async () => {
  const cases = [
    [["--to", "0"], "--to is a height from 1 to"],
    [["--to", "many"], "expected a number"],
    [["--record", "x.log", "--trust-signatures"], "--record replays nothing"],
    [["--record", "x.log", "--log", "y.log"], "does not go with --log"],
    [["--record", join(home, "config", "genesis.json")], "exists: name a new file"],
  ] as const;
  for (const [flags, text] of cases) {
    const { exit, stderr } = await cli(["replay", "--home", home, ...flags]);
    expect([exit, stderr]).toEqual([2, expect.stringContaining(text)]);
  }
  const absent = await cli(["replay", "--home", join(folder.path, "none")]);
  expect([absent.exit, absent.stderr]).toEqual([1, expect.stringContaining("no genesis file")]);
});

/** A home made by a replay has the blocks, and its node makes the next ones. */
async function expectNodeGoesOn(path: string, blocks: number): Promise<void> {
  node = await startNodeProcess(path, "--block-mode", "mixed");
  const { rpc, program } = node;
  const status = (await rpcCall(rpc, "status")).result as {
    sync_info: { latest_block_height: string; earliest_block_height: string };
  };
  expect(Number(status.sync_info.latest_block_height)).toBeGreaterThanOrEqual(blocks);
  expect(status.sync_info.earliest_block_height).toBe("1");
  const search = await rpcCall(rpc, "tx_search", { query: "tx.height>0", per_page: "10" });
  expect(search.result).toMatchObject({ total_count: "2" });
  await program.end("SIGTERM");
}

/** Writes another result of the first tx of a block into the node's database. */
async function alterGasUsed(height: bigint): Promise<void> {
  const db = await openLevelDb(databasePath(home));
  const key = bytesOfKey(txKey(height, 0));
  const record = decodeTxRecord((await db.get(key)) as Uint8Array);
  const value = encodeTxRecord({ ...record, result: { ...record.result, gasUsed: 12_345n } });
  await db.write([{ key: keyOfBytes(key), value }]);
  await db.close();
}
