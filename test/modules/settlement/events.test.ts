import { describe, expect, test } from "vitest";
import { customer, provider } from "../../testkit/accounts.ts";
import { openChain } from "../../testkit/chain.ts";
import { LEASE, msg, ORDER } from "../../testkit/messages.ts";
import { eventsOf, typedEvents } from "../../testkit/outcome.ts";
import { activeEscrow, pendingEscrow, recorded, recordedCosts } from "../../testkit/orders.ts";
import { GENESIS, HOUR } from "../../testkit/times.ts";

const seconds = (n: bigint): string => `${GENESIS + n}`;

describe("D-23 every action has exactly one event of its own, with all keys", () => {
  test("D-23 EscrowCreated and EscrowActivated", async () => {
    const chain = await openChain();
    const created = await chain.ok(msg.create(customer, "10uve,5uusd", { expiresIn: HOUR }));
    expect(typedEvents(created)).toEqual(["EscrowCreated"]);
    expect(eventsOf(created, "EscrowCreated")).toEqual([
      {
        ...{ escrow_id: "escrow-1", order_id: ORDER, depositor: customer.address },
        ...{ amount: "5uusd,10uve", expires_at: seconds(1n + HOUR), block_height: "1" },
      },
    ]);
    const activated = await chain.ok(msg.activate(customer, "escrow-1", provider.address));
    expect(typedEvents(activated)).toEqual(["EscrowActivated"]);
    expect(eventsOf(activated, "EscrowActivated")).toEqual([
      {
        ...{ escrow_id: "escrow-1", order_id: ORDER, lease_id: LEASE },
        ...{ recipient: provider.address, activated_at: seconds(2n) },
      },
    ]);
  });

  test("D-23 EscrowReleased, EscrowRefunded and EscrowDisputed", async () => {
    const chain = await openChain();
    const first = await activeEscrow(chain, "100uve");
    const disputed = await chain.ok(msg.dispute(customer, first, "slow", "log"));
    expect(typedEvents(disputed)).toEqual(["EscrowDisputed"]);
    expect(eventsOf(disputed, "EscrowDisputed")).toEqual([
      { escrow_id: first, order_id: ORDER, reason: "slow", disputed_at: seconds(3n) },
    ]);
    const released = await chain.ok(msg.release(customer, first, "", "fine"));
    expect(typedEvents(released)).toEqual(["OrderSettled", "EscrowReleased"]);
    expect(eventsOf(released, "EscrowReleased")).toEqual([
      {
        ...{ escrow_id: first, order_id: ORDER, recipient: provider.address },
        ...{ amount: "100uve", reason: "fine", released_at: seconds(4n) },
      },
    ]);
    const second = await pendingEscrow(chain, "7uve");
    const refunded = await chain.ok(msg.refund(customer, second, "no need"));
    expect(typedEvents(refunded)).toEqual(["EscrowRefunded"]);
    expect(eventsOf(refunded, "EscrowRefunded")).toEqual([
      {
        ...{ escrow_id: second, order_id: ORDER, depositor: customer.address },
        ...{ amount: "7uve", reason: "no need", refunded_at: seconds(6n) },
      },
    ]);
  });

  test("D-23 UsageRecorded, UsageAcknowledged and UsageWrittenOff", async () => {
    const chain = await openChain();
    const escrowId = await activeEscrow(chain);
    const result = await chain.ok(msg.record(provider, { units: 2n, price: "3uve", type: "GPU" }));
    const [event] = eventsOf(result, "UsageRecorded");
    const id = event?.["usage_id"] ?? "";
    expect(event).toEqual({
      ...{ usage_id: id, order_id: ORDER, lease_id: LEASE, provider: provider.address },
      ...{ usage_units: "2", usage_type: "GPU", total_cost: "6uve", recorded_at: seconds(3n) },
    });
    const acknowledged = await chain.ok(msg.acknowledge(customer, id));
    expect(eventsOf(acknowledged, "UsageAcknowledged")).toEqual([
      { usage_id: id, customer: customer.address, acknowledged_at: seconds(4n) },
    ]);
    const refunded = await chain.ok(msg.refund(provider, escrowId));
    expect(eventsOf(refunded, "UsageWrittenOff")).toEqual([
      { usage_id: id, total_cost: "6uve", written_off_at: seconds(5n) },
    ]);
  });

  test("D-23 OrderSettled tells the validator's fee too, with invoice, payout and rewards", async () => {
    const chain = await openChain();
    await activeEscrow(chain);
    await recordedCosts(chain, [1000]);
    const result = await chain.ok(msg.settle(customer));
    expect(typedEvents(result)).toEqual([
      ...["InvoiceIssued", "PayoutCompleted", "RewardsDistributed", "OrderSettled"],
    ]);
    expect(eventsOf(result, "OrderSettled")).toEqual([
      {
        settlement_id: `settle-${seconds(4n)}-1`,
        order_id: ORDER,
        escrow_id: "escrow-1",
        provider: provider.address,
        customer: customer.address,
        total_amount: "1000uve",
        provider_share: "940uve",
        platform_fee: "50uve",
        validator_fee: "10uve",
        settlement_type: "usage_based",
        is_final: "false",
        settled_at: seconds(4n),
        records: "1",
        records_remaining: "0",
      },
    ]);
    expect(eventsOf(result, "InvoiceIssued")).toEqual([
      {
        invoice_id: `invoice-${seconds(4n)}-1`,
        settlement_id: `settle-${seconds(4n)}-1`,
        ...{ order_id: ORDER, total: "1000uve", amount_due: "", status: "paid" },
      },
    ]);
    expect(eventsOf(result, "PayoutCompleted")).toEqual([
      {
        payout_id: `payout-${seconds(4n)}-1`,
        settlement_id: `settle-${seconds(4n)}-1`,
        invoice_id: `invoice-${seconds(4n)}-1`,
        ...{ provider: provider.address, net_amount: "940uve", platform_fee: "50uve" },
        completed_at: seconds(4n),
      },
    ]);
    expect(eventsOf(result, "RewardsDistributed")).toEqual([
      {
        distribution_id: `usage-${seconds(4n)}-1`,
        ...{ epoch_number: "0", source: "usage", total_rewards: "90uve", recipient_count: "1" },
        distributed_at: seconds(4n),
      },
    ]);
  });

  test("D-23 RewardsClaimed names the source only where one was asked for", async () => {
    const chain = await openChain();
    await activeEscrow(chain, "100000uve");
    const claims: Record<string, string>[] = [];
    for (const source of ["", "usage"]) {
      await recordedCosts(chain, [1000], { from: claims.length });
      await chain.ok(msg.settle(customer));
      claims.push(...eventsOf(await chain.ok(msg.claim(provider, source)), "RewardsClaimed"));
    }
    expect(claims).toEqual([
      { claimer: provider.address, claimed_amount: "90uve", claimed_at: seconds(5n) },
      {
        ...{ claimer: provider.address, claimed_amount: "90uve", source: "usage" },
        claimed_at: seconds(8n),
      },
    ]);
  });
});

