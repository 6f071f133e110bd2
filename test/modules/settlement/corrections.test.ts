import { beforeEach, describe, expect, test } from "vitest";
import type { QueryUsageByNaturalKeyResponse } from "../../../src/gen/settled/settlement/v1/query.ts";
import {
  type MsgCorrectUsageResponse,
  MsgSetReleaseConditions,
} from "../../../src/gen/settled/settlement/v1/tx.ts";
import { ReleaseCondition } from "../../../src/gen/virtengine/settlement/v1/query.ts";
import { authority, customer, provider, provider2, stranger } from "../../testkit/accounts.ts";
import { openChain, type TestChain } from "../../testkit/chain.ts";
import { text } from "../../testkit/coins.ts";
import { correct, corrected, withdraw } from "../../testkit/corrections.ts";
import { LEASE, msg, ORDER } from "../../testkit/messages.ts";
import { eventsOf, expectCode, responseOf } from "../../testkit/outcome.ts";
import {
  acknowledged,
  activeEscrow,
  pendingEscrow,
  recorded,
  settled,
} from "../../testkit/orders.ts";
import { DAY, GENESIS, slot } from "../../testkit/times.ts";
import { see } from "../../testkit/views.ts";

let chain: TestChain;
let id: string;
beforeEach(async () => {
  chain = await openChain();
  await activeEscrow(chain, "10000uve,10000uusd", { expiresIn: 30n * DAY });
  id = await recorded(chain, { units: 3n, price: "1000uve" });
});

/** The same chain, where nothing is settled unasked. */
async function byHand(): Promise<void> {
  chain = await openChain({ extended: { auto_settle_enabled: false } });
  await activeEscrow(chain, "10000uve,10000uusd", { expiresIn: 30n * DAY });
  id = await recorded(chain, { units: 3n, price: "1000uve" });
}

/** The record that a period's natural key names; "" for none. */
async function byNaturalKey({ start, end } = slot(0)): Promise<string> {
  const request = { orderId: ORDER, leaseId: LEASE, usageType: "cpu" };
  const path = "settled.settlement.v1.Query/UsageByNaturalKey";
  const period = { periodStart: start, periodEnd: end };
  const answer = await chain.ask(path, { ...request, ...period });
  if (answer.code !== 0) return "";
  const found = await chain.query<QueryUsageByNaturalKeyResponse>(path, { ...request, ...period });
  return found.usageRecord?.usageId ?? "";
}

async function openIds(): Promise<string[]> {
  const path = "settled.settlement.v1.Query/Usage";
  const request = { orderId: ORDER, openOnly: true };
  const page = await chain.query<{ usageRecords: { usageId: string }[] }>(path, request);
  return page.usageRecords.map(({ usageId }) => usageId);
}

