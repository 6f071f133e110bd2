import { beforeEach, describe, expect, test } from "vitest";
import { messageTypeNamed } from "../../../src/codec/message_types.ts";
import { messageToJson } from "../../../src/codec/proto_json.ts";
import { authority, provider } from "../../testkit/accounts.ts";
import { genesisOf, openChain, type TestChain } from "../../testkit/chain.ts";
import {
  EXTENDED,
  extendedParams,
  type ParamsJson,
  updateParams,
  WIRE,
  wireParams,
} from "../../testkit/params.ts";

/** What a param may be. Values as in JSON; 64-bit integers and amounts are text. */
interface Row {
  readonly name: string;
  readonly standard: unknown;
  /** The lowest and the highest legal value, or all legal words. */
  readonly legal: readonly unknown[];
  /** Values just beyond the ends, each with the name at fault when another param's rule is broken. */
  readonly refused: readonly (readonly [value: unknown, at?: string])[];
}

const YEARS_100 = 3_153_600_000n;
const UINT64_MAX = (1n << 64n) - 1n;
const AMOUNT_MAX = (1n << 256n) - 1n;
const SMALLEST = "0.000000000000000001";

/** The three rates may sum to 1; the others have their defaults. */
function rate(name: string, standard: string, most: string): Row {
  const beyond = `${most}0000000000000001`;
  const refused: Row["refused"] = [
    ...([["-0.1"], ["1.000000000000000001"], ["x"], ["0.0000000000000000001"]] as const),
    [beyond, ""],
  ];
  return { name, standard, legal: ["0", SMALLEST, most, ""], refused };
}

function amount(name: string, standard: string): Row {
  const refused = [["-1"], [`${AMOUNT_MAX + 1n}`], ["1.5"], ["x"], ["01"]] as const;
  return { name, standard, legal: ["0", "1", `${AMOUNT_MAX}`, ""], refused };
}

function seconds(name: string, standard: bigint, least = 0n): Row {
  const below: Row["refused"] = least === 0n ? [] : [[`${least - 1n}`]];
  const refused = [...below, [`${YEARS_100 + 1n}`], [`${UINT64_MAX}`]] as Row["refused"];
  return { name, standard: `${standard}`, legal: [`${least}`, `${YEARS_100}`], refused };
}

function multiplier(name: string, standard: number): Row {
  const refused = [[0], [20_001], [4_294_967_295]] as const;
  return { name: `usage_reward_${name}_multiplier_bps`, standard, legal: [1, 20_000], refused };
}

function word(name: string, ...legal: readonly string[]): Row {
  return { name, standard: legal[0], legal, refused: [[""], ["burn"], [legal[0]?.toUpperCase()]] };
}

/** Not used without fiat conversion, which cannot be switched on: any value is kept. */
function kept(name: string, standard: unknown, ...legal: readonly unknown[]): Row {
  return { name, standard, legal, refused: [] };
}

const uint32Max = 4_294_967_295;

/** The 35 params of the deployed module, in the order of their numbers (settlement.md 2.1). */
const wireRows: readonly Row[] = [
  rate("platform_fee_rate", "0.05", "0.99"),
  rate("validator_fee_rate", "0.01", "0.95"),
  {
    name: "min_escrow_duration",
    standard: "3600",
    legal: ["1", "31535999"],
    refused: [["0"], ["31536000", "max_escrow_duration"]],
  },
  {
    name: "max_escrow_duration",
    standard: "31536000",
    legal: ["3601", `${YEARS_100}`],
    refused: [["3600"], [`${YEARS_100 + 1n}`], [`${UINT64_MAX}`]],
  },
  seconds("settlement_period", 86_400n, 1n),
  seconds("reward_claim_expiry", 2_592_000n),
  amount("min_settlement_amount", "1000"),
  seconds("usage_grace_period", 86_400n),
  {
    name: "staking_reward_epoch_length",
    standard: "100",
    legal: ["1", `${UINT64_MAX}`],
    refused: [["0"]],
  },
  amount("verification_reward_amount", "100"),
  rate("payout_holdback_rate", "0.0", "0.94"),
  kept("max_payout_retries", 3, 0, uint32Max),
  seconds("dispute_window_duration", 604_800n),
  {
    name: "usage_reward_rate_bps",
    standard: 1000,
    legal: [0, 10_000],
    refused: [[10_001], [uint32Max]],
  },
  multiplier("cpu", 10_000),
  multiplier("memory", 10_000),
  multiplier("storage", 10_000),
  multiplier("gpu", 12_000),
  multiplier("network", 9000),
  multiplier("sla_ontime", 10_000),
  multiplier("sla_late", 8000),
  multiplier("ack", 10_000),
  multiplier("unack", 9000),
  { name: "fiat_conversion_enabled", standard: false, legal: [false], refused: [[true]] },
  kept("fiat_conversion_min_amount", "1000", "", "0", "x"),
  kept("fiat_conversion_max_amount", "100000000", "", "0"),
  kept("fiat_conversion_daily_limit", "1000000000", "", "0"),
  kept("fiat_conversion_stable_denom", "uusdc", "", "ueur"),
  kept("fiat_conversion_stable_symbol", "USDC", "", "EURC"),
  kept("fiat_conversion_stable_decimals", 6, 0, uint32Max),
  kept("fiat_conversion_default_fiat", "USD", "", "EUR"),
  kept("fiat_conversion_default_method", "bank_transfer", "", "cash"),
  kept("fiat_conversion_max_slippage", "0.02", "", "1"),
  kept("fiat_conversion_risk_score_threshold", 75, -2_147_483_648, 2_147_483_647),
  kept("fiat_conversion_min_compliance_status", "CLEARED", "", "PENDING"),
];

