import type { AppModule } from "../../baseapp/module.ts";
import type { Accounts } from "./accounts.ts";
import { expireDisputes } from "./block_disputes.ts";
import { advancePayouts } from "./block_payouts.ts";
import { beginBlock, type BlockWorkers, endBlock } from "./block_work.ts";
import type { BankKeeper, BankReader } from "./expected_keepers.ts";
import { exportSettlement } from "./export.ts";
import { settlementFullInvariants } from "./full_invariants.ts";
import { initSettlementGenesis } from "./genesis.ts";
import { settlementInvariants } from "./invariants.ts";
import { ITERABLE_PREFIXES, MODULE_NAME } from "./keys.ts";
import { CorrectionKeeper } from "./keeper_correction.ts";
import { DisputeKeeper } from "./keeper_dispute.ts";
import { BillingKeeper } from "./keeper_billing.ts";
import { ParamsKeeper } from "./keeper_params.ts";
import { InvoiceKeeper } from "./keeper_invoice.ts";
import { PayoutKeeper } from "./keeper_payout.ts";
import { ReceivableKeeper } from "./keeper_receivable.ts";
import { RefundKeeper } from "./keeper_refund.ts";
import { ReleaseKeeper } from "./keeper_release.ts";
import { AuthorityRewardKeeper } from "./keeper_reward_authority.ts";
import { TreasuryKeeper } from "./keeper_treasury.ts";
import { paramsMsgs } from "./msg_params.ts";
import { billingMsgs } from "./msg_billing.ts";
import { invoiceMsgs } from "./msg_invoice.ts";
import { correctionMsgs } from "./msg_correction.ts";
import { disputeMsgs } from "./msg_dispute.ts";
import { payoutMsgs } from "./msg_payout.ts";
import { refundMsgs } from "./msg_refund.ts";
import { releaseMsgs } from "./msg_release.ts";
import { rewardMsgs } from "./msg_reward.ts";
import { settlementMsgs } from "./msg_server.ts";
import { billingQueries } from "./query_billing.ts";
import { ceilingQueries } from "./query_ceilings.ts";
import { disputeQueries } from "./query_dispute.ts";
import { estimateQuery } from "./query_estimate.ts";
import { extendedQueries } from "./query_extended.ts";
import { meteredQueries } from "./query_metered.ts";
import { nextQuery } from "./query_next.ts";
import { orderQueries } from "./query_orders.ts";
import { payoutQueries } from "./query_payout.ts";
import { invoiceQueries } from "./query_invoice.ts";
import { refundQueries } from "./query_refund.ts";
import { settlementQueries } from "./query_server.ts";
import { statementQuery } from "./query_statement.ts";
import { workQuery } from "./query_work.ts";

export function settlementModule(parts: {
  workers: BlockWorkers;
  /** Of estimates. */
  estimators: BlockWorkers;
  bank: BankKeeper;
  accounts: Accounts;
  balances: BankReader;
}): AppModule {
  const { workers, bank, accounts } = parts;
  const { records } = workers;
  const params = new ParamsKeeper(records, accounts);
  const payouts = new PayoutKeeper(records, bank, accounts);
  const corrections = new CorrectionKeeper(records, workers.usage);
  const refunds = new RefundKeeper(records, bank, accounts);
  const disputes = new DisputeKeeper(records, workers.usage, { records, corrections, refunds });
  return {
    name: MODULE_NAME,
    iterablePrefixes: ITERABLE_PREFIXES,
    msgs: [
      ...settlementMsgs(workers),
      ...correctionMsgs(workers),
      ...disputeMsgs(records, disputes),
      ...invoiceMsgs(new InvoiceKeeper(records, bank, accounts)),
      ...billingMsgs(new BillingKeeper(records, workers.escrows)),
      ...releaseMsgs(new ReleaseKeeper(records, workers.escrows)),
      ...paramsMsgs(params),
      ...rewardMsgs(new AuthorityRewardKeeper({ ...workers, accounts })),
      ...refundMsgs(records, refunds, new ReceivableKeeper(records, bank)),
      ...payoutMsgs(records, payouts, new TreasuryKeeper(records, bank, accounts)),
    ],
    queries: [
      ...settlementQueries,
      ...payoutQueries(parts.balances),
      ...extendedQueries,
      ...orderQueries,
      ...meteredQueries,
      statementQuery(parts.balances),
      estimateQuery(parts.estimators),
      nextQuery(parts.estimators.records),
      ...ceilingQueries,
      ...invoiceQueries,
      ...billingQueries,
      ...refundQueries,
      ...disputeQueries,
      workQuery,
    ],
    invariants: settlementInvariants({ records, bank, accounts }),
    fullInvariants: settlementFullInvariants(parts.balances),
    initGenesis: (ctx, json) => initSettlementGenesis(ctx, { records, bank, accounts }, json),
    exportGenesis: exportSettlement,
    beginBlock: (ctx) => {
      params.apply(ctx);
      beginBlock(ctx, workers);
    },
    endBlock: (ctx) => {
      expireDisputes(ctx, disputes);
      endBlock(ctx, workers);
      advancePayouts(ctx, payouts);
    },
  };
}
