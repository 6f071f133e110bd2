import { beforeEach, describe, expect, test } from "vitest";
import { customer, provider, provider2, stranger } from "../../testkit/accounts.ts";
import { openChain, type TestChain } from "../../testkit/chain.ts";
import { text } from "../../testkit/coins.ts";
import { msg, ORDER } from "../../testkit/messages.ts";
import {
  acknowledged,
  activeEscrow,
  pendingEscrow,
  recorded,
  recordedCosts,
  settled,
} from "../../testkit/orders.ts";
import { GENESIS, slot } from "../../testkit/times.ts";
import { see } from "../../testkit/views.ts";

const DEPLOYED = "virtengine.settlement.v1.Query";
const OWN = "settled.settlement.v1.Query";

let chain: TestChain;
beforeEach(async () => {
  chain = await openChain();
});

describe("R-003-37 usage summary", () => {
  const [first, second] = [slot(10), slot(20)];
  beforeEach(async () => {
    await activeEscrow(chain, "10000uve,10000uusd");
    await recorded(chain, { ...first, units: 2n, price: "10uve", type: "gpu" });
    await recorded(chain, { ...second, units: 3n, price: "10uve", type: "cpu" });
  });

  test("R-003-37 sums by order and by provider, types sorted", async () => {
    for (const by of [{ orderId: ORDER }, { provider: provider.address }, {}]) {
      const summary = await see.summary(chain, by);
      expect([summary.totalUsageUnits, text(summary.totalCost)]).toEqual([5n, "50uve"]);
      const types = summary.byUsageType.map((each) => {
        return [each.usageType, each.usageUnits, text(each.totalCost)];
      });
      expect(types).toEqual([
        ["cpu", 3n, "30uve"],
        ["gpu", 2n, "20uve"],
      ]);
      expect([summary.periodStart, summary.periodEnd]).toEqual([first.start, second.end]);
      expect([summary.blockHeight, summary.generatedAt]).toEqual([4n, GENESIS + 4n]);
      expect(summary.usageRecordIds).toHaveLength(2);
    }
  });

  test.each<[name: string, range: [bigint, bigint], units: bigint]>([
    ["before the second", [0n, second.start - 1n], 2n],
    ["up to the second's start, which counts", [0n, second.start], 5n],
    ["from the first's end, which counts", [first.end, 0n], 5n],
    ["after the first's end", [first.end + 1n, 0n], 3n],
    ["between the two", [first.end + 1n, second.start - 1n], 0n],
    ["inside the first", [first.start + 1n, first.start + 2n], 2n],
    ["from the earliest to the latest second", [1n, 9_223_372_036_854_775_807n], 5n],
    ["negative bounds, which are none", [-5n, -1n], 5n],
  ])("R-003-37 a range %s", async (_, [periodStart, periodEnd], units) => {
    for (const by of [{ orderId: ORDER }, { provider: provider.address }, {}]) {
      const summary = await see.summary(chain, { ...by, periodStart, periodEnd });
      expect(summary.totalUsageUnits).toBe(units);
    }
  });

  test("R-003-37 order and provider together must both match", async () => {
    const none = await see.summary(chain, { orderId: ORDER, provider: provider2.address });
    expect([none.totalUsageUnits, none.totalCost, none.usageRecordIds]).toEqual([0n, [], []]);
    const both = await see.summary(chain, { orderId: ORDER, provider: provider.address });
    expect(both.totalUsageUnits).toBe(5n);
  });

  test("D-21 an overlap query finds the longest period that starts far before the range", async () => {
    const start = GENESIS - 60n * 86_400n;
    await recorded(chain, { start, end: start + 2_678_400n, units: 7n, type: "storage" });
    const end = start + 2_678_400n;
    const at = { periodStart: end, periodEnd: end };
    const summary = await see.summary(chain, { provider: provider.address, ...at });
    expect(summary.totalUsageUnits).toBe(7n);
  });

  test("D-21 units beyond 64 bits are an error, not a wrapped sum", async () => {
    const units = 18_446_744_073_709_551_615n;
    await recorded(chain, { ...slot(1), units, price: "0uve", type: "x" });
    const answer = await chain.ask(`${DEPLOYED}/UsageSummary`, { orderId: ORDER });
    expect(answer.code).toBe(18);
    expect(answer.log).toContain("code = FailedPrecondition");
    expect(answer.log).toContain(`${units + 5n}`);
  });

  test("a bad provider address is InvalidArgument", async () => {
    const answer = await chain.ask(`${DEPLOYED}/UsageSummary`, { provider: "ve1nope" });
    expect(answer.code).toBe(18);
    expect(answer.log).toContain("code = InvalidArgument");
  });
});

