import { beforeEach, describe, expect, test } from "vitest";
import type { MsgUpdateParamsResponse } from "../../../src/gen/settled/settlement/v1/tx.ts";
import type { MsgRecordUsageResponse } from "../../../src/gen/virtengine/settlement/v1/tx.ts";
import { authority, customer, provider, stranger } from "../../testkit/accounts.ts";
import { moduleAccount, openChain, type TestChain } from "../../testkit/chain.ts";
import { msg, ORDER } from "../../testkit/messages.ts";
import { activeEscrow, pendingEscrow, recordedCosts, settled } from "../../testkit/orders.ts";
import { eventsOf, expectCode, expectOk, responseOf, typedEvents } from "../../testkit/outcome.ts";
import { extendedParams, updateParams, wireParams } from "../../testkit/params.ts";
import { HOUR } from "../../testkit/times.ts";
import { see } from "../../testkit/views.ts";

type Json = Record<string, unknown>;

let chain: TestChain;
beforeEach(async () => {
  chain = await openChain();
});

async function settlementState(of: TestChain = chain): Promise<Record<string, Json[]>> {
  const { appState } = await of.app.exportGenesis();
  return appState["settlement"] as Record<string, Json[]>;
}

describe("RULES 7 params change at the start of the next block", () => {
  test("and not before: a settlement uses its own block's fees", async () => {
    await activeEscrow(chain, "100000uve");
    const [first = "", second = ""] = await recordedCosts(chain, [10_000, 20_000]);
    const update = await updateParams(chain, { params: { platform_fee_rate: "0.2" } });
    const block = await chain.block(
      await chain.tx([update]),
      await chain.tx([msg.settle(customer, { ids: [first] })]),
    );
    const results = block.txResults.map(expectOk);
    expect(responseOf<MsgUpdateParamsResponse>(results[0] ?? never())).toEqual({
      effectiveHeight: chain.height + 1n,
      paramsVersion: 2n,
    });
    // 5 % of 10,000, and of 20,000 20 %.
    expect(eventsOf(results[1] ?? never(), "OrderSettled")).toMatchObject([
      { total_amount: "10000uve", platform_fee: "500uve", validator_fee: "100uve" },
    ]);
    const next = await chain.block(await chain.tx([msg.settle(customer, { ids: [second] })]));
    expect(eventsOf(expectOk(next.txResults[0] ?? never()), "OrderSettled")).toMatchObject([
      { total_amount: "20000uve", platform_fee: "4000uve", validator_fee: "200uve" },
    ]);
    expect((await wireParams(chain)).platformFeeRate).toBe("0.2");
  });

  test("both steps have an event that names the params with their values before and after", async () => {
    const update = await updateParams(chain, {
      params: { min_settlement_amount: "500", usage_reward_rate_bps: 0 },
      extended: { auto_settle_after: "3600" },
    });
    const result = await chain.ok(update);
    const changes = {
      changed:
        "params.min_settlement_amount,params.usage_reward_rate_bps,extended_params.auto_settle_after",
      old: '{"extended_params.auto_settle_after":"0","params.min_settlement_amount":"1000","params.usage_reward_rate_bps":"1000"}',
      new: '{"extended_params.auto_settle_after":"3600","params.min_settlement_amount":"500","params.usage_reward_rate_bps":"0"}',
    };
    const effective_height = `${chain.height + 1n}`;
    expect(eventsOf(result, "ParamsProposed")).toEqual([
      { authority: authority.address, effective_height, params_version: "2", ...changes },
    ]);
    expect(typedEvents(result)).toEqual(["ParamsProposed"]);
    const next = await chain.block();
    expect(eventsOf(next, "ParamsUpdated")).toEqual([{ params_version: "2", ...changes }]);
    expect(eventsOf(await chain.block(), "ParamsUpdated")).toEqual([]);
  });

  test("the later of two in one block stands, built on the earlier; a refused tx leaves nothing", async () => {
    const first = await updateParams(chain, { params: { min_settlement_amount: "500" } });
    const second = await updateParams(chain, { extended: { max_clock_drift: "5" } });
    const third = await updateParams(chain, { extended: { max_clock_drift: "9" } });
    const bad = await updateParams(chain, { params: { min_settlement_amount: "-1" } });
    const { txResults } = await chain.block(
      await chain.tx([first]),
      await chain.tx([second]),
      await chain.tx([third, bad]),
    );
    const [one, two, last] = txResults;
    for (const result of [one, two]) {
      const response = responseOf<MsgUpdateParamsResponse>(expectOk(result ?? never()));
      expect(response).toEqual({ effectiveHeight: chain.height + 1n, paramsVersion: 2n });
    }
    expectCode(last ?? never(), 1525, "params.min_settlement_amount");
    const { pending, paramsVersion } = await extendedParams(chain);
    expect([paramsVersion, pending?.params?.minSettlementAmount]).toEqual([1n, "500"]);
    expect(pending).toMatchObject({
      proposedHeight: chain.height,
      extendedParams: { maxClockDrift: 5n, authority: authority.address },
    });
    expect((await wireParams(chain)).minSettlementAmount).toBe("1000");
    await chain.block();
    expect((await wireParams(chain)).minSettlementAmount).toBe("500");
    expect(await extendedParams(chain)).toMatchObject({
      params: { maxClockDrift: 5n },
      paramsVersion: 2n,
      pending: undefined,
    });
  });

  test("they are applied before anything else of the block: an expiry pays the new fees", async () => {
    await activeEscrow(chain, "50000uve", { expiresIn: HOUR });
    await recordedCosts(chain, [10_000]);
    await chain.ok(await updateParams(chain, { params: { platform_fee_rate: "0.5" } }));
    chain.skip(HOUR * 2n);
    const block = await chain.block();
    expect(eventsOf(block, "OrderSettled")).toMatchObject([{ platform_fee: "5000uve" }]);
    const typed = typedEvents(block);
    expect(typed.indexOf("ParamsUpdated")).toBe(0);
  });

  test("a period that one block may still report is refused by the next one's max_usage_period", async () => {
    await activeEscrow(chain);
    const update = await updateParams(chain, { extended: { max_usage_period: "59" } });
    const end = chain.time / 1_000_000_000n;
    const first = await chain.tx([msg.record(provider, { start: end - 60n, end })]);
    const { txResults } = await chain.block(await chain.tx([update]), first);
    expect(responseOf<MsgRecordUsageResponse>(expectOk(txResults[1] ?? never())).totalCost).toBe(
      "1uve",
    );
    await chain.block();
    const later = msg.record(provider, { start: end - 200n, end: end - 140n });
    await chain.refused(later, 1512, "59");
  });
});