describe("RULES 19 a correction", () => {
  test("R-003-58 makes a new record that names the old one; the old one is not settled", async () => {
    const newId = await corrected(chain, id, { units: 2n, price: "1000uve" });
    expect(newId).toBe(id.replace(/-1$/, "-2"));
    expect(await see.usage(chain, newId)).toMatchObject({
      ...{ usageUnits: 2n, settled: false, metadata: { corrects: id } },
    });
    expect(await see.usage(chain, id)).toMatchObject({
      ...{ usageUnits: 3n, settled: false },
      metadata: { corrected_by: newId, status: "superseded" },
    });
    const { totalAmount, settlementId } = await settled(chain);
    expect(totalAmount).toBe("2000uve");
    expect((await see.settlement(chain, settlementId)).usageRecordIds).toEqual([newId]);
    expect(await see.usageDetail(chain, id)).toMatchObject({
      ...{ status: "superseded", settledAmount: [], reward: [] },
    });
  });

  test("RULES 19 keeps key, period and the original time of submission, and is unacknowledged", async () => {
    await acknowledged(chain, [id]);
    const before = await see.usage(chain, id);
    chain.skip(500n);
    const signature = Uint8Array.of(7, 8);
    const newId = await corrected(chain, id, { units: 9n, price: "0.5uusd", signature });
    const after = await see.usage(chain, newId);
    const { usageId: _, usageUnits: __, unitPrice: ___, totalCost, ...rest } = after;
    expect(text(totalCost)).toBe("4uusd");
    expect(rest).toEqual({
      orderId: before.orderId,
      leaseId: before.leaseId,
      provider: before.provider,
      customer: before.customer,
      usageType: before.usageType,
      periodStart: before.periodStart,
      periodEnd: before.periodEnd,
      providerSignature: signature,
      customerAcknowledged: false,
      customerSignature: new Uint8Array(0),
      settled: false,
      settlementId: "",
      submittedAt: before.submittedAt,
      blockHeight: chain.height,
      metadata: { corrects: id },
    });
  });

  test("RULES 19 the natural key finds the newest record, through every correction", async () => {
    const second = await corrected(chain, id, { units: 2n });
    expect(await byNaturalKey()).toBe(second);
    const third = await corrected(chain, second, { units: 5n });
    expect(await byNaturalKey()).toBe(third);
    expect((await see.usage(chain, second)).metadata).toEqual({
      ...{ corrects: id, corrected_by: third, status: "superseded" },
    });
    expect((await see.usageOf(chain, ORDER)).map(({ usageId }) => usageId)).toEqual([
      ...[id, second, third],
    ]);
    expect(await openIds()).toEqual([third]);
  });

  test("RULES 16 a repeat of the report is told of the newest record", async () => {
    const newId = await corrected(chain, id, { units: 2n });
    const repeat = msg.record(provider, { units: 3n, price: "1000uve" });
    await chain.refused(repeat, 1514, newId, "different");
    await chain.refused(msg.record(provider, { units: 2n }), 1514, newId, "identical");
  });

  test("RULES 19 answers id, cost and time, and emits one event with old and new", async () => {
    const result = await chain.ok(correct(id, { units: 2n, price: "1.5uve", reason: "a typo" }));
    const newId = id.replace(/-1$/, "-2");
    expect(responseOf<MsgCorrectUsageResponse>(result)).toEqual({
      ...{ usageId: newId, totalCost: "3uve", correctedAt: GENESIS + 4n },
    });
    const [event, ...others] = eventsOf(result, "UsageCorrected");
    expect(others).toEqual([]);
    expect(event).toMatchObject({
      ...{ usage_id: newId, corrects: id, order_id: ORDER, old_units: "3", new_units: "2" },
      ...{ old_cost: "3000uve", new_cost: "3uve", reason: "a typo" },
      corrected_at: `${GENESIS + 4n}`,
    });
  });

  test("RULES 24 a corrected record settles at the place of its new number", async () => {
    const second = await recorded(chain, { ...slot(1), price: "6000uve" });
    const newId = await corrected(chain, id, { units: 5n, price: "1000uve" });
    // In recording order the second one comes first now, and 5000 of the 4000 left do not fit.
    const result = await chain.ok(msg.settle(customer));
    expect(eventsOf(result, "OrderSettled")[0]).toMatchObject({
      ...{ records: "1", total_amount: "6000uve", stopped_at: newId },
    });
    expect((await see.usage(chain, second)).settled).toBe(true);
  });

  test("RULES 19 a record can be corrected in the block, and in the tx, that records it", async () => {
    const report = msg.record(provider, { ...slot(1), units: 4n });
    const reportedAt = GENESIS + 4n;
    const result = await chain.ok(report, correct(`usage-${reportedAt}-2`, { units: 1n }));
    const [event] = eventsOf(result, "UsageCorrected");
    expect(event).toMatchObject({ usage_id: `usage-${reportedAt}-3`, old_units: "4" });
    expect(await openIds()).toEqual([id, `usage-${reportedAt}-3`]);
    await chain.checkFullInvariants();
  });

  test("RULES 22 the customer has the whole time to look at a correction", async () => {
    await byHand();
    chain.skip(DAY - 10n);
    const newId = await corrected(chain, id, { units: 5n, price: "1000uve" });
    chain.skip(20n);
    await chain.refused(msg.settle(provider), 1506, "wait for acknowledgement");
    await chain.refused(msg.settle(provider, { ids: [newId] }), 1506, newId, "not acknowledged");
    chain.skip(DAY);
    await chain.ok(msg.settle(provider));
  });

  test("RULES 19 lateness goes by the original report: a late correction earns the full reward", async () => {
    await byHand();
    chain.skip(2n * DAY);
    await corrected(chain, id, { units: 2n, price: "1000uve" });
    const newId = await byNaturalKey();
    await acknowledged(chain, [newId]);
    await settled(chain);
    // 2000 × 10 %, on time and acknowledged.
    expect((await see.usageDetail(chain, newId)).reward).toEqual([
      ...[{ denom: "uve", amount: "200" }],
    ]);
  });
});

