import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // One worker per core; e2e files start node processes of their own.
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
