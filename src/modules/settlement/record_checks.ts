import type {
  EscrowState,
  PayoutState,
  RefundState,
  SettlementState,
} from "../../gen/settled/settlement/v1/state.ts";
import { assert } from "../../lib/assert.ts";
import { KeyMap } from "../../lib/key_map.ts";
import type { WireCoin } from "../../types/coins.ts";

/**
 * What must hold of a record where it is written. Amounts are counted as the record has them, one
 * coin at a time: not by the functions that they were made with, which would agree with themselves.
 * Each throws InvariantError that names the record.
 */

type Amounts = readonly WireCoin[];

/** Base units by denom of the whole less its parts; a denom of which nothing is left has 0. */
function rest(whole: readonly Amounts[], parts: readonly Amounts[]): bigint[] {
  const left = new KeyMap<bigint>();
  const count = (lists: readonly Amounts[], sign: bigint): void => {
    for (const coins of lists) {
      for (const { denom, amount } of coins) {
        left.set(denom, (left.get(denom) ?? 0n) + sign * BigInt(amount));
      }
    }
  };
  count(whole, 1n);
  count(parts, -1n);
  return [...left.sortedValues()];
}

function isSum(whole: Amounts, parts: readonly Amounts[]): boolean {
  return rest([whole], parts).every((amount) => amount === 0n);
}

function isWithin(most: readonly Amounts[], parts: readonly Amounts[]): boolean {
  return rest(most, parts).every((amount) => amount >= 0n);
}

/** I-09: what was put in is there, settled, refunded, or went for tax. */
export function assertEscrowAdds(escrow: EscrowState): void {
  const { seq, amount, balance, totalSettled, refunded, taxPaid } = escrow;
  const adds = isSum(amount, [balance, totalSettled, refunded, taxPaid]);
  assert(adds, "I-09 settlement: escrow does not add up", { seq });
}

/** I-10: provider's share and fees are the total. */
export function assertSharesSum(settlement: SettlementState): void {
  const { seq, total, providerShare, platformFee, validatorFee } = settlement;
  const adds = isSum(total, [providerShare, platformFee, validatorFee]);
  assert(adds, "I-10 settlement: shares do not sum to the total", { seq });
}

/** I-10: net, holdback and fees of a payout are what was settled or paid. */
export function assertPayoutAdds(payout: PayoutState): void {
  const { seq, gross, net, holdback, platformFee, validatorFee } = payout;
  const adds = isSum(gross, [net, holdback, platformFee, validatorFee]);
  assert(adds, "I-10 settlement: a payout does not add up", { seq });
}

/** I-10: a settlement's provider share is the net and the holdback of its payout. */
export function assertPayoutIsShare(settlement: SettlementState, payout: PayoutState): void {
  const { seq, providerShare } = settlement;
  const isShare = isSum(providerShare, [payout.net, payout.holdback]);
  const facts = { seq, payout: payout.seq };
  assert(isShare, "I-10 settlement: the payout is not the provider's share", facts);
}

/** I-26: a refund is its parts, tax besides; no more of both is owed. */
export function assertRefundAdds({ seq, amount, legs, owed }: RefundState): void {
  const { platformFee = [], validatorFee = [], holdback = [], net = [], tax = [] } = legs ?? {};
  const adds = isSum(amount, [platformFee, validatorFee, holdback, net]);
  assert(adds, "I-26 settlement: a refund is not its parts", { refund: seq });
  const isOwed = isWithin([amount, tax], [owed]);
  assert(isOwed, "I-26 settlement: more is owed of a refund than it gives", { refund: seq });
}

/** I-26: all refunds of a settlement take of each part no more than it had. */
export function assertRefundedWithin(settlement: SettlementState): void {
  const { seq, refunded } = settlement;
  if (refunded === undefined) return;
  const isLess =
    isWithin([settlement.platformFee], [refunded.platformFee]) &&
    isWithin([settlement.validatorFee], [refunded.validatorFee]) &&
    isWithin([settlement.providerShare], [refunded.holdback, refunded.net]) &&
    isWithin([settlement.tax], [refunded.tax]);
  assert(isLess, "I-26 settlement: more is refunded than was settled", { seq });
}
