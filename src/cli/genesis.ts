import { messageToJson } from "../codec/proto_json.ts";
import { DEFAULT_EXTENDED_PARAMS, DEFAULT_WIRE_PARAMS } from "../modules/settlement/params.ts";
import { genesisJson } from "../node/genesis_file.ts";
import { type Coins, wireCoins } from "../types/coins.ts";
import type { TimeNs } from "../types/time.ts";

export interface GenesisAccount {
  readonly address: string;
  readonly coins: Coins;
}

export interface GenesisInput {
  readonly chainId: string;
  readonly genesisTime: TimeNs;
  readonly bech32Prefix: string;
  readonly bondDenom: string;
  /** A chain for development: plain-text keys and time by hand are allowed. */
  readonly dev: boolean;
  readonly accounts: readonly GenesisAccount[];
  /** The address that may change parameters and settle disputes. */
  readonly authority: string;
}

/** The genesis file, as JSON, of a new chain. */
export function newGenesis(input: GenesisInput): unknown {
  const { chainId, genesisTime, accounts, authority } = input;
  const appState = {
    chain: {
      bech32_prefix: input.bech32Prefix,
      bond_denom: input.bondDenom,
      dev: input.dev,
    },
    auth: { accounts: accounts.map(({ address }) => ({ address })) },
    bank: {
      balances: accounts.map(({ address, coins }) => ({ address, coins: wireCoins(coins) })),
    },
    settlement: settlementGenesis(authority),
  };
  return genesisJson({ doc: { chainId, genesisTime, initialHeight: 1n, appState } });
}

/** All parameters with their defaults, so that the file shows what there is to set. */
function settlementGenesis(authority: string): unknown {
  const extended = { ...DEFAULT_EXTENDED_PARAMS, authority };
  return {
    params: messageToJson("virtengine.settlement.v1.Params", DEFAULT_WIRE_PARAMS),
    extended_params: messageToJson("settled.settlement.v1.Params", extended),
  };
}

/** The genesis of a dev chain. */
export function devGenesis(input: {
  readonly chainId: string;
  readonly genesisTime: TimeNs;
  readonly accounts: readonly GenesisAccount[];
  readonly authority: string;
  readonly bech32Prefix?: string;
  readonly bondDenom?: string;
}): unknown {
  const { bech32Prefix = "ve", bondDenom = "uve" } = input;
  return newGenesis({ ...input, bech32Prefix, bondDenom, dev: true });
}
