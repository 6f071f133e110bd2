import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { must } from "../../src/lib/assert.ts";
import {
  initHome,
  type NodeProcess,
  settled,
  startNodeProcess,
  temporaryFolder,
} from "./node_process.ts";

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let node: NodeProcess;

beforeAll(async () => {
  folder = await temporaryFolder();
  await initHome(folder.path);
  node = await startNodeProcess(folder.path, "--block-interval", "50ms", "--log-level", "error");
}, 120_000);

afterAll(async () => {
  await node?.program.end("SIGINT");
  await folder.remove();
});

function send(...flags: string[]) {
  const payment = ["tx", "bank", "send", "customer-1", "10uve", "--from", "provider-1"];
  return settled([...payment, "--home", folder.path, "-o", "json", ...flags]);
}

async function nextSequence(): Promise<string> {
  const { address } = must(
    node.report.accounts.find(({ name }) => name === "provider-1"),
    "a dev chain has provider-1",
  );
  const { stdout } = await settled([
    ...["query", "auth", "account", address],
    ...["--home", folder.path, "-o", "json"],
  ]);
  return /"sequence":"([0-9]+)"/.exec(stdout)?.[1] ?? "0";
}

test("ten processes send txs of one key at the same time, and all of them succeed", async () => {
  const runs = await Promise.all(Array.from({ length: 10 }, () => send()));
  expect(runs.map(({ code, stderr }) => ({ code, stderr }))).toEqual(
    Array.from({ length: 10 }, () => ({ code: 0, stderr: "" })),
  );
  const hashes = runs.map(({ stdout }) => (JSON.parse(stdout) as { hash: string }).hash);
  expect(new Set(hashes).size).toBe(10);
  expect(await nextSequence()).toBe("10");
}, 120_000);

test("one that does not wait for its block is followed by another at once", async () => {
  const first = await send("--no-wait");
  const second = await send("--no-wait");
  const third = await send();
  expect([first.code, second.code, third.code]).toEqual([0, 0, 0]);
  expect(await nextSequence()).toBe("13");
}, 60_000);

test("a note that is ahead of the chain, or broken, does no harm", async () => {
  const sequences = join(folder.path, "sequences");
  await mkdir(sequences, { recursive: true });
  const { chainId, accounts } = node.report;
  const { address } = must(
    accounts.find(({ name }) => name === "provider-1"),
    "provider-1",
  );
  const note = join(sequences, `${chainId}-${address}.next`);
  for (const text of ["99999\n", "what?"]) {
    await writeFile(note, text);
    expect((await send()).code).toBe(0);
  }
  expect(await nextSequence()).toBe("15");
}, 60_000);

test("--sequence is taken at its word", async () => {
  const { code, stderr } = await send("--sequence", "3", "--gas", "200000");
  expect(code).toBe(5);
  expect(stderr).toContain("account sequence mismatch, expected 15, got 3");
}, 60_000);
