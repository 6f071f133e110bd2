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
