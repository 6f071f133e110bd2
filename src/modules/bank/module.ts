import type { AppModule } from "../../baseapp/module.ts";
import { exportBank } from "./export.ts";
import { bankFullInvariants } from "./full_invariants.ts";
import { initBankGenesis } from "./genesis.ts";
import { bankInvariants } from "./invariants.ts";
import type { BankKeeper } from "./keeper.ts";
import { BALANCE_SUM_PREFIX, MODULE_NAME, SUPPLY_PREFIX } from "./keys.ts";
import { bankMsgs } from "./msg_server.ts";
import { metadataQueries } from "./query_metadata.ts";
import { bankQueries } from "./query_server.ts";

/** @param blocked addresses that a user's transfer may not fund */
export function bankModule(keeper: BankKeeper, blocked: (address: string) => boolean): AppModule {
  return {
    name: MODULE_NAME,
    iterablePrefixes: [SUPPLY_PREFIX, BALANCE_SUM_PREFIX],
    msgs: bankMsgs(keeper, blocked),
    queries: [...bankQueries, ...metadataQueries],
    invariants: bankInvariants(keeper),
    fullInvariants: bankFullInvariants,
    initGenesis: (ctx, json) => initBankGenesis(ctx, keeper, json),
    exportGenesis: exportBank,
  };
}
