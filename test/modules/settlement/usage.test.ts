import { beforeEach, describe, expect, test, vi } from "vitest";
import type { QueryUsageByNaturalKeyResponse } from "../../../src/gen/settled/settlement/v1/query.ts";
import { UsageState } from "../../../src/gen/settled/settlement/v1/state.ts";
import type { MsgRecordUsageResponse } from "../../../src/gen/virtengine/settlement/v1/tx.ts";
import { NS_PER_SECOND, type TimeNs, timeOfSeconds } from "../../../src/types/time.ts";
import { customer, provider, provider2, stranger } from "../../testkit/accounts.ts";
import { openChain, type TestChain } from "../../testkit/chain.ts";
import { text } from "../../testkit/coins.ts";
import { LEASE, msg, ORDER, type Report, SIGNATURE } from "../../testkit/messages.ts";
import { responseOf } from "../../testkit/outcome.ts";
import { activeEscrow, pendingEscrow, recorded, settled } from "../../testkit/orders.ts";
import { DAY, GENESIS, HOUR, slot } from "../../testkit/times.ts";
import { see } from "../../testkit/views.ts";

const U64_MAX = 18_446_744_073_709_551_615n;

let chain: TestChain;
beforeEach(async () => {
  chain = await openChain();
});

describe("recording usage", () => {
  beforeEach(() => activeEscrow(chain, "10000uve,10000uusd"));

  test("R-003-12 each MsgRecordUsage makes a record with units, type, price and cost", async () => {
    const result = await chain.ok(
      msg.record(provider, { units: 2n, price: "10.5uve", type: "gpu" }),
    );
    const { usageId, totalCost } = responseOf<MsgRecordUsageResponse>(result);
    expect(totalCost).toBe("21uve");
    expect(await see.usage(chain, usageId)).toEqual({
      usageId,
      orderId: ORDER,
      leaseId: LEASE,
      provider: provider.address,
      customer: customer.address,
      usageUnits: 2n,
      usageType: "gpu",
      periodStart: slot(0).start,
      periodEnd: slot(0).end,
      unitPrice: { denom: "uve", amount: "10500000000000000000" },
      totalCost: [{ denom: "uve", amount: "21" }],
      providerSignature: SIGNATURE,
      customerAcknowledged: false,
      customerSignature: new Uint8Array(0),
      settled: false,
      settlementId: "",
      submittedAt: GENESIS + 3n,
      blockHeight: 3n,
      metadata: {},
    });
  });

  test("a record that is kept in memory does not keep the bytes of its tx there", async () => {
    const encode = vi.spyOn(UsageState, "encode");
    await recorded(chain);
    const signatures = encode.mock.calls.map(([{ providerSignature }]) => providerSignature);
    encode.mockRestore();
    expect(signatures).toEqual([SIGNATURE]);
    expect(signatures[0]?.buffer.byteLength).toBe(SIGNATURE.length);
  });

  test.each<[units: bigint, price: string, cost: string]>([
    [2n, "10.5uve", "21uve"],
    [10n, "0.333uve", "3uve"],
    [10n, "1.5uve", "15uve"],
    [3n, "0.333333333333333333uve", ""],
    [1n, "0.01uve", ""],
    [U64_MAX, "1uve", "18446744073709551615uve"],
    [U64_MAX, "0.025uve", "461168601842738790uve"],
    [7n, "0uve", ""],
    [1n, "0.999999999999999999uve", ""],
    [2n ** 63n, "1uusd", "9223372036854775808uusd"],
  ])('R-003-12 / D-9 %s units at %s cost exactly "%s", floored', async (units, price, cost) => {
    const result = await chain.ok(msg.record(provider, { units, price }));
    const { usageId, totalCost } = responseOf<MsgRecordUsageResponse>(result);
    expect(totalCost).toBe(cost);
    const record = await see.usage(chain, usageId);
    expect([record.usageUnits, text(record.totalCost)]).toEqual([units, cost]);
  });

  test("R-003-13 a record stores its period, and the block time as the time of submission", async () => {
    chain.time = timeOfSeconds(GENESIS + 500n);
    const result = await chain.ok(msg.record(provider, { ...slot(3) }));
    const { usageId, recordedAt } = responseOf<MsgRecordUsageResponse>(result);
    expect([usageId, recordedAt]).toEqual([`usage-${GENESIS + 500n}-1`, GENESIS + 500n]);
    const record = await see.usage(chain, usageId);
    const { periodStart, periodEnd, submittedAt } = record;
    expect([periodStart, periodEnd, submittedAt]).toEqual([
      ...[slot(3).start, slot(3).end, GENESIS + 500n],
    ]);
  });

  test("RULES 6 the state keeps nanoseconds: extended queries show them", async () => {
    chain.time = (timeOfSeconds(GENESIS + 500n) + 987_654_321n) as TimeNs;
    const id = await recorded(chain);
    expect((await see.usage(chain, id)).submittedAt).toBe(GENESIS + 500n);
    const { submittedAtNs } = await see.usageDetail(chain, id);
    expect(submittedAtNs).toBe((GENESIS + 500n) * NS_PER_SECOND + 987_654_321n);
  });

  test.each<[name: string, report: Report, code: number, part: string]>([
    ["no units", { units: 0n }, 5, "usage_units is 0"],
    ["no type", { type: "" }, 5, "usage_type is empty"],
    ["a type of blanks", { type: " \t " }, 5, "usage_type is empty"],
    ["a type of 65 bytes", { type: "x".repeat(65) }, 5, "65 bytes"],
    ["an end before the start", { start: slot(1).end, end: slot(1).start }, 5, "not after"],
    ["an empty period", { start: slot(1).start, end: slot(1).start }, 5, "not after"],
    ["no signature", { signature: new Uint8Array(0) }, 6, "signature is empty"],
    ["no order", { order: "" }, 5, "order_id is empty"],
    ["no lease", { lease: "" }, 5, "lease_id is empty"],
    ["an order id of 129 bytes", { order: "é".repeat(64) + "x" }, 5, "129 bytes"],
    ["a negative price", { price: "-1uve" }, 5, '"-1000000000000000000"'],
    ["a bad denom", { price: "1u" }, 5, '"u"'],
  ])("R-003-15 / D-9 refuses %s", async (_, report, code, part) => {
    await chain.refused(msg.record(provider, report), code, part);
  });

  test("R-003-15 an unknown usage id answers 1513 and names it", async () => {
    const id = await recorded(chain);
    for (const unknown of ["usage-1-1", "nope", `${id}0`, id.replace("usage", "settle")]) {
      await chain.refused(msg.acknowledge(customer, unknown), 1513, `"${unknown}"`);
      await chain.refused(msg.settle(customer, { ids: [unknown] }), 1513, `"${unknown}"`);
    }
  });

  test("R-003-16 only the escrow's provider records usage", async () => {
    for (const signer of [provider2, customer, stranger]) {
      await chain.refused(
        msg.record(signer),
        1505,
        `recipient ${provider.address}`,
        signer.address,
      );
    }
  });

  test("R-003-16 usage of a pending escrow is refused", async () => {
    await pendingEscrow(chain, "10uve", { order: "order-2" });
    await chain.refused(msg.record(provider, { order: "order-2" }), 1519, "pending");
  });

  test("RULES 15 the lease must be the escrow's; both values are named", async () => {
    await chain.refused(msg.record(provider, { lease: "other" }), 1512, `"${LEASE}"`, '"other"');
  });

  test("RULES 15 the price is in a denom that the escrow holds", async () => {
    const message = msg.record(provider, { price: "1uatom" });
    await chain.refused(message, 1512, "uatom", "10000uusd,10000uve");
  });

  test("RULES 15 a period ends at most 60 s after the block time", async () => {
    const now = GENESIS + 100n;
    chain.time = timeOfSeconds(now);
    await chain.refused(msg.record(provider, { start: now, end: now + 61n }), 1512, "60 s");
    chain.time = timeOfSeconds(now);
    await chain.ok(msg.record(provider, { start: now, end: now + 60n }));
  });

  test("RULES 15 a period lasts at most 31 days and may start before the escrow did", async () => {
    const end = GENESIS - 40n * DAY;
    const long = { start: end - 31n * DAY - 1n, end };
    await chain.refused(msg.record(provider, long), 1512, "2678401", "2678400");
    await chain.ok(msg.record(provider, { start: end - 31n * DAY, end }));
    await chain.ok(msg.record(provider, { start: -31n * DAY, end: 0n, type: "gpu" }));
  });
});

