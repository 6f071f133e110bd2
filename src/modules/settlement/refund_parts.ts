import type { Context } from "../../baseapp/context.ts";
import {
  type EscrowState,
  PayoutLedgerEntry,
  PayoutLedgerKind as Kind,
  type PayoutState,
  PayoutStatus,
  type SettlementState,
} from "../../gen/settled/settlement/v1/state.ts";
import { minBigint } from "../../lib/int.ts";
import { amountOf, type Coins, mapCoins, NO_COINS, subCoins } from "../../types/coins.ts";
import type { Accounts } from "./accounts.ts";
import { payoutLedgerKey } from "./keys.ts";
import { holdbackLeft, netToPay } from "./payout_state.ts";
import type { LegName, Legs } from "./refund_legs.ts";

/** A part of a settlement that goes back, by the account that has it. */
export interface RefundPart {
  readonly leg: LegName;
  readonly source: string;
  readonly coins: Coins;
  /** Number of the journal's entry that brought the coins there; 0n when it is not known. */
  readonly reverses: bigint;
  /** Of a payout, and still in the account `settlement`. */
  readonly isUnpaid: boolean;
}

/** What is refunded, and of which records. */
export interface RefundOrigin {
  readonly settlement: SettlementState;
  /** undefined when the provider got its share at once. */
  readonly payout: PayoutState | undefined;
  readonly escrow: EscrowState;
}

/**
 * Where the parts of a refund are: fees and tax in their accounts, holdback and net in the account
 * `settlement` until they are paid, then with the provider.
 */
export function partsOf(
  ctx: Context,
  accounts: Accounts,
  origin: RefundOrigin,
  split: Legs,
): RefundPart[] {
  const { settlement, payout } = origin;
  const settled = settlement.journalSeq;
  const own = (leg: LegName, source: string): RefundPart => {
    return { leg, source, coins: split[leg], reverses: settled, isUnpaid: false };
  };
  const parts = [
    own("platformFee", accounts.platformFee),
    own("validatorFee", accounts.validatorFee),
  ];
  if (payout === undefined) parts.push(own("net", origin.escrow.recipient));
  else {
    const { PAYOUT_LEDGER_KIND_HOLDBACK_RELEASED: released, PAYOUT_LEDGER_KIND_COMPLETED: paid } =
      Kind;
    const isPaid = payout.status === PayoutStatus.PAYOUT_STATUS_COMPLETED;
    const net = isPaid ? NO_COINS : netToPay(payout);
    for (const [leg, here, kind] of [
      ["holdback", holdbackLeft(payout), released],
      ["net", net, paid],
    ] as const) {
      const coins = leastOf(split[leg], here);
      parts.push({ leg, source: accounts.settlement, coins, reverses: settled, isUnpaid: true });
      const rest = subCoins(split[leg], coins);
      if (rest.length === 0) continue;
      const reverses = journalOf(ctx, payout, kind);
      const source = origin.escrow.recipient;
      parts.push({ leg, source, coins: rest, reverses, isUnpaid: false });
    }
  }
  parts.push(own("tax", accounts.tax));
  return parts.filter(({ coins }) => coins.length > 0);
}

/** The lesser amount of each denom. */
function leastOf(a: Coins, b: Coins): Coins {
  return mapCoins(a, (amount, denom) => minBigint(amount, amountOf(b, denom)));
}

/** The journal's entry of the last step of a kind in a payout's ledger. */
function journalOf(ctx: Context, payout: PayoutState, kind: Kind): bigint {
  for (let number = payout.ledgerCount; number > 0; number -= 1) {
    const bytes = ctx.kv.get(payoutLedgerKey(payout.seq, number));
    const entry = bytes === undefined ? undefined : PayoutLedgerEntry.decode(bytes);
    if (entry?.kind === kind) return entry.journalSeq;
  }
  return 0n;
}