describe("R-003-58 a correction is refused", () => {
  test("RULES 19 to everybody but the record's provider", async () => {
    for (const signer of [customer, provider2, authority, stranger]) {
      const expected = `provider ${provider.address}`;
      await chain.refused(correct(id, {}, signer), 1505, expected);
      await chain.refused(withdraw(id, {}, signer), 1505, expected);
    }
  });

  test("RULES 19 when it changes nothing", async () => {
    await chain.refused(correct(id, { units: 3n, price: "1000uve" }), 1512, "nothing changes", id);
    await corrected(chain, id, { units: 3n, price: "1000uusd" });
  });

  test("R-003-58 of a settled record, for ever", async () => {
    await settled(chain);
    await chain.refused(correct(id), 1515, id, "is settled");
    await chain.refused(withdraw(id), 1515, id, "is settled");
  });

  test("RULES 19 of a record that is not the newest, naming the newest", async () => {
    const newId = await corrected(chain, id);
    await chain.refused(correct(id, { units: 9n }), 1515, id, newId);
    await chain.refused(withdraw(id), 1515, id, newId);
  });

  test("RULES 19 of a withdrawn record", async () => {
    await chain.ok(withdraw(id));
    await chain.refused(correct(id), 1515, id, "withdrawn");
    await chain.refused(withdraw(id), 1515, id, "withdrawn");
  });

  test("RULES 12 of a record that was written off", async () => {
    await chain.ok(msg.refund(provider, "escrow-1"));
    await chain.refused(correct(id), 1515, id, "written off");
  });

  test("RULES 11 of a disputed escrow", async () => {
    await chain.ok(msg.dispute(customer, "escrow-1"));
    await chain.refused(correct(id), 1523, "escrow-1");
    await chain.refused(withdraw(id), 1523, "escrow-1");
  });

  test("RULES 15 in a denom that the escrow does not hold, or above 2^256 - 1", async () => {
    await chain.refused(correct(id, { price: "1uatom" }), 1512, "uatom", "10000uusd,10000uve");
    const huge = { units: 2n ** 64n - 1n, price: `${2n ** 195n}uve` };
    await chain.refused(correct(id, huge), 1512, "2^256 - 1");
  });

  test("R-003-15 by the message alone: no id, no signature, a bad price, a long reason", async () => {
    await chain.refused(correct(""), 5, "usage_id is empty");
    await chain.refused(correct("usage-1-1"), 1513, "usage-1-1");
    await chain.refused(correct(id, { signature: new Uint8Array(0) }), 6, "signature is empty");
    await chain.refused(correct(id, { price: "-1uve" }), 5, "-1000000000000000000");
    await chain.refused(correct(id, { reason: "x".repeat(1025) }), 5, "1025 bytes");
  });
});

test("RULES 14 a correction after the escrow's time is refused with 1518", async () => {
  // BeginBlock ends at most 100 escrows a block: the 101st is expired and still active.
  const crowd = await openChain();
  await activeEscrow(crowd, "1000uve", { order: "last", expiresIn: 4000n });
  const late = await recorded(crowd, { order: "last", price: "2000uve" });
  const orders = Array.from({ length: 100 }, (_, n) => `order-${n}`);
  await crowd.ok(
    ...orders.map((order) => msg.create(customer, "1uve", { order, expiresIn: 3600n })),
  );
  crowd.skip(4100n);
  expectCode(await crowd.deliver(correct(late)), 1518, "escrow-1");
});

