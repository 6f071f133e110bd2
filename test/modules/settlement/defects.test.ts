import process from "node:process";
import { afterEach, describe, expect, test, vi } from "vitest";
import { DEFAULT_PRICES_FILE, PriceBook } from "../../../src/provider/price_book.ts";
import { reportsOf } from "../../../src/provider/reports.ts";
import { NO_METRICS, RESOURCES, unitsOfWindow } from "../../../src/provider/units.ts";
import { authority, customer, provider } from "../../testkit/accounts.ts";
import { moduleAccount, openChain, type TestChain } from "../../testkit/chain.ts";
import { price, text } from "../../testkit/coins.ts";
import { LEASE, msg, ORDER } from "../../testkit/messages.ts";
import { eventsOf } from "../../testkit/outcome.ts";
import {
  acknowledged,
  activeEscrow,
  recorded,
  recordedCosts,
  settled,
} from "../../testkit/orders.ts";
import { payoutMsg } from "../../testkit/payout_messages.ts";
import { chainPaying, ledgerOf, payoutIds, settledChain } from "../../testkit/payouts.ts";
import { GENESIS, HOUR } from "../../testkit/times.ts";
import { see } from "../../testkit/views.ts";

// Defects of the deployed module that have no better place.

describe("D-3 block time alone, in UTC", () => {
  const zone = process.env["TZ"];
  afterEach(() => {
    vi.useRealTimers();
    if (zone === undefined) delete process.env["TZ"];
    else process.env["TZ"] = zone;
  });

  /** An order from its escrow to claimed rewards; the state and the hash that come of it. */
  async function lived(): Promise<[state: string, appHash: string]> {
    const chain = await openChain();
    await activeEscrow(chain, "100000uve");
    await acknowledged(chain, await recordedCosts(chain, [1000, 2000]));
    await settled(chain);
    await chain.ok(msg.claim(provider));
    await recordedCosts(chain, [100_000], { from: 7 });
    await settled(chain, { final: true });
    return [await chain.exported(), chain.appHash];
  }

  test("D-3 neither the node's clock nor its time zone reaches the state", async () => {
    const here = await lived();
    process.env["TZ"] = "Asia/Kathmandu";
    vi.useFakeTimers({ toFake: ["Date"], now: Date.UTC(2041, 6, 1, 13, 30) });
    expect(new Date().getHours()).toBe(19);
    expect(await lived()).toEqual(here);
  });
});

describe("D-7 payouts, their ledger and their states", () => {
  test("D-7 several steps of a payout in one block are entries of their own, in order", async () => {
    const { chain, payout } = await settledChain([1000], { extended: { payout_delay: "3600" } });
    const { payoutId } = payout;
    await chain.ok(
      payoutMsg.hold(authority, payoutId),
      payoutMsg.refund(authority, payoutId, "40uve"),
      payoutMsg.release(authority, payoutId),
    );
    expect(await ledgerOf(chain, payoutId)).toEqual([
      "1 created >pending 940uve",
      "2 held pending>held 940uve",
      "3 refunded held>held 40uve",
      "4 released held>pending 900uve",
      "5 processing pending>processing 900uve",
      "6 completed processing>completed 900uve",
    ]);
  });

  test("D-7 a payout is listed under one state, the one that it is in", async () => {
    const failing = await chainPaying(moduleAccount("fee_collector"));
    await failing.ok(msg.settle(customer));
    expect(await statesListing(failing)).toEqual(["failed"]);
    const [id = ""] = await payoutIds(failing);
    await failing.ok(payoutMsg.hold(authority, id));
    expect(await statesListing(failing)).toEqual(["held"]);
    await failing.ok(payoutMsg.refund(authority, id));
    expect(await statesListing(failing)).toEqual(["refunded"]);
  });

  test("D-7 a payout of two denoms that fails is told of, and nothing of it has moved", async () => {
    const before = await openChain();
    await activeEscrow(before, "1000uve,2000uusd");
    await recordedCosts(before, [1000]);
    await recordedCosts(before, [2000], { denom: "uusd", from: 1 });
    const genesis = await before.app.exportGenesis();
    const books = JSON.stringify(genesis.appState["settlement"]);
    const unpayable = books.replaceAll(provider.address, moduleAccount("fee_collector"));
    const appState = { ...genesis.appState, settlement: JSON.parse(unpayable) as unknown };
    const chain = await openChain({ genesis: { ...genesis, appState } });
    const result = await chain.ok(msg.settle(customer));
    expect(eventsOf(result, "PayoutFailed")).toHaveLength(1);
    expect(await chain.balances(moduleAccount("settlement"))).toBe("1880uusd,940uve");
    expect(await chain.balances(moduleAccount("fee_collector"))).toBe("");
    const [id = ""] = await payoutIds(chain);
    await chain.ok(payoutMsg.hold(authority, id), payoutMsg.refund(authority, id));
    expect(await chain.balances(moduleAccount("settlement"))).toBe("");
    await chain.checkFullInvariants();
  });

  async function statesListing(chain: TestChain): Promise<string[]> {
    const states = ["pending", "processing", "completed", "failed", "held", "refunded"];
    const found: string[] = [];
    for (const state of states) {
      if ((await payoutIds(chain, { state })).length > 0) found.push(state);
    }
    return found;
  }
});