describe("R-003-38 reward history", () => {
  beforeEach(async () => {
    chain = await openChain({
      params: { staking_reward_epoch_length: "8" },
      extended: { reward_pool_address: provider.address },
    });
    await activeEscrow(chain, "100000uve");
    await recordedCosts(chain, [1000, 2000]);
    await settled(chain, { ids: [(await see.usageOf(chain, ORDER))[0]?.usageId ?? ""] });
    await chain.blocksTo(8n);
    await settled(chain);
  });

  test("R-003-38 without a filter all rewards, newest first", async () => {
    const rows = await see.history(chain, provider.address);
    expect(rows.map(({ source, amount }) => `${source} ${text(amount)}`)).toEqual([
      ...["usage 180uve", "staking 1uve", "usage 90uve"],
    ]);
    const times = rows.map(({ distributedAt }) => distributedAt);
    expect(times).toEqual([...times].sort((a, b) => (a > b ? -1 : 1)));
  });

  test("R-003-38 by source", async () => {
    expect(await see.history(chain, provider.address, { source: "usage" })).toHaveLength(2);
    expect(await see.history(chain, provider.address, { source: "staking" })).toHaveLength(1);
    expect(await see.history(chain, provider.address, { source: "provider" })).toEqual([]);
    const path = `${DEPLOYED}/RewardHistory`;
    const bad = await chain.ask(path, { address: provider.address, source: "nope" });
    expect(bad).toMatchObject({ code: 18 });
    expect(bad.log).toContain('unknown source "nope"');
  });

  test("R-003-38 limit and offset give every row once", async () => {
    const all = await see.history(chain, provider.address);
    for (const limit of [1, 2, 3]) {
      const pages = [];
      for (let offset = 0; offset < 4; offset += limit) {
        pages.push(...(await see.history(chain, provider.address, { limit, offset })));
      }
      expect(pages).toEqual(all);
    }
    expect(await see.history(chain, provider.address, { offset: 99 })).toEqual([]);
  });

  test("R-003-38 rows of one block go by distribution id", async () => {
    chain = await openChain();
    for (const order of ["a", "b"]) {
      await activeEscrow(chain, "10000uve", { order, lease: order });
      await recordedCosts(chain, [1000], { order, lease: order });
    }
    await chain.ok(msg.settle(customer, { order: "b" }), msg.settle(customer, { order: "a" }));
    const ids = (await see.history(chain, provider.address)).map((row) => row.distributionId);
    expect(ids).toEqual([...ids].sort());
    expect(new Set(ids).size).toBe(2);
  });

  test("an address in capital letters is the same address", async () => {
    const capital = provider.address.toUpperCase();
    expect(await see.history(chain, capital)).toEqual(await see.history(chain, provider.address));
    expect((await see.claimable(chain, capital)).rewardEntries).toHaveLength(3);
    expect(await see.payoutsOf(chain, capital)).toHaveLength(2);
    expect((await see.summary(chain, { provider: capital })).totalUsageUnits).toBe(2n);
  });
});

