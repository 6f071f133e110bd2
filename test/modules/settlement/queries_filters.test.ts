import { beforeAll, describe, expect, test } from "vitest";
import type * as ext from "../../../src/gen/settled/settlement/v1/query.ts";
import type { Key } from "../../../src/lib/key.ts";
import * as keys from "../../../src/modules/settlement/keys.ts";
import {
  customer,
  customer2,
  provider,
  provider2,
  stranger,
  type TestAccount,
} from "../../testkit/accounts.ts";
import { openChain, type TestChain } from "../../testkit/chain.ts";
import { seeInvoice } from "../../testkit/invoices.ts";
import { msg } from "../../testkit/messages.ts";
import { keysOnDisk, putOnDisk } from "../../testkit/on_disk.ts";
import { activeEscrow, pendingEscrow, recorded, settled } from "../../testkit/orders.ts";
import { type Found, pagesOf } from "../../testkit/pages.ts";
import { slot } from "../../testkit/times.ts";

const OWN = "settled.settlement.v1.Query";

interface Party {
  readonly order: string;
  readonly lease: string;
  readonly depositor: TestAccount;
  readonly recipient: TestAccount;
}

const PARTIES: readonly Party[] = [
  { order: "order-1", lease: "lease-a", depositor: customer, recipient: provider },
  { order: "order-2", lease: "lease-b", depositor: customer2, recipient: provider },
  { order: "order-3", lease: "lease-a", depositor: customer, recipient: provider2 },
];

/**
 * Three orders with six records each, an hour apart: cpu, gpu, cpu, … The first three of order 1 and
 * the first two of order 2 are settled; order 3 is settled for good and has a second escrow.
 */
let chain: TestChain;
/** Ids of the usage records by order. */
const usage: Record<string, string[]> = {};
/** Unix seconds at which each escrow was created. */
let created: bigint[] = [];
let settledAt: bigint[] = [];

beforeAll(async () => {
  chain = await openChain({ params: { min_settlement_amount: "0" } });
  for (const { order, lease, depositor, recipient } of PARTIES) {
    chain.skip(600n);
    await activeEscrow(chain, "100000uve", { order, lease, depositor, recipient });
    const ids: string[] = [];
    for (let n = 0; n < 6; n += 1) {
      const type = n % 2 === 0 ? "cpu" : "gpu";
      const report = { order, lease, ...slot(n, 3600n), type, price: `${n + 1}uve` };
      ids.push(await recorded(chain, report, recipient));
    }
    usage[order] = ids;
  }
  const [first, second, third] = PARTIES as [Party, Party, Party];
  await settled(chain, { order: first.order, ids: (usage["order-1"] ?? []).slice(0, 3) });
  chain.skip(600n);
  const ids = (usage["order-2"] ?? []).slice(0, 2);
  await settled(chain, { order: second.order, ids, signer: customer2 });
  chain.skip(600n);
  await settled(chain, { order: third.order, final: true });
  chain.skip(600n);
  const again = await pendingEscrow(chain, "500uve", { order: third.order });
  await chain.ok(msg.refund(customer, again));
  await pendingEscrow(chain, "700uve", { order: third.order, depositor: customer2 });
  const { escrows } = await chain.query<ext.QueryEscrowsResponse>(`${OWN}/Escrows`);
  created = escrows.map(({ createdAt }) => createdAt);
  const { settlements } = await chain.query<ext.QuerySettlementsResponse>(`${OWN}/Settlements`);
  settledAt = settlements.map(({ settledAt: at }) => at);
});

const escrows: Found = {
  path: `${OWN}/Escrows`,
  ids: (answer) => (answer as ext.QueryEscrowsResponse).escrows.map(({ escrowId }) => escrowId),
};
const orders: Found = {
  path: `${OWN}/Orders`,
  ids: (answer) => (answer as ext.QueryOrdersResponse).orders.map(({ orderId }) => orderId),
};
const records: Found = {
  path: `${OWN}/UsageRecords`,
  ids: (answer) =>
    (answer as ext.QueryUsageRecordsResponse).usageRecords.map(({ usageId }) => usageId),
};
const settlements: Found = {
  path: `${OWN}/Settlements`,
  ids: (answer) =>
    (answer as ext.QuerySettlementsResponse).settlements.map(({ orderId, settlementType }) => {
      return `${orderId} ${settlementType}`;
    }),
};

