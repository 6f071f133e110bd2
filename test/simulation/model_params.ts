import { Params as Extended } from "../../src/gen/settled/settlement/v1/params.ts";
import type { MsgUpdateParams } from "../../src/gen/settled/settlement/v1/tx.ts";
import { Params as Wire } from "../../src/gen/virtengine/settlement/v1/query.ts";
import { type ModelParams, need, type Rules, type World } from "./model_state.ts";
import { decimal, isAddress, ONE, sum } from "./model_sums.ts";

const WIRE = Object.keys(Wire.fromPartial({})) as (keyof Wire)[];
const EXTENDED = Object.keys(Extended.fromPartial({})) as (keyof Extended)[];

const DEFAULTS: ModelParams = {
  ...Wire.fromPartial({
    ...{ platformFeeRate: "0.05", validatorFeeRate: "0.01", payoutHoldbackRate: "0.0" },
    ...{ minEscrowDuration: 3600n, maxEscrowDuration: 31_536_000n, settlementPeriod: 86_400n },
    ...{ rewardClaimExpiry: 2_592_000n, minSettlementAmount: "1000", usageGracePeriod: 86_400n },
    ...{ stakingRewardEpochLength: 100n, verificationRewardAmount: "100", maxPayoutRetries: 3 },
    ...{ disputeWindowDuration: 604_800n, usageRewardRateBps: 1000 },
    ...{ usageRewardCpuMultiplierBps: 10_000, usageRewardMemoryMultiplierBps: 10_000 },
    ...{ usageRewardStorageMultiplierBps: 10_000, usageRewardGpuMultiplierBps: 12_000 },
    ...{ usageRewardNetworkMultiplierBps: 9000, usageRewardSlaOntimeMultiplierBps: 10_000 },
    ...{ usageRewardSlaLateMultiplierBps: 8000, usageRewardAckMultiplierBps: 10_000 },
    ...{ usageRewardUnackMultiplierBps: 9000, fiatConversionMinAmount: "1000" },
    ...{ fiatConversionMaxAmount: "100000000", fiatConversionDailyLimit: "1000000000" },
    ...{ fiatConversionStableDenom: "uusdc", fiatConversionStableSymbol: "USDC" },
    ...{ fiatConversionStableDecimals: 6, fiatConversionDefaultFiat: "USD" },
    ...{ fiatConversionDefaultMethod: "bank_transfer", fiatConversionMaxSlippage: "0.02" },
    ...{ fiatConversionRiskScoreThreshold: 75, fiatConversionMinComplianceStatus: "CLEARED" },
  }),
  ...Extended.fromPartial({
    ...{ billingEnabled: true, finalRemainder: "refund", releaseFees: true, rewardFunding: "mint" },
    ...{ rewardEpochMintCap: "1000000000", maxRecordsPerSettlement: 1000, maxClockDrift: 60n },
    ...{ maxUsagePeriod: 2_678_400n, stakingRewardPerEpoch: "1", invoiceDueAfter: 604_800n },
    ...{ autoSettleEnabled: true, taxRounding: "half_up" },
  }),
};

/** Params of a genesis, whose fields have the names and texts of JSON. */
export function paramsFrom(...halves: readonly Readonly<Record<string, unknown>>[]): ModelParams {
  const given = Object.entries(Object.assign({}, ...halves)).map(([snake, value]) => {
    const name = snake.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());
    const isLong = typeof DEFAULTS[name as keyof ModelParams] === "bigint";
    return [name, isLong ? BigInt(value as string) : value];
  });
  return { ...DEFAULTS, ...Object.fromEntries(given) };
}

export function halvesOf(params: ModelParams): { params: Wire; extendedParams: Extended } {
  const pick = (names: readonly (keyof ModelParams)[]) =>
    Object.fromEntries(names.map((name) => [name, params[name]]));
  return { params: pick(WIRE) as unknown as Wire, extendedParams: pick(EXTENDED) as never };
}

