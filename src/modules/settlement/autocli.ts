/** Words, order of arguments and examples of the settlement commands: plain data for src/cli. */
export const autocli = {
  tx: {
    CreateEscrow: {
      short: "lock coins for an order",
      positional: ["order_id", "amount"],
      examples: ["create-escrow order-1 5000000uve --expires-in 30d --from customer-1"],
    },
    ActivateEscrow: {
      short: "name the lease and the provider that an escrow pays",
      positional: ["escrow_id"],
      examples: [
        "activate-escrow escrow-1 --lease-id lease-1 --recipient provider-1 --from customer-1",
      ],
    },
    ReleaseEscrow: {
      short: "pay what an escrow holds to its recipient",
      examples: ["release-escrow escrow-1 --reason done --from customer-1"],
    },
    RefundEscrow: {
      short: "give what an escrow holds back to its depositor",
      examples: ["refund-escrow escrow-1 --reason cancelled --from customer-1"],
    },
    DisputeEscrow: {
      short: "stop an escrow until somebody decides",
      examples: ["dispute-escrow escrow-1 --reason 'no service' --from customer-1"],
    },
    SettleOrder: {
      short: "bill the usage of an order",
      examples: ["settle-order order-1 --is-final --from customer-1"],
    },
    RecordUsage: {
      short: "report metered usage; signed by --from unless --signature is given",
      examples: [
        "record-usage order-1 --lease-id lease-1 --usage-type cpu --usage-units 12 --period-start '2h ago' --period-end '1h ago' --unit-price 1.5uve --from provider-1",
      ],
    },
    AcknowledgeUsage: {
      short: "accept a usage record; signed by --from unless --signature is given",
      examples: ["acknowledge-usage usage-1767225600-1 --from customer-1"],
    },
    ClaimRewards: {
      short: "claim rewards, of one source or of all",
      positional: [],
      examples: [
        "claim-rewards --from provider-1",
        "claim-rewards --source usage --from provider-1",
      ],
    },
  },
  query: {
    Escrow: {
      short: "an escrow",
      examples: [
        "escrow escrow-1",
        "escrow escrow-1 --height -10 --prove --proof-file escrow-1.proof.json",
      ],
    },
    EscrowsByOrder: { aliases: ["escrows"], short: "all escrows of an order, oldest first" },
    EscrowsByState: { short: "all escrows in a state", examples: ["escrows-by-state active"] },
    Settlement: { short: "a settlement" },
    SettlementsByOrder: { aliases: ["settlements"], short: "all settlements of an order" },
    UsageRecord: { short: "a usage record" },
    UsageRecordsByOrder: { short: "all usage records of an order" },
    UsageSummary: {
      short: "totals of usage by type",
      examples: ["usage-summary --order-id order-1", "usage-summary --provider provider-1"],
    },
    RewardDistribution: { short: "a reward distribution" },
    RewardsByEpoch: { short: "reward distributions of an epoch" },
    RewardHistory: { short: "rewards that an address has had" },
    ClaimableRewards: { short: "rewards that an address can claim" },
    Payout: { short: "a payout" },
    PayoutsByProvider: { aliases: ["payouts"], short: "payouts of a provider" },
    Params: { short: "rates, periods and multipliers" },
    FiatConversion: { short: "not offered by this chain" },
    FiatConversionsByProvider: { short: "not offered by this chain" },
    FiatPayoutPreference: { aliases: ["fiat-preference"], short: "not offered by this chain" },
    UsageByNaturalKey: {
      short: "the usage record of a period",
      examples: [
        "usage-by-natural-key --order-id o --lease-id l --usage-type cpu --period-start 1767225600 --period-end 1767229200",
      ],
    },
    UsageDetail: { short: "a usage record with its reward, settlement and invoice" },
    Invoice: { short: "an invoice with its lines" },
    InvoicesByOrder: {
      aliases: ["invoices"],
      short: "invoices of an order",
      positional: ["order_id"],
    },
    Usage: {
      short: "usage records of an order in pages",
      positional: ["order_id"],
      examples: ["usage order-1 --open-only --limit 50"],
    },
    Escrows: { use: "list-escrows", short: "escrows in pages, of one state or all" },
    Settlements: {
      use: "list-settlements",
      short: "settlements of an order in pages",
      positional: ["order_id"],
    },
    Payouts: {
      use: "list-payouts",
      short: "payouts of a provider in pages",
      positional: ["provider"],
    },
    RewardEntries: {
      short: "what an address can claim, entry by entry, in pages",
      positional: ["address"],
    },
    Distributions: {
      use: "list-distributions",
      short: "reward distributions of an epoch in pages",
      positional: ["epoch_number"],
    },
    Totals: { short: "totals over the whole chain" },
    "settled.settlement.v1.Query/Params": {
      use: "extended-params",
      short: "parameters that this chain adds",
    },
  },
};