describe("answers", () => {
  test("R-003-15 an unknown id is NotFound with the module's own code", async () => {
    const asked: [string, object, number][] = [
      ["Escrow", { escrowId: "escrow-9" }, 1501],
      ["Settlement", { settlementId: "settle-1-1" }, 1507],
      ["UsageRecord", { usageId: "usage-1-1" }, 1513],
      ["RewardDistribution", { distributionId: "usage-1-1" }, 1510],
      ["Payout", { payoutId: "payout-1-1" }, 1531],
    ];
    for (const [name, request, code] of asked) {
      const answer = await chain.ask(`${DEPLOYED}/${name}`, request);
      expect(answer).toMatchObject({ code: 22, codespace: "sdk", value: new Uint8Array(0) });
      expect(answer.log).toContain("rpc error: code = NotFound desc = ");
      expect(answer.log).toContain(`(settlement/${code})`);
    }
  });

  test("an id whose number exists but whose time is another's is unknown", async () => {
    await activeEscrow(chain);
    const id = await recorded(chain, { price: "2000uve" });
    const { settlementId } = await settled(chain);
    const other = (text: string) => text.replace(/-[0-9]+-/, "-1-");
    const asked: [string, object][] = [
      ["UsageRecord", { usageId: other(id) }],
      ["Settlement", { settlementId: other(settlementId) }],
      ["Payout", { payoutId: other(settlementId.replace("settle", "payout")) }],
    ];
    for (const [name, request] of asked) {
      expect(await chain.ask(`${DEPLOYED}/${name}`, request)).toMatchObject({ code: 22 });
    }
  });

  test("the three fiat queries answer UNIMPLEMENTED", async () => {
    for (const name of [
      ...["FiatConversion", "FiatConversionsByProvider", "FiatPayoutPreference"],
    ]) {
      const answer = await chain.ask(`${DEPLOYED}/${name}`);
      expect(answer.code).toBe(18);
      expect(answer.log).toContain("code = Unimplemented desc = fiat conversion is not part");
    }
  });

  test("an unknown escrow state is InvalidArgument", async () => {
    const answer = await chain.ask(`${DEPLOYED}/EscrowsByState`, { state: "open" });
    expect(answer.log).toContain('unknown escrow state "open"');
    expect(answer.code).toBe(18);
  });

  test("an unknown path is 6, a height that is not there 26, and garbage InvalidArgument", async () => {
    const ask = (path: string, data: Uint8Array, height: bigint) =>
      chain.app.query({ path, data, height, prove: false });
    const none = new Uint8Array(0);
    expect(await ask("/a.b/C", none, 0n)).toMatchObject({ code: 6, codespace: "sdk" });
    await chain.block();
    await chain.block();
    expect(await ask(`/${DEPLOYED}/Params`, none, 1n)).toMatchObject({ code: 0, height: 1n });
    expect(await ask(`/${DEPLOYED}/Params`, none, 3n)).toMatchObject({ code: 26 });
    expect(await ask(`/${DEPLOYED}/Params`, none, 2n)).toMatchObject({ code: 0, height: 2n });
    const garbage = await ask(`/${DEPLOYED}/Escrow`, Uint8Array.of(0xff, 0xff), 0n);
    expect(garbage).toMatchObject({ code: 18 });
    expect(garbage.log).toContain("code = InvalidArgument");
  });

  test("every answer carries its height", async () => {
    await chain.block();
    await pendingEscrow(chain);
    const answer = await chain.ask(`${DEPLOYED}/Escrow`, { escrowId: "escrow-1" });
    expect(answer.height).toBe(2n);
  });

  test("UsageRecordsByOrder lists in recording order, beyond nine records too", async () => {
    await activeEscrow(chain);
    const ids = await recordedCosts(
      chain,
      Array.from({ length: 12 }, () => 1),
    );
    expect((await see.usageOf(chain, ORDER)).map(({ usageId }) => usageId)).toEqual(ids);
  });

  test("the usage page filters open records and pages through", async () => {
    await activeEscrow(chain, "100000uve");
    const ids = await recordedCosts(chain, [1000, 1001, 1002, 1003, 1004]);
    await settled(chain, { ids: ids.slice(1, 3) });
    const path = `${OWN}/Usage`;
    type Page = { usageRecords: { usageId: string }[]; pagination: { nextKey: Uint8Array } };
    const open = await chain.query<Page>(path, { orderId: ORDER, openOnly: true });
    const openIds = [ids[0], ids[3], ids[4]];
    expect(open.usageRecords.map(({ usageId }) => usageId)).toEqual(openIds);
    const seen: string[] = [];
    let key = new Uint8Array(0);
    do {
      const page: Page = await chain.query(path, {
        orderId: ORDER,
        pagination: { key, limit: 2n },
      });
      seen.push(...page.usageRecords.map(({ usageId }) => usageId));
      key = Uint8Array.from(page.pagination.nextKey);
    } while (key.length > 0);
    expect(seen).toEqual(ids);
    const reverse = { limit: 2n, reverse: true, countTotal: true };
    const back = await chain.query<Page & { pagination: { total: bigint } }>(path, {
      ...{ orderId: ORDER, pagination: reverse },
    });
    expect(back.usageRecords.map(({ usageId }) => usageId)).toEqual([ids[4], ids[3]]);
    expect(back.pagination.total).toBe(5n);
  });

  test("a page key of another query, or with an offset, is refused", async () => {
    await activeEscrow(chain);
    const key = Uint8Array.of(1, 2, 3);
    for (const pagination of [{ key }, { key, offset: 1n }]) {
      const answer = await chain.ask(`${OWN}/Usage`, { orderId: ORDER, pagination });
      expect(answer.log).toContain("code = InvalidArgument desc = pagination");
    }
  });

  test("Totals are sorted by denom", async () => {
    await pendingEscrow(chain, "5uve,6uusd");
    expect(text((await see.totals(chain)).escrowed)).toBe("6uusd,5uve");
    expect((await see.totals(chain)).escrowed.map(({ denom }) => denom)).toEqual(["uusd", "uve"]);
  });

  test("ClaimableRewards of an address without any is empty, not an error", async () => {
    expect(await see.claimable(chain, stranger.address)).toEqual({
      address: stranger.address,
      totalClaimable: [],
      rewardEntries: [],
      lastUpdated: 0n,
      totalClaimed: [],
    });
  });
});

