/** Attributes of the events, as README.md of the module lists them. */
export const EVENTS = {
  EscrowCreated: "escrow_id order_id depositor amount expires_at block_height",
  EscrowActivated: "escrow_id order_id lease_id recipient activated_at",
  EscrowReleased: "escrow_id order_id recipient amount reason released_at",
  EscrowRefunded: "escrow_id order_id depositor amount reason refunded_at",
  EscrowDisputed: "escrow_id order_id reason disputed_at",
  EscrowExpired: "escrow_id order_id balance expired_at",
  ReleaseConditionsSet: "escrow_id order_id conditions",
  ReleaseSigned: "escrow_id signer signed_at",
  VerificationAttested: "escrow_id score attested_at",
  ReleaseConditionSatisfied: "escrow_id condition satisfied_at",
  UsageRecorded:
    "usage_id order_id lease_id provider usage_units usage_type total_cost recorded_at",
  UsageAcknowledged: "usage_id customer acknowledged_at",
  UsageFlagged: "usage_id order_id anomalies flagged_at",
  UsageAnomalyCleared: "usage_id cleared_by cleared_at",
  UsageCorrected:
    "usage_id corrects order_id old_units new_units old_cost new_cost reason corrected_at",
  UsageWithdrawn: "usage_id order_id usage_units total_cost reason withdrawn_at",
  PriceCeilingSet: "order_id customer usage_type max_unit_price effective_from",
  UsageWrittenOff: "usage_id total_cost written_off_at",
  OrderSettled:
    "settlement_id order_id escrow_id provider customer total_amount provider_share platform_fee " +
    "validator_fee discount tax settlement_type is_final settled_at records records_remaining stopped_at",
  InvoiceIssued: "invoice_id settlement_id order_id total amount_due status",
  InvoicePaid:
    "invoice_id order_id payer payout_id amount provider_share platform_fee validator_fee " +
    "tax amount_due status paid_at",
  InvoiceOverdue: "invoice_id order_id customer amount_due due_at overdue_at",
  InvoiceVoided: "invoice_id order_id provider amount reason voided_at",
  InvoiceCredited:
    "credit_note_id credit_note_number invoice_id order_id provider customer amount reason " +
    "status credited_at",
  PayoutPending: "payout_id settlement_id net_amount due_at",
  PayoutFailed: "payout_id error failed_at attempts next_attempt_height",
  PayoutPostponed: "payout_id escrow_id until until_height",
  PayoutHeld: "payout_id dispute_id reason held_at",
  PayoutReleased: "payout_id released_at",
  PayoutRefunded: "payout_id customer amount reason refunded_at",
  HoldbackReleased: "payout_id provider amount released_at",
  FeesWithdrawn: "account recipient amount withdrawn_at",
  PayoutCompleted:
    "payout_id settlement_id invoice_id provider net_amount platform_fee completed_at",
  RewardsDistributed:
    "distribution_id epoch_number source total_rewards recipient_count distributed_at",
  RewardSkipped: "reference_id amount reason",
  RewardsClaimed: "claimer claimed_amount source claimed_at",
  RewardsExpired: "address amount expired_at",
  ParamsProposed: "authority effective_height params_version changed old new",
  ParamsUpdated: "params_version changed old new",
  DiscountsSet: "order_id set_by old new set_at",
  TaxSet: "order_id set_by old new set_at",
  UsageDisputed:
    "dispute_id usage_id order_id customer reason evidence_hash expires_at disputed_at",
  DisputeProposed: "dispute_id usage_id resolution usage_units unit_price proposed_by proposed_at",
  DisputeResolved:
    "dispute_id usage_id resolution usage_units unit_price amended_usage_id refund_id " +
    "refunded_amount waived_amount resolved_by resolved_at",
  DisputeExpired: "dispute_id usage_id expired_at",
  SettlementRefunded:
    "refund_id settlement_id order_id customer provider amount platform_fee validator_fee holdback " +
    "net tax owed rewards_cancelled reason initiator refunded_at",
  ReceivableBooked: "receivable_id refund_id leg debtor creditor amount booked_at",
  ReceivablePaid: "receivable_id payer debtor creditor amount owed paid_at",
  RewardsCancelled: "refund_id address amount cancelled_at",
} as const;
