import type { Context } from "../../baseapp/context.ts";
import { ChainError } from "../../lib/errors.ts";
import { type Coins, formatCoins, mapCoins } from "../../types/coins.ts";
import { parseAddress } from "../../types/address.ts";
import type { Accounts } from "./accounts.ts";
import * as errors from "./errors.ts";
import { feesWithdrawn } from "./events_payout.ts";
import type { BankKeeper } from "./expected_keepers.ts";
import { quote, unauthorized } from "./keeper_escrow.ts";
import type { TotalName } from "./keys.ts";
import type { Records } from "./records.ts";

export type FeeAccountName = "platform_fee" | "validator_fee" | "tax";

/** Fees and taxes that settlements have brought: the authority takes them out (RULES 38). */
export class TreasuryKeeper {
  readonly #records: Records;
  readonly #bank: BankKeeper;
  readonly #accounts: Accounts;

  constructor(records: Records, bank: BankKeeper, accounts: Accounts) {
    this.#records = records;
    this.#bank = bank;
    this.#accounts = accounts;
  }

  /**
   * Moves coins out of a fee account and returns what is left there of their denoms.
   * @throws ChainError settlement/1505, 1521 or 1504
   */
  withdraw(
    ctx: Context,
    request: { sender: string; account: string; recipient: string; amount: Coins },
  ): Coins {
    requireAuthority(ctx, this.#records, request.sender);
    const { amount } = request;
    const fees = this.#feeAccount(request.account);
    const recipient = parseAddress(request.recipient, ctx.chain.bech32Prefix);
    if (Object.values(this.#accounts).includes(recipient)) {
      const detail = `the recipient must not be a module account: ${recipient}`;
      throw new ChainError(errors.ErrInvalidAddress, detail, { recipient });
    }
    const { address: source, name: account } = fees;
    const balance = mapCoins(amount, (_, denom) => this.#bank.balance(ctx, source, denom));
    for (const { denom, amount: asked } of amount) {
      const held = this.#bank.balance(ctx, source, denom);
      if (held >= asked) continue;
      const detail = `${account} holds ${formatCoins(balance) || "nothing of it"}, asked for ${formatCoins(amount)}`;
      throw new ChainError(errors.ErrInsufficientFunds, detail);
    }
    this.#bank.post(ctx, {
      kind: "fee_withdrawal",
      reference: account,
      movements: [{ source, destination: recipient, coins: amount }],
    });
    this.#records.addTotal(ctx, fees.withdrawn, amount);
    ctx.emit(feesWithdrawn({ account, recipient, amount, at: ctx.time }));
    return mapCoins(amount, (_, denom) => this.#bank.balance(ctx, source, denom));
  }

  #feeAccount(name: string): { name: FeeAccountName; address: string; withdrawn: TotalName } {
    const { platformFee, validatorFee, tax } = this.#accounts;
    if (name === "platform_fee") {
      return { name, address: platformFee, withdrawn: "platformFeesWithdrawn" };
    }
    if (name === "validator_fee") {
      return { name, address: validatorFee, withdrawn: "validatorFeesWithdrawn" };
    }
    if (name === "tax") return { name, address: tax, withdrawn: "taxesWithdrawn" };
    const detail = `account: expected platform_fee, validator_fee or tax, found ${quote(name)}`;
    throw new ChainError(errors.ErrInvalidAddress, detail);
  }
}

/** @throws ChainError settlement/1505 unless the sender is the authority. */
export function requireAuthority(ctx: Context, records: Records, sender: string): void {
  const { authority } = records.params(ctx).extended;
  if (authority !== "" && sender === authority) return;
  const none = "the authority, but this chain has none (params field authority)";
  throw unauthorized(sender, authority === "" ? none : `the authority ${authority}`);
}
