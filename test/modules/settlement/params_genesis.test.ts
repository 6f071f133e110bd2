import { describe, expect, test } from "vitest";
import { canonicalJson } from "../../../src/codec/canonical_json.ts";
import type { QueryParamsResponse as ExtendedAnswer } from "../../../src/gen/settled/settlement/v1/query.ts";
import type { QueryParamsResponse } from "../../../src/gen/virtengine/settlement/v1/query.ts";
import type { GenesisDoc } from "../../../src/types/application.ts";
import { authority, customer, provider } from "../../testkit/accounts.ts";
import { genesisOf, moduleAccount, openChain, type TestChain } from "../../testkit/chain.ts";
import { msg, ORDER } from "../../testkit/messages.ts";
import { activeEscrow, pendingEscrow, recordedCosts, settled } from "../../testkit/orders.ts";
import { HOUR } from "../../testkit/times.ts";
import { see } from "../../testkit/views.ts";

type Json = Record<string, unknown>;

async function refusedGenesis(genesis: GenesisDoc): Promise<string> {
  try {
    await openChain({ genesis });
  } catch (error) {
    const { codespace, message } = error as { codespace?: string; message: string };
    return `${codespace ?? (error as Error).name}: ${message}`;
  }
  throw new Error("the genesis was taken");
}

/** The default genesis with other parts of app_state. */
function withState(change: (state: Record<string, Json>) => Json): GenesisDoc {
  const genesis = genesisOf();
  const state = structuredClone(genesis.appState) as Record<string, Json>;
  return { ...genesis, appState: { ...state, ...change(state) } };
}

