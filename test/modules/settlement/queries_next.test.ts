import { beforeEach, describe, expect, test } from "vitest";
import type * as ext from "../../../src/gen/settled/settlement/v1/query.ts";
import { customer, provider, stranger } from "../../testkit/accounts.ts";
import { openChain, type TestChain } from "../../testkit/chain.ts";
import { text } from "../../testkit/coins.ts";
import { disputed } from "../../testkit/disputes.ts";
import { msg, ORDER } from "../../testkit/messages.ts";
import {
  acknowledged,
  activeEscrow,
  pendingEscrow,
  recorded,
  recordedCosts,
  settled,
} from "../../testkit/orders.ts";
import { type Found, pagesOf } from "../../testkit/pages.ts";
import { DAY, slot } from "../../testkit/times.ts";

const OWN = "settled.settlement.v1.Query";

let chain: TestChain;
beforeEach(async () => {
  chain = await openChain();
});

function next(order = ORDER): Promise<ext.QueryNextSettlementResponse> {
  return chain.query(`${OWN}/NextSettlement`, { orderId: order });
}

function estimate(request: object): Promise<ext.QueryEstimateSettlementResponse> {
  const whole = { orderId: ORDER, sender: customer.address, ...request };
  return chain.query(`${OWN}/EstimateSettlement`, whole);
}

describe("Query/NextSettlement", () => {
  test("an escrow that is not active yet, and nothing recorded", async () => {
    await pendingEscrow(chain);
    const answer = await next();
    expect(answer).toMatchObject({
      ...{ escrowId: "escrow-1", escrowState: "pending", openUsage: 0n, autoSettleAtNs: 0n },
      lacks: ["escrow_not_active", "no_open_usage"],
    });
  });

  test("all wait for the customer, then none does once acknowledged", async () => {
    await activeEscrow(chain, "100000uve");
    const ids = await recordedCosts(chain, [1000, 2000]);
    const before = await next();
    expect([before.lacks, before.unacknowledged, text(before.amount)]).toEqual([
      ...[["all_wait"], 2n, ""],
    ]);
    const submitted = BigInt(/-([0-9]+)-/.exec(ids[0] ?? "")?.[1] ?? 0);
    const after = (submitted + DAY) * 1_000_000_000n;
    expect(
      before.waiting.map(({ usageId, waitsFor, settleableAtNs }) => [
        usageId,
        waitsFor,
        settleableAtNs,
      ]),
    ).toEqual(ids.map((id) => [id, ["unacknowledged"], after]));
    await acknowledged(chain, ids);
    const now = await next();
    expect([now.lacks, now.unacknowledged, now.waiting]).toEqual([[], 0n, []]);
    expect([text(now.amount), text(now.cost), text(now.missing)]).toEqual([
      "3000uve",
      "3000uve",
      "",
    ]);
    expect(text(now.balance)).toBe("100000uve");
  });

  test("what waits may be settled from the time that is shown, not before", async () => {
    chain = await openChain({ extended: { auto_settle_enabled: false } });
    await activeEscrow(chain, "100000uve");
    await recordedCosts(chain, [2000]);
    const at = (await next()).waiting[0]?.settleableAtNs ?? 0n;
    chain.time = (at - 1n) as typeof chain.time;
    await chain.refused(msg.settle(provider), 1506, "wait for acknowledgement");
    chain.time = at as typeof chain.time;
    await chain.block();
    expect((await next()).waiting).toEqual([]);
    await chain.ok(msg.settle(provider));
  });

  test("flagged and disputed records say so; what is disputed is reserved", async () => {
    await activeEscrow(chain, "10000uve");
    const flagged = await recorded(chain, { ...slot(0, 10n), price: "2000uve" });
    const [plain = ""] = await recordedCosts(chain, [3000], { from: 1 });
    await disputed(chain, plain);
    const answer = await next();
    expect([answer.openUsage, answer.flagged, answer.disputed]).toEqual([2n, 1n, 1n]);
    expect(answer.waiting.map(({ usageId, waitsFor }) => [usageId, ...waitsFor])).toEqual([
      [flagged, "unacknowledged", "flagged"],
      [plain, "unacknowledged", "disputed"],
    ]);
    expect(answer.waiting.map(({ settleableAtNs }) => settleableAtNs > 0n)).toEqual([true, false]);
    expect(text(answer.balance)).toBe("7000uve");
    for (const [dispute, expected] of [
      ["open", [plain]],
      ["any", [plain]],
      ["none", [flagged]],
    ] as const) {
      const request = { provider: provider.address, dispute };
      const { usageRecords } = await chain.query<ext.QueryUsageRecordsResponse>(
        `${OWN}/UsageRecords`,
        request,
      );
      expect(usageRecords.map(({ usageId }) => usageId)).toEqual(expected);
    }
  });

  test("the minimum, the balance and records that cost nothing", async () => {
    await activeEscrow(chain, "1500uve");
    const small = await recordedCosts(chain, [0, 400]);
    await acknowledged(chain, small.slice(0, 1));
    expect((await next()).lacks).toEqual(["zero_cost"]);
    await acknowledged(chain, small.slice(1));
    const below = await next();
    expect([below.lacks, text(below.amount), below.minSettlementAmount]).toEqual([
      ...[["below_minimum"], "400uve", "1000"],
    ]);
    await settled(chain, { ids: small, final: true });
    await activeEscrow(chain, "1500uve");
    await acknowledged(chain, await recordedCosts(chain, [1600], { from: 5 }));
    const short = await next();
    expect([short.lacks, text(short.missing)]).toEqual([["balance"], "100uve"]);
  });

  test("the next automatic settlement is when it is shown to be", async () => {
    await activeEscrow(chain, "100000uve", { expiresIn: 30n * DAY });
    await acknowledged(chain, await recordedCosts(chain, [5000]));
    const { autoSettleAtNs, autoSettleEnabled } = await next();
    expect(autoSettleEnabled).toBe(true);
    chain.time = (autoSettleAtNs - 1n) as typeof chain.time;
    await chain.block();
    expect((await next()).openUsage).toBe(1n);
    chain.time = autoSettleAtNs as typeof chain.time;
    await chain.block();
    const after = await next();
    expect(after.openUsage).toBe(0n);
    expect(after.autoSettleAtNs > autoSettleAtNs).toBe(true);
  });

  test("an order that there is not is NotFound with the module's code", async () => {
    const answer = await chain.ask(`${OWN}/NextSettlement`, { orderId: "order-9" });
    expect(answer.code).toBe(22);
    expect(answer.log).toContain("(settlement/1501)");
  });
});

