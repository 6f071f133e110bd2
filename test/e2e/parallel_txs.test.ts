import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { cli } from "../unit/cli/fake_io.ts";
import { devNode } from "./dev_node.ts";
import { settled } from "./node_process.ts";

const node = devNode(["--block-interval", "50ms", "--log-level", "error"]);

function payment(...flags: string[]): string[] {
  const words = ["tx", "bank", "send", "customer-1", "10uve", "--from", "provider-1"];
  return [...words, "--home", node.home, "-o", "json", ...flags];
}

/** Sends a payment from this process. */
const send = (...flags: string[]) => cli(payment(...flags));

async function nextSequence(): Promise<string> {
  const { address } = node.account("provider-1");
  const { stdout } = await cli([
    ...["query", "auth", "account", address],
    ...["--home", node.home, "-o", "json"],
  ]);
  return /"sequence":"([0-9]+)"/.exec(stdout)?.[1] ?? "0";
}

test("ten processes send txs of one key at the same time, and all of them succeed", async () => {
  const runs = await Promise.all(Array.from({ length: 10 }, () => settled(payment())));
  expect(runs.map(({ code, stderr }) => ({ code, stderr }))).toEqual(
    Array.from({ length: 10 }, () => ({ code: 0, stderr: "" })),
  );
  const hashes = runs.map(({ stdout }) => (JSON.parse(stdout) as { hash: string }).hash);
  expect(new Set(hashes).size).toBe(10);
  expect(await nextSequence()).toBe("10");
});

test("one that does not wait for its block is followed by another at once", async () => {
  const first = await send("--no-wait");
  const second = await send("--no-wait");
  const third = await send();
  expect([first.exit, second.exit, third.exit]).toEqual([0, 0, 0]);
  expect(await nextSequence()).toBe("13");
});

test("a note that is ahead of the chain, or broken, does no harm", async () => {
  const sequences = join(node.home, "sequences");
  await mkdir(sequences, { recursive: true });
  const note = join(sequences, `${node.report.chainId}-${node.account("provider-1").address}.next`);
  for (const text of ["99999\n", "what?"]) {
    await writeFile(note, text);
    expect((await send()).exit).toBe(0);
  }
  expect(await nextSequence()).toBe("15");
});

test("--sequence is taken at its word", async () => {
  const { exit, stderr } = await send("--sequence", "3", "--gas", "200000");
  expect(exit).toBe(5);
  expect(stderr).toContain("account sequence mismatch, expected 15, got 3");
});
