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
    CorrectUsage: {
      short: "report other units or another price; signed by --from unless --signature is given",
      positional: ["usage_id", "usage_units"],
      examples: [
        "correct-usage usage-1767225600-1 11 --unit-price 1.5uve --reason 'counted twice' --from provider-1",
        "correct-usage usage-1767225600-1 0 --reason 'not our job' --from provider-1",
      ],
    },
    DisputeUsage: {
      short: "object to a usage record, settled or not; signed by its customer",
      positional: ["usage_id"],
      examples: ["dispute-usage usage-1767225600-1 --reason 'the job had ended' --from customer-1"],
    },
    ResolveDispute: {
      short: "decide a dispute (authority), or propose how to (customer, provider)",
      positional: ["dispute_id", "resolution"],
      examples: [
        "resolve-dispute dispute-1 rejected --from authority",
        "resolve-dispute dispute-1 amended --usage-units 10 --unit-price 1.5uve --from provider-1",
      ],
    },
    ClearAnomaly: {
      short: "let a flagged usage record be settled automatically",
      positional: ["usage_id"],
      examples: ["clear-anomaly usage-1767225600-1 --from authority"],
    },
    SetPriceCeiling: {
      short: "bound what a unit of usage may cost from now on; without a price, no longer",
      positional: ["order_id", "usage_type"],
      examples: [
        "set-price-ceiling order-1 cpu --max-unit-price 1.5uve --from customer-1",
        "set-price-ceiling order-1 cpu --from customer-1",
      ],
    },
    SetDiscounts: {
      short: "say what is taken off an order's prices; without discounts, nothing any more",
      positional: ["order_id"],
      file: true,
      examples: [
        "set-discounts order-1 --file discounts.json --from provider-1",
        'set-discounts order-1 --discounts \'{"kind":"percentage","rate_bps":500}\' --from provider-1',
        'set-discounts order-1 --discounts \'{"kind":"volume","tiers":[{"min_units":"100","rate_bps":300}]}\' --from provider-1',
      ],
    },
    SetTax: {
      short: "say which tax an order's later settlements pay; without one, none any more",
      positional: ["order_id"],
      file: true,
      examples: [
        "set-tax order-1 --file tax.json --from customer-1",
        'set-tax order-1 --tax \'{"mode":"exclusive","jurisdiction":"DE","rates":[{"name":"USt","rate":"0.19"}]}\' --from customer-1',
      ],
    },
    SetReleaseConditions: {
      short: "say what has to be so before an escrow is released",
      positional: ["escrow_id"],
      examples: [
        'set-release-conditions escrow-1 --conditions \'{"type":"timelock","unlock_after":"1767225600"}\' --from customer-1',
      ],
    },
    SignRelease: {
      short: "agree to the release of an escrow",
      positional: ["escrow_id"],
      examples: ["sign-release escrow-1 --from provider-1"],
    },
    AttestVerification: {
      short: "say how well the service of an escrow was verified, from 0 to 100",
      positional: ["escrow_id", "score"],
      examples: ["attest-verification escrow-1 90 --from authority"],
    },
    UpdateParams: {
      short: "change params from the next block on; signed by the authority",
      flags: { params: { skip: true }, extended_params: { skip: true } },
      examples: [
        "update-params --set min_settlement_amount=500 --set settled.auto_settle_after=1h --from authority",
        "update-params --file params.json --from authority",
      ],
    },
    PayInvoice: {
      short: "pay what is due of an invoice, or a part of it",
      positional: ["invoice_id", "amount"],
      examples: [
        "pay-invoice invoice-1767225600-1 --from customer-1",
        "pay-invoice invoice-1767225600-1 300uve --from customer-1",
      ],
    },
    VoidInvoice: {
      short: "cancel an invoice of which nothing was paid",
      positional: ["invoice_id"],
      examples: ["void-invoice invoice-1767225600-1 --reason 'billed twice' --from provider-1"],
    },
    CreditInvoice: {
      short: "give back what was paid of an invoice, by a credit note",
      positional: ["invoice_id", "amount"],
      examples: [
        "credit-invoice invoice-1767225600-1 300uve --reason 'an hour down' --from provider-1",
      ],
    },
    HoldPayout: {
      short: "keep a payout, or its holdback, from being paid; signed by the authority",
      positional: ["payout_id"],
      examples: ["hold-payout payout-1767225600-1 --reason 'under review' --from authority"],
    },
    ReleasePayout: {
      short: "pay a payout that is held, failed or waits, or its holdback; signed by the authority",
      positional: ["payout_id"],
      examples: ["release-payout payout-1767225600-1 --from authority"],
    },
    RefundPayout: {
      short: "give what is held of a payout back to the customer; signed by the authority",
      positional: ["payout_id"],
      examples: [
        "refund-payout payout-1767225600-1 --amount 100uve --reason 'no service' --from authority",
      ],
    },
    RefundSettlement: {
      short: "give a settlement, or a part of it, back to the customer; signed by the authority",
      positional: ["settlement_id"],
      examples: [
        "refund-settlement settle-1767225600-1 --reason 'no service' --from authority",
        "refund-settlement settle-1767225600-1 --amount 100uve --reason 'an hour down' --from authority",
      ],
    },
    PayReceivable: {
      short: "pay what is owed of a refund, or a part of it",
      positional: ["receivable_id", "amount"],
      examples: [
        "pay-receivable receivable-1767225600-1 --from provider-1",
        "pay-receivable receivable-1767225600-1 300uve --from provider-1",
      ],
    },
    WithdrawFees: {
      short: "take coins out of a fee account; signed by the authority",
      positional: ["account", "amount"],
      examples: ["withdraw-fees platform_fee 100uve --recipient provider-1 --from authority"],
    },
    DistributeProviderRewards: {
      short: "reward providers for settled records without a reward; signed by the authority",
      positional: ["reference"],
      examples: [
        "distribute-provider-rewards q1-2026 --usage-ids usage-1767225600-1 --usage-ids usage-1767225600-2 --from authority",
      ],
    },
    DistributeVerificationReward: {
      short: "reward who verified something, by its score from 0 to 100; signed by the authority",
      positional: ["validator", "reference", "score"],
      examples: ["distribute-verification-reward provider-1 account-1 50 --from authority"],
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
    Dispute: { short: "a dispute of a usage record", examples: ["dispute dispute-1"] },
    Disputes: {
      short: "disputes of usage records, by party or state",
      positional: [],
      examples: ["disputes", "disputes --state open", "disputes --customer customer-1"],
    },
    PriceCeilings: {
      short: "what usage of an order may cost at most, by type",
      positional: ["order_id"],
      examples: ["price-ceilings order-1"],
    },
    BillingTerms: {
      short: "discounts and tax of an order",
      positional: ["order_id"],
      examples: ["billing-terms order-1"],
    },
    UsageDetail: { short: "a usage record with its reward, settlement and invoice" },
    Invoice: { short: "an invoice with its lines" },
    // In full: its short name is an alias of InvoicesByOrder.
    "settled.settlement.v1.Query/Invoices": {
      use: "list-invoices",
      short: "invoices in pages, by provider, customer, order, state and time",
      positional: [],
      examples: [
        "list-invoices --state overdue",
        "list-invoices --customer customer-1 --issued-from '30d ago'",
      ],
    },
    InvoiceLedger: {
      short: "what happened to an invoice, chained by hashes",
      positional: ["invoice_id"],
      examples: ["invoice-ledger invoice-1767225600-1"],
    },
    CreditNotes: {
      short: "credit notes of an invoice",
      positional: ["invoice_id"],
      examples: ["credit-notes invoice-1767225600-1"],
    },
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
    UsageRecords: {
      use: "list-usage",
      short: "usage records in pages, by order, lease, party, type, state, dispute and time",
      positional: [],
      examples: [
        "list-usage --provider provider-1 --state open",
        "list-usage --customer customer-1 --usage-type gpu --period-start '2d ago'",
        "list-usage --lease-id lease-1 --dispute open",
      ],
    },
    Orders: {
      use: "list-orders",
      short: "orders in pages, by the parties and the state of their newest escrow",
      positional: [],
      examples: ["list-orders --provider provider-1 --escrow-state active"],
    },
    Escrows: {
      use: "list-escrows",
      short: "escrows in pages, by party, order, lease, state and time",
      positional: [],
      examples: [
        "list-escrows --state active",
        "list-escrows --depositor customer-1 --created-from '30d ago'",
      ],
    },
    Settlements: {
      use: "list-settlements",
      short: "settlements in pages, by order, escrow, party, type and time",
      positional: [],
      examples: [
        "list-settlements --order-id order-1",
        "list-settlements --provider provider-1 --type final --settled-from '30d ago'",
      ],
    },
    Statement: {
      short: "what a party was owed, paid and got in a span of time",
      positional: ["address"],
      examples: [
        "statement provider-1 --from '30d ago'",
        "statement customer-1 --role customer --from 2026-01-01T00:00:00Z --to 2026-02-01T00:00:00Z",
      ],
    },
    EstimateSettlement: {
      short: "what settling an order would do now, and why it would be refused",
      positional: ["order_id"],
      examples: [
        "estimate-settlement order-1",
        "estimate-settlement order-1 --sender provider-1 --is-final",
      ],
    },
    NextSettlement: {
      short: "what the next settlement of an order lacks",
      positional: ["order_id"],
      examples: ["next-settlement order-1"],
    },
    Payouts: {
      use: "list-payouts",
      short: "payouts of a provider, a customer, in a state, of a time, in pages",
      positional: [],
      examples: ["list-payouts --provider provider-1 --state held --created-from '2d ago'"],
    },
    PayoutLedger: {
      short: "what happened to a payout",
      positional: ["payout_id"],
      examples: ["payout-ledger payout-1767225600-1"],
    },
    Refund: {
      short: "a refund of a settlement, part by part",
      positional: ["refund_id"],
      examples: ["refund refund-1767225600-1"],
    },
    RefundsBySettlement: {
      aliases: ["refunds"],
      short: "refunds of a settlement",
      positional: ["settlement_id"],
      examples: ["refunds-by-settlement settle-1767225600-1"],
    },
    Receivables: {
      short: "what is owed of refunds, by who owes it or to whom, in pages",
      positional: [],
      examples: [
        "receivables --debtor provider-1 --open-only",
        "receivables --creditor customer-1",
      ],
    },
    Treasury: { short: "what the accounts of settlement hold", examples: ["treasury"] },
    RewardEntries: {
      short: "what an address can claim, entry by entry, in pages",
      positional: ["address"],
    },
    RewardRows: {
      use: "list-rewards",
      short: "what an address was rewarded with, by source, in pages",
      positional: ["address"],
      examples: ["list-rewards provider-1 --source usage --reverse"],
    },
    Distributions: {
      use: "list-distributions",
      short: "reward distributions of an epoch in pages",
      positional: ["epoch_number"],
    },
    Totals: { short: "totals over the whole chain" },
    OpenWork: { short: "what is open over the whole chain: escrows, records, disputes, payouts" },
    "settled.settlement.v1.Query/Params": {
      use: "extended-params",
      short: "parameters that this chain adds",
    },
  },
};
