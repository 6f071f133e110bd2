import { describe, expect, test } from "vitest";
import { divCeil } from "../../src/lib/int.ts";
import type { TimeNs } from "../../src/types/time.ts";
import { customer, provider } from "../testkit/accounts.ts";
import { type ChainOptions, moduleAccount, openChain, type TestChain } from "../testkit/chain.ts";
import { text } from "../testkit/coins.ts";
import { msg, ORDER, type Report, type TestMessage } from "../testkit/messages.ts";
import { eventsOf, expectCode } from "../testkit/outcome.ts";
import { acknowledged, activeEscrow, recorded, recordedCosts, settled } from "../testkit/orders.ts";
import { DAY, GENESIS, GENESIS_TIME, HOUR, slot } from "../testkit/times.ts";
import { see } from "../testkit/views.ts";
import vectors from "./settlement.json" with { type: "json" };

// What the file says is run through the real chain, txs and all.

type Json = Record<string, unknown>;

interface RecordVector {
  readonly type: string;
  readonly cost: string;
  readonly late?: boolean;
  readonly acknowledged?: boolean;
  /** Absent: it stays open. */
  readonly settled?: string;
  readonly reward?: string;
}

interface SettlementVector {
  readonly what: string;
  readonly escrow: string;
  readonly pool?: string;
  readonly params?: Json;
  readonly extended?: Json;
  readonly final: boolean;
  readonly records: readonly RecordVector[];
  readonly refused?: number;
  readonly settlement?: Readonly<Record<"total" | "platform" | "validator" | "provider", string>>;
  readonly invoice?: Readonly<Record<"total" | "due" | "status", string>>;
  readonly after: Readonly<Record<string, string>>;
  readonly claimed?: string;
}

const SUPPLY = 2n ** 255n + 2n ** 250n;

/** Units and price whose floored product is the cost exactly, within 64 bits and 78 digits. */
function reportOf(cost: string): Pick<Report, "units" | "price"> {
  const [, amount = "0", denom = ""] = /^([0-9]+)(.*)$/.exec(cost) ?? [];
  if (BigInt(amount) < 10n ** 18n) return { units: 1n, price: cost };
  const units = 10n ** 17n;
  const atomics = divCeil(BigInt(amount) * 10n ** 18n, units)
    .toString()
    .padStart(19, "0");
  return { units, price: `${atomics.slice(0, -18)}.${atomics.slice(-18)}${denom}` };
}

/** The n-th period of its kind; late ones end a day and a second before genesis, or earlier. */
function periodOf(n: number, late = false): { start: bigint; end: bigint } {
  if (!late) return slot(n);
  const end = GENESIS - DAY - 1n - 60n * BigInt(n);
  return { start: end - 60n, end };
}

/** A chain that settles any amount, on which the customer has so much and the provider nothing. */
function openFor(funds: string, o: ChainOptions = {}): Promise<TestChain> {
  const own = { [customer.address]: funds, [provider.address]: "" };
  return openChain({ ...o, funds: { ...own, ...o.funds } });
}

describe("R-003-25 rewards", () => {
  test.each(vectors.rewards)(
    "R-003-25 vector $no: $type of $cost is rewarded with $reward",
    async (v) => {
      const cost = `${v.cost}uve`;
      const chain = await openFor(`${SUPPLY}uve`, {
        params: { min_settlement_amount: "0", ...v.params },
        extended: { reward_epoch_mint_cap: `${2n ** 255n}` },
      });
      await activeEscrow(chain, cost);
      const period = periodOf(0, v.late);
      const id = await recorded(chain, { ...reportOf(cost), ...period, type: v.type });
      expect(text((await see.usage(chain, id)).totalCost)).toBe(cost);
      if (v.acknowledged === true) await acknowledged(chain, [id]);
      const result = await chain.ok(msg.settle(customer));
      expect(eventsOf(result, "RewardSkipped")).toEqual([]);
      const expected = v.reward === "" ? "" : `${v.reward}uve`;
      expect(text((await see.usageDetail(chain, id)).reward)).toBe(expected);
      const { totalClaimable } = await see.claimable(chain, provider.address);
      expect(text(totalClaimable)).toBe(expected);
      expect(await chain.balances(moduleAccount("rewards"))).toBe(expected);
      expect((await see.history(chain, provider.address)).length).toBe(v.reward === "" ? 0 : 1);
      await chain.checkFullInvariants();
    },
  );
});

