import { type Address, moduleAddress } from "../../types/address.ts";
import * as keys from "./keys.ts";

/** Addresses of the accounts that the module's coins pass through. */
export interface Accounts {
  /** Deposits of all escrows. */
  readonly escrow: Address;
  /** Providers' shares on their way to a payout. */
  readonly settlement: Address;
  readonly platformFee: Address;
  readonly validatorFee: Address;
  readonly tax: Address;
  /** Coins of claimable rewards. */
  readonly rewards: Address;
  /** Funds rewards when `reward_funding` is "pool". */
  readonly rewardPool: Address;
  readonly feeCollector: Address;
}

export function accountsOf(bech32Prefix: string): Accounts {
  const of = (name: string): Address => moduleAddress(name, bech32Prefix);
  return {
    escrow: of(keys.ESCROW_ACCOUNT),
    settlement: of(keys.SETTLEMENT_ACCOUNT),
    platformFee: of(keys.PLATFORM_FEE_ACCOUNT),
    validatorFee: of(keys.VALIDATOR_FEE_ACCOUNT),
    tax: of(keys.TAX_ACCOUNT),
    rewards: of(keys.REWARDS_ACCOUNT),
    rewardPool: of(keys.REWARD_POOL_ACCOUNT),
    feeCollector: of("fee_collector"),
  };
}
