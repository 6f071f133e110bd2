import { beforeEach, describe, expect, test } from "vitest";
import { customer, provider, stranger } from "../../testkit/accounts.ts";
import { openChain, type TestChain } from "../../testkit/chain.ts";
import { clearAnomaly, correct, corrected, withdraw } from "../../testkit/corrections.ts";
import { msg, ORDER } from "../../testkit/messages.ts";
import { eventsOf } from "../../testkit/outcome.ts";
import { acknowledged, activeEscrow, recorded, settled } from "../../testkit/orders.ts";
import { DAY, GENESIS, HOUR, slot } from "../../testkit/times.ts";
import { see } from "../../testkit/views.ts";

let chain: TestChain;
beforeEach(async () => {
  chain = await openChain();
  await activeEscrow(chain, "1000000uve", { expiresIn: 30n * DAY });
});

const T = GENESIS - 20n * DAY;

async function flagsOf(id: string): Promise<string> {
  return (await see.usage(chain, id)).metadata["anomalies"] ?? "";
}

/** Records with so many units in so many seconds each, one after the other; the last one's flags. */
async function flagsAfter(...reports: readonly (readonly [bigint, bigint])[]): Promise<string> {
  let start = T;
  let id = "";
  for (const [units, seconds] of reports) {
    id = await recorded(chain, { units, start, end: start + seconds, price: "0uve" });
    start += seconds;
  }
  return flagsOf(id);
}

describe("RULES 23 the length of a period", () => {
  test.each<[seconds: bigint, flags: string]>([
    [1n, "duration_too_short:medium"],
    [59n, "duration_too_short:medium"],
    [60n, ""],
    [25n * HOUR, ""],
    [25n * HOUR + 1n, "duration_too_long:high"],
    [26n * HOUR, "duration_too_long:high"],
  ])("R-003-59 %s seconds", async (seconds, flags) => {
    expect(await flagsAfter([1n, seconds])).toBe(flags);
  });

  test("RULES 23 zero and negative ones are refused as before", async () => {
    for (const end of [T, T - 1n]) {
      await chain.refused(msg.record(provider, { start: T, end }), 5, "not after");
    }
  });
});

describe("RULES 23 units per second against the mean of the last eight records", () => {
  const even: readonly (readonly [bigint, bigint])[] = [
    [100n, 100n],
    [100n, 100n],
  ];

  test.each<[units: bigint, flags: string]>([
    [100n, ""],
    // More than half of the mean off, not half of it.
    [150n, ""],
    [151n, "variance:medium"],
    [50n, ""],
    [49n, "variance:medium"],
    [175n, "variance:medium"],
    [176n, "variance:high"],
    [25n, "variance:medium"],
    [24n, "variance:high"],
    [200n, "variance:high"],
    [201n, "variance:critical"],
    // Nothing can be more than the whole of the mean below it.
    [1n, "variance:high"],
    [2n ** 64n - 1n, "variance:critical"],
  ])("RULES 23 mean 1 per second, then %s in 100 s", async (units, flags) => {
    expect(await flagsAfter(...even, [units, 100n])).toBe(flags);
  });

  test("RULES 23 it is the rate that counts, not the units", async () => {
    expect(await flagsAfter(...even, [1000n, 1000n])).toBe("");
  });

  test("RULES 23 rates compare exactly: a third and its neighbours", async () => {
    const thirds: readonly (readonly [bigint, bigint])[] = [
      [1n, 3000n],
      [1n, 3000n],
    ];
    // One and a half of 1/3000 per second is exactly 1/2000.
    expect(await flagsAfter(...thirds, [1n, 2000n])).toBe("");
    const again: readonly (readonly [bigint, bigint])[] = [[1n, 1999n]];
    chain = await openChain();
    await activeEscrow(chain);
    expect(await flagsAfter(...thirds, ...again)).toBe("variance:medium");
  });

  test("RULES 23 with fewer than two earlier records there is no mean", async () => {
    expect(await flagsAfter([1n, 100n], [1000n, 100n])).toBe("");
  });

  test("RULES 23 the mean is all units over all seconds", async () => {
    // 10 in 100 s and 990 in 900 s: 1 per second, though the two rates have the mean 0.6.
    expect(await flagsAfter([10n, 100n], [990n, 900n], [150n, 100n])).toBe("");
  });

  test("RULES 23 the ninth record before it has fallen out", async () => {
    const eight = Array.from({ length: 8 }, () => [100n, 100n] as const);
    expect(await flagsAfter([10_000n, 100n], ...eight, [151n, 100n])).toBe("variance:medium");
    chain = await openChain();
    await activeEscrow(chain);
    // Among the last eight it lifts the mean.
    expect(await flagsAfter([10_000n, 100n], ...eight.slice(1), [151n, 100n])).toBe(
      "variance:high",
    );
  });

  test("RULES 23 each meter has its own mean; spellings of a type share one", async () => {
    for (const n of [0, 1]) await recorded(chain, { ...slot(n), units: 60n, type: "cpu" });
    const gpu = await recorded(chain, { ...slot(2), units: 6000n, type: "gpu" });
    const alias = await recorded(chain, { ...slot(2), units: 6000n, type: " Compute" });
    expect([await flagsOf(gpu), await flagsOf(alias)]).toEqual(["", "variance:critical"]);
  });

  test("RULES 23 both kinds of flags stand in order", async () => {
    expect(await flagsAfter(...even, [500n, 10n])).toBe(
      "duration_too_short:medium,variance:critical",
    );
  });

  test("RULES 19 a correction stands in the mean in place of what it corrects", async () => {
    const ids: string[] = [];
    for (const n of [0, 1, 2]) ids.push(await recorded(chain, { ...slot(n), units: 60n }));
    const wrong = await recorded(chain, { ...slot(3), units: 6000n });
    expect(await flagsOf(wrong)).toBe("variance:critical");
    // Its own wrong number is no part of the mean that the correction is compared with.
    const right = await corrected(chain, wrong, { units: 61n });
    expect(await flagsOf(right)).toBe("");
    expect(await flagsOf(await recorded(chain, { ...slot(4), units: 91n }))).toBe(
      "variance:medium",
    );
  });

  test("RULES 19 a withdrawn record is no part of the mean", async () => {
    for (const n of [0, 1]) await recorded(chain, { ...slot(n), units: 60n });
    const wrong = await recorded(chain, { ...slot(2), units: 6000n });
    await chain.ok(withdraw(wrong));
    expect(await flagsOf(await recorded(chain, { ...slot(3), units: 60n }))).toBe("");
  });

  test("RULES 19 a correction can be flagged itself", async () => {
    for (const n of [0, 1]) await recorded(chain, { ...slot(n), units: 60n });
    const id = await recorded(chain, { ...slot(2), units: 60n });
    const result = await chain.ok(correct(id, { units: 600n }));
    expect(eventsOf(result, "UsageFlagged")).toMatchObject([
      { usage_id: id.replace(/-3$/, "-4"), anomalies: "variance:critical" },
    ]);
  });
});

