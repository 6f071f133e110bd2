import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { plus } from "./model/coins.ts";
import type { Model } from "./model/model.ts";
import { planOf } from "./operations.ts";
import { runPlan } from "./runs.ts";
import { shrink } from "./shrink.ts";
import { asSource } from "./source.ts";

// That the model agrees with the module is shown by simulation.test.ts.

const wrongs: readonly [string, (model: Model) => void][] = [
  ["another version of params", (model) => (model.version = 9n)],
  [
    "a coin more on an account",
    ({ accounts }) => {
      const [account] = [...accounts.values()] as [{ coins: ReturnType<typeof plus> }];
      account.coins = plus(account.coins, [{ denom: "uve", amount: "1" }]);
    },
  ],
  [
    "fees of nothing",
    (model) =>
      (model.sharesOf = (total) => ({
        total,
        platformFee: [],
        validatorFee: [],
        providerShare: total,
      })),
  ],
  ["rewards of one unit", (model) => (model.rewardOf = () => 1n)],
  [
    "a time that no event tells",
    (model) =>
      meddleChange(model, (fields) => ("updatedAtNs" in fields ? { updatedAtNs: 1n } : {})),
  ],
  [
    "entries that a claim leaves there",
    (model) => meddleChange(model, (fields) => ("isGone" in fields ? { isGone: false } : {})),
  ],
  ["escrows that never end by themselves", (model) => (model.isPast = () => false)],
];

/** Has every change of a record change something else too. */
function meddleChange(model: Model, more: (fields: object) => object): void {
  const change = model.change.bind(model);
  model.change = (record, fields) => change(record, { ...fields, ...more(fields) });
}

test.each(wrongs)("a model with %s is seen", async (_, meddle) => {
  for (const seed of [1_000_004, 1_000_005, 1_000_006]) {
    const found = await runPlan(planOf(seed, 250), { meddle });
    if (found === undefined) continue;
    expect(found.what).toContain("the model ");
    return;
  }
  expect.unreachable("nothing differs");
});

test("a model that reckons differently is noticed, and the disagreement is shrunk to a few blocks", async () => {
  const meddle = (model: Model): void => {
    const emit = model.emit.bind(model);
    model.emit = (name, record, more) => {
      const wrong = name === "UsageRecorded" ? { usageUnits: 0n } : {};
      emit(name, record, { ...more, ...wrong });
    };
  };
  const plan = planOf(1, 250);
  const found = await runPlan(plan, { meddle });
  if (found === undefined) return expect.fail("the model's other units were not noticed");
  const least = await shrink(plan, found, { meddle });
  expect(least.what).toContain("usage_units");
  expect(least.blocks.flatMap(({ txs }) => txs).length).toBeLessThan(8);
  expect(asSource(least)).toContain("MsgRecordUsage");
});

test("the model imports nothing from src but generated messages", () => {
  const folder = join(import.meta.dirname, "model");
  const imports = readdirSync(folder).flatMap((name) => {
    const text = readFileSync(join(folder, name), "utf8");
    return [...text.matchAll(/from "([^"]+)"/g)].map(([, from = ""]) => from);
  });
  expect(
    imports.filter((from) => !/^\.\/|^\.\.\/\.\.\/\.\.\/src\/gen\/|^node:/.test(from)),
  ).toEqual([]);
});