describe("params of genesis", () => {
  test.each<[name: string, params: Json, field: string, part: string]>([
    [
      "R-003-30 a rate of 10001",
      { usage_reward_rate_bps: 10_001 },
      "params.usage_reward_rate_bps",
      "0 to 10000",
    ],
    ...[
      ...["cpu", "memory", "storage", "gpu", "network", "sla_ontime", "sla_late", "ack", "unack"],
    ].flatMap((name): [string, Json, string, string][] => {
      const field = `usage_reward_${name}_multiplier_bps`;
      return [0, 20_001].map((bps) => {
        return [
          `R-003-35 a ${name} multiplier of ${bps}`,
          { [field]: bps },
          `params.${field}`,
          "1 to 20000",
        ];
      });
    }),
    [
      "D-14 fees that sum to more than 1",
      { platform_fee_rate: "0.6", validator_fee_rate: "0.400000000000000001" },
      "params",
      "sum to at most 1",
    ],
    [
      "D-14 an empty rate counts as its default",
      { platform_fee_rate: "", validator_fee_rate: "0.96" },
      "params",
      "sum",
    ],
    [
      "D-14 a rate above 1",
      { validator_fee_rate: "1.1" },
      "params.validator_fee_rate",
      "from 0 to 1",
    ],
    ["a negative rate", { platform_fee_rate: "-0.1" }, "params.platform_fee_rate", "from 0 to 1"],
    [
      "a rate with 19 places",
      { platform_fee_rate: "0.0000000000000000001" },
      "params.platform_fee_rate",
      "rate",
    ],
    [
      "RULES 28 a holdback with which the three rates sum to more than 1",
      { payout_holdback_rate: "0.940000000000000001" },
      "params",
      "1.000000000000000001",
    ],
    [
      "fiat conversion",
      { fiat_conversion_enabled: true },
      "params.fiat_conversion_enabled",
      "fiat",
    ],
    [
      "a minimum duration of 0",
      { min_escrow_duration: "0" },
      "params.min_escrow_duration",
      "more than 0",
    ],
    [
      "a maximum below the minimum",
      { max_escrow_duration: "3600" },
      "params.max_escrow_duration",
      "3600",
    ],
    [
      "a duration beyond 64 bits of nanoseconds",
      { max_escrow_duration: "9000000000" },
      "params.max_escrow_duration",
      "at most",
    ],
    [
      "a claim expiry beyond them",
      { reward_claim_expiry: "18446744073709551615" },
      "params.reward_claim_expiry",
      "at most",
    ],
    [
      "a settlement period of 0",
      { settlement_period: "0" },
      "params.settlement_period",
      "more than 0",
    ],
    [
      "an epoch of no blocks",
      { staking_reward_epoch_length: "0" },
      "params.staking_reward_epoch_length",
      "blocks",
    ],
    [
      "a minimum that is no number",
      { min_settlement_amount: "x" },
      "params.min_settlement_amount",
      '"x"',
    ],
    ["a negative minimum", { min_settlement_amount: "-1" }, "params.min_settlement_amount", "-1"],
  ])("%s is refused, naming the field", async (_, params, field, part) => {
    const found = await refusedGenesis(genesisOf({ params }));
    expect(found).toMatch(/^genesis: settlement\./);
    expect(found).toContain(`settlement.${field}: `);
    expect(found).toContain(part.replaceAll('"', ""));
  });

  test.each<[name: string, extended: Json, field: string]>([
    ["an authority that is no address", { authority: "ve1nope" }, "authority"],
    ["another remainder", { final_remainder: "burn" }, "final_remainder"],
    ["another funding", { reward_funding: "tax" }, "reward_funding"],
    ["a cap that is no number", { reward_epoch_mint_cap: "1.5" }, "reward_epoch_mint_cap"],
    ["a settlement of no records", { max_records_per_settlement: 0 }, "max_records_per_settlement"],
    [
      "a settlement of 10,001",
      { max_records_per_settlement: 10_001 },
      "max_records_per_settlement",
    ],
    ["a period of 0", { max_usage_period: "0" }, "max_usage_period"],
    ["a pool that is no address", { reward_pool_address: "x" }, "reward_pool_address"],
  ])("%s is refused, naming the field", async (_, extended, field) => {
    const found = await refusedGenesis(genesisOf({ extended }));
    expect(found).toContain(`genesis: settlement.extended_params.${field}: `);
  });

  test("an unknown param is refused by its name", async () => {
    expect(await refusedGenesis(genesisOf({ params: { colour: 1 } }))).toContain("colour");
    expect(await refusedGenesis(genesisOf({ extended: { colour: 1 } }))).toContain("colour");
  });

  test("R-003-30 and R-003-35 the borders themselves are taken", async () => {
    const params: Json = { usage_reward_rate_bps: 10_000 };
    for (const name of ["cpu", "memory", "storage", "gpu", "network", "sla_ontime"]) {
      params[`usage_reward_${name}_multiplier_bps`] = 20_000;
    }
    for (const name of ["sla_late", "ack", "unack"]) {
      params[`usage_reward_${name}_multiplier_bps`] = 1;
    }
    const rates = { platform_fee_rate: "0.6", validator_fee_rate: "0.4" };
    await openChain({ params: { ...params, ...rates } });
  });

  test("R-003-31 to R-003-34 the defaults are the documented ones", async () => {
    const chain = await openChain();
    const path = "virtengine.settlement.v1.Query/Params";
    const { params } = await chain.query<QueryParamsResponse>(path);
    expect(params).toMatchObject({
      platformFeeRate: "0.05",
      validatorFeeRate: "0.01",
      minEscrowDuration: 3600n,
      maxEscrowDuration: 31_536_000n,
      settlementPeriod: 86_400n,
      rewardClaimExpiry: 2_592_000n,
      minSettlementAmount: "1000",
      usageGracePeriod: 86_400n,
      stakingRewardEpochLength: 100n,
      usageRewardRateBps: 1000,
      usageRewardCpuMultiplierBps: 10_000,
      usageRewardMemoryMultiplierBps: 10_000,
      usageRewardStorageMultiplierBps: 10_000,
      usageRewardGpuMultiplierBps: 12_000,
      usageRewardNetworkMultiplierBps: 9000,
      usageRewardSlaOntimeMultiplierBps: 10_000,
      usageRewardSlaLateMultiplierBps: 8000,
      usageRewardAckMultiplierBps: 10_000,
      usageRewardUnackMultiplierBps: 9000,
    });
    const own = await chain.query<ExtendedAnswer>("settled.settlement.v1.Query/Params");
    expect(own).toMatchObject({
      paramsVersion: 1n,
      params: { authority: authority.address, rewardFunding: "mint", finalRemainder: "refund" },
    });
  });
});

