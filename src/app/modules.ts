import type { Context } from "../baseapp/context.ts";
import type { AppModule } from "../baseapp/module.ts";
import { AuthKeeper, type Permission } from "../modules/auth/keeper.ts";
import { authModule } from "../modules/auth/module.ts";
import { BankKeeper } from "../modules/bank/keeper.ts";
import { bankModule } from "../modules/bank/module.ts";
import * as journal from "../modules/bank/query_journal.ts";
import { coinsOfAccount } from "../modules/bank/query_server.ts";
import { type Accounts, accountsOf } from "../modules/settlement/accounts.ts";
import type { BlockWorkers } from "../modules/settlement/block_work.ts";
import { EscrowKeeper } from "../modules/settlement/keeper_escrow.ts";
import { RewardKeeper } from "../modules/settlement/keeper_reward.ts";
import { SettlementKeeper } from "../modules/settlement/keeper_settlement.ts";
import { UsageKeeper } from "../modules/settlement/keeper_usage.ts";
import * as settlement from "../modules/settlement/keys.ts";
import { settlementModule } from "../modules/settlement/module.ts";
import { Records } from "../modules/settlement/records.ts";
import { moduleAddress } from "../types/address.ts";
import type { Verifier } from "../types/crypto.ts";

const FEE_COLLECTOR = "fee_collector";

/** Accounts that modules own, and what they may do to the supply. */
const MODULE_ACCOUNTS: readonly (readonly [string, readonly Permission[]])[] = [
  [FEE_COLLECTOR, []],
  [settlement.ESCROW_ACCOUNT, []],
  [settlement.SETTLEMENT_ACCOUNT, []],
  [settlement.PLATFORM_FEE_ACCOUNT, []],
  [settlement.VALIDATOR_FEE_ACCOUNT, []],
  [settlement.TAX_ACCOUNT, []],
  [settlement.REWARDS_ACCOUNT, ["minter", "burner"]],
  [settlement.REWARD_POOL_ACCOUNT, []],
];

export interface Modules {
  readonly auth: AuthKeeper;
  readonly bank: BankKeeper;
  /** In the order of genesis, begin-block and end-block. */
  readonly list: readonly AppModule[];
  readonly feeCollector: string;
  /** Makes the module accounts that genesis does not name. */
  ensureAccounts(ctx: Context): void;
}

function workersOf(parts: {
  auth: AuthKeeper;
  bank: BankKeeper;
  accounts: Accounts;
  verifier: Verifier;
}): BlockWorkers {
  const { auth, bank, accounts, verifier } = parts;
  const records = new Records();
  const escrows = new EscrowKeeper(records, bank, accounts);
  const usage = new UsageKeeper({ records, escrows, accounts: auth, verifier });
  const rewards = new RewardKeeper(records, bank, accounts);
  const settlements = new SettlementKeeper({ records, bank, accounts, escrows, rewards });
  return { records, escrows, usage, settlements, rewards };
}

/** The one list of modules: everything a module brings follows from its entry here. */
export function buildModules(bech32Prefix: string, verifier: Verifier): Modules {
  const auth = new AuthKeeper();
  const bank = new BankKeeper(auth);
  const accounts = accountsOf(bech32Prefix);
  const workers = workersOf({ auth, bank, accounts, verifier });
  const balances = { coinsOf: coinsOfAccount, ...journal };
  // Estimates run messages outside of blocks: nothing that the machine keeps in memory is theirs.
  const ownAuth = new AuthKeeper();
  const estimators = workersOf({
    ...{ auth: ownAuth, bank: new BankKeeper(ownAuth), accounts, verifier },
  });
  // Anyone may fund the reward pool; the other accounts hold exactly what the books say.
  const blocked = MODULE_ACCOUNTS.map(([name]) => name)
    .filter((name) => name !== settlement.REWARD_POOL_ACCOUNT)
    .map((name) => moduleAddress(name, bech32Prefix) as string);
  return {
    auth,
    bank,
    list: [
      authModule(auth),
      bankModule(bank, (address) => blocked.includes(address)),
      settlementModule({ workers, estimators, bank, accounts, balances }),
    ],
    feeCollector: moduleAddress(FEE_COLLECTOR, bech32Prefix),
    ensureAccounts: (ctx) => {
      for (const [name, permissions] of MODULE_ACCOUNTS) {
        auth.ensureModuleAccount(ctx, name, permissions);
      }
    },
  };
}
