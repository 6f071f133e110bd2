import { defineConfig } from "vitest/config";

/** Tests that start processes, or read the repository: each file on its own. */
const APART = [
  "test/e2e/**/*.test.ts",
  "test/crash/**/*.test.ts",
  "test/architecture/**/*.test.ts",
];

export default defineConfig({
  test: {
    // The default leaves one core idle: half of them, on two.
    maxWorkers: "100%",
    // Tests of node processes share the cores with what they start.
    testTimeout: 30_000,
    hookTimeout: 60_000,
    projects: [
      { extends: true, test: { name: "apart", include: APART } },
      {
        extends: true,
        test: {
          name: "together",
          include: ["test/**/*.test.ts"],
          exclude: APART,
          // Nothing of them is global: files share what is loaded and compiled, which is half of the time.
          isolate: false,
        },
      },
    ],
  },
});