describe("the state of genesis", () => {
  test("an unknown module is named", async () => {
    expect(await refusedGenesis(withState(() => ({ gov: {} })))).toContain("app_state.gov");
  });

  test("bad facts of the chain are named", async () => {
    const bad: [Json, string][] = [
      [{ bech32_prefix: "VE" }, "chain.bech32_prefix"],
      [{ bond_denom: "u" }, "chain.bond_denom"],
      [{ commitment_depth: 3 }, "chain.commitment_depth"],
      [{ block_gas_max: "0" }, "chain.block_gas_max"],
      [{ colour: 1 }, "chain.colour"],
    ];
    for (const [chain, field] of bad) {
      expect(await refusedGenesis(genesisOf({ chain }))).toContain(`genesis: ${field}: `);
    }
  });

  test("accounts and balances that appear twice are named", async () => {
    const accounts = [{ address: customer.address }, { address: customer.address }];
    const twice = withState((state) => ({ auth: { ...state["auth"], accounts } }));
    expect(await refusedGenesis(twice)).toContain("auth.accounts[1].address");
    const coins = [{ denom: "uve", amount: "1" }];
    const balances = [
      { address: customer.address, coins },
      { address: customer.address.toUpperCase(), coins },
    ];
    const both = withState(() => ({ bank: { balances } }));
    expect(await refusedGenesis(both)).toContain("bank.balances[1].address");
  });

  test("bad addresses, coins and keys are named", async () => {
    const coins = [{ denom: "uve", amount: "0" }];
    const bad: [(state: Record<string, Json>) => Json, string][] = [
      [() => ({ bank: { balances: [{ address: customer.address, coins }] } }), "bank.balances[0]"],
      [() => ({ bank: { balances: [{ address: "cosmos1x", coins: [] }] } }), "bank.balances[0]"],
      [() => ({ auth: { accounts: [{ address: "nope" }] } }), "auth.accounts[0]"],
      [
        () => ({ auth: { accounts: [{ address: customer.address, public_key: "AAAA" }] } }),
        "auth.accounts[0].public_key",
      ],
    ];
    for (const [change, field] of bad) {
      expect(await refusedGenesis(withState(change))).toContain(`genesis: ${field}`);
    }
  });

  test("a supply that is not the sum of the balances is named, with both amounts", async () => {
    const supply = [{ denom: "uve", amount: "5999999999999" }];
    const found = await refusedGenesis(withState((s) => ({ bank: { ...s["bank"], supply } })));
    expect(found).toContain("genesis: bank.supply[0]: ");
    expect(found).toContain("5999999999999uve");
    expect(found).toContain("6000000000000");
  });

  test("params of auth that genesis leaves out have their defaults, field by field", async () => {
    const genesis = withState((state) => {
      return { auth: { ...state["auth"], params: { max_memo_characters: "5" } } };
    });
    const chain = await openChain({ genesis });
    const refused = await chain.tx([msg.create(customer, "5uve")], { memo: "123456" });
    const { txResults } = await chain.block(refused);
    expect(txResults[0]).toMatchObject({ codespace: "sdk", code: 12 });
    await chain.ok(msg.create(customer, "5uve"));
  });

  test("an address in capital letters is the same account", async () => {
    const account = { address: customer.address.toUpperCase() };
    const chain = await openChain({
      genesis: withState(() => ({ auth: { accounts: [account] } })),
    });
    await chain.ok(msg.create(customer, "5uve"));
  });
});

