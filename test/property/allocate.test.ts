import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { UsageState } from "../../src/gen/settled/settlement/v1/state.ts";
import { allocate, dropBelowMinimum, splitFees } from "../../src/modules/settlement/allocate.ts";
import { type Coins, formatCoins, parseCoins } from "../../src/types/coins.ts";
import { DEC_ONE, type Dec } from "../../src/types/dec.ts";
import { runs } from "./runs.ts";

const DENOMS = ["uusd", "uve", "uzzz"] as const;

interface Record {
  readonly denom: string;
  readonly cost: bigint;
}

const records: fc.Arbitrary<Record[]> = fc.array(
  fc.record({ denom: fc.constantFrom(...DENOMS), cost: fc.bigInt(0n, 50n) }),
  { maxLength: 20 },
);
const balance: fc.Arbitrary<Coins> = fc
  .tuple(fc.bigInt(0n, 200n), fc.bigInt(0n, 200n), fc.bigInt(0n, 200n))
  .map((amounts) => {
    const wire = DENOMS.map((denom, index) => ({ denom, amount: `${amounts[index]}` }));
    return parseCoins(wire.filter(({ amount }) => amount !== "0"));
  });

function usageOf(list: readonly Record[]): UsageState[] {
  return list.map(({ denom, cost }, index) => {
    return UsageState.fromPartial({ seq: BigInt(index + 1), denom, cost: `${cost}` });
  });
}

/** What each record is paid, or undefined when it stays: one denom at a time, one by one. */
function naive(list: readonly Record[], coins: Coins, final: boolean): (bigint | undefined)[] {
  const paid: (bigint | undefined)[] = list.map(() => undefined);
  for (const denom of DENOMS) {
    let left = coins.find((coin) => coin.denom === denom)?.amount ?? 0n;
    let stopped = false;
    list.forEach((record, index) => {
      if (record.denom !== denom) return;
      if (!stopped && record.cost <= left) {
        paid[index] = record.cost;
        left -= record.cost;
        return;
      }
      if (!stopped && final) {
        paid[index] = left;
        left = 0n;
      } else if (final) paid[index] = 0n;
      stopped = true;
    });
  }
  return paid;
}

describe("RULES 24 allocation", () => {
  test.each([false, true])("RULES 24 is the one of a naive model, final: %s", (final) => {
    const property = fc.property(records, balance, (list, coins) => {
      const { taken, total, stoppedAt } = allocate(usageOf(list), coins, final);
      const expected = naive(list, coins, final);
      const found: (bigint | undefined)[] = list.map(() => undefined);
      for (const { usage, amount } of taken) found[Number(usage.seq) - 1] = amount;
      expect(found).toEqual(expected);
      for (const denom of DENOMS) {
        const sum = taken
          .filter(({ usage }) => usage.denom === denom)
          .reduce((amount, each) => amount + each.amount, 0n);
        expect(total.find((coin) => coin.denom === denom)?.amount ?? 0n).toBe(sum);
        const available = coins.find((coin) => coin.denom === denom)?.amount ?? 0n;
        expect(sum).toBeLessThanOrEqual(available);
      }
      const firstShort = list.findIndex(({ cost }, index) => (expected[index] ?? -1n) !== cost);
      expect(Number(stoppedAt?.seq ?? 0n) - 1).toBe(firstShort);
      expect(formatCoins(parseCoins(total.map((c) => ({ ...c, amount: `${c.amount}` }))))).toBe(
        formatCoins(total),
      );
    });
    fc.assert(property, runs(300));
  });

  test("RULES 27 a denom is kept whole or left out whole", () => {
    const property = fc.property(records, balance, fc.bigInt(0n, 60n), (list, coins, minimum) => {
      const all = allocate(usageOf(list), coins, false);
      const kept = dropBelowMinimum(all, minimum);
      for (const denom of DENOMS) {
        const sum = all.total.find((coin) => coin.denom === denom)?.amount ?? 0n;
        const enough = sum >= minimum && sum > 0n;
        expect(kept.total.find((coin) => coin.denom === denom)?.amount ?? 0n).toBe(
          enough ? sum : 0n,
        );
        const count = (each: typeof all) =>
          each.taken.filter(({ usage }) => usage.denom === denom).length;
        expect(count(kept)).toBe(enough ? count(all) : 0);
      }
    });
    fc.assert(property, runs(200));
  });
});

test("RULES 28 shares sum to the total and fees are floors, for any rates up to 1", () => {
  const atomics = fc.bigInt(0n, DEC_ONE);
  const amounts = fc.array(fc.bigInt(1n, 2n ** 255n), { minLength: 1, maxLength: 3 });
  const property = fc.property(amounts, atomics, atomics, (list, a, b) => {
    const platform = a as Dec;
    const validator = ((b * (DEC_ONE - a)) / DEC_ONE) as Dec;
    const total = list.map((amount, index) => ({ denom: DENOMS[index] as string, amount }));
    const shares = splitFees(total, { platform, validator });
    for (const { denom, amount } of total) {
      const of = (coins: Coins) => coins.find((coin) => coin.denom === denom)?.amount ?? 0n;
      const [x, y] = [of(shares.platformFee), of(shares.validatorFee)];
      expect(x * DEC_ONE <= amount * platform && amount * platform < (x + 1n) * DEC_ONE).toBe(true);
      expect(y * DEC_ONE <= amount * validator && amount * validator < (y + 1n) * DEC_ONE).toBe(
        true,
      );
      expect(x + y + of(shares.providerShare)).toBe(amount);
      expect(of(shares.providerShare)).toBeGreaterThanOrEqual(0n);
    }
  });
  fc.assert(property, runs(300));
});
