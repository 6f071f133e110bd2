import { beforeEach, describe, expect, test } from "vitest";
import type * as ext from "../../../src/gen/settled/settlement/v1/query.ts";
import { customer, provider } from "../../testkit/accounts.ts";
import { openChain, type TestChain } from "../../testkit/chain.ts";
import { msg } from "../../testkit/messages.ts";
import { activeEscrow, pendingEscrow } from "../../testkit/orders.ts";
import { see } from "../../testkit/views.ts";

let chain: TestChain;
let escrowId: string;
let dispute: ext.EscrowDispute;
beforeEach(async () => {
  chain = await openChain();
  await pendingEscrow(chain, "5uve", { order: "order-0" });
  escrowId = await activeEscrow(chain, "10uve");
  const disputedAtNs = chain.time;
  await chain.ok(msg.dispute(provider, escrowId, "no key was sent", "ticket 17"));
  dispute = {
    ...{ escrowId, disputedBy: provider.address, reason: "no key was sent" },
    ...{ evidence: "ticket 17", disputedAtNs },
  };
});

async function escrowPage(
  of: TestChain,
  request: Partial<ext.QueryEscrowsRequest> = {},
): Promise<ext.QueryEscrowsResponse> {
  return of.query("settled.settlement.v1.Query/Escrows", request);
}

describe("evidence stored with a dispute of an escrow", () => {
  test("is shown with who disputed it, why and when, of the escrows that were disputed", async () => {
    const { escrows, disputes } = await escrowPage(chain);
    expect(escrows.map((each) => each.escrowId)).toEqual(["escrow-1", escrowId]);
    expect(disputes).toEqual([dispute]);
    expect((await escrowPage(chain, { state: "pending" })).disputes).toEqual([]);
    expect((await escrowPage(chain, { orderId: "order-1" })).disputes).toEqual([dispute]);
  });

  test.each([
    ["released", (id: string) => msg.release(customer, id, "", "agreed")],
    ["refunded", (id: string) => msg.refund(provider, id, "agreed")],
  ] as const)("stays as it was when the dispute ends as %s", async (state, end) => {
    await chain.ok(end(escrowId));
    expect(await see.escrow(chain, escrowId)).toMatchObject({ state, closureReason: "agreed" });
    expect((await escrowPage(chain, { state })).disputes).toEqual([dispute]);
  });

  test("is carried by an export, while the dispute lasts and after it", async () => {
    for (const ends of [false, true]) {
      if (ends) await chain.ok(msg.refund(provider, escrowId, "agreed"));
      const copy = await chain.imported();
      expect((await escrowPage(copy)).disputes).toEqual([dispute]);
      expect(await copy.exported()).toBe(await chain.exported());
    }
  });
});
