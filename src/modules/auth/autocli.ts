/** Words, order of arguments and examples of the auth commands: plain data for src/cli. */
export const autocli = {
  query: {
    Account: { short: "number, sequence and key of an account", examples: ["account alice"] },
    AccountInfo: { short: "an account without its wrapping" },
    Accounts: { short: "all accounts" },
    Bech32Prefix: { short: "what addresses of this chain begin with" },
    ModuleAccounts: { short: "accounts that modules own" },
    Params: { short: "memo limit and gas costs" },
  },
};