describe("RULES 16", () => {
  beforeEach(() => activeEscrow(chain, "10000uve,10000uusd"));

  test.each<[name: string, change: Report, how: string]>([
    ["the same again", {}, "identical"],
    ["another signature", { signature: Uint8Array.of(9) }, "identical"],
    ["other units", { units: 2n }, "different"],
    ["another price", { price: "2uve" }, "different"],
    ["a price in another denom of the escrow", { price: "1uusd" }, "different"],
    ["a price in a denom that the escrow does not hold", { price: "1uatom" }, "different"],
    ["another spelling of the type", { type: " CPU\t" }, "identical"],
    ["an alias of the type", { type: "core-hour" }, "identical"],
  ])("RULES 16 %s answers 1514 with the first record's id", async (_, change, how) => {
    const id = await recorded(chain);
    await chain.refused(msg.record(provider, change), 1514, id, `the repeat is ${how}`);
  });

  test("RULES 16 a repeat says so too when the escrow has ended or is disputed", async () => {
    const id = await recorded(chain, { price: "2000uve" });
    await chain.ok(msg.dispute(customer, "escrow-1"));
    await chain.refused(msg.record(provider, { price: "2000uve" }), 1514, id, "identical");
    await chain.ok(msg.refund(provider, "escrow-1"));
    await chain.refused(msg.record(provider, { price: "2000uve" }), 1514, id, "identical");
  });

  test("RULES 16 the natural key finds its record", async () => {
    const id = await recorded(chain, { type: "compute" });
    const ask = (usageType: string, { start, end } = slot(0)) => {
      const path = "settled.settlement.v1.Query/UsageByNaturalKey";
      const request = { orderId: ORDER, leaseId: LEASE, usageType };
      return chain.ask(path, { ...request, periodStart: start, periodEnd: end });
    };
    const path = "settled.settlement.v1.Query/UsageByNaturalKey";
    const found = await chain.query<QueryUsageByNaturalKeyResponse>(path, {
      ...{ orderId: ORDER, leaseId: LEASE, usageType: "CPU" },
      ...{ periodStart: slot(0).start, periodEnd: slot(0).end },
    });
    expect(found.usageRecord?.usageId).toBe(id);
    expect(await ask("gpu")).toMatchObject({ code: 22, codespace: "sdk" });
    const { start, end } = slot(0);
    for (const other of [slot(1), { start, end: end + 1n }, { start: start + 1n, end }]) {
      expect(await ask("cpu", other)).toMatchObject({ code: 22, codespace: "sdk" });
    }
  });

  test("RULES 16 the same start with another end is no repeat: it overlaps", async () => {
    const id = await recorded(chain, slot(0));
    await recorded(chain, slot(1));
    const { start, end } = slot(0);
    for (const other of [end - 1n, end + 1n, slot(1).end]) {
      await chain.refused(msg.record(provider, { start, end: other }), 1512, "overlaps");
    }
    await chain.refused(msg.record(provider, { start, end }), 1514, id);
  });

  test("RULES 16 texts cannot run into each other in keys", async () => {
    await activeEscrow(chain, "100uve", { order: "a", lease: "bc" });
    await activeEscrow(chain, "100uve", { order: "ab", lease: "c" });
    await recorded(chain, { order: "a", lease: "bc" });
    await recorded(chain, { order: "ab", lease: "c" });
  });
});

