import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // The default leaves one core idle: half of them, on two.
    maxWorkers: "100%",
    // No test changes what is global: files share what is loaded and compiled, half of the time.
    isolate: false,
    // Tests of node processes share the cores with what they start.
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
