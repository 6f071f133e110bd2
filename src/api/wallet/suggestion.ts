import { type Dec, formatDec, parseDec } from "../../types/dec.ts";
import { displayOf } from "../../types/denom_display.ts";

/** What a chain suggestion is made of. */
export interface SuggestionFacts {
  readonly chainId: string;
  readonly bech32Prefix: string;
  readonly bondDenom: string;
  /** Of all coins of the chain. */
  readonly denoms: readonly string[];
  /** As the node's setting has it: "0.025uve", or "0". */
  readonly minimumGasPrice: string;
  readonly rpc: string;
  readonly rest: string;
}

/** Cosmos' coin type in BIP-44 paths. */
const COIN_TYPE = 118;

/** A chain as Keplr's `experimentalSuggestChain` takes it; other wallets take the same. */
export function chainSuggestion(facts: SuggestionFacts) {
  const { chainId, bech32Prefix: prefix, bondDenom, rpc, rest } = facts;
  const bond = currency(bondDenom);
  const others = facts.denoms.filter((denom) => denom !== bondDenom).sort();
  return {
    ...{ chainId, chainName: `Settled (${chainId})`, rpc, rest },
    bip44: { coinType: COIN_TYPE },
    bech32Config: {
      bech32PrefixAccAddr: prefix,
      bech32PrefixAccPub: `${prefix}pub`,
      bech32PrefixValAddr: `${prefix}valoper`,
      bech32PrefixValPub: `${prefix}valoperpub`,
      bech32PrefixConsAddr: `${prefix}valcons`,
      bech32PrefixConsPub: `${prefix}valconspub`,
    },
    currencies: [bond, ...others.map(currency)],
    feeCurrencies: [{ ...bond, gasPriceStep: gasPriceStep(facts) }],
    stakeCurrency: bond,
    features: [],
  };
}

function currency(denom: string) {
  const { symbol, exponent } = displayOf(denom);
  return { coinDenom: symbol, coinMinimalDenom: denom, coinDecimals: exponent };
}

/** Keplr's three choices. The lowest is what the node takes; the others are a little more. */
function gasPriceStep({ minimumGasPrice, bondDenom }: SuggestionFacts) {
  const [, amount = "0", denom] = /^([0-9.]+)(.*)$/.exec(minimumGasPrice) ?? [];
  const low = denom === bondDenom ? (parseDec(amount) ?? 0n) : 0n;
  return {
    low: jsonNumber(low),
    average: jsonNumber((low * 12n) / 10n),
    high: jsonNumber((low * 16n) / 10n),
  };
}

/** Keplr wants a JSON number: the exact decimal, as it stands in a document. */
function jsonNumber(atomics: bigint): number {
  return JSON.parse(formatDec(atomics as Dec)) as number;
}