describe("RULES 23 a flagged record", () => {
  let id: string;
  beforeEach(async () => {
    id = await recorded(chain, { start: T, end: T + 26n * HOUR, price: "5000uve" });
  });

  test("R-003-59 emits one event with its flags", async () => {
    const result = await chain.ok(msg.record(provider, { ...slot(0, 10n), type: "gpu" }));
    expect(eventsOf(result, "UsageFlagged")).toEqual([
      {
        ...{ usage_id: `usage-${GENESIS + 4n}-2`, order_id: ORDER },
        ...{ anomalies: "duration_too_short:medium", flagged_at: `${GENESIS + 4n}` },
      },
    ]);
    expect(eventsOf(await chain.ok(msg.record(provider, slot(1))), "UsageFlagged")).toEqual([]);
  });

  test("R-003-59 is not settled automatically; its neighbour is", async () => {
    const plain = await recorded(chain, { ...slot(1), price: "3000uve" });
    chain.skip(2n * DAY);
    await chain.block();
    expect((await see.usage(chain, plain)).settled).toBe(true);
    expect((await see.usage(chain, id)).settled).toBe(false);
  });

  test("RULES 23 the flag blocks nothing else: who asks for it settles it", async () => {
    expect((await settled(chain)).totalAmount).toBe("5000uve");
  });

  test.each<[name: string, lift: () => Promise<unknown>]>([
    ["the authority", () => chain.ok(clearAnomaly(id))],
    ["the customer's acknowledgement", () => acknowledged(chain, [id])],
  ])("RULES 23 is settled automatically once %s lifts the flag", async (_, lift) => {
    chain.skip(2n * DAY);
    await chain.block();
    await lift();
    chain.skip(2n * DAY);
    await chain.block();
    expect((await see.usage(chain, id)).settled).toBe(true);
  });

  test("RULES 23 lifting emits one event; a repeat changes nothing", async () => {
    const result = await chain.ok(clearAnomaly(id));
    expect(eventsOf(result, "UsageAnomalyCleared")).toMatchObject([{ usage_id: id }]);
    const { metadata } = await see.usage(chain, id);
    expect(metadata).toEqual({ anomalies: "duration_too_long:high", anomaly_cleared: "true" });
    const before = await chain.books();
    const again = await chain.ok(clearAnomaly(id));
    expect(eventsOf(again, "UsageAnomalyCleared")).toEqual([]);
    expect(await chain.books()).toBe(before);
  });

  test("RULES 23 nobody but the authority lifts it by message", async () => {
    for (const signer of [customer, provider, stranger]) {
      await chain.refused(clearAnomaly(id, signer), 1505, "authority");
    }
  });

  test("RULES 23 there is something to lift: not of a plain, settled or unknown record", async () => {
    const plain = await recorded(chain, slot(1));
    await chain.refused(clearAnomaly(plain), 1512, plain, "no flags");
    await settled(chain);
    await chain.refused(clearAnomaly(id), 1515, id, "is settled");
    await chain.refused(clearAnomaly("usage-1-1"), 1513, "usage-1-1");
    await chain.refused(clearAnomaly(""), 5, "usage_id is empty");
  });

  test("RULES 19 a correction is flagged anew, though the old flag was lifted", async () => {
    await chain.ok(clearAnomaly(id));
    const newId = await corrected(chain, id, { units: 7n });
    expect((await see.usage(chain, newId)).metadata).toEqual({
      ...{ corrects: id, anomalies: "duration_too_long:high" },
    });
  });

  test("I-30 flags are exported and imported", async () => {
    await chain.ok(clearAnomaly(id));
    await recorded(chain, slot(0, 10n));
    const copy = await chain.imported();
    expect(await copy.exported()).toBe(await chain.exported());
    expect(copy.appHash).toBe(chain.appHash);
  });
});

test("RULES 23 without an authority nobody lifts a flag, and the text says how to get one", async () => {
  const headless = await openChain({ extended: { authority: "" } });
  await activeEscrow(headless);
  const id = await recorded(headless, slot(0, 10n));
  await headless.refused(clearAnomaly(id), 1505, "genesis");
});