describe("RULES 7 what was written does not move", () => {
  test("expiries of escrows and rewards, and due dates of invoices", async () => {
    chain = await openChain({ params: { reward_claim_expiry: "5000" } });
    const escrow = await activeEscrow(chain, "100000uve", { expiresIn: 7200n });
    await recordedCosts(chain, [10_000, 10_000]);
    const records = await see.usageOf(chain, ORDER);
    await settled(chain, { ids: [records[0]?.usageId ?? ""] });
    const before = await facts();
    const update = await updateParams(chain, {
      params: { reward_claim_expiry: "10", max_escrow_duration: "3601" },
      extended: { invoice_due_after: "20", authority: stranger.address },
    });
    await chain.ok(update);
    await chain.block();
    expect(await facts()).toEqual(before);
    // What is written from now on has the new values.
    await settled(chain, { ids: [records[1]?.usageId ?? ""] });
    const [, second] = (await settlementState())["invoices"] ?? [];
    const due = BigInt(String(second?.["due_at_ns"])) - BigInt(String(second?.["issued_at_ns"]));
    expect(due).toBe(20_000_000_000n);
    await chain.refused(msg.create(customer, "5uve", { order: "o2", expiresIn: 3602n }), 1500);
    await pendingEscrow(chain, "5uve", { order: "o2", expiresIn: 3601n });

    async function facts() {
      const { expiresAt } = await see.escrow(chain, escrow);
      const state = await settlementState();
      const entries = (state["reward_entries"] ?? []).map((entry) => entry["expires_at_ns"]);
      return { expiresAt, entries, due: state["invoices"]?.[0]?.["due_at_ns"] };
    }
  });

  test("settlements and distributions keep the version that they were computed with", async () => {
    await activeEscrow(chain, "100000uve");
    const [first = "", second = ""] = await recordedCosts(chain, [10_000, 10_000]);
    await settled(chain, { ids: [first] });
    await chain.ok(await updateParams(chain, { params: { usage_reward_rate_bps: 2000 } }));
    await settled(chain, { ids: [second] });
    const state = await settlementState();
    const versions = (list: string) => (state[list] ?? []).map((each) => each["params_version"]);
    expect(versions("settlements")).toEqual(["1", "2"]);
    expect(versions("distributions")).toEqual(["1", "2"]);
    // 10 % and 20 %, each for a record that nobody acknowledged: 9000 bps of that.
    const rewards = (state["usage"] ?? []).map((each) => each["reward"]);
    expect(rewards).toEqual(["900", "1800"]);
  });
});