describe("Query/EstimateSettlement", () => {
  beforeEach(async () => {
    await activeEscrow(chain, "10000uve");
  });

  test("R-003-49 says of each record what it is settled for and by which factors it is rewarded", async () => {
    const ids = await recordedCosts(chain, [1000, 500], { type: "gpu" });
    await acknowledged(chain, ids.slice(0, 1));
    const answer = await estimate({});
    expect(answer.records.map((each) => [each.usageId, each.left, text(each.amount)])).toEqual([
      [ids[0], "", "1000uve"],
      [ids[1], "", "500uve"],
    ]);
    const factors = answer.records.map(({ rateBps, resourceBps, slaBps, ackBps }) => [
      ...[rateBps, resourceBps, slaBps, ackBps],
    ]);
    expect(factors[0]?.[3]).not.toBe(factors[1]?.[3]);
    for (const [n, { amount, reward }] of answer.records.entries()) {
      const product = (factors[n] ?? []).reduce((sum, factor) => sum * factor, 1n);
      const due = (BigInt(amount[0]?.amount ?? 0) * product) / 10n ** 16n;
      expect(text(reward)).toBe(`${due}uve`);
    }
    expect([text(answer.total), answer.remaining, answer.isFinal]).toEqual(["1500uve", 0n, false]);
    expect([text(answer.invoiceTotal), text(answer.invoiceDue)]).toEqual(["1500uve", ""]);
    expect(text(answer.balanceAfter)).toBe("8500uve");
  });

  test("records that stay say why", async () => {
    const ids = await recordedCosts(chain, [4000, 2000, 7000, 10]);
    await acknowledged(chain, [ids[0], ids[2], ids[3]].map(String));
    const answer = await estimate({ sender: provider.address });
    expect(answer.records.map(({ left }) => left)).toEqual([
      ...["", "unacknowledged", "not_covered", "not_covered"],
    ]);
    expect([answer.stoppedAt, answer.remaining]).toEqual([ids[2], 3n]);
  });

  test("parts: what does not fit one settlement is the next part's", async () => {
    chain = await openChain({ extended: { max_records_per_settlement: 2 } });
    await activeEscrow(chain, "10000uve");
    await recordedCosts(chain, [1000, 1000, 1000]);
    const answer = await estimate({ isFinal: true });
    expect(answer.records.map(({ left }) => left)).toEqual(["", "", "next_part"]);
    expect([answer.settlementType, answer.isFinal]).toEqual(["usage_based", false]);
  });

  test.each<[code: number, what: string, request: object]>([
    [1501, "order", { orderId: "order-9" }],
    [1505, "sender", { sender: stranger.address }],
    [1506, "below minimum", {}],
    [1513, "usage-1-77", { usageRecordIds: ["usage-1-77"] }],
    [4, "twice", { usageRecordIds: ["usage-1-1", "usage-1-1"] }],
  ])("refused with %s as the message would be: %s", async (code, _, request) => {
    await recordedCosts(chain, [10]);
    const answer = await estimate(request);
    expect(answer).toMatchObject({ codespace: "settlement", code, settlementType: "" });
    const { sender = customer.address, ...rest } = request as { sender?: string };
    const signer = sender === stranger.address ? stranger : customer;
    const asked = rest as { orderId?: string; usageRecordIds?: string[] };
    const settle = msg.settle(signer, {
      order: asked.orderId ?? ORDER,
      ids: asked.usageRecordIds ?? [],
    });
    expect((await chain.refused(settle, code)).log).toContain(answer.error);
  });

  test("without a sender it is the customer's settlement", async () => {
    await recordedCosts(chain, [2000]);
    expect(await estimate({ sender: "" })).toEqual(await estimate({}));
    expect(await estimate({ sender: "" })).toMatchObject({ code: 0 });
  });

  test("a final settlement of nothing ends the escrow and is no settlement", async () => {
    const answer = await estimate({ isFinal: true });
    expect(answer).toMatchObject({ code: 0, isFinal: true, settlementType: "", records: [] });
    expect(text(answer.total)).toBe("");
  });

  test("an estimate of a height is of the state that it had", async () => {
    await recordedCosts(chain, [2000]);
    const height = chain.height;
    await settled(chain);
    const path = `${OWN}/EstimateSettlement`;
    const then = await chain.ask(path, { orderId: ORDER, sender: customer.address }, height);
    expect(then.code).toBe(0);
    expect((await estimate({})).code).toBe(1506);
  });
});

