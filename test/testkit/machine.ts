import { buildModules, type Modules } from "../../src/app/modules.ts";
import type { Context } from "../../src/baseapp/context.ts";
import { GasMeter } from "../../src/baseapp/gas.ts";
import type { BankKeeper } from "../../src/modules/bank/keeper.ts";
import { type Accounts, accountsOf } from "../../src/modules/settlement/accounts.ts";
import type { BlockWorkers } from "../../src/modules/settlement/block_work.ts";
import { EscrowKeeper } from "../../src/modules/settlement/keeper_escrow.ts";
import { RewardKeeper } from "../../src/modules/settlement/keeper_reward.ts";
import { SettlementKeeper } from "../../src/modules/settlement/keeper_settlement.ts";
import { UsageKeeper } from "../../src/modules/settlement/keeper_usage.ts";
import { Records } from "../../src/modules/settlement/records.ts";
import { nodeCrypto } from "../../src/node/crypto_native.ts";
import type { Overlay } from "../../src/store/overlay.ts";
import { loadStore } from "../../src/store/load.ts";
import { commitStaged } from "../../src/store/reader.ts";
import { Store } from "../../src/store/store.ts";
import type { Event } from "../../src/types/event.ts";
import type { TestChain } from "./chain.ts";

/** The machine's parts on an overlay of a chain's state, which the overlay never reaches. */
export interface Machine {
  readonly ctx: Context;
  readonly overlay: Overlay;
  readonly events: Event[];
  readonly modules: Modules;
  readonly bank: BankKeeper;
  readonly accounts: Accounts;
  readonly workers: BlockWorkers;
  /** Writes the overlay to the chain's database as one more height, invariants unasked. */
  commit(): Promise<void>;
}

/** Opens the state of a chain's last block for a test that calls keepers itself. */
export async function machineOf(chain: TestChain): Promise<Machine> {
  const { hasher, verifier } = nodeCrypto();
  const { bech32Prefix, bondDenom, chainId } = chain.app.info();
  const modules = buildModules(bech32Prefix, verifier);
  const { commitment_depth: depth } = chain.genesis.appState["chain"] as Record<string, number>;
  const store = new Store({
    db: chain.db,
    checkCreates: true,
    iterablePrefixes: modules.list.flatMap(({ iterablePrefixes }) => iterablePrefixes),
    depth: depth as number,
    hasher,
  });
  await loadStore(store, () => undefined);
  const overlay = store.overlay();
  const events: Event[] = [];
  const ctx: Context = {
    chain: { chainId, bech32Prefix, bondDenom },
    mode: "deliver",
    height: chain.height + 1n,
    time: chain.time,
    kv: overlay,
    gas: new GasMeter(1n << 62n),
    hasher,
    txHash: new Uint8Array(32),
    emit: (event) => void events.push(event),
  };
  const commit = async (): Promise<void> => {
    store.stage(overlay, { height: ctx.height, time: ctx.time });
    await commitStaged(store, []);
  };
  return { ctx, overlay, events, modules, commit, ...keepersOf(modules, bech32Prefix) };
}

/** Keepers of the same state as those that the modules hold for themselves. */
function keepersOf({ auth, bank }: Modules, bech32Prefix: string) {
  const { verifier } = nodeCrypto();
  const accounts = accountsOf(bech32Prefix);
  const records = new Records();
  const escrows = new EscrowKeeper(records, bank, accounts);
  const usage = new UsageKeeper({ records, escrows, accounts: auth, verifier });
  const rewards = new RewardKeeper(records, bank, accounts);
  const settlements = new SettlementKeeper({ records, bank, accounts, escrows, rewards });
  return { bank, accounts, workers: { records, escrows, usage, settlements, rewards } };
}
