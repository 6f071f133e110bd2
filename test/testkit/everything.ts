import { authority, customer, customer2, provider, provider2, stranger } from "./accounts.ts";
import { percentage, setDiscounts, setTax, taxTerms } from "./billing.ts";
import { openChain, type TestChain } from "./chain.ts";
import { corrected, withdraw } from "./corrections.ts";
import { disputed, resolved } from "./disputes.ts";
import { invoiceMsg, unpaidInvoice } from "./invoices.ts";
import { msg } from "./messages.ts";
import {
  acknowledged,
  activeEscrow,
  pendingEscrow,
  recorded,
  recordedCosts,
  settled,
} from "./orders.ts";
import { updateParams } from "./params.ts";
import { payoutMsg } from "./payout_messages.ts";
import { lastPayout } from "./payouts.ts";
import { refunded, refundMsg, seeRefund } from "./refunds.ts";
import { rewardMsg } from "./reward_messages.ts";
import { DAY, slot } from "./times.ts";

/**
 * A chain with a record of every kind that moves coins: escrows in most states, usage settled,
 * corrected, withdrawn, disputed, amended, written off and open, two denoms, a discount and a tax,
 * invoices paid, due and credited, payouts paid, pending, held and refunded in part, holdbacks,
 * refunds of settlements with what is owed of them, rewards claimed, expired, cancelled and open;
 * computed with params of two versions.
 */
export async function chainOfEverything(): Promise<TestChain> {
  const chain = await openChain({
    params: {
      ...{ payout_holdback_rate: "0.1", min_settlement_amount: "0" },
      ...{ reward_claim_expiry: "5000", staking_reward_epoch_length: "10" },
    },
    extended: { payout_delay: "60", auto_settle_enabled: false },
  });
  await rewardsOfAllFates(chain);
  await refundsOfAllFates(chain);
  await invoicesOfAllFates(chain);
  await escrowsOfAllFates(chain);
  const { payoutId } = await lastPayout(chain);
  await chain.ok(payoutMsg.hold(authority, payoutId));
  await chain.ok(payoutMsg.refund(authority, payoutId, "7uve"));
  await chain.ok(payoutMsg.withdraw(authority, "platform_fee", customer.address, "3uve"));
  // What is there so far was computed with params that are no longer in force.
  const params = { platform_fee_rate: "0.07", usage_reward_rate_bps: 900 };
  await chain.ok(await updateParams(chain, { params }));
  await chain.block();
  await disputesOfAllFates(chain);
  return chain;
}

/** Order 1: claimed, expired, and open rewards; usage that was corrected and withdrawn. */
async function rewardsOfAllFates(chain: TestChain): Promise<void> {
  await activeEscrow(chain, "100000uve,5000uusd", { expiresIn: 30n * DAY });
  await acknowledged(chain, (await recordedCosts(chain, [1000, 2000])).slice(0, 1));
  await recordedCosts(chain, [300], { denom: "uusd", from: 5 });
  await settled(chain);
  await chain.ok(msg.claim(provider));
  await recordedCosts(chain, [3000], { from: 10 });
  await settled(chain);
  chain.skip(6000n);
  await chain.block();
  await recordedCosts(chain, [4000], { from: 20 });
  const wrong = await recorded(chain, { ...slot(30), price: "55uve" });
  await corrected(chain, wrong, { units: 2n, price: "50uve" });
  await chain.ok(withdraw(await recorded(chain, { ...slot(31), price: "66uve" })));
  await settled(chain);
  await chain.ok(rewardMsg.verification(stranger.address, 50));
  await recorded(chain, { ...slot(40), price: "77uve" });
}

/** Order 6, with a discount and a tax: refunds of a payout that waits, and of one that is spent. */
async function refundsOfAllFates(chain: TestChain): Promise<void> {
  const order = "order-6";
  const own = { order, lease: "lease-6", recipient: provider2 };
  await activeEscrow(chain, "10000uve", own);
  await chain.ok(setDiscounts([percentage(1000)], provider2, order));
  await chain.ok(setTax(taxTerms("exclusive", "0.19"), customer, order));
  for (const [n, price] of ["1000uve", "700uve"].entries()) {
    await recorded(chain, { order, lease: "lease-6", ...slot(n), price }, provider2);
    const { settlementId } = await settled(chain, { order });
    await refunded(chain, settlementId, "100uve");
    if (n === 0) continue;
    chain.skip(61n);
    await chain.block();
    const spent = await chain.balance(provider2.address);
    await chain.ok(msg.send(provider2, stranger.address, `${spent}uve`));
    await refunded(chain, settlementId);
    const [owed] = await seeRefund.receivables(chain, { debtor: provider2.address });
    await chain.ok(refundMsg.pay(stranger, owed?.receivableId ?? "", "9uve"));
  }
}

async function invoicesOfAllFates(chain: TestChain): Promise<void> {
  const parties = { depositor: customer2, recipient: provider };
  const due = await unpaidInvoice(chain, 800, { order: "order-2", ...parties });
  await chain.ok(invoiceMsg.pay(customer2, due, "100uve"));
  await chain.ok(invoiceMsg.credit(provider, due, "50uve"));
  await chain.ok(invoiceMsg.credit(provider, due, "20uve"));
}

async function escrowsOfAllFates(chain: TestChain): Promise<void> {
  await pendingEscrow(chain, "11uve", { order: "order-3" });
  const released = await activeEscrow(chain, "1000uve", { order: "order-4", lease: "lease-4" });
  await chain.ok(msg.release(customer, released, "400uve"));
  const to = { order: "order-5", lease: "lease-5", recipient: provider2 };
  const refunded = await activeEscrow(chain, "500uve", to);
  await chain.ok(msg.record(provider2, { order: "order-5", lease: "lease-5", price: "5uve" }));
  await chain.ok(msg.refund(provider2, refunded));
}

/** Order 7: an open record disputed, another amended, and a settled one disputed. */
async function disputesOfAllFates(chain: TestChain): Promise<void> {
  const own = { order: "order-7", lease: "lease-7" };
  await activeEscrow(chain, "10000uve", own);
  const [settledId = ""] = await recordedCosts(chain, [900], own);
  await settled(chain, { order: own.order });
  await disputed(chain, settledId);
  const [open = "", amended = ""] = await recordedCosts(chain, [800, 700], { ...own, from: 1 });
  await disputed(chain, open);
  const wish = { units: 1n, price: "650uve" };
  await resolved(chain, await disputed(chain, amended), wish, authority);
}