describe("RULES 36", () => {
  test("RULES 36 above 10,000 rows: ResourceExhausted naming the page; the summary still sums", async () => {
    await activeEscrow(chain, "100000uve");
    const count = 10_001;
    const period = (n: number) => slot(n, 4n);
    for (let at = 0; at < count; ) {
      const batch: Uint8Array[] = [];
      for (let tx = 0; tx < 10 && at < count; tx += 1) {
        const messages = [];
        for (let n = 0; n < 250 && at < count; n += 1, at += 1) {
          messages.push(msg.record(provider, period(at)));
        }
        batch.push(await chain.tx(messages));
      }
      const { txResults } = await chain.block(...batch);
      expect(txResults.every(({ code }) => code === 0)).toBe(true);
    }
    const listed = await chain.ask(`${DEPLOYED}/UsageRecordsByOrder`, { orderId: ORDER });
    expect(listed.code).toBe(18);
    expect(listed.log).toContain("code = ResourceExhausted");
    expect(listed.log).toContain("settled.settlement.v1.Query/Usage");
    const summary = await see.summary(chain, { orderId: ORDER });
    expect([summary.totalUsageUnits, summary.usageRecordIds]).toEqual([10_001n, []]);
    expect(text(summary.totalCost)).toBe("10001uve");
  });
});

test("R-003-20 several settlements of an order are listed in order of creation", async () => {
  await activeEscrow(chain, "1000000uve");
  const made: string[] = [];
  for (let n = 0; n < 11; n += 1) {
    await acknowledged(chain, await recordedCosts(chain, [1000], { from: n }));
    made.push((await settled(chain)).settlementId);
  }
  const listed = (await see.settlementsOf(chain, ORDER)).map(({ settlementId }) => settlementId);
  expect(listed).toEqual(made);
});