describe("RULES 17", () => {
  beforeEach(() => activeEscrow(chain, "10000uve,10000uusd"));

  test("R-003-18 an overlapping period of the same lease and type is refused", async () => {
    const t = GENESIS - DAY;
    await recorded(chain, { start: t, end: t + 3600n });
    const overlap = { start: t + 1800n, end: t + 5400n };
    await chain.refused(msg.record(provider, overlap), 1512, "overlaps", `[${t}, ${t + 3600n})`);
    await recorded(chain, { start: t + 3600n, end: t + 7200n });
    await recorded(chain, { ...overlap, type: "gpu" });
  });

  test.each<[name: string, start: bigint, end: bigint]>([
    ["inside", 110n, 190n],
    ["around", 90n, 210n],
    ["over the start", 90n, 101n],
    ["over the end", 199n, 210n],
    ["with the same start", 100n, 150n],
    ["with the same end", 150n, 200n],
    ["across two intervals", 150n, 350n],
  ])("RULES 17 a period %s is refused, naming what it meets", async (_, start, end) => {
    const t = GENESIS - DAY;
    await recorded(chain, { start: t + 300n, end: t + 400n });
    await recorded(chain, { start: t + 100n, end: t + 200n });
    const message = msg.record(provider, { start: t + start, end: t + end });
    await chain.refused(message, 1512, `[${t + 100n}, ${t + 200n})`);
  });

  test("RULES 17 coverage goes by the normalised type", async () => {
    const t = GENESIS - DAY;
    await recorded(chain, { start: t, end: t + 100n, type: "cpu" });
    const alias = { start: t + 50n, end: t + 150n, type: " Compute " };
    await chain.refused(msg.record(provider, alias), 1512, "overlaps");
  });

  test("RULES 17 256 gaps are remembered, one more is too many, and touching periods merge", async () => {
    const t = GENESIS - DAY;
    const apart = (n: number) => ({ start: t + BigInt(2 * n), end: t + BigInt(2 * n) + 1n });
    const messages = Array.from({ length: 256 }, (_, n) => msg.record(provider, apart(n)));
    await chain.ok(...messages);
    await chain.refused(msg.record(provider, apart(256)), 1512, "too many gaps", "256");
    // Filling a gap makes one interval of two.
    await recorded(chain, { start: t + 1n, end: t + 2n });
    await recorded(chain, apart(256));
  });
});

