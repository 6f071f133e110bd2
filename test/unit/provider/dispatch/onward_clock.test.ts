import { expect, it } from "vitest";
import { onwardClock } from "../../../../src/provider/dispatch/onward_clock.ts";

it("goes on by the steady clock while the wall clock is behind, and follows it ahead", () => {
  let [wall, steady] = [1_700_000_000_000, 5000];
  const now = onwardClock({ wallMs: () => wall, steadyMs: () => steady });
  const after = (wallMs: number, steadyMs: number) => {
    [wall, steady] = [wall + wallMs, steady + steadyMs];
    return now() - 1_700_000_000_000;
  };
  expect(after(100, 100)).toBe(100);
  expect(after(-3_600_000, 50)).toBe(150);
  expect(after(1000, 1000)).toBe(1150);
  expect(after(3_599_000, 10)).toBe(1160);
  expect(after(10_000, 0.25)).toBe(10_100);
  // A machine that was asleep: its steady clock stood still.
  expect(after(60_000, 0)).toBe(70_100);
});