describe("RULES 19 a withdrawal", () => {
  test("R-003-58 frees key and coverage: the period is recorded anew", async () => {
    const result = await chain.ok(withdraw(id, { reason: "wrong job" }));
    expect(responseOf<MsgCorrectUsageResponse>(result)).toMatchObject({
      usageId: "",
      totalCost: "",
    });
    expect(eventsOf(result, "UsageWithdrawn")).toMatchObject([
      {
        ...{ usage_id: id, order_id: ORDER, usage_units: "3", total_cost: "3000uve" },
        ...{ reason: "wrong job", withdrawn_at: `${GENESIS + 4n}` },
      },
    ]);
    expect(await byNaturalKey()).toBe("");
    expect((await see.usage(chain, id)).metadata).toEqual({ status: "withdrawn" });
    const again = await recorded(chain, { units: 1n });
    expect(await byNaturalKey()).toBe(again);
    expect((await settled(chain, { final: true })).totalAmount).toBe("1uve");
    await chain.checkFullInvariants();
  });

  test("RULES 19 in one tx with the report that takes its place, and before another of its start", async () => {
    const { start, end } = slot(0);
    await chain.ok(withdraw(id), msg.record(provider, { start, end: end + 60n }));
    expect(await byNaturalKey({ start, end })).toBe("");
    expect(await byNaturalKey({ start, end: end + 60n })).not.toBe("");
  });

  test("RULES 17 shrinks and splits what touching periods made one interval of", async () => {
    const ids = [id];
    for (const n of [1, 2, 3, 4]) ids.push(await recorded(chain, slot(n)));
    await chain.ok(withdraw(ids[2] as string), withdraw(ids[4] as string));
    await chain.refused(msg.record(provider, slot(3)), 1514, ids[3] as string);
    const inside = { start: slot(2).start, end: slot(2).end + 1n };
    const tail = `[${slot(3).start}, ${slot(3).end})`;
    await chain.refused(msg.record(provider, inside), 1512, tail);
    await recorded(chain, slot(4));
    await recorded(chain, slot(2));
    await chain.checkFullInvariants();
  });

  test("RULES 17 is refused where it would leave more than 256 intervals", async () => {
    const t = GENESIS - 20n * DAY;
    const at = (n: number) => ({ start: t + BigInt(n), end: t + BigInt(n) + 1n });
    const apart = Array.from({ length: 254 }, (_, n) => msg.record(provider, at(10 + 2 * n)));
    await chain.ok(...apart);
    const three = [0, 1, 2].map((n) => msg.record(provider, at(n)));
    const result = await chain.ok(...three);
    const [, middle] = eventsOf(result, "UsageRecorded");
    // 254 and slot(0) and these three in one: 256. Without the middle one there are 257.
    await chain.refused(withdraw(middle?.["usage_id"] ?? ""), 1512, "too many gaps");
  });

  test("RULES 19 neither counts in the summary; the history keeps all", async () => {
    const kept = await corrected(chain, id, { units: 4n, price: "10uve" });
    const gone = await recorded(chain, { ...slot(1), price: "5uve" });
    await chain.ok(withdraw(gone));
    const summary = await see.summary(chain, { orderId: ORDER });
    expect([summary.totalUsageUnits, text(summary.totalCost), summary.usageRecordIds]).toEqual([
      ...[4n, "40uve", [kept]],
    ]);
    const byProvider = await see.summary(chain, { provider: provider.address });
    expect(byProvider.usageRecordIds).toEqual([kept]);
    expect((await see.usageOf(chain, ORDER)).map(({ usageId }) => usageId)).toHaveLength(3);
    expect(await openIds()).toEqual([kept]);
  });

  test("RULES 11 leaves nothing open: the customer may have the escrow back", async () => {
    await chain.refused(msg.refund(customer, "escrow-1"), 1517, id);
    await chain.ok(withdraw(id));
    await chain.ok(msg.refund(customer, "escrow-1"));
    await activeEscrow(chain, "100uve");
    const again = await recorded(chain, {});
    await chain.ok(withdraw(again));
  });
});

