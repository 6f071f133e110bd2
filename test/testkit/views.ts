import type * as ext from "../../src/gen/settled/settlement/v1/query.ts";
import type * as wire from "../../src/gen/virtengine/settlement/v1/query.ts";
import type { TestChain } from "./chain.ts";

const DEPLOYED = "virtengine.settlement.v1.Query";
const OWN = "settled.settlement.v1.Query";

/** A required part of an answer. */
function there<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("the answer is empty");
  return value;
}

/** Queries of the settlement module by what they show. */
export const see = {
  escrow: async (chain: TestChain, escrowId: string): Promise<wire.EscrowAccount> => {
    const answer = await chain.query<wire.QueryEscrowResponse>(`${DEPLOYED}/Escrow`, { escrowId });
    return there(answer.escrow);
  },
  escrowsOf: async (chain: TestChain, orderId: string): Promise<wire.EscrowAccount[]> => {
    const path = `${DEPLOYED}/EscrowsByOrder`;
    return (await chain.query<wire.QueryEscrowsByOrderResponse>(path, { orderId })).escrows;
  },
  escrowsIn: async (chain: TestChain, state: string): Promise<string[]> => {
    const path = `${DEPLOYED}/EscrowsByState`;
    const { escrows } = await chain.query<wire.QueryEscrowsByStateResponse>(path, { state });
    return escrows.map(({ escrowId }) => escrowId);
  },
  usage: async (chain: TestChain, usageId: string): Promise<wire.UsageRecord> => {
    const path = `${DEPLOYED}/UsageRecord`;
    return there((await chain.query<wire.QueryUsageRecordResponse>(path, { usageId })).usageRecord);
  },
  usageDetail: (chain: TestChain, usageId: string): Promise<ext.QueryUsageDetailResponse> =>
    chain.query(`${OWN}/UsageDetail`, { usageId }),
  usageOf: async (chain: TestChain, orderId: string): Promise<wire.UsageRecord[]> => {
    const path = `${DEPLOYED}/UsageRecordsByOrder`;
    return (await chain.query<wire.QueryUsageRecordsByOrderResponse>(path, { orderId }))
      .usageRecords;
  },
  settlement: async (chain: TestChain, settlementId: string): Promise<wire.SettlementRecord> => {
    const path = `${DEPLOYED}/Settlement`;
    const answer = await chain.query<wire.QuerySettlementResponse>(path, { settlementId });
    return there(answer.settlement);
  },
  settlementsOf: async (chain: TestChain, orderId: string): Promise<wire.SettlementRecord[]> => {
    const path = `${DEPLOYED}/SettlementsByOrder`;
    return (await chain.query<wire.QuerySettlementsByOrderResponse>(path, { orderId })).settlements;
  },
  invoice: async (chain: TestChain, invoiceId: string): Promise<ext.Invoice> =>
    there((await chain.query<ext.QueryInvoiceResponse>(`${OWN}/Invoice`, { invoiceId })).invoice),
  invoicesOf: async (chain: TestChain, orderId: string): Promise<ext.Invoice[]> => {
    const path = `${OWN}/InvoicesByOrder`;
    const { invoices } = await chain.query<ext.QueryInvoicesByOrderResponse>(path, { orderId });
    return invoices;
  },
  payout: async (chain: TestChain, payoutId: string): Promise<wire.PayoutRecord> =>
    there((await chain.query<wire.QueryPayoutResponse>(`${DEPLOYED}/Payout`, { payoutId })).payout),
  payoutsOf: async (chain: TestChain, provider: string): Promise<wire.PayoutRecord[]> => {
    const path = `${DEPLOYED}/PayoutsByProvider`;
    return (await chain.query<wire.QueryPayoutsByProviderResponse>(path, { provider })).payouts;
  },
  distribution: async (
    chain: TestChain,
    distributionId: string,
  ): Promise<wire.RewardDistribution> => {
    const path = `${DEPLOYED}/RewardDistribution`;
    const answer = await chain.query<wire.QueryRewardDistributionResponse>(path, {
      distributionId,
    });
    return there(answer.distribution);
  },
  epoch: async (chain: TestChain, epochNumber: bigint): Promise<wire.RewardDistribution[]> => {
    const path = `${DEPLOYED}/RewardsByEpoch`;
    return (await chain.query<wire.QueryRewardsByEpochResponse>(path, { epochNumber }))
      .distributions;
  },
  history: async (
    chain: TestChain,
    address: string,
    o: { source?: string; limit?: number; offset?: number } = {},
  ): Promise<wire.RewardHistoryEntry[]> => {
    const path = `${DEPLOYED}/RewardHistory`;
    return (await chain.query<wire.QueryRewardHistoryResponse>(path, { address, ...o })).entries;
  },
  claimable: async (chain: TestChain, address: string): Promise<wire.ClaimableRewards> => {
    const path = `${DEPLOYED}/ClaimableRewards`;
    return there(
      (await chain.query<wire.QueryClaimableRewardsResponse>(path, { address })).rewards,
    );
  },
  summary: async (
    chain: TestChain,
    o: { orderId?: string; provider?: string; periodStart?: bigint; periodEnd?: bigint },
  ): Promise<wire.UsageSummary> => {
    const path = `${DEPLOYED}/UsageSummary`;
    return there((await chain.query<wire.QueryUsageSummaryResponse>(path, o)).summary);
  },
  totals: (chain: TestChain): Promise<ext.QueryTotalsResponse> => chain.query(`${OWN}/Totals`),
};
