import type { Context } from "../../baseapp/context.ts";
import { fieldError, genesisField } from "../../baseapp/genesis_error.ts";
import {
  type GenesisState,
  type ReceivableState,
  type RefundState,
  SettlementLeg,
  type SettlementState,
} from "../../gen/settled/settlement/v1/state.ts";
import { ChainError } from "../../lib/errors.ts";
import { KeyMap } from "../../lib/key_map.ts";
import {
  addCoins,
  type Coins,
  coversCoins,
  equalCoins,
  formatCoins,
  NO_COINS,
} from "../../types/coins.ts";
import { ErrInvalidAmount, ErrInvalidSettlement } from "./errors.ts";
import { jsonName } from "./genesis_checks.ts";
import { bySeq, escrowOf, writeEach } from "./genesis_lists.ts";
import * as keys from "./keys.ts";
import { coinsIn, type Records } from "./records.ts";
import {
  addLegs,
  doneOf,
  LEGS,
  type Legs,
  legsIn,
  legsOf,
  NO_LEGS,
  sumOfCoins,
} from "./refund_legs.ts";
import { readRefund, writeReceivable, writeRefund } from "./refund_records.ts";

/**
 * Writes refunds of settlements, and what is owed of them, when settlements, payouts and credit
 * notes are written.
 * @throws ChainError genesis/2 naming the record that does not add up.
 */
export function writeRefunds(ctx: Context, records: Records, genesis: GenesisState): void {
  const given = new KeyMap<Legs>();
  writeEach({ name: "refunds", records: genesis.refunds, keyOf: bySeq }, (refund, field) => {
    requireOrigin(ctx, records, refund, field);
    const legs = legsIn(refund.legs);
    genesisField(`${field}.legs`, () => {
      requireEqual("the parts", sumOfCoins(legs), coinsIn(refund.amount));
    });
    writeRefund(ctx, records, refund);
    const of = refund.settlementSeq.toString();
    given.set(of, addLegs(given.get(of) ?? NO_LEGS, legs));
  });
  const list = { name: "settlements", records: genesis.settlements, keyOf: bySeq };
  writeEach(list, (settlement, field) => {
    requireSettlement(ctx, records, { settlement, field }, given);
  });
  writeReceivables(ctx, records, genesis);
}

function writeReceivables(ctx: Context, records: Records, genesis: GenesisState): void {
  const owed = new KeyMap<Coins>();
  const list = { name: "receivables", records: genesis.receivables, keyOf: bySeq };
  writeEach(list, (receivable, field) => {
    escrowOf(ctx, records, receivable, field);
    requireRefund(ctx, receivable, field);
    writeReceivable(ctx, records, { before: undefined, after: receivable });
    const of = receivable.refundSeq.toString();
    owed.set(of, addCoins(owed.get(of) ?? NO_COINS, coinsIn(receivable.amount)));
  });
  writeEach({ name: "refunds", records: genesis.refunds, keyOf: bySeq }, (refund, field) => {
    const sum = owed.get(refund.seq.toString()) ?? NO_COINS;
    genesisField(`${field}.owed`, () => {
      requireEqual("the receivables", sum, coinsIn(refund.owed));
    });
  });
}

function requireOrigin(
  ctx: Context,
  records: Records,
  { settlementSeq, escrowSeq, creditNoteSeq }: RefundState,
  field: string,
): void {
  const settlement = records.settlement(ctx, settlementSeq);
  if (settlement === undefined || settlement.escrowSeq !== escrowSeq) {
    const detail = `escrow ${escrowSeq} has no settlement ${settlementSeq}`;
    throw fieldError(`${field}.settlement_seq`, detail);
  }
  if (creditNoteSeq === 0n) return;
  if (ctx.kv.has(keys.recordKey(keys.CREDIT_NOTE_PREFIX, creditNoteSeq))) return;
  throw fieldError(`${field}.credit_note_seq`, `there is no credit note ${creditNoteSeq}`);
}

/** What a settlement says of its refunds is what they say, and not more than it is made of. */
function requireSettlement(
  ctx: Context,
  records: Records,
  { settlement, field }: { settlement: SettlementState; field: string },
  given: KeyMap<Legs>,
): void {
  const { payoutSeq, refunded, seq } = settlement;
  const sum = given.get(seq.toString()) ?? NO_LEGS;
  for (const name of LEGS) {
    const path = `${field}.refunded.${jsonName(name)}`;
    genesisField(path, () => requireEqual(name, sum[name], legsIn(refunded)[name]));
  }
  if (refunded === undefined) return;
  const payout = payoutSeq === 0n ? undefined : records.payout(ctx, payoutSeq);
  const [legs, done] = [legsOf(settlement, payout), doneOf(settlement, payout)];
  for (const name of LEGS) requireCovered(name, legs[name], done[name]);
}

function requireRefund(ctx: Context, receivable: ReceivableState, field: string): void {
  const { refundSeq, leg } = receivable;
  const refund = readRefund(ctx, refundSeq);
  if (refund === undefined || refund.escrowSeq !== receivable.escrowSeq) {
    const detail = `escrow ${receivable.escrowSeq} has no refund ${refundSeq}`;
    throw fieldError(`${field}.refund_seq`, detail);
  }
  if (leg >= SettlementLeg.SETTLEMENT_LEG_PLATFORM_FEE && leg <= SettlementLeg.SETTLEMENT_LEG_TAX) {
    return;
  }
  throw new ChainError(ErrInvalidSettlement, `leg: expected 1 to 5, found ${leg}`);
}

function requireEqual(what: string, sum: Coins, expected: Coins): void {
  if (equalCoins(sum, expected)) return;
  const [found, said] = [formatCoins(sum) || "nothing", formatCoins(expected) || "nothing"];
  throw new ChainError(ErrInvalidAmount, `${what} of refunds sum to ${found}, it says ${said}`);
}

function requireCovered(what: string, most: Coins, done: Coins): void {
  if (coversCoins(most, done)) return;
  const detail = `${what}: ${formatCoins(done)} went back of ${formatCoins(most) || "nothing"}`;
  throw new ChainError(ErrInvalidAmount, detail);
}