test.each(vectors.fees)(
  "R-003-43 a total of $total splits into $platform, $validator and $provider",
  async ({ total, ...shares }) => {
    const params = { min_settlement_amount: "0" };
    const chain = await openFor(`${SUPPLY}uve`, { params });
    await activeEscrow(chain, `${total}uve`);
    await recorded(chain, reportOf(`${total}uve`));
    const { settlementId } = await settled(chain);
    const found = await see.settlement(chain, settlementId);
    const uve = (amount: string) => (amount === "" ? "" : `${amount}uve`);
    expect([found.platformFee, found.validatorFee, found.providerShare].map(text)).toEqual(
      [shares.platform, shares.validator, shares.provider].map(uve),
    );
    for (const [account, share] of [
      [moduleAccount("settlement_platform_fee"), shares.platform],
      [moduleAccount("settlement_validator_fee"), shares.validator],
      [provider.address, shares.provider],
    ] as const) {
      expect(await chain.balances(account)).toBe(uve(share));
    }
  },
);

test.each(vectors.late)(
  "R-003-27 R-003-28 $after_end_ns ns after the period, with a grace of $grace_s s: $reward",
  async (v) => {
    const chain = await openChain({ params: { usage_grace_period: v.grace_s } });
    await activeEscrow(chain);
    const { start, end } = slot(0);
    chain.time = (GENESIS_TIME + (end - GENESIS) * 1_000_000_000n) as TimeNs;
    chain.time = (chain.time + BigInt(v.after_end_ns)) as TimeNs;
    const id = await recorded(chain, { start, end, price: "1000uve" });
    await acknowledged(chain, [id]);
    await settled(chain);
    expect(text((await see.usageDetail(chain, id)).reward)).toBe(`${v.reward}uve`);
  },
);

test.each(vectors.epochs)(
  "R-003-54 epochs of $length blocks: a settlement at height $height is of epoch $epoch",
  async ({ length, height, epoch }) => {
    const chain = await openChain({ params: { staking_reward_epoch_length: length } });
    await activeEscrow(chain);
    await recordedCosts(chain, [1000]);
    await chain.blocksTo(BigInt(height) - 1n);
    const result = await chain.ok(msg.settle(customer));
    expect(chain.height).toBe(BigInt(height));
    expect(eventsOf(result, "RewardsDistributed")).toMatchObject([{ epoch_number: epoch }]);
    // The staking reward of an epoch comes with the first block of the next.
    const { distributions } = await see.totals(chain);
    expect(distributions).toBe(1n + BigInt(epoch));
  },
);

describe("settlements", () => {
  test.each(vectors.settlements as readonly SettlementVector[])(
    "RULES 24 RULES 28 $what",
    async (v) => {
      const pool = v.pool === undefined ? {} : { [moduleAccount("reward_pool")]: v.pool };
      const { params = {}, extended = {} } = v;
      const chain = await openFor(v.escrow, { funds: pool, params, extended });
      await activeEscrow(chain, v.escrow);
      const ids: string[] = [];
      for (const [n, { type, cost, late, acknowledged: isAcknowledged }] of v.records.entries()) {
        const id = await recorded(chain, { ...reportOf(cost), ...periodOf(n, late), type });
        if (isAcknowledged === true) await acknowledged(chain, [id]);
        ids.push(id);
      }
      const message = msg.settle(customer, { final: v.final });
      if (v.refused === undefined) await chain.ok(message);
      else await chain.refused(message, v.refused);
      expect(await recordsOf(chain, ids)).toEqual(
        v.records.map(({ settled: paid, reward }) =>
          paid === undefined ? ["open", "", ""] : ["settled", paid, reward],
        ),
      );
      expect(await settlementsOf(chain)).toEqual(v.settlement === undefined ? [] : [v.settlement]);
      expect(await invoicesOf(chain)).toEqual(v.invoice === undefined ? [] : [v.invoice]);
      expect(await stateAfter(chain, v.after)).toEqual(v.after);
      await chain.checkFullInvariants();
      const again = await chain.imported();
      expect([again.appHash, await again.exported()]).toEqual([
        chain.appHash,
        await chain.exported(),
      ]);
      if (v.claimed === undefined || v.claimed === "") return;
      const claim = await again.ok(msg.claim(provider));
      expect(eventsOf(claim, "RewardsClaimed")).toMatchObject([{ claimed_amount: v.claimed }]);
      expect(await again.balances(moduleAccount("rewards"))).toBe("");
      await again.checkFullInvariants();
    },
  );
});

