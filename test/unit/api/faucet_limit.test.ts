import { expect, test } from "vitest";
import { RateLimit } from "../../../src/api/faucet/rate_limit.ts";

const HOUR = 3_600_000;

test("a name may so often an hour, and again when the first time is an hour ago", () => {
  const limit = new RateLimit(2);
  limit.count("a", 1000);
  expect(limit.waitMs("a", 1500)).toBe(0);
  limit.count("a", 2000);
  expect(limit.waitMs("a", 3000)).toBe(HOUR - 2000);
  expect(limit.waitMs("b", 3000)).toBe(0);
  expect(limit.waitMs("a", 1000 + HOUR)).toBe(0);
  limit.count("a", 1000 + HOUR);
  expect(limit.waitMs("a", 1001 + HOUR)).toBe(999);
});

test("a time that is taken back does not count", () => {
  const limit = new RateLimit(1);
  const undo = limit.count("a", 5);
  expect(limit.waitMs("a", 6)).toBeGreaterThan(0);
  undo();
  undo();
  expect(limit.waitMs("a", 6)).toBe(0);
});

test("no more names are remembered than 10,000", () => {
  const limit = new RateLimit(1);
  for (let name = 0; name < 10_000; name += 1) limit.count(`name ${name}`, 1);
  expect(limit.waitMs("new", 2)).toBe(HOUR);
  expect(limit.waitMs("new", 1 + HOUR)).toBe(0);
});
