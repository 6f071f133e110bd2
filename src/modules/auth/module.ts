import type { AppModule } from "../../baseapp/module.ts";
import { exportAuth } from "./export.ts";
import { initAuthGenesis } from "./genesis.ts";
import type { AuthKeeper } from "./keeper.ts";
import { MODULE_NAME } from "./keys.ts";
import { authQueries } from "./query_server.ts";

export function authModule(keeper: AuthKeeper): AppModule {
  return {
    name: MODULE_NAME,
    iterablePrefixes: [],
    msgs: [],
    queries: authQueries,
    invariants: [],
    fullInvariants: [],
    initGenesis: (ctx, json) => initAuthGenesis(ctx, keeper, json),
    exportGenesis: exportAuth,
  };
}
