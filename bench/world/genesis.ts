import type { GenesisDoc } from "../../src/types/application.ts";
import { parseTime, type TimeNs } from "../../src/types/time.ts";
import type { BenchAccount } from "./accounts.ts";
import { CHAIN_ID } from "./signing.ts";

/** In the past, because the virtual time of a node may not pass the wall clock. */
export const GENESIS_TIME = parseTime("2025-06-01T00:00:00Z") as TimeNs;

const FUNDS = "1000000000000000";

/** A chain with default parameters (depth 18 too), whose accounts have enough for anything. */
export function benchGenesis(accounts: readonly BenchAccount[]): GenesisDoc {
  const addresses = accounts.map(({ signer }) => signer.address);
  const coins = [{ denom: "uve", amount: FUNDS }];
  return {
    genesisTime: GENESIS_TIME,
    chainId: CHAIN_ID,
    initialHeight: 1n,
    appState: {
      chain: { dev: true },
      auth: { accounts: addresses.map((address) => ({ address })) },
      bank: { balances: addresses.map((address) => ({ address, coins })) },
      settlement: { params: {}, extended_params: { authority: addresses[0] } },
    },
  };
}
