import { fieldError } from "../../baseapp/genesis_error.ts";
import * as state from "../../gen/settled/settlement/v1/state.ts";
import { KeyMap } from "../../lib/key_map.ts";
import { addCoins, type Coins, coversCoins, equalCoins, NO_COINS } from "../../types/coins.ts";
import { textOf } from "./genesis_rules.ts";
import { netToPay } from "./payout_state.ts";
import { coinsIn } from "./records.ts";
import { type Legs, legsIn } from "./refund_legs.ts";

// What ledgers of payouts, and refunds of their settlements, say of payouts of genesis.

const {
  PAYOUT_LEDGER_KIND_CREATED: CREATED,
  PAYOUT_LEDGER_KIND_PROCESSING: PROCESSING,
  PAYOUT_LEDGER_KIND_COMPLETED: COMPLETED,
  PAYOUT_LEDGER_KIND_FAILED: FAILED,
  PAYOUT_LEDGER_KIND_HOLDBACK_RELEASED: RELEASED,
} = state.PayoutLedgerKind;

/** What the entries of one payout come to. */
interface Ledger {
  readonly attempts: number;
  readonly created: Coins;
  readonly paid: Coins;
  readonly released: Coins;
  /** The last one. */
  readonly entry: state.PayoutLedgerEntry | undefined;
}

const EMPTY: Ledger = {
  ...{ attempts: 0, entry: undefined },
  ...{ created: NO_COINS, paid: NO_COINS, released: NO_COINS },
};

/** @throws ChainError genesis/2 naming the field of the payout or of the entry */
export function checkPayoutLedgers(genesis: state.GenesisState): void {
  const ledgers = new KeyMap<Ledger>();
  for (const { entry, index } of numbered(genesis)) {
    const before = ledgers.get(`${entry.payoutSeq}`) ?? EMPTY;
    requireNext(before.entry, entry, `settlement.payout_ledger[${index}]`);
    ledgers.set(`${entry.payoutSeq}`, after(before, entry));
  }
  const settlements = new KeyMap<state.SettlementState>();
  for (const each of genesis.settlements) {
    if (each.payoutSeq !== 0n) settlements.set(`${each.payoutSeq}`, each);
  }
  genesis.payouts.forEach((payout, index) => {
    const field = `settlement.payouts[${index}]`;
    const { refunded } = settlements.get(`${payout.seq}`) ?? {};
    checkReversals(payout, legsIn(refunded), field);
    const ledger = ledgers.get(`${payout.seq}`);
    if (ledger !== undefined) checkPayout(payout, ledger, field);
  });
}

/** Entries as they follow one another. */
function numbered({ payoutLedger }: state.GenesisState) {
  const entries = payoutLedger.map((entry, index) => ({ entry, index }));
  return entries.sort((a, b) => a.entry.number - b.entry.number);
}

function requireNext(
  last: state.PayoutLedgerEntry | undefined,
  entry: state.PayoutLedgerEntry,
  field: string,
): void {
  const status = last?.status ?? state.PayoutStatus.PAYOUT_STATUS_UNSPECIFIED;
  if (entry.previousStatus !== status) {
    const detail = `I-18 expected ${status}, the status of the entry before, found ${entry.previousStatus}`;
    throw fieldError(`${field}.previous_status`, detail);
  }
  const timeNs = last?.timeNs ?? 0n;
  if (entry.timeNs >= timeNs) return;
  throw fieldError(`${field}.time_ns`, `expected ${timeNs}, of the entry before, or later`);
}

function after(before: Ledger, entry: state.PayoutLedgerEntry): Ledger {
  const { kind, status, amount } = entry;
  const coins = coinsIn(amount);
  const of = (wanted: state.PayoutLedgerKind, sum: Coins): Coins =>
    kind === wanted ? addCoins(sum, coins) : sum;
  // One to pay is noted as it begins, one to release a holdback when it fails.
  const isOfHoldback = status === state.PayoutStatus.PAYOUT_STATUS_COMPLETED;
  const isAttempt = kind === PROCESSING || (kind === FAILED && isOfHoldback);
  return {
    attempts: before.attempts + (isAttempt ? 1 : 0),
    created: of(CREATED, before.created),
    paid: of(COMPLETED, before.paid),
    released: of(RELEASED, before.released),
    entry,
  };
}

/** I-11 and I-18: amounts, attempts and state of a payout are those of its ledger. */
function checkPayout(payout: state.PayoutState, ledger: Ledger, field: string): void {
  const { attempts, net, holdbackReleased, status } = payout;
  if (attempts !== ledger.attempts) {
    const detail = `expected ${ledger.attempts}, as settlement.payout_ledger[] says, found ${attempts}`;
    throw fieldError(`${field}.attempts`, detail);
  }
  if (status !== ledger.entry?.status) {
    const detail = `I-18 expected ${ledger.entry?.status}, the last of settlement.payout_ledger[].status, found ${status}`;
    throw fieldError(`${field}.status`, detail);
  }
  const isPaid = status === state.PayoutStatus.PAYOUT_STATUS_COMPLETED;
  for (const [name, found, said] of [
    ["net", coinsIn(net), ledger.created],
    ["holdback_released", coinsIn(holdbackReleased), ledger.released],
    ["net", isPaid ? netToPay(payout) : NO_COINS, ledger.paid],
  ] as const) {
    if (equalCoins(found, said)) continue;
    const detail = `I-11 expected ${textOf(said)}, the sum of amount of settlement.payout_ledger[], found ${textOf(found)}`;
    throw fieldError(`${field}.${name}`, detail);
  }
}

/** I-26: until it is paid, a payout's own parts are what refunds of its settlement take. */
function checkReversals(payout: state.PayoutState, refunded: Legs, field: string): void {
  const isPaid = payout.status === state.PayoutStatus.PAYOUT_STATUS_COMPLETED;
  for (const [name, found, most] of [
    ["reversed_holdback", coinsIn(payout.reversedHoldback), refunded.holdback],
    ["reversed_net", coinsIn(payout.reversedNet), refunded.net],
  ] as const) {
    if (isPaid ? coversCoins(most, found) : equalCoins(most, found)) continue;
    const detail = `I-26 expected ${isPaid ? "at most " : ""}${textOf(most)}, as refunded of its settlement says, found ${textOf(found)}`;
    throw fieldError(`${field}.${name}`, detail);
  }
}