test("R-003-37 a filter that matches nothing ends a page after 2,000 records, and all pages end", async () => {
  await activeEscrow(chain, "100000uve");
  const count = 4100;
  for (let at = 0; at < count; ) {
    const batch: Uint8Array[] = [];
    for (let tx = 0; tx < 6 && at < count; tx += 1) {
      const messages = [];
      for (let n = 0; n < 250 && at < count; n += 1, at += 1) {
        messages.push(msg.record(provider, { ...slot(at, 4n), price: "0uve" }));
      }
      batch.push(await chain.tx(messages));
    }
    const { txResults } = await chain.block(...batch);
    expect(txResults.every(({ code }) => code === 0)).toBe(true);
  }
  for (const by of [{ provider: provider.address }, { orderId: ORDER }, {}]) {
    const request = { ...by, usageType: "gpu" };
    let key = new Uint8Array(0);
    let pages = 0;
    do {
      const answer = await chain.query<ext.QueryUsageRecordsResponse>(`${OWN}/UsageRecords`, {
        ...{ ...request, pagination: { key } },
      });
      expect(answer.usageRecords).toEqual([]);
      key = Uint8Array.from(answer.pagination?.nextKey ?? []);
      pages += 1;
    } while (key.length > 0);
    expect(pages).toBe(3);
  }
  const of: Found = {
    path: `${OWN}/UsageRecords`,
    ids: (answer) => (answer as ext.QueryUsageRecordsResponse).usageRecords.map((u) => u.usageId),
  };
  const request = { customer: customer.address };
  const ids = await pagesOf(chain, of, { request, limit: 1000n });
  expect(new Set(ids).size).toBe(count);
  const far = { ...request, usageType: "gpu", pagination: { offset: 5n } };
  const answer = await chain.ask(`${OWN}/UsageRecords`, far);
  expect(answer.log).toContain("code = ResourceExhausted");
  expect(answer.log).toContain("go on by next_key");
});
