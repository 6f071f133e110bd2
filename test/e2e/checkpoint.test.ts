import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { loadOpenApp } from "../../src/cli/open_app.ts";
import { toHex } from "../../src/lib/bytes.ts";
import { readConfig } from "../../src/node/config.ts";
import { checkpointPath } from "../../src/node/home.ts";
import { type LogFacts, type NodeLog, silentLog } from "../../src/node/log.ts";
import { startNode } from "../../src/node/node.ts";
import { writeDevHome } from "../testkit/dev_home.ts";

let home: string;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "settled-checkpoint-"));
  await writeDevHome(home);
});

afterEach(async () => rm(home, { recursive: true, force: true }));

interface Run {
  readonly height: bigint;
  readonly appHash: string;
  /** Why the commitment was rebuilt from the state; undefined: it was not. */
  readonly rebuilt: string | undefined;
}

/** Starts the node of the home, makes some blocks and stops it. */
async function run(blocks: number): Promise<Run> {
  let rebuilt: string | undefined;
  const info = (message: string, facts: LogFacts = {}): void => {
    if (message.startsWith("rebuilding the commitment")) rebuilt = String(facts["why"]);
  };
  const log: NodeLog = { ...silentLog, info };
  const config = await readConfig(home, { blockMode: "manual", dev: true, keepHistory: 3 });
  const openApp = await loadOpenApp();
  const node = await startNode({ home, config, log, openApp, appVersion: "0" });
  const before = node.view.status();
  if (blocks > 0) await node.view.dev?.mine({ blocks });
  await node.stop();
  return { height: before.latestHeight, appHash: toHex(before.latestAppHash), rebuilt };
}

describe("a node's checkpoint", () => {
  test("is used at the next start", async () => {
    await run(3);
    expect((await run(0)).rebuilt).toBeUndefined();
  });

  test("that is older than the state is brought up to it by the changes since", async () => {
    await run(1);
    const old = join(home, "old");
    await copyFile(checkpointPath(home), old);
    await run(2);
    const last = await run(0);
    await copyFile(old, checkpointPath(home));
    expect(await run(0)).toEqual(last);
    expect(last.rebuilt).toBeUndefined();
  });

  test("that is older than the history is refused, and rebuilt", async () => {
    await run(1);
    const old = join(home, "old");
    await copyFile(checkpointPath(home), old);
    await run(9);
    const last = await run(0);
    await copyFile(old, checkpointPath(home));
    const again = await run(0);
    expect(again.rebuilt).toMatch(/the changes of \d+ are not kept/);
    expect(again.appHash).toBe(last.appHash);
    expect((await run(0)).rebuilt).toBeUndefined();
  });

  test.each<[what: string, change: (bytes: Buffer) => Buffer | undefined, why: RegExp]>([
    ["is missing", () => undefined, /there is no checkpoint/],
    ["is torn", (bytes) => bytes.subarray(0, bytes.length >> 1), /torn/],
    ["has a byte changed", (bytes) => flipped(bytes), /checksum/],
  ])("that %s is rebuilt from the state, and saved anew", async (_what, change, why) => {
    await run(3);
    const last = await run(0);
    const path = checkpointPath(home);
    const bytes = change(await readFile(path));
    if (bytes === undefined) await rm(path);
    else await writeFile(path, bytes);
    const again = await run(0);
    expect(again.rebuilt).toMatch(why);
    expect([again.height, again.appHash]).toEqual([last.height, last.appHash]);
    expect((await run(0)).rebuilt).toBeUndefined();
  });
});

function flipped(bytes: Buffer): Buffer {
  const at = bytes.length - 100;
  bytes[at] = (bytes[at] as number) ^ 1;
  return bytes;
}