/** A chain with something of everything. */
async function lived(): Promise<TestChain> {
  const chain = await openChain({
    params: { staking_reward_epoch_length: "9", reward_claim_expiry: "5000" },
  });
  await activeEscrow(chain, "100000uve,5000uusd");
  await recordedCosts(chain, [1000, 2000, 3000]);
  await recordedCosts(chain, [1500], { denom: "uusd", from: 10 });
  await chain.ok(msg.acknowledge(customer, (await see.usageOf(chain, ORDER))[0]?.usageId ?? ""));
  await settled(chain);
  await recordedCosts(chain, [700, 800], { from: 20 });
  await activeEscrow(chain, "900uve", { order: "order-2" });
  await recordedCosts(chain, [1200], { order: "order-2", from: 30 });
  await settled(chain, { order: "order-2", final: true });
  await pendingEscrow(chain, "5uve", { order: "order-3", expiresIn: HOUR });
  await chain.ok(msg.dispute(customer, await activeEscrow(chain, "9uve", { order: "order-4" })));
  await chain.ok(msg.refund(customer, await activeEscrow(chain, "8uve", { order: "order-5" })));
  await chain.ok(msg.claim(provider, "usage"));
  chain.skip(HOUR + 1n);
  await chain.blocksTo(30n);
  return chain;
}

describe("D-15 export and import", () => {
  test("D-15 export(import(x)) = x byte for byte, and the app hash is the same", async () => {
    const chain = await lived();
    const exported = await chain.exported();
    const imported = await chain.imported();
    expect(await imported.exported()).toBe(exported);
    expect(imported.appHash).toBe(chain.appHash);
    expect((await chain.imported()).appHash).toBe(imported.appHash);
    await imported.checkFullInvariants();
  });

  test("D-15 a new chain's export is that chain, too", async () => {
    const chain = await openChain();
    const imported = await chain.imported();
    expect([imported.appHash, await imported.exported()]).toEqual([
      ...[chain.appHash, await chain.exported()],
    ]);
  });

  test("D-15 payouts, sequences and invoice numbers go on where they were", async () => {
    const chain = await lived();
    const imported = await chain.imported();
    for (const each of [chain, imported]) {
      await settled(each, { final: true });
      await pendingEscrow(each, "7uve", { order: "order-9" });
    }
    const view = async (each: TestChain) => ({
      payouts: await see.payoutsOf(each, provider.address),
      invoices: await see.invoicesOf(each, ORDER),
      settlements: await see.settlementsOf(each, ORDER),
      escrows: await see.escrowsIn(each, "pending"),
      history: await see.history(each, provider.address),
      summary: await see.summary(each, { provider: provider.address }),
      hash: each.appHash,
    });
    expect(await view(imported)).toEqual(await view(chain));
  });

  test("every query answers the same after the import", async () => {
    const chain = await lived();
    const imported = await chain.imported();
    for (const path of chain.app.queryPaths.map((each) => each.slice(1))) {
      const ids = { escrowId: "escrow-1", orderId: ORDER, state: "active" };
      const request = {
        ...ids,
        provider: provider.address,
        address: provider.address,
        denom: "uve",
      };
      const asked = { ...request, seq: 3n, epochNumber: 0n };
      const known = async (each: TestChain) => {
        const { code, log, value } = await each.ask(path, asked);
        return [path, code, log, Buffer.from(value).toString("hex")];
      };
      // Summaries carry the height of the answer.
      if (path.endsWith("UsageSummary")) continue;
      expect(await known(imported)).toEqual(await known(chain));
    }
  });

  test("the export is canonical: its JSON is read and written to the same text", async () => {
    const chain = await lived();
    const exported = await chain.exported();
    expect(canonicalJson(JSON.parse(exported))).toBe(exported);
    const { genesisTime, initialHeight, chainId } = await chain.app.exportGenesis();
    expect([genesisTime, initialHeight, chainId]).toEqual([
      ...[chain.app.info().time, chain.height + 1n, "settled-test"],
    ]);
  });
});

/** An export of a chain that lived, with something changed in it. */
async function spoiled(change: (state: Record<string, Record<string, Json[]>>) => void) {
  const genesis = await (await lived()).app.exportGenesis();
  const state = structuredClone(genesis.appState) as Record<string, Record<string, Json[]>>;
  change(state);
  return refusedGenesis({ ...genesis, appState: state });
}

