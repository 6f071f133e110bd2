import { beforeAll, describe, expect, test } from "vitest";
import type { QueryPayoutsResponse } from "../../../src/gen/settled/settlement/v1/query.ts";
import { authority, customer, customer2, provider, provider2 } from "../../testkit/accounts.ts";
import { openChain, type TestChain } from "../../testkit/chain.ts";
import { msg } from "../../testkit/messages.ts";
import { activeEscrow, recorded, settled } from "../../testkit/orders.ts";
import { payoutMsg } from "../../testkit/payout_messages.ts";
import { payoutIds } from "../../testkit/payouts.ts";
import { slot } from "../../testkit/times.ts";

const PATH = "settled.settlement.v1.Query/Payouts";

/** Two customers and two providers, six payouts, a minute apart: 1 and 2 held, 3 to 6 completed. */
let chain: TestChain;
let ids: string[] = [];
let times: bigint[] = [];
beforeAll(async () => {
  chain = await openChain({ params: { payout_holdback_rate: "0.1" } });
  const parties = [
    [customer, provider],
    [customer2, provider],
    [customer, provider2],
    [customer, provider],
    [customer2, provider2],
    [customer, provider],
  ] as const;
  for (const [index, [depositor, recipient]] of parties.entries()) {
    const order = `order-${index + 1}`;
    await activeEscrow(chain, "10000uve", { order, depositor, recipient });
    await recorded(chain, { order, ...slot(index), price: "1000uve" }, recipient);
    chain.skip(60n);
    await settled(chain, { order, signer: depositor });
  }
  const { payouts } = await chain.query<QueryPayoutsResponse>(PATH);
  ids = payouts.map(({ payoutId }) => payoutId);
  times = payouts.map(({ createdAt }) => createdAt);
});

/** Numbers of the payouts that a filter finds, from 1. */
async function found(request: object): Promise<number[]> {
  return (await payoutIds(chain, request)).map((id) => ids.indexOf(id) + 1);
}

describe("Query/Payouts", () => {
  test("all of them, oldest first", async () => {
    expect(await found({})).toEqual([1, 2, 3, 4, 5, 6]);
    expect(await found({ pagination: { reverse: true } })).toEqual([6, 5, 4, 3, 2, 1]);
  });

  test("by provider, customer and both", async () => {
    expect(await found({ provider: provider.address })).toEqual([1, 2, 4, 6]);
    expect(await found({ customer: customer2.address })).toEqual([2, 5]);
    const both = { provider: provider2.address, customer: customer.address };
    expect(await found(both)).toEqual([3]);
    expect(await found({ customer: authority.address })).toEqual([]);
  });

  test("by time: from the one second on, before the other", async () => {
    expect(await found({ createdFrom: times[2] })).toEqual([3, 4, 5, 6]);
    expect(await found({ createdFrom: (times[2] ?? 0n) + 1n })).toEqual([4, 5, 6]);
    expect(await found({ createdTo: times[2] })).toEqual([1, 2]);
    const within = { createdFrom: times[1], createdTo: times[5] };
    expect(await found(within)).toEqual([2, 3, 4, 5]);
    expect(await found({ ...within, provider: provider.address })).toEqual([2, 4]);
    expect(await found({ ...within, pagination: { reverse: true } })).toEqual([5, 4, 3, 2]);
    expect(await found({ createdFrom: (times[5] ?? 0n) + 1n })).toEqual([]);
  });

  test("in pages, on with the key, with a filter", async () => {
    const seen: string[] = [];
    let key = new Uint8Array(0);
    let pages = 0;
    do {
      const request = { provider: provider.address, pagination: { limit: 3n, key } };
      const answer = await chain.query<QueryPayoutsResponse>(PATH, request);
      seen.push(...answer.payouts.map(({ payoutId }) => payoutId));
      key = new Uint8Array(answer.pagination?.nextKey ?? []);
      pages += 1;
    } while (key.length > 0);
    expect(seen.map((id) => ids.indexOf(id) + 1)).toEqual([1, 2, 4, 6]);
    expect(pages).toBe(2);
    expect(await found({ pagination: { offset: 4n } })).toEqual([5, 6]);
  });

  test("in a state, which changes", async () => {
    const before = await found({ state: "completed" });
    expect(before).toEqual([1, 2, 3, 4, 5, 6]);
    expect(await found({ state: "held" })).toEqual([]);
    const waiting = await openChain({ extended: { payout_delay: "60" } });
    for (const order of ["a", "b", "c"]) {
      await activeEscrow(waiting, "10000uve", { order });
      await recorded(waiting, { order, price: "1000uve" });
      await settled(waiting, { order });
    }
    const states = async (): Promise<number[][]> => {
      const lists = ["pending", "held", "refunded", "completed"].map((state) =>
        payoutIds(waiting, { state }),
      );
      return (await Promise.all(lists)).map((list) => list.map((id) => Number(id.slice(-1))));
    };
    expect(await states()).toEqual([[1, 2, 3], [], [], []]);
    const [first = "", second = ""] = await payoutIds(waiting);
    await waiting.ok(payoutMsg.hold(authority, first), payoutMsg.hold(authority, second));
    expect(await states()).toEqual([[3], [1, 2], [], []]);
    await waiting.ok(payoutMsg.refund(authority, first));
    expect(await states()).toEqual([[3], [2], [1], []]);
    waiting.skip(60n);
    await waiting.block();
    expect(await states()).toEqual([[], [2], [1], [3]]);
    const held = { state: "held", provider: provider.address, customer: customer2.address };
    expect(await payoutIds(waiting, held)).toEqual([]);
    await waiting.checkFullInvariants();
  });

  test("a word, an address or a key that is none is refused", async () => {
    const refused = async (request: object): Promise<string> => {
      const answer = await chain.ask(PATH, request);
      expect(answer.code).not.toBe(0);
      return answer.log;
    };
    expect(await refused({ state: "paid" })).toContain('unknown payout state "paid"');
    expect(await refused({ provider: "x" })).toContain("bech32");
    const key = Uint8Array.of(1, 2, 3);
    expect(await refused({ pagination: { key } })).toContain("not of this query");
    const { pagination } = await chain.query<QueryPayoutsResponse>(PATH, {
      pagination: { limit: 1n },
    });
    const both = { key: pagination?.nextKey, offset: 1n };
    expect(await refused({ pagination: both })).toContain("either key or offset");
  });

  test("an older height answers what was then", async () => {
    const then = await chain.ask(PATH, { state: "completed" }, 4n);
    expect(then.code).toBe(0);
  });
});

test("PayoutLedger comes in pages, and of an unknown payout not at all", async () => {
  const path = "settled.settlement.v1.Query/PayoutLedger";
  const page = await chain.query<{ entries: { number: number }[] }>(path, {
    ...{ payoutId: ids[0], pagination: { limit: 1n, offset: 1n } },
  });
  expect(page.entries.map(({ number }) => number)).toEqual([2]);
  const answer = await chain.ask(path, { payoutId: "payout-1-1" });
  expect(answer.log).toContain("settlement/1531");
  await chain.ok(msg.send(customer, provider.address, "1uve"));
});