describe("R-003-57 every event of an order's life, once, with all its keys", () => {
  /** Each of the deployed events that an action of this module emits; D-23 has the values. */
  const KEYS: Readonly<Record<string, string>> = {
    EscrowCreated: "escrow_id order_id depositor amount expires_at block_height",
    EscrowActivated: "escrow_id order_id lease_id recipient activated_at",
    UsageRecorded:
      "usage_id order_id lease_id provider usage_units usage_type total_cost recorded_at",
    UsageAcknowledged: "usage_id customer acknowledged_at",
    RewardsDistributed:
      "distribution_id epoch_number source total_rewards recipient_count distributed_at",
    OrderSettled:
      "settlement_id order_id escrow_id provider customer total_amount provider_share platform_fee validator_fee settlement_type is_final settled_at records records_remaining",
    RewardsClaimed: "claimer claimed_amount claimed_at",
    EscrowDisputed: "escrow_id order_id reason disputed_at",
    EscrowRefunded: "escrow_id order_id depositor amount reason refunded_at",
    EscrowReleased: "escrow_id order_id recipient amount reason released_at",
    EscrowExpired: "escrow_id order_id balance expired_at",
  };

  test("R-003-57 one action, one event of its kind", async () => {
    const chain = await openChain();
    const seen: [name: string, keys: string][] = [];
    const note = (result: { readonly events: Parameters<typeof eventsOf>[0]["events"] }): void => {
      for (const name of typedEvents(result)) {
        if (KEYS[name] === undefined) continue;
        for (const event of eventsOf(result, name)) seen.push([name, Object.keys(event).join(" ")]);
      }
    };
    note(await chain.ok(msg.create(customer, "10000uve", { expiresIn: HOUR })));
    note(await chain.ok(msg.activate(customer, "escrow-1", provider.address)));
    const recordedUsage = await chain.ok(msg.record(provider, { price: "1000uve" }));
    note(recordedUsage);
    const id = eventsOf(recordedUsage, "UsageRecorded")[0]?.["usage_id"] ?? "";
    note(await chain.ok(msg.acknowledge(customer, id)));
    note(await chain.ok(msg.settle(customer)));
    note(await chain.ok(msg.claim(provider)));
    expect(seen.map(([name]) => name)).toEqual(Object.keys(KEYS).slice(0, 7));
    note(await chain.ok(msg.dispute(customer, "escrow-1")));
    note(await chain.ok(msg.refund(provider, "escrow-1")));
    await activeEscrow(chain, "100uve", { order: "order-2", lease: "lease-2" });
    const released = await chain.ok(msg.release(customer, "escrow-2"));
    note({ events: released.events.filter(({ type }) => !type.endsWith("OrderSettled")) });
    await activeEscrow(chain, "77uve", { order: "order-3", lease: "lease-3", expiresIn: HOUR });
    chain.skip(HOUR);
    const block = await chain.block();
    note(block);
    expect(eventsOf(block, "EscrowExpired")).toMatchObject([
      { escrow_id: "escrow-3", order_id: "order-3", balance: "77uve" },
    ]);
    // An expiry gives the rest back: its own event says how much.
    expect(seen).toEqual(Object.entries(KEYS));
  });
});

test("every event of a message carries its index, and an action event comes first", async () => {
  const chain = await openChain();
  await activeEscrow(chain);
  const first = await recorded(chain);
  const result = await chain.ok(
    msg.acknowledge(customer, first),
    msg.settle(customer, { final: true }),
  );
  const actions = result.events.filter(({ type }) => type === "message");
  const found = actions.map(({ attributes }) =>
    attributes.map(({ key, value }) => `${key}=${value}`),
  );
  expect(found).toEqual([
    [
      "action=/virtengine.settlement.v1.MsgAcknowledgeUsage",
      ...[`sender=${customer.address}`, "module=settlement", "msg_index=0"],
    ],
    [
      "action=/virtengine.settlement.v1.MsgSettleOrder",
      ...[`sender=${customer.address}`, "module=settlement", "msg_index=1"],
    ],
  ]);
  const typed = result.events.filter(({ type }) => type.startsWith("virtengine."));
  for (const { attributes } of typed) expect(attributes.at(-1)?.key).toBe("msg_index");
});