describe("an export that was changed by hand", () => {
  test.each<[list: string, field: string]>([
    ["escrows", "settlement.escrows["],
    ["usage", "settlement.usage["],
    ["settlements", "settlement.settlements["],
    ["invoices", "settlement.invoices["],
    ["payouts", "settlement.payouts["],
    ["distributions", "settlement.distributions["],
    ["claimable", "settlement.claimable["],
    ["reward_entries", "settlement.reward_entries["],
  ])("with the same record twice in %s is refused, naming it", async (list, field) => {
    const found = await spoiled(({ settlement = {} }) => {
      const records = settlement[list] as Json[];
      records.push(structuredClone(records[0] as Json));
    });
    expect(found).toContain(`genesis: ${field}`);
    expect(found).toContain("appears twice");
  });

  test("with more in an escrow than its account holds is refused, naming both amounts", async () => {
    const found = await spoiled(({ settlement = {} }) => {
      const [escrow] = settlement["escrows"] as { amount: Json[]; balance: Json[] }[];
      if (escrow === undefined) return;
      for (const coins of [escrow.amount, escrow.balance]) {
        const coin = coins.find(({ denom }) => denom === "uve") as { amount: string };
        coin.amount = `${BigInt(coin.amount) + 1n}`;
      }
    });
    expect(found).toContain("genesis: settlement.escrows: sum to");
    expect(found).toContain(moduleAccount("settlement_escrow"));
  });

  test("with an escrow that does not add up is refused, naming it", async () => {
    const found = await spoiled(({ settlement = {} }) => {
      const escrow = settlement["escrows"]?.[0] as { amount: { amount: string }[] };
      (escrow.amount[0] as { amount: string }).amount = "1";
    });
    expect(found).toContain("settlement.escrows[0]");
  });

  test("with an amount that is no number is refused, naming it", async () => {
    const found = await spoiled(({ settlement = {} }) => {
      (settlement["usage"]?.[1] as Json)["cost"] = "many";
    });
    expect(found).toContain("settlement.usage[1]");
  });

  test("with a reward that no entry has is refused, naming its address's record", async () => {
    const found = await spoiled(({ settlement = {} }) => {
      const claimable = settlement["claimable"]?.[0] as { claimable: { amount: string }[] };
      const [coin] = claimable.claimable;
      if (coin !== undefined) coin.amount = `${BigInt(coin.amount) + 1n}`;
    });
    expect(found).toContain("genesis: settlement.claimable[0].claimable: expected");
  });

  test("with usage of an escrow that is not there is refused, naming it", async () => {
    const found = await spoiled(({ settlement = {} }) => {
      (settlement["usage"]?.[0] as Json)["escrow_seq"] = "99";
    });
    expect(found).toContain("settlement.usage[0].escrow_seq: there is no escrow 99");
  });

  test.each(["escrow", "usage", "settlement", "distribution", "payout", "invoice", "reward_entry"])(
    "with a next number of %s that is taken is refused: a record would be written over",
    async (name) => {
      const found = await spoiled(({ settlement = {} }) => {
        (settlement["sequences"] as unknown as Json)[name] = "1";
      });
      expect(found).toContain(`settlement.sequences.${name}`);
    },
  );

  test("with another balance or a broken journal is refused", async () => {
    const balance = await spoiled(({ bank = {} }) => {
      const coin = (bank["balances"]?.[0] as { coins: { amount: string }[] }).coins[0];
      if (coin !== undefined) coin.amount = `${BigInt(coin.amount) + 1n}`;
    });
    expect(balance).toContain("bank.supply[");
    const journal = await spoiled(({ bank = {} }) => {
      (bank["journal"]?.at(-1) as Json)["kind"] = "gift";
    });
    expect(journal).toContain("I-18");
  });

  test("with an account number twice is refused, naming it", async () => {
    const found = await spoiled(({ auth = {} }) => {
      (auth["accounts"]?.[1] as Json)["account_number"] = auth["accounts"]?.[0]?.["account_number"];
    });
    expect(found).toContain("auth.accounts[1].account_number");
  });
});
