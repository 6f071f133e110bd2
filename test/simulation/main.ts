import type { Tally } from "./compare.ts";
import { simulate } from "./simulate.ts";

/** @returns the exit code: 1 when module and model disagree */
export async function main(options: {
  seed: number;
  operations: number;
  stateEvery: number;
}): Promise<number> {
  const started = performance.now();
  const { seed, operations, stateEvery } = options;
  const { tally, disagreement } = await simulate({
    ...{ seed, operations, stateEvery },
    onProgress: (done) => showProgress(done, operations, started),
    onDisagreement: ({ what }) => process.stderr.write(`\n${what}\nshrinking …\n`),
  });
  process.stderr.write("\n");
  if (disagreement !== undefined) {
    process.stdout.write(`${disagreement}\n`);
    return 1;
  }
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  process.stdout.write(`module and model agree on ${operations} operations (${seconds} s)\n`);
  process.stdout.write(`${linesOf(tally).join("\n")}\n`);
  return 0;
}

function showProgress(done: number, operations: number, started: number): void {
  const share = done / operations;
  const bar = "#".repeat(Math.floor(share * 40)).padEnd(40, ".");
  const rate = Math.round((done * 1000) / (performance.now() - started));
  const text = `[${bar}] ${done} of ${operations}, ${rate}/s`;
  if (process.stderr.isTTY) process.stderr.write(`\r${text}`);
  else if (done % 25_000 === 0) process.stderr.write(`${text}\n`);
}

function linesOf({ accepted, refused }: Tally): string[] {
  const codes = [...refused].sort(([a], [b]) => a - b);
  return [
    `accepted ${accepted}`,
    ...codes.map(([code, count]) => `refused with ${code}: ${count}`),
  ];
}
