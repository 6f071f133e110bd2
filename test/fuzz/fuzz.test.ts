import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { LONG } from "../property/runs.ts";
import { Fuzzer } from "./fuzz.ts";
import { processorMs } from "../testkit/own_time.ts";
import { failureOf, shrink } from "./shrink.ts";
import type { Target } from "./target.ts";

const INPUTS = LONG ? 200_000 : 10_000;
/** Inputs that load and compile what the others use too. */
const WARM_UP_INPUTS = 2000;
/** How much more resident memory there may be after the run than before it, in bytes. */
const KEPT_MAX = 64 * 1024 * 1024;

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** Resident memory when all that was begun has ended and nothing is left to collect. */
async function restingBytes(): Promise<number> {
  for (let round = 0; round < 3; round += 1) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return process.memoryUsage.rss();
}

test(`${INPUTS} random and mutated inputs get an answer or an error, and no memory is kept`, async () => {
  const fuzzer = await Fuzzer.open(1);
  try {
    const warm = await fuzzer.run({ seed: 1, inputs: WARM_UP_INPUTS, from: 2 ** 30 });
    expect(warm.failure).toBeUndefined();
    const before = await restingBytes();
    const { counts, failure } = await fuzzer.run({ seed: 1, inputs: INPUTS });
    expect(failure).toBeUndefined();
    expect(Object.keys(counts)).toEqual(["decoders", "query", "rpc", "uri", "ws"]);
    expect((await restingBytes()) - before).toBeLessThan(KEPT_MAX);
  } finally {
    await fuzzer.close();
  }
}, 900_000);

test("what fails is shrunk to what it fails by, and a slow input fails", async () => {
  const planted: Target = {
    ...{ name: "planted", headBytes: 1, make: () => new Uint8Array(0), show: String },
    run: (input) => {
      if (input.includes(7, 1) && input.includes(9, 1)) throw new Error("seven and nine");
      const end = processorMs() + (input.includes(8) ? 1010 : 0);
      while (processorMs() < end);
    },
  };
  const input = Uint8Array.from({ length: 200 }, (_, at) => (at === 50 ? 7 : at === 120 ? 9 : 1));
  const failure = await failureOf(planted, input);
  expect(failure).toContain("seven and nine");
  expect([...(await shrink(planted, input, failure ?? ""))]).toEqual([1, 7, 9]);
  expect(await failureOf(planted, Uint8Array.of(1, 7))).toBeUndefined();
  expect(await failureOf(planted, Uint8Array.of(1, 8))).toMatch(/^took 1[0-9]{3} ms$/);
});
