import process from "node:process";
import { expect, test } from "vitest";
import { temporaryFolder } from "../e2e/node_process.ts";
import { crashRun } from "./crash_run.ts";

const long = process.env["SETTLED_LONG"] === "1";
const seed = Number(process.env["SETTLED_CRASH_SEED"] ?? "7");
const rounds = Number(process.env["SETTLED_CRASH_ROUNDS"] ?? (long ? "40" : "2"));

test(
  `a node killed ${rounds} times (seed ${seed}) comes back with all that it had told`,
  async () => {
    const folder = await temporaryFolder();
    try {
      const note = (line: string) => void process.stderr.write(`${line}\n`);
      const quiet = !long && rounds < 10;
      const options = { home: folder.path, seed, rounds };
      const report = await crashRun(quiet ? options : { ...options, note });
      expect(report.faults).toEqual([]);
      expect(report.blocks).toBeGreaterThan(rounds * 3);
      expect(report.txs).toBeGreaterThan(rounds);
      if (!quiet) note(JSON.stringify(report));
    } finally {
      await folder.remove();
    }
  },
  200_000 + rounds * 15_000,
);
