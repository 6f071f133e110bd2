import { expect, it } from "vitest";
import { normaliseUsageType } from "../../../src/types/usage_type.ts";

it("blanks inside a long text cost one pass, not its square", () => {
  const text = `x${" ".repeat(400_000)}x`;
  const start = performance.now();
  expect(normaliseUsageType(text)).toBe(text);
  // Quadratic, it took minutes.
  expect(performance.now() - start).toBeLessThan(2000);
});