/** The params that Settled adds, in the order of their numbers. */
const extendedRows: readonly Row[] = [
  {
    name: "authority",
    standard: authority.address,
    legal: [authority.address.toUpperCase()],
    refused: [["ve1nope"], ["cosmos1qypqxpq9qcrsszg2pvxq6rs0zqg3yyc5lzv7xu"]],
  },
  kept("billing_enabled", true, false, true),
  word("final_remainder", "refund", "provider"),
  kept("release_fees", true, false, true),
  word("reward_funding", "mint", "pool"),
  amount("reward_epoch_mint_cap", "1000000000"),
  {
    name: "max_records_per_settlement",
    standard: 1000,
    legal: [1, 10_000],
    refused: [[0], [10_001], [uint32Max]],
  },
  seconds("max_clock_drift", 60n),
  seconds("max_usage_period", 2_678_400n, 1n),
  seconds("auto_settle_after", 0n),
  kept("require_usage_signature", false, true, false),
  {
    name: "reward_pool_address",
    standard: "",
    legal: ["", provider.address],
    refused: [["x"], [provider.address.slice(0, -1)]],
  },
  amount("staking_reward_per_epoch", "1"),
  seconds("invoice_due_after", 604_800n),
  seconds("payout_delay", 0n),
  kept("auto_settle_enabled", true, false, true),
  word("tax_rounding", "half_up", "half_even", "down", "up"),
];

const halves = [
  { half: "params", type: WIRE, rows: wireRows },
  { half: "extended_params", type: EXTENDED, rows: extendedRows },
] as const;

let chain: TestChain;
beforeEach(async () => {
  chain = await openChain();
});

function given(half: "params" | "extended_params", name: string, value: unknown): ParamsJson {
  return half === "params" ? { params: { [name]: value } } : { extended: { [name]: value } };
}

/** The params of the chain by their JSON names. */
async function paramsNow(half: "params" | "extended_params"): Promise<Record<string, unknown>> {
  const json =
    half === "params"
      ? messageToJson(WIRE, await wireParams(chain))
      : messageToJson(EXTENDED, (await extendedParams(chain)).params ?? {});
  return json as Record<string, unknown>;
}

async function refusalOfGenesis(options: ParamsJson): Promise<string> {
  try {
    await openChain({ genesis: genesisOf(options) });
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error("the genesis was taken");
}

describe.each(halves)("settlement.md 2.1 $half", ({ half, type, rows }) => {
  test("the table has every param, in order", () => {
    const names = messageTypeNamed(type).fields.map((field) => field.name);
    expect(rows.map(({ name }) => name)).toEqual(names);
    expect(names).toHaveLength(half === "params" ? 35 : extendedRows.length);
  });

  test.each(rows)("$name has its default", async ({ name, standard }) => {
    expect((await paramsNow(half))[name]).toEqual(standard);
  });

  test.each(rows)("$name may have its lowest and its highest value", async (row) => {
    const { name, standard, legal } = row;
    for (const value of [...legal, standard]) {
      if ((await paramsNow(half))[name] === value) continue;
      const isSpelling = name === "authority";
      const result = await chain.deliver(await updateParams(chain, given(half, name, value)));
      if (isSpelling) expect(result.log).toContain("nothing changes");
      else expect(result.log).toBe("");
      await chain.block();
      expect((await paramsNow(half))[name]).toEqual(isSpelling ? standard : value);
      await openChain({ genesis: genesisOf(given(half, name, value)) });
    }
  });

  const cases = rows.flatMap(({ name, refused }) =>
    refused.map(([value, at]) => ({ name, value, at: at ?? name })),
  );

  test.each(cases)("R-003-30 R-003-35 $name = $value is refused by its name", async (bad) => {
    const { name, value, at } = bad;
    const field = at === "" ? half : `${half}.${at}`;
    await chain.refused(await updateParams(chain, given(half, name, value)), 1525, `${field}: `);
    const genesis = await refusalOfGenesis(given(half, name, value));
    expect(genesis).toContain(`settlement.${field}: `);
    expect(genesis).toMatch(/invalid genesis$/);
  });

  const fields = messageTypeNamed(type).fields;

  test.each(fields.map(({ name, kind }) => ({ name, kind })))(
    "$name ($kind) of another kind is refused by genesis, naming it",
    async ({ name, kind }) => {
      const wrong = kind === "bool" ? "yes" : kind === "string" ? 5 : "five";
      const values = kind === "uint64" ? [wrong, `${UINT64_MAX + 1n}`, "-1"] : [wrong];
      for (const value of values) {
        expect(await refusalOfGenesis(given(half, name, value))).toContain(`${half}.${name}`);
      }
    },
  );
});
