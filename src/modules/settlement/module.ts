import type { AppModule } from "../../baseapp/module.ts";
import type { Accounts } from "./accounts.ts";
import { advancePayouts } from "./block_payouts.ts";
import { beginBlock, type BlockWorkers, endBlock } from "./block_work.ts";
import type { BankKeeper, BankReader } from "./expected_keepers.ts";
import { exportSettlement } from "./export.ts";
import { settlementFullInvariants } from "./full_invariants.ts";
import { initSettlementGenesis } from "./genesis.ts";
import { settlementInvariants } from "./invariants.ts";
import { ITERABLE_PREFIXES, MODULE_NAME } from "./keys.ts";
import { ParamsKeeper } from "./keeper_params.ts";
import { InvoiceKeeper } from "./keeper_invoice.ts";
import { PayoutKeeper } from "./keeper_payout.ts";
import { ReleaseKeeper } from "./keeper_release.ts";
import { TreasuryKeeper } from "./keeper_treasury.ts";
import { paramsMsgs } from "./msg_params.ts";
import { invoiceMsgs } from "./msg_invoice.ts";
import { correctionMsgs } from "./msg_correction.ts";
import { payoutMsgs } from "./msg_payout.ts";
import { releaseMsgs } from "./msg_release.ts";
import { settlementMsgs } from "./msg_server.ts";
import { ceilingQueries } from "./query_ceilings.ts";
import { extendedQueries } from "./query_extended.ts";
import { payoutQueries } from "./query_payout.ts";
import { invoiceQueries } from "./query_invoice.ts";
import { settlementQueries } from "./query_server.ts";

export function settlementModule(parts: {
  workers: BlockWorkers;
  bank: BankKeeper;
  accounts: Accounts;
  balances: BankReader;
}): AppModule {
  const { workers, bank, accounts } = parts;
  const { records } = workers;
  const params = new ParamsKeeper(records, accounts);
  const payouts = new PayoutKeeper(records, bank, accounts);
  return {
    name: MODULE_NAME,
    iterablePrefixes: ITERABLE_PREFIXES,
    msgs: [
      ...settlementMsgs(workers),
      ...correctionMsgs(workers),
      ...invoiceMsgs(new InvoiceKeeper(records, bank, accounts)),
      ...releaseMsgs(new ReleaseKeeper(records, workers.escrows)),
      ...paramsMsgs(params),
      ...payoutMsgs(records, payouts, new TreasuryKeeper(records, bank, accounts)),
    ],
    queries: [
      ...settlementQueries,
      ...payoutQueries(parts.balances),
      ...extendedQueries,
      ...ceilingQueries,
      ...invoiceQueries,
    ],
    invariants: settlementInvariants({ records, bank, accounts }),
    fullInvariants: settlementFullInvariants,
    initGenesis: (ctx, json) => initSettlementGenesis(ctx, { records, bank, accounts }, json),
    exportGenesis: exportSettlement,
    beginBlock: (ctx) => {
      params.apply(ctx);
      beginBlock(ctx, workers);
    },
    endBlock: (ctx) => {
      endBlock(ctx, workers);
      advancePayouts(ctx, records, payouts);
    },
  };
}