/** The ids that a filter finds: the same ones in one page, in pages of one and two, and reversed. */
async function found(of: Found, request: object): Promise<string[]> {
  const whole = of.ids(await chain.query(of.path, request));
  for (const limit of [1n, 2n]) {
    expect(await pagesOf(chain, of, { request, limit })).toEqual(whole);
    const reversed = await pagesOf(chain, of, { request, limit, reverse: true });
    expect(reversed.reverse()).toEqual(whole);
  }
  return whole;
}

describe("Query/Escrows", () => {
  test.each<[name: string, request: () => object, numbers: number[]]>([
    ["nothing", () => ({}), [1, 2, 3, 4, 5]],
    ["the depositor", () => ({ depositor: customer.address }), [1, 3, 4]],
    ["the recipient", () => ({ recipient: provider.address }), [1, 2]],
    ["both", () => ({ depositor: customer2.address, recipient: provider.address }), [2]],
    ["the state", () => ({ state: "active" }), [1, 2]],
    ["state and depositor", () => ({ state: "refunded", depositor: customer.address }), [4]],
    ["the order", () => ({ orderId: "order-3" }), [3, 4, 5]],
    ["order and depositor", () => ({ orderId: "order-3", depositor: customer2.address }), [5]],
    ["the lease", () => ({ leaseId: "lease-a" }), [1, 3]],
    ["lease and recipient", () => ({ leaseId: "lease-a", recipient: provider2.address }), [3]],
    ["the time from", () => ({ createdFrom: created[1] }), [2, 3, 4, 5]],
    ["the time to", () => ({ createdTo: created[1] }), [1]],
    [
      "time and depositor",
      () => ({ createdFrom: created[1], createdTo: created[4], depositor: customer.address }),
      [3, 4],
    ],
    ["somebody without any", () => ({ depositor: stranger.address }), []],
    ["an order that there is not", () => ({ orderId: "order-9" }), []],
  ])("finds by %s", async (_, request, numbers) => {
    expect(await found(escrows, request())).toEqual(numbers.map((n) => `escrow-${n}`));
  });

  test("counts all that match when asked to", async () => {
    const pagination = { limit: 1n, countTotal: true };
    const request = { depositor: customer.address, pagination };
    const answer = await chain.query<ext.QueryEscrowsResponse>(`${OWN}/Escrows`, request);
    expect([answer.escrows.length, answer.pagination?.total]).toEqual([1, 3n]);
  });
});

describe("Query/Orders", () => {
  test.each<[name: string, request: () => object, ids: string[]]>([
    ["nothing", () => ({}), ["order-1", "order-2", "order-3"]],
    ["the customer of the newest escrow", () => ({ customer: customer.address }), ["order-1"]],
    ["the other customer", () => ({ customer: customer2.address }), ["order-2", "order-3"]],
    ["the provider", () => ({ provider: provider.address }), ["order-1", "order-2"]],
    ["a provider of an older escrow", () => ({ provider: provider2.address }), []],
    ["the state of the newest escrow", () => ({ escrowState: "pending" }), ["order-3"]],
    ["the order", () => ({ orderId: "order-2" }), ["order-2"]],
    ["order and state", () => ({ orderId: "order-2", escrowState: "pending" }), []],
  ])("finds by %s", async (_, request, ids) => {
    expect(await found(orders, request())).toEqual(ids);
  });

  test("shows the newest escrow, how many there were, and what is open", async () => {
    const answer = await chain.query<ext.QueryOrdersResponse>(`${OWN}/Orders`);
    const rows = answer.orders.map((order) => {
      const { escrowId, escrowState, escrowCount, openUsage, settlementCount } = order;
      return [escrowId, escrowState, escrowCount, openUsage, settlementCount];
    });
    expect(rows).toEqual([
      ["escrow-1", "active", 1, 3n, 1],
      ["escrow-2", "active", 1, 4n, 1],
      ["escrow-5", "pending", 3, 0n, 0],
    ]);
  });
});