describe("RULES 7 who may update params", () => {
  test("the authority alone; a new one from the next block on", async () => {
    const change = { params: { min_settlement_amount: "5" } };
    const theirs = await updateParams(chain, change, stranger);
    await chain.refused(theirs, 1505, authority.address, stranger.address);
    const handOver = await updateParams(chain, { extended: { authority: stranger.address } });
    const { txResults } = await chain.block(await chain.tx([handOver]), await chain.tx([theirs]));
    expectOk(txResults[0] ?? never());
    expectCode(txResults[1] ?? never(), 1505, authority.address);
    await chain.block();
    await chain.refused(await updateParams(chain, change), 1505, stranger.address);
    await chain.ok(await updateParams(chain, change, stranger));
    await chain.block();
    expect((await wireParams(chain)).minSettlementAmount).toBe("5");
  });

  test("nobody on a chain without an authority, and the text says where to name one", async () => {
    chain = await openChain({ extended: { authority: "" } });
    const update = await updateParams(chain, { params: { min_settlement_amount: "5" } });
    await chain.refused(update, 1505, "no authority", "extended_params.authority");
  });

  test("the authority is not given up by mistake", async () => {
    const empty = await updateParams(chain, { extended: { authority: "" } });
    await chain.refused(empty, 1525, "extended_params.authority", "nobody could change");
    const account = moduleAccount("settlement_escrow");
    const nobody = await updateParams(chain, { extended: { authority: account } });
    await chain.refused(nobody, 1525, "extended_params.authority", account);
  });

  test("capital letters are another spelling of the same address, in genesis and in a message", async () => {
    const capital = authority.address.toUpperCase();
    chain = await openChain({ extended: { authority: capital } });
    const handOver = { extended: { authority: stranger.address.toUpperCase() } };
    await chain.ok(await updateParams(chain, handOver));
    await chain.block();
    expect((await extendedParams(chain)).params?.authority).toBe(stranger.address);
    await chain.ok(await updateParams(chain, { extended: { max_clock_drift: "1" } }, stranger));
  });

  test("sign modes DIRECT and LEGACY_AMINO_JSON", async () => {
    for (const [mode, amount] of [
      ["direct", "7"],
      ["amino-json", "8"],
    ] as const) {
      const update = await updateParams(chain, {
        params: { min_settlement_amount: amount },
        extended: { max_clock_drift: amount },
      });
      const { txResults } = await chain.block(await chain.tx([update], { mode }));
      expectOk(txResults[0] ?? never());
      await chain.block();
      expect((await wireParams(chain)).minSettlementAmount).toBe(amount);
    }
  });
});

describe("a message that changes nothing is refused", () => {
  test("without params", async () => {
    await chain.refused(await updateParams(chain, {}), 1525, "found neither");
  });

  test("with the params of now, or of the update before it in the block", async () => {
    await chain.refused(await updateParams(chain, { params: {} }), 1525, "nothing changes");
    const update = await updateParams(chain, { params: { min_settlement_amount: "5" } });
    const { txResults } = await chain.block(await chain.tx([update]), await chain.tx([update]));
    expectOk(txResults[0] ?? never());
    expectCode(txResults[1] ?? never(), 1525, "nothing changes");
  });
});

describe("D-15 export and import of params that wait for their block", () => {
  const change = {
    params: { min_settlement_amount: "5" },
    extended: { max_clock_drift: "7" },
  };

  test("export(import(x)) = x, and both chains go on alike", async () => {
    await chain.ok(await updateParams(chain, change));
    const exported = await chain.exported();
    expect(exported).toContain('"pending_params":{');
    const imported = await chain.imported();
    expect(await imported.exported()).toBe(exported);
    expect(imported.appHash).toBe(chain.appHash);
    for (const each of [chain, imported]) {
      const block = await each.block();
      expect(eventsOf(block, "ParamsUpdated")).toMatchObject([{ params_version: "2" }]);
      expect((await wireParams(each)).minSettlementAmount).toBe("5");
    }
    expect(imported.appHash).toBe(chain.appHash);
    expect(await imported.exported()).not.toContain("proposed_height");
  });

  test.each<[change: (pending: Record<string, Json>) => void, field: string]>([
    [
      (p) => Object.assign(p["params"] ?? {}, { usage_reward_rate_bps: 10_001 }),
      "params.usage_reward_rate_bps",
    ],
    [
      (p) => Object.assign(p["extended_params"] ?? {}, { reward_funding: "tax" }),
      "extended_params.reward_funding",
    ],
    [(p) => delete p["params"], "params"],
    [(p) => delete p["extended_params"], "extended_params"],
  ])("a bad one is refused by its path (%#)", async (spoil, field) => {
    await chain.ok(await updateParams(chain, change));
    const genesis = await chain.app.exportGenesis();
    const appState = structuredClone(genesis.appState) as Record<string, Record<string, Json>>;
    spoil(appState["settlement"]?.["pending_params"] as Record<string, Json>);
    await expect(openChain({ genesis: { ...genesis, appState } })).rejects.toThrow(
      `settlement.pending_params.${field}: `,
    );
  });
});

function never(): never {
  throw new Error("the block has no such tx");
}
