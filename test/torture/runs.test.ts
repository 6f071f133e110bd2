import { afterAll, beforeAll, expect, test } from "vitest";
import { inRoot } from "../architecture/repository.ts";
import { ensureBuilt } from "../e2e/node_process.ts";
import { Bench } from "./bench.ts";
import { smallestOf, runSeeds } from "./runs.ts";

// The daemon of this project, 20 times through everything that can happen. `npm run torture` does
// the same a thousand times.

const SEEDS = Array.from({ length: 20 }, (_, index) => index + 1);
const LANES = 4;

let bench: Bench;
let isKept = false;

beforeAll(async () => {
  await ensureBuilt();
  bench = await Bench.open(inRoot("dist/cli/main.js"), LANES);
}, 120_000);

afterAll(async () => bench?.close(isKept));

test("what the daemon is fed with is what the chain bills, through kills and lost answers", async () => {
  const reports = await runSeeds(bench, SEEDS, { daemonMax: 1, nodeOneIn: 4 });
  const failed = reports.find(({ failure }) => failure !== undefined);
  if (failed !== undefined) {
    isKept = true;
    const smallest = await smallestOf(bench, failed);
    expect.fail(`seed ${failed.seed}, files in ${failed.dir}:\n  ${failed.failure}\n${smallest}`);
  }
  const kinds = new Set(reports.flatMap(({ applied }) => applied.map(({ kind }) => kind)));
  expect(reports.reduce((sum, { records }) => sum + records, 0)).toBeGreaterThan(100);
  expect([...kinds]).toEqual(expect.arrayContaining(["kill_daemon", "kill_node", "lose_answer"]));
}, 600_000);
