import { describe, expect, test } from "vitest";
import { canonicalJson } from "../../../src/codec/canonical_json.ts";
import type { QueryUsageRecordsResponse } from "../../../src/gen/settled/settlement/v1/query.ts";
import { UsageState } from "../../../src/gen/settled/settlement/v1/state.ts";
import * as keys from "../../../src/modules/settlement/keys.ts";
import type { GenesisDoc } from "../../../src/types/application.ts";
import { authority, customer, provider } from "../../testkit/accounts.ts";
import { openChain, type TestChain } from "../../testkit/chain.ts";
import { disputed, disputeUsage, resolved } from "../../testkit/disputes.ts";
import { invoiceMsg, unpaidInvoice } from "../../testkit/invoices.ts";
import { machineOf } from "../../testkit/machine.ts";
import { ORDER } from "../../testkit/messages.ts";
import { brokenOnDisk, putOnDisk } from "../../testkit/on_disk.ts";
import { activeEscrow, recorded, recordedCosts, settled } from "../../testkit/orders.ts";
import { type ParamsJson, updateParams } from "../../testkit/params.ts";
import { refunded, seeRefund } from "../../testkit/refunds.ts";
import { DAY, GENESIS } from "../../testkit/times.ts";
import { see } from "../../testkit/views.ts";

type Json = Record<string, unknown>;

/** Puts params into force: one version more. */
async function change(chain: TestChain, given: ParamsJson): Promise<void> {
  await chain.ok(await updateParams(chain, given));
  await chain.block();
}

async function stateOf(chain: TestChain): Promise<Record<string, Json[]>> {
  const { appState } = await chain.app.exportGenesis();
  return appState["settlement"] as Record<string, Json[]>;
}

/** A chain of three versions: fees of 5 %, 20 % and 5 % again. */
async function thrice(): Promise<TestChain> {
  const chain = await openChain();
  await change(chain, { params: { platform_fee_rate: "0.2" } });
  await change(chain, { params: { platform_fee_rate: "0.05" } });
  return chain;
}

/** The genesis of such a chain with other parts of its settlement state. */
async function genesisWith(edit: (state: Record<string, Json[]>) => Json): Promise<GenesisDoc> {
  const genesis = structuredClone(await (await thrice()).app.exportGenesis());
  const state = genesis.appState["settlement"] as Record<string, Json[]>;
  return {
    ...genesis,
    appState: { ...genesis.appState, settlement: { ...state, ...edit(state) } },
  };
}

const versions = (state: Record<string, Json[]>, list: string) =>
  (state[list] ?? []).map((each) => each["params_version"]);

const rates = (state: Record<string, Json[]>) =>
  (state["params_versions"] ?? []).map(({ version, params }) => {
    return `${version}: ${(params as Json)["platform_fee_rate"]}`;
  });

describe("RULES 7 the params of every version are kept", () => {
  test("from genesis on, each with both params", async () => {
    const state = await stateOf(await thrice());
    expect(rates(state)).toEqual(["1: 0.05", "2: 0.2", "3: 0.05"]);
    const [first, , last] = state["params_versions"] ?? [];
    expect(last).toEqual({
      ...{ version: "3", params: state["params"], extended_params: state["extended_params"] },
    });
    expect(first).toEqual({ ...last, version: "1" });
  });

  test("an import keeps them byte for byte", async () => {
    const genesis = await (await thrice()).app.exportGenesis();
    const copy = await openChain({ genesis });
    const { appState } = await copy.app.exportGenesis();
    expect(canonicalJson(appState as never)).toBe(canonicalJson(genesis.appState as never));
    await change(copy, { params: { platform_fee_rate: "0.1" } });
    expect(rates(await stateOf(copy))).toEqual(["1: 0.05", "2: 0.2", "3: 0.05", "4: 0.1"]);
  });

  test("a genesis without them starts with the version that is in force", async () => {
    const chain = await openChain({ genesis: await genesisWith(() => ({ params_versions: [] })) });
    expect(rates(await stateOf(chain))).toEqual(["3: 0.05"]);
    await change(chain, { params: { platform_fee_rate: "0.1" } });
    expect(rates(await stateOf(chain))).toEqual(["3: 0.05", "4: 0.1"]);
  });

  test.each<[name: string, edit: (rows: Json[]) => Json[], field: string]>([
    ["a gap", (rows) => rows.filter((_, at) => at !== 1), "[0].version: expected"],
    ["another order", ([a, b, c]) => [b, a, c] as Json[], "[0].version: expected"],
    ["one too many", (rows) => [...rows, { ...rows[2], version: "4" }], "[0].version: expected"],
    ["a version 0", (rows) => [{ ...rows[0], version: "0" }, ...rows], "[0].version: expected"],
    [
      "a row without params",
      ([a, b, c]) => [a, { ...b, params: undefined }, c].map(plain),
      "[1].params: is missing",
    ],
    [
      "a row without extended params",
      ([a, b, c]) => [a, b, { ...c, extended_params: undefined }].map(plain),
      "[2].extended_params: is missing",
    ],
    [
      "a param out of bounds",
      ([a, b, c]) => [withParam(a, "platform_fee_rate", "1.5"), b, c] as Json[],
      "[0].params.platform_fee_rate: ",
    ],
    [
      "a newest row that is not in force",
      ([a, b, c]) => [a, b, withParam(c, "platform_fee_rate", "0.06")] as Json[],
      '[2].params.platform_fee_rate: expected "0.05", which is in force, found "0.06"',
    ],
  ])("%s is refused, naming the field", async (_, edit, field) => {
    const genesis = await genesisWith((state) => ({
      params_versions: edit(state["params_versions"] ?? []),
    }));
    await expect(openChain({ genesis })).rejects.toThrow(`settlement.params_versions${field}`);
  });
});