export const paramsRules: Rules = {
  MsgUpdateParams: (w, m: MsgUpdateParams) => {
    w.needAuthority(m.authority);
    const before = w.pending ?? w.params;
    const after = { ...before, ...m.params, ...m.extendedParams };
    need(isValid(w, after) && changed(before, after).changed !== "", 1525);
    w.set<World>(w, { pending: after });
    const [effective_height, params_version] = [w.height + 1n, w.paramsVersion + 1n];
    const { authority } = w.params;
    const facts = { authority, effective_height, params_version, ...changed(w.params, after) };
    w.emit("ParamsProposed", facts);
    return { effectiveHeight: effective_height, paramsVersion: params_version };
  },
};

/** RULES 7: the first thing of a block. */
export function applyParams(w: World): void {
  const { pending, params } = w;
  if (pending === undefined) return;
  const length = params.stakingRewardEpochLength;
  if (pending.stakingRewardEpochLength !== length) {
    Object.assign(w.epochBase, w.epoch(w.height - 1n, length));
  }
  Object.assign(w, { params: pending, pending: undefined, paramsVersion: w.paramsVersion + 1n });
  w.emit("ParamsUpdated", { params_version: w.paramsVersion, ...changed(params, pending) });
}

/** Names of what differs, and the values before and after. */
function changed(before: ModelParams, after: ModelParams) {
  const [old, now]: [Record<string, string>, Record<string, string>] = [{}, {}];
  for (const name of [...WIRE, ...EXTENDED]) {
    if (before[name] === after[name]) continue;
    const half = WIRE.includes(name as keyof Wire) ? "params" : "extended_params";
    const path = `${half}.${name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`;
    [old[path], now[path]] = [`${before[name]}`, `${after[name]}`];
  }
  const json = (values: Record<string, string>): string =>
    JSON.stringify(Object.fromEntries(Object.entries(values).sort(([a], [b]) => (a < b ? -1 : 1))));
  return { changed: Object.keys(now).join(","), old: json(old), new: json(now) };
}

/** README, "Params", and settlement.md 1.4. */
function isValid(w: World, p: ModelParams): boolean {
  const rates = [
    decimal(p.platformFeeRate, "0.05"),
    decimal(p.validatorFeeRate, "0.01"),
    decimal(p.payoutHoldbackRate, "0"),
  ];
  const integers = [p.minSettlementAmount, p.verificationRewardAmount];
  integers.push(p.rewardEpochMintCap, p.stakingRewardPerEpoch);
  const seconds = [p.maxEscrowDuration, p.rewardClaimExpiry, p.settlementPeriod, p.payoutDelay];
  seconds.push(p.usageGracePeriod, p.disputeWindowDuration, p.maxClockDrift, p.maxUsagePeriod);
  seconds.push(p.autoSettleAfter, p.invoiceDueAfter);
  const above0 = [p.minEscrowDuration, p.settlementPeriod, p.stakingRewardEpochLength];
  const multipliers = WIRE.filter((name) => name.endsWith("MultiplierBps")).map((name) => p[name]);
  return (
    rates.every((rate) => rate !== undefined && rate <= ONE) &&
    sum(rates, (rate) => rate ?? 0n) <= ONE &&
    [...above0, p.maxUsagePeriod].every((value) => value > 0n) &&
    p.maxEscrowDuration > p.minEscrowDuration &&
    seconds.every((value) => value <= 3_153_600_000n) &&
    integers.every((value) => /^[0-9]*$/.test(value) && BigInt(value) < 2n ** 256n) &&
    p.usageRewardRateBps <= 10_000 &&
    multipliers.every((bps) => Number(bps) >= 1 && Number(bps) <= 20_000) &&
    !p.fiatConversionEnabled &&
    isAddress(p.authority) &&
    !w.isModule(p.authority) &&
    (p.rewardPoolAddress === "" || isAddress(p.rewardPoolAddress)) &&
    ["refund", "provider"].includes(p.finalRemainder) &&
    ["mint", "pool"].includes(p.rewardFunding) &&
    ["half_up", "half_even", "down", "up"].includes(p.taxRounding) &&
    p.maxRecordsPerSettlement >= 1 &&
    p.maxRecordsPerSettlement <= 10_000
  );
}
