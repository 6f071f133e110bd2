import { register } from "../../lib/errors.ts";

const error = (code: number, text: string) => register("settlement", code, text);

// Codes 1 to 7: checks of a message alone.
export const ErrMsgAddress = error(1, "invalid address");
export const ErrMsgEscrow = error(2, "invalid escrow");
export const ErrMsgAmount = error(3, "invalid amount");
export const ErrMsgSettlement = error(4, "invalid settlement");
export const ErrMsgUsageRecord = error(5, "invalid usage record");
export const ErrMsgSignature = error(6, "invalid signature");
export const ErrMsgReward = error(7, "invalid reward");

// Codes from 1500: checks against the state. Numbers are those of the deployed module.
export const ErrInvalidEscrow = error(1500, "invalid escrow");
export const ErrEscrowNotFound = error(1501, "escrow not found");
export const ErrEscrowExists = error(1502, "escrow already exists");
export const ErrInvalidStateTransition = error(1503, "invalid state transition");
export const ErrInsufficientFunds = error(1504, "insufficient funds");
export const ErrUnauthorized = error(1505, "unauthorized");
export const ErrInvalidSettlement = error(1506, "invalid settlement");
export const ErrSettlementNotFound = error(1507, "settlement not found");
export const ErrSettlementExists = error(1508, "settlement already exists");
export const ErrInvalidReward = error(1509, "invalid reward");
export const ErrRewardNotFound = error(1510, "reward not found");
export const ErrNoClaimableRewards = error(1511, "no claimable rewards");
export const ErrInvalidUsageRecord = error(1512, "invalid usage record");
export const ErrUsageRecordNotFound = error(1513, "usage record not found");
export const ErrUsageRecordExists = error(1514, "usage record already exists");
export const ErrUsageAlreadySettled = error(1515, "usage already settled");
export const ErrInvalidCondition = error(1516, "invalid condition");
export const ErrConditionsNotMet = error(1517, "conditions not met");
export const ErrEscrowExpired = error(1518, "escrow expired");
export const ErrEscrowNotActive = error(1519, "escrow not active");
export const ErrInvalidAddress = error(1521, "invalid address");
export const ErrInvalidAmount = error(1522, "invalid amount");
export const ErrEscrowDisputed = error(1523, "escrow disputed");
export const ErrInvalidSignature = error(1524, "invalid signature");
export const ErrInvalidParams = error(1525, "invalid params");
export const ErrInvalidEpoch = error(1527, "invalid epoch");
export const ErrDistributionFailed = error(1528, "distribution failed");
export const ErrInvalidPayout = error(1530, "invalid payout");
export const ErrPayoutNotFound = error(1531, "payout not found");
export const ErrPayoutHeld = error(1534, "payout held");
export const ErrDisputeActive = error(1535, "dispute active");
export const ErrPayoutExecutionFailed = error(1537, "payout execution failed");
export const ErrInvoiceNotPaid = error(1536, "invoice not paid");

// From 1549: codes of Settled's own.
export const ErrInvoiceNotFound = error(1549, "invoice not found");
export const ErrDisputeNotFound = error(1550, "dispute not found");
export const ErrReceivableNotFound = error(1551, "receivable not found");
