import { Fuzzer, SHARES } from "./fuzz.ts";
import { Watchdog } from "./watchdog.ts";

const MIB = 1024 * 1024;
/** How much more memory than after the warm-up may be held at the end, in bytes. */
const GROWTH_MAX = 64 * MIB;
const WARM_UP_INPUTS = 20_000;
const PROGRESS_MS = 5000;

export interface MainOptions {
  readonly seed: number;
  readonly inputs: number;
  readonly only: string | undefined;
  readonly from: number;
}

/** @returns the exit code: 1 when an input failed, or memory was kept */
export async function main(options: MainOptions): Promise<number> {
  const watchdog = new Watchdog(Object.keys(SHARES));
  const fuzzer = await Fuzzer.open(options.seed);
  try {
    return await fuzz(fuzzer, watchdog, options);
  } finally {
    await fuzzer.close();
    await watchdog.close();
  }
}

async function fuzz(fuzzer: Fuzzer, watchdog: Watchdog, options: MainOptions): Promise<number> {
  const began = performance.now();
  const onInput = onEach(watchdog);
  const isWarm = options.inputs < WARM_UP_INPUTS;
  // Other inputs than those of the run, so that the run is not shorter by them.
  const warmUp = { ...options, inputs: WARM_UP_INPUTS, from: 2 ** 30, onInput };
  const warm = isWarm ? undefined : await fuzzer.run(warmUp);
  const before = await restingBytes();
  const { counts, failure = warm?.failure } = await fuzzer.run({ ...options, onInput });
  if (failure !== undefined) {
    process.stdout.write(`${failure}\n`);
    return 1;
  }
  const grown = (await restingBytes()) - before;
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
  const list = Object.entries(counts).map(([name, count]) => `${name} ${count}`);
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  process.stdout.write(`${total} inputs, no failure (${seconds} s): ${list.join(", ")}\n`);
  const figures = `${toMib(before)} MiB after the warm-up, ${toMib(grown)} MiB more at the end`;
  process.stdout.write(`resident memory: ${figures}\n`);
  return isWarm || grown <= GROWTH_MAX ? 0 : 1;
}

const toMib = (bytes: number) => (bytes / MIB).toFixed(1);

/** Resident memory when nothing is left to collect and all that was begun has ended. */
async function restingBytes(): Promise<number> {
  for (let round = 0; round < 4; round += 1) {
    (globalThis as { gc?: () => void }).gc?.();
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  return process.memoryUsage.rss();
}

function onEach(watchdog: Watchdog) {
  let next = performance.now() + PROGRESS_MS;
  return (target: string, index: number): void => {
    watchdog.note(target, index);
    if (performance.now() < next) return;
    next = performance.now() + PROGRESS_MS;
    process.stderr.write(`${target}: input ${index}\n`);
  };
}
