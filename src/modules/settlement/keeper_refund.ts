import type { Context } from "../../baseapp/context.ts";
import type { RefundState } from "../../gen/settled/settlement/v1/state.ts";
import type { Coins } from "../../types/coins.ts";
import type { Accounts } from "./accounts.ts";
import type { BankKeeper } from "./expected_keepers.ts";
import type { Records } from "./records.ts";

/** What is to be refunded of a settlement, and why. */
export interface RefundRequest {
  readonly settlementSeq: bigint;
  /** Of the settlement's total; empty for all that is left of it. */
  readonly amount: Coins;
  readonly reason: string;
  /** Who asked for it; empty for the chain itself. */
  readonly initiator: string;
  /** 0n when it is of no dispute. */
  readonly disputeSeq: bigint;
}

/** Gives shares of settlements back, each part from the account that has it (RULES 31). */
export class RefundKeeper {
  readonly #records: Records;
  readonly #bank: BankKeeper;
  readonly #accounts: Accounts;

  constructor(records: Records, bank: BankKeeper, accounts: Accounts) {
    this.#records = records;
    this.#bank = bank;
    this.#accounts = accounts;
  }

  /** @throws ChainError settlement/1507, 1506 or 1522 */
  refund(ctx: Context, request: RefundRequest): RefundState {
    throw new Error(`not yet ${ctx.height} ${request.reason}`);
  }
}
