import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { checkpointFile } from "../../../src/node/checkpoint_file.ts";
import { silentLog } from "../../../src/node/log.ts";
import { temporaryFolder } from "../../e2e/node_process.ts";

let folder: Awaited<ReturnType<typeof temporaryFolder>>;

beforeAll(async () => {
  folder = await temporaryFolder();
});

afterAll(async () => folder.remove());

test("what cannot be read is a torn checkpoint, and no reason not to start", async () => {
  const path = join(folder.path, "commitment.checkpoint");
  const warnings: string[] = [];
  const log = { ...silentLog, warn: (message: string) => void warnings.push(message) };
  const file = checkpointFile(path, log);
  expect(await file.read()).toBeUndefined();
  // A folder stands for anything that is there and gives an error.
  await mkdir(path);
  const pieces: Uint8Array[] = [];
  for await (const piece of (await file.read()) ?? []) pieces.push(piece);
  expect(pieces).toEqual([]);
  expect(warnings).toEqual(["the checkpoint cannot be read"]);
});
