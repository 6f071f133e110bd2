import type { Context } from "../../baseapp/context.ts";
import type { ReceivableState, RefundState } from "../../gen/settled/settlement/v1/state.ts";
import { ChainError } from "../../lib/errors.ts";
import {
  addCoins,
  type Coins,
  coversCoins,
  formatCoins,
  isZeroCoins,
  subCoins,
  wireCoins,
} from "../../types/coins.ts";
import { ErrInsufficientFunds as ErrBankFunds } from "../../types/sdk_errors.ts";
import * as errors from "./errors.ts";
import * as events from "./events_refund.ts";
import type { BankKeeper } from "./expected_keepers.ts";
import { timedSeqOf } from "./ids.ts";
import { quote } from "./keeper_escrow.ts";
import { coinsIn, type Records } from "./records.ts";
import type { RefundPart } from "./refund_parts.ts";
import {
  legNumber,
  readReceivable,
  receivableId,
  refundId,
  writeReceivable,
} from "./refund_records.ts";
import { legName } from "./status_names.ts";

/** What accounts could not pay of refunds, until somebody does (RULES 31). */
export class ReceivableKeeper {
  readonly #records: Records;
  readonly #bank: BankKeeper;

  constructor(records: Records, bank: BankKeeper) {
    this.#records = records;
    this.#bank = bank;
  }

  /** Books what the account of a part owes the customer. */
  book(
    ctx: Context,
    facts: { refund: RefundState; part: RefundPart; creditor: string; owed: Coins },
  ): void {
    const { refund, part, creditor, owed } = facts;
    const after: ReceivableState = {
      seq: this.#records.take(ctx, "receivable"),
      refundSeq: refund.seq,
      escrowSeq: refund.escrowSeq,
      leg: legNumber(part.leg),
      debtor: part.source,
      creditor,
      amount: wireCoins(owed),
      paid: [],
      createdAtNs: ctx.time,
      height: ctx.height,
    };
    writeReceivable(ctx, this.#records, { before: undefined, after });
    ctx.emit(
      events.receivableBooked({
        ...{ receivableId: receivableId(after), refundId: refundId(refund) },
        ...{ leg: legName(after.leg), debtor: part.source, creditor, amount: owed, at: ctx.time },
      }),
    );
  }

  /** @throws ChainError settlement/1551 */
  byId(ctx: Context, id: string): ReceivableState {
    const seq = timedSeqOf("receivable", id);
    const receivable = seq === undefined ? undefined : readReceivable(ctx, seq);
    if (receivable !== undefined && receivableId(receivable) === id) return receivable;
    throw new ChainError(errors.ErrReceivableNotFound, `receivable ${quote(id)}`);
  }

  /**
   * Pays the creditor what is owed, or a part of it.
   * @param request.amount empty for all that is owed
   * @throws ChainError settlement/1551, 1505 for the creditor, 1522 or 1504
   */
  pay(
    ctx: Context,
    request: { sender: string; receivableId: string; amount: Coins },
  ): { paid: Coins; owed: Coins } {
    const { sender, receivableId: id } = request;
    const before = this.byId(ctx, id);
    const { creditor, debtor } = before;
    if (sender === creditor) {
      const detail = `${id} is owed to ${creditor}: anyone else may pay it`;
      throw new ChainError(errors.ErrUnauthorized, detail);
    }
    const owed = owedOf(before);
    const amount = isZeroCoins(request.amount) ? owed : request.amount;
    if (isZeroCoins(owed) || !coversCoins(owed, amount)) {
      const asked = formatCoins(amount) || "to pay all of it";
      const detail = `${id}: ${formatCoins(owed) || "nothing"} is owed, asked for ${asked}`;
      throw new ChainError(errors.ErrInvalidAmount, detail);
    }
    this.#transfer(ctx, { source: sender, destination: creditor, coins: amount }, id);
    const paid = wireCoins(addCoins(coinsIn(before.paid), amount));
    writeReceivable(ctx, this.#records, { before, after: { ...before, paid } });
    const left = subCoins(owed, amount);
    const parties = { payer: sender, debtor, creditor };
    const facts = { receivableId: id, ...parties, amount, owed: left, at: ctx.time };
    ctx.emit(events.receivablePaid(facts));
    return { paid: amount, owed: left };
  }

  /** @throws ChainError settlement/1504 naming the payer. */
  #transfer(
    ctx: Context,
    movement: { source: string; destination: string; coins: Coins },
    reference: string,
  ): void {
    try {
      this.#bank.post(ctx, { kind: "receivable_payment", reference, movements: [movement] });
    } catch (error) {
      if (!(error instanceof ChainError) || !error.is(ErrBankFunds)) throw error;
      const detail = `${movement.source} needs ${formatCoins(movement.coins)}: ${error.message}`;
      throw new ChainError(errors.ErrInsufficientFunds, detail, error.details);
    }
  }
}

/** What nobody has paid yet. */
function owedOf({ amount, paid }: ReceivableState): Coins {
  return subCoins(coinsIn(amount), coinsIn(paid));
}
