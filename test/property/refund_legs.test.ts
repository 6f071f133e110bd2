import fc from "fast-check";
import { expect, test } from "vitest";
import {
  type LegAmounts,
  LEGS,
  splitRefund,
  sumOfLegs,
} from "../../src/modules/settlement/refund_legs.ts";
import { runs, TIMEOUT } from "./runs.ts";

const NONE: LegAmounts = {
  ...{ platformFee: 0n, validatorFee: 0n, holdback: 0n, net: 0n, tax: 0n },
};

const amount = fc.oneof(
  { weight: 1, arbitrary: fc.constant(0n) },
  { weight: 3, arbitrary: fc.bigInt(1n, 20n) },
  { weight: 3, arbitrary: fc.bigInt(1n, 10_000n) },
  { weight: 1, arbitrary: fc.bigInt(1n, 1n << 200n) },
);
const legs = fc.record({
  ...{ platformFee: amount, validatorFee: amount, holdback: amount, net: amount, tax: amount },
});
/** In thousandths of what is left; and what a refund of the payout takes first, of hb and net. */
const step = fc.record({ share: fc.nat(1000), ofPayout: fc.constantFrom(0, 0, 0, 50, 300, 1000) });

function plus(a: LegAmounts, b: LegAmounts): LegAmounts {
  const sum = { ...a };
  for (const name of LEGS) sum[name] += b[name];
  return sum;
}

const thousandths = (of: bigint, share: number): bigint => (of * BigInt(share)) / 1000n;

/** As a refund of the payout does: the holdback first. */
function payoutRefund(all: LegAmounts, done: LegAmounts, share: number): LegAmounts {
  const [holdback, net] = [all.holdback - done.holdback, all.net - done.net];
  const taken = thousandths(holdback + net, share);
  const first = taken < holdback ? taken : holdback;
  return { ...done, holdback: done.holdback + first, net: done.net + taken - first };
}

function checkStep(all: LegAmounts, done: LegAmounts, asked: bigint): LegAmounts {
  const given = splitRefund(all, done, asked);
  expect(sumOfLegs(given)).toBe(asked);
  for (const name of LEGS) {
    expect(given[name] >= 0n).toBe(true);
    expect(done[name] + given[name] <= all[name]).toBe(true);
  }
  return plus(done, given);
}

test(
  "RULES 31 any sequence of partial refunds gives each part back exactly, none less than nothing",
  () => {
    const property = fc.property(legs, fc.array(step, { maxLength: 12 }), (all, steps) => {
      const total = sumOfLegs(all);
      let done = NONE;
      for (const { share, ofPayout } of steps) {
        if (ofPayout > 0) done = payoutRefund(all, done, ofPayout);
        done = checkStep(all, done, thousandths(total - sumOfLegs(done), share));
      }
      if (total === 0n) return;
      done = checkStep(all, done, total - sumOfLegs(done));
      expect(done).toEqual(all);
    });
    fc.assert(property, runs(2000));
  },
  TIMEOUT,
);

test(
  "RULES 31 without refunds of the payout, fees and holdback are never above their floored share",
  () => {
    const property = fc.property(legs, fc.array(fc.nat(1000), { maxLength: 8 }), (all, shares) => {
      const total = sumOfLegs(all);
      if (total === 0n) return;
      let done = NONE;
      for (const share of shares) {
        done = checkStep(all, done, thousandths(total - sumOfLegs(done), share));
        const refunded = sumOfLegs(done);
        // What the net does not have comes from the other parts: only then they give more.
        if (done.net === all.net) continue;
        for (const name of ["platformFee", "validatorFee", "holdback"] as const) {
          expect(done[name] <= (all[name] * refunded) / total).toBe(true);
        }
      }
    });
    fc.assert(property, runs(1000));
  },
  TIMEOUT,
);

test.each<[amount: bigint, done: Partial<LegAmounts>, given: bigint[]]>([
  // floor(0.333 × 50), floor(0.333 × 10), floor(0.333 × 100), the rest of the net, tax.
  [333n, {}, [16n, 3n, 33n, 281n, 66n]],
  [1n, {}, [0n, 0n, 0n, 1n, 0n]],
  [1000n, {}, [50n, 10n, 100n, 840n, 200n]],
  // A refund of the payout took the holdback: it counts as refunded, so fees catch up.
  [100n, { holdback: 100n }, [10n, 2n, 0n, 88n, 40n]],
  // It took nearly all: the fees are what is left.
  [55n, { holdback: 100n, net: 840n }, [49n, 6n, 0n, 0n, 199n]],
  [60n, { holdback: 100n, net: 840n }, [50n, 10n, 0n, 0n, 200n]],
])("of 1000 and 200 tax: %s", (asked, before, given) => {
  const all = { platformFee: 50n, validatorFee: 10n, holdback: 100n, net: 840n, tax: 200n };
  const split = splitRefund(all, { ...NONE, ...before }, asked);
  expect(LEGS.map((name) => split[name])).toEqual(given);
});

test("more than is left is a bug of the caller", () => {
  const all = { ...NONE, net: 10n };
  expect(() => splitRefund(all, { ...NONE, net: 4n }, 7n)).toThrow("more is refunded");
});
