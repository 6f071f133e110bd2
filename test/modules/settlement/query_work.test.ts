import { beforeEach, describe, expect, test } from "vitest";
import type { QueryOpenWorkResponse } from "../../../src/gen/settled/settlement/v1/query.ts";
import { COUNTED_MAX } from "../../../src/modules/settlement/query_work.ts";
import { customer, customer2 } from "../../testkit/accounts.ts";
import { openChain, type TestChain } from "../../testkit/chain.ts";
import { disputed } from "../../testkit/disputes.ts";
import { msg } from "../../testkit/messages.ts";
import { activeEscrow, pendingEscrow, recorded, settled } from "../../testkit/orders.ts";
import { DAY, slot } from "../../testkit/times.ts";

let chain: TestChain;
beforeEach(async () => {
  chain = await openChain({ extended: { auto_settle_enabled: false } });
});

async function openWork(): Promise<QueryOpenWorkResponse> {
  return chain.query("settled.settlement.v1.Query/OpenWork", {});
}

describe("what is open", () => {
  test("is counted by kind, and goes down again when it is done", async () => {
    const nothing = { escrows: 0n, usageRecords: 0n, disputes: 0n, payoutsWaiting: 0n };
    expect(await openWork()).toEqual({ ...nothing, payoutsFailed: 0n, incomplete: [] });
    await activeEscrow(chain, "10000uve", { expiresIn: 60n * DAY });
    await pendingEscrow(chain, "5uve", { order: "order-2", depositor: customer2 });
    const id = await recorded(chain, { units: 4n, price: "100uve", ...slot(0) });
    await recorded(chain, { units: 1n, price: "2000uve", ...slot(1) });
    expect(await openWork()).toMatchObject({ escrows: 2n, usageRecords: 2n, disputes: 0n });
    await disputed(chain, id);
    expect(await openWork()).toMatchObject({ disputes: 1n });
    await settled(chain);
    expect(await openWork()).toMatchObject({ usageRecords: 1n, payoutsFailed: 0n, incomplete: [] });
  });

  test("is counted as far as 10,000 entries, and the answer says where there are more", async () => {
    const each = 400;
    const made = (from: number) =>
      Array.from({ length: each }, (_, at) =>
        msg.create(customer, "1uve", { order: `order-${from + at}` }),
      );
    for (let from = 0; from <= COUNTED_MAX; from += each) await chain.ok(...made(from));
    const begin = performance.now();
    const { escrows, incomplete } = await openWork();
    expect(performance.now() - begin).toBeLessThan(1000);
    expect([escrows, incomplete]).toEqual([BigInt(COUNTED_MAX), ["escrows"]]);
  });
});