test("RULES 9 the record and the summary keep the text as sent", async () => {
  await activeEscrow(chain);
  const id = await recorded(chain, { type: " GPU-Hour " });
  await recorded(chain, { ...slot(1), type: "gpu" });
  expect((await see.usage(chain, id)).usageType).toBe(" GPU-Hour ");
  const { byUsageType } = await see.summary(chain, { orderId: ORDER });
  expect(byUsageType.map(({ usageType }) => usageType)).toEqual([" GPU-Hour ", "gpu"]);
});

test("RULES 9 usage types of 64 bytes and ids of 128 bytes are taken", async () => {
  const [order, lease] = ["é".repeat(64), "l".repeat(128)];
  await activeEscrow(chain, "10uve", { order, lease });
  const id = await recorded(chain, { order, lease, type: "t".repeat(64) });
  expect(await see.usage(chain, id)).toMatchObject({ orderId: order, leaseId: lease });
});

test("R-003-02 metrics of two leases of one provider are independent records", async () => {
  await activeEscrow(chain, "100uve", { order: "order-a", lease: "lease-a" });
  await activeEscrow(chain, "100uve", { order: "order-b", lease: "lease-b" });
  const a = await recorded(chain, { order: "order-a", lease: "lease-a" });
  const b = await recorded(chain, { order: "order-b", lease: "lease-b" });
  expect([(await see.usage(chain, a)).leaseId, (await see.usage(chain, b)).leaseId]).toEqual([
    ...["lease-a", "lease-b"],
  ]);
});

test("R-003-03 a window with cpu, memory and network is three records of one period", async () => {
  await activeEscrow(chain);
  const types = ["cpu", "memory", "network"];
  for (const type of types) await recorded(chain, { type });
  const records = await see.usageOf(chain, ORDER);
  expect(records.map(({ usageType }) => usageType)).toEqual(types);
  const periods = records.map(({ periodStart, periodEnd }) => `${periodStart}-${periodEnd}`);
  expect(new Set(periods).size).toBe(1);
});

test("RULES 26 a record costs the same gas in an order with a thousand others", async () => {
  await activeEscrow(chain, "100000uve");
  const gas: bigint[] = [];
  for (let batch = 0; batch < 10; batch += 1) {
    const messages = Array.from({ length: 100 }, (_, n) => {
      return msg.record(provider, slot(batch * 100 + n, 10n));
    });
    gas.push((await chain.ok(...messages)).gasUsed);
  }
  const [first = 0n, last = 0n] = [gas[0], gas.at(-1)];
  expect(last - first).toBeLessThan(100n);
  expect((await settled(chain)).totalAmount).toBe("1000uve");
});

test("an hour of usage in the future by the header's clock is refused, not the node's", async () => {
  await activeEscrow(chain);
  chain.time = timeOfSeconds(GENESIS + 10n);
  const future = { start: GENESIS + HOUR, end: GENESIS + 2n * HOUR };
  await chain.refused(msg.record(provider, future), 1512, "2026-01-01T02:00:00Z");
});
