import type { AppModule } from "../../baseapp/module.ts";
import type { Accounts } from "./accounts.ts";
import { beginBlock, type BlockWorkers, endBlock } from "./block_work.ts";
import type { BankKeeper } from "./expected_keepers.ts";
import { exportSettlement } from "./export.ts";
import { settlementFullInvariants } from "./full_invariants.ts";
import { initSettlementGenesis } from "./genesis.ts";
import { settlementInvariants } from "./invariants.ts";
import { ITERABLE_PREFIXES, MODULE_NAME } from "./keys.ts";
import { settlementMsgs } from "./msg_server.ts";
import { extendedQueries } from "./query_extended.ts";
import { settlementQueries } from "./query_server.ts";

export function settlementModule(parts: {
  workers: BlockWorkers;
  bank: BankKeeper;
  accounts: Accounts;
}): AppModule {
  const { workers, bank, accounts } = parts;
  const { records } = workers;
  return {
    name: MODULE_NAME,
    iterablePrefixes: ITERABLE_PREFIXES,
    msgs: settlementMsgs(workers),
    queries: [...settlementQueries, ...extendedQueries],
    invariants: settlementInvariants({ records, bank, accounts }),
    fullInvariants: settlementFullInvariants,
    initGenesis: (ctx, json) => initSettlementGenesis(ctx, { records, bank, accounts }, json),
    exportGenesis: exportSettlement,
    beginBlock: (ctx) => beginBlock(ctx, workers),
    endBlock: (ctx) => endBlock(ctx, workers),
  };
}