async function recordsOf(chain: TestChain, ids: readonly string[]): Promise<string[][]> {
  const details = await Promise.all(ids.map((id) => see.usageDetail(chain, id)));
  return details.map(({ status, settledAmount, reward }) => {
    return [status, text(settledAmount), text(reward)];
  });
}

async function settlementsOf(chain: TestChain): Promise<object[]> {
  const found = await see.settlementsOf(chain, ORDER);
  return found.map(({ totalAmount, platformFee, validatorFee, providerShare }) => ({
    total: text(totalAmount),
    platform: text(platformFee),
    validator: text(validatorFee),
    provider: text(providerShare),
  }));
}

async function invoicesOf(chain: TestChain): Promise<object[]> {
  const found = await see.invoicesOf(chain, ORDER);
  return found.map(({ total, amountDue, status }) => {
    return { total: text(total), due: text(amountDue), status };
  });
}

/** The escrow's state and the accounts that a vector names. */
async function stateAfter(chain: TestChain, named: object): Promise<Record<string, string>> {
  const accounts: Readonly<Record<string, string>> = {
    escrow: moduleAccount("settlement_escrow"),
    customer: customer.address,
    provider: provider.address,
    rewards: moduleAccount("rewards"),
    pool: moduleAccount("reward_pool"),
    held: moduleAccount("settlement"),
  };
  const found: Record<string, string> = {};
  for (const name of Object.keys(named)) {
    if (name === "state") found[name] = (await see.escrow(chain, "escrow-1")).state;
    else found[name] = await chain.balances(accounts[name] as string);
  }
  return found;
}

describe("an escrow of 10000 that expires in the block of a message, with 1000 of usage open", () => {
  const MESSAGES: Readonly<Record<string, (id: string) => TestMessage>> = {
    settle: () => msg.settle(customer),
    "settle for good": () => msg.settle(customer, { final: true }),
    record: () => msg.record(provider, { ...slot(1), price: "7uve" }),
    acknowledge: (id) => msg.acknowledge(customer, id),
    release: () => msg.release(customer, "escrow-1"),
    refund: () => msg.refund(provider, "escrow-1"),
  };

  test.each(vectors.expiry)(
    "RULES 14 $message $after_expiry_ns ns after it: code $code, $state",
    async (v) => {
      const chain = await openFor("10000uve");
      const expiry = chain.time + HOUR * 1_000_000_000n;
      await activeEscrow(chain, "10000uve", { expiresIn: HOUR });
      const id = await recorded(chain, { price: "1000uve" });
      chain.time = (expiry + BigInt(v.after_expiry_ns)) as TimeNs;
      const message = (MESSAGES[v.message] as (id: string) => TestMessage)(id);
      const result = await chain.deliver(message);
      expect(result.code).toBe(v.code);
      if (v.code !== 0) expectCode(result, v.code);
      expect((await see.escrow(chain, "escrow-1")).state).toBe(v.state);
      await chain.checkFullInvariants();
      // A second later all of it has ended: what was recorded is paid, the rest is back.
      await chain.block();
      const { state } = await see.escrow(chain, "escrow-1");
      expect(state).toBe(v.state === "active" ? "expired" : v.state);
      const recordedBesides = v.message === "record" && v.code === 0 ? 7n : 0n;
      const paid = v.state === "refunded" ? 0n : 1000n + recordedBesides;
      expect(await chain.balance(customer.address)).toBe(10_000n - paid);
      // 50 and 10 of 1000, and floor(50.35) and floor(10.07) of 1007, go to the fee accounts.
      expect(await chain.balance(provider.address)).toBe(paid === 0n ? 0n : paid - 60n);
      expect(await chain.balances(moduleAccount("settlement_escrow"))).toBe("");
      await chain.checkFullInvariants();
    },
  );
});
