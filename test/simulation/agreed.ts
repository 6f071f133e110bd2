import { expect } from "vitest";
import type { ConcreteBlock, Setting } from "./compare.ts";
import { runBlocks } from "./runs.ts";
import { SETTING } from "./steps.ts";

/**
 * Checks that module and model agree, everything compared after each block.
 * @param refused the codes that txs are refused with, in any order
 */
export async function expectAgreed(
  blocks: readonly ConcreteBlock[],
  refused: readonly number[] = [],
  setting: Partial<Setting> = {},
): Promise<void> {
  const tally = { accepted: 0, refused: new Map<number, number>() };
  expect(await runBlocks({ ...SETTING, ...setting }, blocks, tally)).toBeUndefined();
  const codes = [...tally.refused].flatMap(([code, count]) => Array<number>(count).fill(code));
  expect(codes.sort()).toEqual([...refused].sort());
}
