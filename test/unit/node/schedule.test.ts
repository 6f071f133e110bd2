import { describe, expect, test } from "vitest";
import { nextBlockIn } from "../../../src/node/engine/schedule.ts";
import { LruSet } from "../../../src/node/lru_set.ts";

describe("schedule", () => {
  test.each([
    { blockMode: "mixed" as const, txsWait: true, since: 30, due: 70 },
    { blockMode: "mixed" as const, txsWait: true, since: 300, due: 0 },
    { blockMode: "mixed" as const, txsWait: false, since: 300, due: 4700 },
    { blockMode: "instant" as const, txsWait: true, since: 0, due: 0 },
    { blockMode: "instant" as const, txsWait: false, since: 9000, due: undefined },
    { blockMode: "interval" as const, txsWait: true, since: 40, due: 60 },
    { blockMode: "interval" as const, txsWait: false, since: 40, due: 60 },
    { blockMode: "manual" as const, txsWait: true, since: 9000, due: undefined },
  ])(
    "$blockMode, txs wait: $txsWait, $since ms on: due in $due",
    ({ blockMode, txsWait, since, due }) => {
      const schedule = { blockMode, blockIntervalMs: 100, emptyBlockIntervalMs: 5000 };
      expect(nextBlockIn(schedule, txsWait, since)).toBe(due);
    },
  );
});

test("a set of what was seen last forgets the oldest", () => {
  const seen = new LruSet(2);
  expect([seen.add("a"), seen.add("b"), seen.add("a"), seen.add("c")]).toEqual([
    true,
    true,
    false,
    true,
  ]);
  expect([seen.has("a"), seen.has("b"), seen.has("c"), seen.size]).toEqual([true, false, true, 2]);
});