describe("Query/UsageRecords", () => {
  const of = (order: string, ...numbers: number[]): string[] =>
    numbers.map((n) => usage[order]?.[n] as string);
  const at = (n: number): bigint => slot(n, 3600n).start;

  test.each<[name: string, request: () => object, ids: () => string[]]>([
    ["the order", () => ({ orderId: "order-2" }), () => of("order-2", 0, 1, 2, 3, 4, 5)],
    [
      "open ones of an order",
      () => ({ orderId: "order-1", state: "open" }),
      () => of("order-1", 3, 4, 5),
    ],
    [
      "settled ones of an order",
      () => ({ orderId: "order-1", state: "settled" }),
      () => of("order-1", 0, 1, 2),
    ],
    [
      "order and type, by another name of it",
      () => ({ orderId: "order-1", usageType: " COMPUTE " }),
      () => of("order-1", 0, 2, 4),
    ],
    [
      "the lease, order by order",
      () => ({ leaseId: "lease-a", usageType: "gpu" }),
      () => [...of("order-1", 1, 3, 5), ...of("order-3", 1, 3, 5)],
    ],
    [
      "open ones of a lease",
      () => ({ leaseId: "lease-a", state: "open" }),
      () => of("order-1", 3, 4, 5),
    ],
    [
      "the provider, hour by hour",
      () => ({ provider: provider.address, state: "open", usageType: "gpu" }),
      () => [...of("order-1", 3), ...of("order-2", 3), ...of("order-1", 5), ...of("order-2", 5)],
    ],
    [
      "the customer",
      () => ({ customer: customer2.address, state: "settled" }),
      () => of("order-2", 0, 1),
    ],
    [
      "customer and provider",
      () => ({ customer: customer.address, provider: provider2.address, usageType: "gpu" }),
      () => of("order-3", 1, 3, 5),
    ],
    [
      "a time, both ends inclusive",
      () => ({ customer: customer2.address, periodStart: at(2), periodEnd: at(4) }),
      () => of("order-2", 1, 2, 3, 4),
    ],
    [
      "a time within a period",
      () => ({ provider: provider2.address, periodStart: at(2) + 1n, periodEnd: at(2) + 2n }),
      () => of("order-3", 2),
    ],
    ["no disputes", () => ({ orderId: "order-2", dispute: "open" }), () => []],
    [
      "never disputed",
      () => ({ orderId: "order-2", dispute: "none", state: "settled" }),
      () => of("order-2", 0, 1),
    ],
    ["somebody without any", () => ({ provider: stranger.address }), () => []],
    ["a lease that there is not", () => ({ leaseId: "lease-z" }), () => []],
  ])("finds by %s", async (_, request, ids) => {
    expect(await found(records, request())).toEqual(ids());
  });

  test("without a filter finds all", async () => {
    const all = await found(records, {});
    expect([...all].sort()).toEqual(Object.values(usage).flat().sort());
    const times = { periodStart: 1n, periodEnd: 9_223_372_036_854_775_807n };
    expect(await found(records, times)).toEqual(all);
  });

  test("R-003-37 a time asks what the summary of it sums", async () => {
    for (const [periodStart, periodEnd] of [
      [at(1), at(3)],
      [at(1) + 5n, at(1) + 6n],
      [0n, at(2)],
      [at(4), 0n],
    ]) {
      const request = { provider: provider.address, periodStart, periodEnd };
      const path = "virtengine.settlement.v1.Query/UsageSummary";
      const summary = await chain.query<{ summary: { usageRecordIds: string[] } }>(path, request);
      const ids = await found(records, request);
      expect([...ids].sort()).toEqual(summary.summary.usageRecordIds);
    }
  });
});

describe("Query/Settlements", () => {
  test.each<[name: string, request: () => object, rows: string[]]>([
    [
      "nothing",
      () => ({}),
      ["order-1 usage_based", "order-2 usage_based", "order-3 final", "order-3 refund"],
    ],
    [
      "the provider",
      () => ({ provider: provider.address }),
      ["order-1 usage_based", "order-2 usage_based"],
    ],
    [
      "the customer, refunds too",
      () => ({ customer: customer.address }),
      ["order-1 usage_based", "order-3 final", "order-3 refund"],
    ],
    [
      "both",
      () => ({ provider: provider2.address, customer: customer.address }),
      ["order-3 final"],
    ],
    ["the type", () => ({ type: "refund" }), ["order-3 refund"]],
    ["type and customer", () => ({ type: "final", customer: customer.address }), ["order-3 final"]],
    ["the order", () => ({ orderId: "order-3" }), ["order-3 final", "order-3 refund"]],
    ["the escrow", () => ({ escrowId: "escrow-4" }), ["order-3 refund"]],
    ["the time from", () => ({ settledFrom: settledAt[2] }), ["order-3 final", "order-3 refund"]],
    ["the time to", () => ({ settledTo: settledAt[1] }), ["order-1 usage_based"]],
    [
      "time and provider",
      () => ({ settledFrom: settledAt[1], settledTo: settledAt[3], provider: provider.address }),
      ["order-2 usage_based"],
    ],
    ["somebody without any", () => ({ provider: stranger.address }), []],
  ])("finds by %s", async (_, request, rows) => {
    expect(await found(settlements, request())).toEqual(rows);
  });
});