test("RULES 19 a usage threshold of a release counts units as they are corrected and withdrawn", async () => {
  const escrowId = await pendingEscrow(chain, "100uve", { order: "order-2" });
  const condition = ReleaseCondition.fromPartial({ type: "usage_threshold", minUsageUnits: 10n });
  const value = MsgSetReleaseConditions.encode({
    ...{ sender: customer.address, escrowId, conditions: [condition] },
  }).finish();
  const typeUrl = "/settled.settlement.v1.MsgSetReleaseConditions";
  await chain.ok({ typeUrl, value, signer: customer });
  await chain.ok(msg.activate(customer, escrowId, provider.address));
  const isMet = async () => (await see.escrow(chain, escrowId)).conditions[0]?.satisfied;
  const report = { order: "order-2" };
  const first = await recorded(chain, { ...report, ...slot(0), units: 6n });
  await corrected(chain, first, { units: 3n });
  const second = await recorded(chain, { ...report, ...slot(1), units: 6n });
  expect(await isMet()).toBe(false);
  await chain.ok(withdraw(second));
  const third = await recorded(chain, { ...report, ...slot(1), units: 6n });
  expect(await isMet()).toBe(false);
  await corrected(chain, third, { units: 7n });
  expect(await isMet()).toBe(true);
});

describe("I-30 genesis", () => {
  test("keeps corrections and withdrawals, their keys and the last records of a meter", async () => {
    const ids = [id];
    for (let n = 1; n < 11; n += 1) ids.push(await recorded(chain, { ...slot(n), units: 3n }));
    const second = await corrected(chain, ids[4] as string, { units: 4n });
    await corrected(chain, second, { units: 2n });
    // The first has fallen out of the last eight; a later one and the last are withdrawn.
    await corrected(chain, id, { units: 1n });
    await chain.ok(withdraw(ids[7] as string), withdraw(ids[10] as string));
    await recorded(chain, { ...slot(20), units: 300n });
    await settled(chain, { ids: [second.replace(/[0-9]+$/, "13"), ids[8] as string] }).catch(
      () => undefined,
    );
    const copy = await chain.imported();
    expect(await copy.exported()).toBe(await chain.exported());
    expect(copy.appHash).toBe(chain.appHash);
    await copy.checkFullInvariants();
    // Both go on alike: the same mean, the same keys.
    copy.time = chain.time;
    for (const each of [chain, copy]) {
      await recorded(each, { ...slot(10), units: 5n });
      await recorded(each, { ...slot(21), units: 40n });
    }
    const flags = async (each: TestChain) =>
      (await see.usageOf(each, ORDER)).map(({ metadata }) => metadata);
    expect(await flags(copy)).toEqual(await flags(chain));
  });

  test.each<[name: string, change: (usage: Record<string, unknown>[]) => void, field: string]>([
    ["a correction of nothing", ([, b]) => put(b, { corrects_seq: "7" }), "corrected_by_seq"],
    [
      "a record that nobody corrected",
      ([a]) => put(a, { corrected_by_seq: "9" }),
      "usage[0].corrected_by_seq",
    ],
    [
      "a correction of another period",
      ([, b]) => put(b, { period_end: `${slot(0).end + 1n}` }),
      "usage[1].corrects_seq",
    ],
    [
      "a place that another record of the meter has",
      ([a, b]) => [a, b].forEach((each) => put(each, { meter_place: "2" })),
      "usage[0].meter_place",
    ],
    [
      "an open record that was corrected",
      ([a]) => put(a, { status: "USAGE_STATUS_WRITTEN_OFF" }),
      "usage[1]: period",
    ],
  ])("names the field of %s", async (_, change, field) => {
    await corrected(chain, id);
    const genesis = await chain.app.exportGenesis();
    const appState = structuredClone(genesis.appState) as {
      settlement: { usage: Record<string, unknown>[] };
    };
    change(appState.settlement.usage);
    await expect(openChain({ genesis: { ...genesis, appState } })).rejects.toThrow(field);
  });
});

function put(record: Record<string, unknown> | undefined, fields: object): void {
  Object.assign(record ?? {}, fields);
}