describe("RULES 7 results store the params version", () => {
  test("of an invoice, and of the payouts of its settlement and of what is paid later", async () => {
    const chain = await openChain({ params: { min_settlement_amount: "0" } });
    await change(chain, { params: { platform_fee_rate: "0.1" } });
    const invoiceId = await unpaidInvoice(chain, 900);
    await change(chain, { params: { platform_fee_rate: "0.2" } });
    await chain.ok(invoiceMsg.pay(customer, invoiceId));
    const state = await stateOf(chain);
    expect(versions(state, "invoices")).toEqual(["2"]);
    expect(versions(state, "payouts")).toEqual(["2", "3"]);
    // 10 % of 500, and 20 % of what was due.
    expect(state["payouts"]?.map((each) => each["platform_fee"])).toEqual([
      [{ denom: "uve", amount: "50" }],
      [{ denom: "uve", amount: "80" }],
    ]);
    expect((await see.invoice(chain, invoiceId)).paramsVersion).toBe(2n);
  });

  test("of a refund: that of the block that makes it, not of its settlement", async () => {
    const chain = await openChain();
    await activeEscrow(chain);
    await recordedCosts(chain, [1000]);
    const { settlementId } = await settled(chain);
    await change(chain, { params: { platform_fee_rate: "0.2" } });
    const { refundId } = await refunded(chain, settlementId);
    const state = await stateOf(chain);
    expect(versions(state, "settlements")).toEqual(["1"]);
    expect(versions(state, "refunds")).toEqual(["2"]);
    expect((await seeRefund.one(chain, refundId)).paramsVersion).toBe(2n);
  });
});

describe("RULES 21 a record is disputed until its settlement plus the window in force then", () => {
  const WINDOW = {
    params: { payout_holdback_rate: "0.1", dispute_window_duration: `${2n * DAY}` },
  };
  const holdbackOf = async (chain: TestChain) =>
    Number((await stateOf(chain))["payouts"]?.[0]?.["holdback_due_at_ns"]);

  /** A chain with two records that were just settled, or put on an invoice that nothing paid. */
  async function settledChain(deposit = "10000uve"): Promise<{ chain: TestChain; ids: string[] }> {
    const chain = await openChain({ ...WINDOW, extended: { auto_settle_enabled: false } });
    await activeEscrow(chain, deposit, { expiresIn: 90n * DAY });
    const ids = await recordedCosts(chain, [4000, 4000]);
    await settled(chain, { final: true });
    return { chain, ids };
  }

  test.each(["3600", "0"])(
    "a window lowered to %s closes no record whose holdback is still held",
    async (window) => {
      const { chain, ids } = await settledChain();
      const [first = "", second = ""] = ids;
      const end = await holdbackOf(chain);
      await change(chain, { params: { dispute_window_duration: window } });
      chain.skip(DAY);
      await chain.block();
      const dispute = await disputed(chain, first);
      await resolved(chain, dispute, "rejected", authority);
      // Its last nanosecond is that of the holdback.
      chain.time = BigInt(end) as typeof chain.time;
      await disputed(chain, second);
      await chain.checkFullInvariants();
    },
  );

  test("a window raised opens no record whose holdback has gone", async () => {
    const { chain, ids } = await settledChain();
    await change(chain, { params: { dispute_window_duration: `${60n * DAY}` } });
    chain.skip(2n * DAY);
    await chain.block();
    await chain.refused(disputeUsage(ids[0] ?? ""), 1515, "it could be disputed until");
  });

  test("what is settled later has the later window", async () => {
    const { chain } = await settledChain();
    await change(chain, { params: { dispute_window_duration: "3600" } });
    await activeEscrow(chain, "9000uve", { order: "o2", expiresIn: 90n * DAY });
    const [late = ""] = await recordedCosts(chain, [5000], { order: "o2" });
    await settled(chain, { order: "o2" });
    chain.skip(3601n);
    await chain.block();
    await chain.refused(disputeUsage(late), 1515, "it could be disputed until");
  });

  test("of a record that was put on an invoice unpaid, the window is that of its issue", async () => {
    const { chain, ids } = await settledChain("4000uve");
    await change(chain, { params: { dispute_window_duration: "3600" } });
    chain.skip(DAY);
    await chain.block();
    await disputed(chain, ids[1] ?? "");
    await change(chain, { params: { dispute_window_duration: `${60n * DAY}` } });
    chain.skip(DAY);
    await chain.block();
    await chain.refused(disputeUsage(ids[0] ?? ""), 1515, "it could be disputed until");
  });

  test("of a version that a genesis did not bring, it is the oldest known one's", async () => {
    const { chain, ids } = await settledChain();
    const genesis = structuredClone(await chain.app.exportGenesis());
    const state = genesis.appState["settlement"] as Record<string, unknown>;
    for (const list of ["settlements", "distributions"]) {
      for (const each of state[list] as Json[]) each["params_version"] = "0";
    }
    delete state["params_versions"];
    const copy = await openChain({ genesis });
    copy.time = chain.time;
    await change(copy, { params: { dispute_window_duration: "3600" } });
    copy.skip(DAY);
    await copy.block();
    await disputed(copy, ids[0] ?? "");
  });
});