describe("what cannot be asked", () => {
  test.each<[name: string, part: string, request: object]>([
    ["Escrows", 'unknown escrow state "open"', { state: "open" }],
    ["Orders", 'unknown escrow state "open"', { escrowState: "open" }],
    ["UsageRecords", 'unknown usage state "done"', { state: "done" }],
    ["UsageRecords", 'unknown dispute "yes"', { dispute: "yes" }],
    ["UsageRecords", "usage_type has over 64 bytes", { usageType: "x".repeat(65) }],
    ["Settlements", 'unknown settlement type "whole"', { type: "whole" }],
    ["Settlements", 'unknown escrow "escrow-x"', { escrowId: "escrow-x" }],
    ["Invoices", 'unknown invoice state "lost"', { state: "lost" }],
    ["Payouts", 'unknown payout state "lost"', { state: "lost" }],
    ["Escrows", "ve1nope", { depositor: "ve1nope" }],
    ["Orders", "cosmos1nope", { provider: "cosmos1nope" }],
    ["UsageRecords", "ve1nope", { customer: "ve1nope" }],
    ["Settlements", "ve1nope", { customer: "ve1nope" }],
    ["Escrows", "nothing lies between", { createdFrom: 10n, createdTo: 10n }],
    ["Settlements", "unix seconds, found -1", { settledFrom: -1n }],
    ["Escrows", "unix seconds, found", { createdTo: 9_223_372_036_854_775_807n }],
    ["Escrows", "this key is not of this query", { pagination: { key: Uint8Array.of(1, 2) } }],
    ["Orders", "either key or offset", { pagination: { key: Uint8Array.of(0, 0), offset: 1n } }],
  ])("%s is InvalidArgument: %s", async (name, part, request) => {
    const answer = await chain.ask(`${OWN}/${name}`, request);
    expect(answer.code).toBe(18);
    expect(answer.log).toContain("code = InvalidArgument");
    expect(answer.log).toContain(part);
  });

  test("a page key of one filter is none of another", async () => {
    const first = await chain.query<ext.QueryEscrowsResponse>(`${OWN}/Escrows`, {
      ...{ depositor: customer.address, pagination: { limit: 1n } },
    });
    const key = first.pagination?.nextKey;
    const other = { depositor: customer2.address, pagination: { key } };
    const answer = await chain.ask(`${OWN}/Escrows`, other);
    expect(answer.log).toContain("this key is not of this query");
  });
});

test("what is looked up by party comes back with an import", async () => {
  const again = await chain.imported();
  await again.checkFullInvariants();
  for (const [of, request] of [
    [escrows, { recipient: provider.address }],
    [escrows, { leaseId: "lease-a" }],
    [escrows, { depositor: customer.address }],
    [records, { customer: customer2.address }],
    [settlements, { provider: provider.address }],
    [settlements, { customer: customer.address }],
  ] as const) {
    const before = of.ids(await chain.query(of.path, request));
    expect(of.ids(await again.query(of.path, request))).toEqual(before);
    expect(before).not.toEqual([]);
  }
});

test.each<[name: string, prefix: Key]>([
  ["an escrow by its depositor", keys.ESCROW_BY_DEPOSITOR_PREFIX],
  ["an escrow by its recipient", keys.ESCROW_BY_RECIPIENT_PREFIX],
  ["an escrow by its lease", keys.ESCROW_BY_LEASE_PREFIX],
  ["a settlement by its provider", keys.SETTLEMENT_BY_PROVIDER_PREFIX],
  ["a settlement by its customer", keys.SETTLEMENT_BY_CUSTOMER_PREFIX],
])("a look-up of %s that is too many, or lacking, is noticed", async (_, prefix) => {
  const own = await chain.imported();
  const [first = ""] = await keysOnDisk(own, prefix);
  const other = `${first.slice(0, -1)}\x63`;
  await putOnDisk(own, other, new Uint8Array(0));
  await expect(own.checkFullInvariants()).rejects.toThrow(
    "a look-up by party has an entry too many",
  );
  const again = await chain.imported();
  const batch = again.db.batch();
  batch.del(`S${first}`);
  await batch.write({ sync: true });
  await expect(again.checkFullInvariants()).rejects.toThrow("a look-up by party lacks an entry");
});

test("invoices of a party are found in pages", async () => {
  const { invoices } = await seeInvoice.list(chain, { customer: customer.address });
  const of: Found = {
    path: `${OWN}/Invoices`,
    ids: (answer) => (answer as ext.QueryInvoicesResponse).invoices.map((each) => each.invoiceId),
  };
  const ids = await found(of, { customer: customer.address, state: "paid" });
  expect(ids).toEqual(invoices.map(({ invoiceId }) => invoiceId));
  expect(ids).toHaveLength(2);
});
