/** Words, order of arguments and examples of the bank commands: plain data for src/cli. */
export const autocli = {
  tx: {
    Send: {
      short: "send coins to an account",
      positional: ["to_address", "amount"],
      examples: ["send bob 10uve --from alice"],
    },
    MultiSend: {
      short: "send coins to several accounts",
      examples: [
        `multi-send --from alice --inputs '{"address":"ve1…","coins":[{"denom":"uve","amount":"2"}]}' --outputs '{"address":"ve1…","coins":[{"denom":"uve","amount":"2"}]}'`,
      ],
    },
  },
  query: {
    AllBalances: {
      use: "balances",
      aliases: ["all-balances"],
      short: "all coins of an account",
      examples: ["balances alice"],
    },
    Balance: {
      short: "coins of one denom",
      positional: ["address", "denom"],
      examples: ["balance alice uve"],
    },
    DenomMetadata: { short: "how a denom is shown" },
    DenomsMetadata: { short: "how all denoms are shown" },
    JournalEntries: {
      use: "journal",
      short: "why balances are what they are: entries by account or reference",
      examples: ["journal --account alice", "journal --reference escrow-1"],
    },
    JournalEntry: { short: "one entry of the journal", examples: ["journal-entry 7"] },
    Params: { short: "whether coins may be sent" },
    SpendableBalances: { short: "coins that an account can spend" },
    SupplyOf: { short: "all coins of one denom", positional: ["denom"] },
    TotalSupply: { use: "supply", aliases: ["total-supply"], short: "all coins of all denoms" },
  },
};
