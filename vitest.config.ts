import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // One more than cores: many tests wait for processes that they started.
    maxWorkers: availableParallelism() + 1,
    // Chains in a process make much garbage that is short-lived: a seventh of their time.
    execArgv: ["--max-semi-space-size=32"],
    // No test changes what is global: files share what is loaded and compiled, half of the time.
    isolate: false,
    // Tests of node processes share the cores with what they start, and any machine may be busy:
    // these are for what never ends.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 30_000, interval: 5 } },
  },
});