describe("D-10 one base denom", () => {
  test("D-10 the daemon's prices are in the bond denom, in base units, and cost what it says", async () => {
    const prices = await PriceBook.read(DEFAULT_PRICES_FILE);
    const chain = await openChain();
    await activeEscrow(chain, "1000000000uve");
    const metrics = {
      ...NO_METRICS,
      ...{ cpuMilliseconds: 36_000_000n, memoryByteSeconds: 3n * 3_865_470_566_400n },
      ...{ storageByteSeconds: 3_865_470_566_400n, gpuSeconds: 7200n, networkBytesIn: 2n ** 33n },
    };
    const facts = { job: "job", order: ORDER, lease: LEASE, start: 0n, end: HOUR, line: 1 };
    const units = unitsOfWindow(metrics);
    const reports = reportsOf({ ...facts, metrics }, units, prices, GENESIS - 2n * HOUR);
    expect(reports).toHaveLength(RESOURCES.length);
    const { bondDenom } = chain.app.info();
    expect(reports.map(({ denom }) => denom)).toEqual(reports.map(() => bondDenom));
    for (const { usageType, usageUnits, unitPrice, periodStart, periodEnd, cost } of reports) {
      const period = { start: periodStart, end: periodEnd };
      const atomics = unitPrice.toString().padStart(19, "0");
      const decimal = `${atomics.slice(0, -18)}.${atomics.slice(-18)}${bondDenom}`;
      expect(price(decimal).amount).toBe(unitPrice.toString());
      const report = { ...period, type: usageType, units: usageUnits, price: decimal };
      const id = await recorded(chain, report);
      expect(text((await see.usage(chain, id)).totalCost)).toBe(`${cost}uve`);
    }
  });

  test("D-10 rewards are minted in the bond denom alone, which fees and staking have too", async () => {
    const chain = await openChain({ params: { staking_reward_epoch_length: "6" } });
    await activeEscrow(chain, "10000uusd,10000uve");
    await recordedCosts(chain, [1000]);
    await recordedCosts(chain, [1000], { denom: "uusd", from: 1 });
    await settled(chain);
    await chain.blocksTo(6n);
    expect(await chain.balances(moduleAccount("rewards"))).toBe("91uve");
    const { supply } = await chain.query<{ supply: { denom: string; amount: string }[] }>(
      "cosmos.bank.v1beta1.Query/TotalSupply",
    );
    // Six accounts of 10^12 each, and what was minted.
    expect(text(supply)).toBe("6000000000000uusd,6000000000091uve");
  });
});