describe("RULES 36 a summary reads as far back as a period ever lasted", () => {
  // Longer than the default, so that it does not find the record either.
  const LONG = 40n * DAY;
  const start = GENESIS - LONG;
  const ids = async (chain: TestChain, by: object) =>
    (await see.summary(chain, { ...by, periodStart: GENESIS - DAY, periodEnd: GENESIS }))
      .usageRecordIds;

  /** A chain that allowed 40 days, has one record that lasted as long, and allows an hour now. */
  async function lowered(): Promise<{ chain: TestChain; usageId: string }> {
    const chain = await openChain({ extended: { max_usage_period: `${LONG}` } });
    await activeEscrow(chain);
    const usageId = await recorded(chain, { start, end: GENESIS, price: "5uve" });
    await change(chain, { extended: { max_usage_period: "7200" } });
    await change(chain, { extended: { max_usage_period: "3600" } });
    return { chain, usageId };
  }

  test("by provider as by order, after max_usage_period was lowered twice", async () => {
    const { chain, usageId } = await lowered();
    expect(await ids(chain, { orderId: ORDER })).toEqual([usageId]);
    expect(await ids(chain, { provider: provider.address })).toEqual([usageId]);
    const copy = await openChain({ genesis: await chain.app.exportGenesis() });
    expect(await ids(copy, { provider: provider.address })).toEqual([usageId]);
  });

  test("and so do UsageRecords by provider, by customer and of all", async () => {
    const { chain, usageId } = await lowered();
    const parties = [
      { orderId: ORDER },
      { provider: provider.address },
      { customer: customer.address },
      {},
    ];
    for (const party of parties) {
      const { usageRecords } = await chain.query<QueryUsageRecordsResponse>(
        "settled.settlement.v1.Query/UsageRecords",
        { ...party, periodStart: GENESIS - DAY, periodEnd: GENESIS },
      );
      expect(usageRecords.map((each) => each.usageId)).toEqual([usageId]);
    }
  });

  test("by provider on a chain that does not know its first params: the default counts", async () => {
    const chain = await openChain();
    await activeEscrow(chain);
    const usageId = await recorded(chain, { start: GENESIS - 31n * DAY, end: GENESIS });
    await change(chain, { extended: { max_usage_period: "3600" } });
    const genesis = structuredClone(await chain.app.exportGenesis());
    delete (genesis.appState["settlement"] as Json)["params_versions"];
    const copy = await openChain({ genesis });
    expect(await ids(copy, { provider: provider.address })).toEqual([usageId]);
  });
});

describe("I-14 a reward is recomputed with the params of its own version", () => {
  /** Two records, each settled and rewarded with params of its own; then params change again. */
  async function rewardedTwice(): Promise<TestChain> {
    const chain = await openChain({ params: { min_settlement_amount: "0" } });
    await activeEscrow(chain, "90000uve");
    await recordedCosts(chain, [10_000]);
    await settled(chain);
    await change(chain, { params: { usage_reward_rate_bps: 2000 } });
    await recordedCosts(chain, [10_000], { from: 1 });
    await settled(chain);
    await change(chain, { params: { usage_reward_rate_bps: 3000 } });
    return chain;
  }

  test("every one holds, whatever the params are now", async () => {
    const chain = await rewardedTwice();
    await chain.checkFullInvariants();
    const rewards = (await stateOf(chain))["usage"]?.map((each) => each["reward"]);
    expect(rewards).toEqual(["900", "1800"]);
  });

  test.each([1n, 2n])("I-14 fires: the reward of record %s one unit off", async (seq) => {
    const chain = await rewardedTwice();
    const machine = await machineOf(chain);
    const key = keys.recordKey(keys.USAGE_PREFIX, seq);
    const usage = UsageState.decode(machine.overlay.get(key) as Uint8Array);
    const off = { ...usage, reward: `${BigInt(usage.reward) + 1n}` };
    await putOnDisk(chain, key, UsageState.encode(off).finish());
    const broken = await brokenOnDisk(chain, machine);
    expect(broken).toContain("I-14 every reward is recomputed from its record");
  });
});

const plain = (row: Json | undefined): Json => JSON.parse(JSON.stringify(row)) as Json;

function withParam(row: Json | undefined, name: string, value: unknown): Json {
  return { ...row, params: { ...(row?.["params"] as Json), [name]: value } };
}
