import { expect, test } from "vitest";
import { LONG } from "../property/runs.ts";
import { simulate } from "./simulate.ts";

const OPERATIONS = LONG ? 200_000 : 5000;

test(`module and model agree on ${OPERATIONS} operations, many of them refused`, async () => {
  const { tally, disagreement } = await simulate({
    ...{ seed: 1, operations: OPERATIONS, stateEvery: LONG ? 8 : 20 },
  });
  expect(disagreement).toBeUndefined();
  const refused = [...tally.refused.values()].reduce((sum, count) => sum + count, 0);
  const share = refused / (refused + tally.accepted);
  expect(share).toBeGreaterThan(0.25);
  expect(share).toBeLessThan(0.5);
}, 900_000);
