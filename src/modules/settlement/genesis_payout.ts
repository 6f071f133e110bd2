import type { Context } from "../../baseapp/context.ts";
import { fieldError } from "../../baseapp/genesis_error.ts";
import {
  type GenesisState,
  PayoutLedgerEntry,
  type PayoutState,
} from "../../gen/settled/settlement/v1/state.ts";
import { ChainError } from "../../lib/errors.ts";
import { addCoins, type Coins, equalCoins, formatCoins, NO_COINS } from "../../types/coins.ts";
import { ErrInvalidPayout } from "./errors.ts";
import { bySeq, writeEach } from "./genesis_lists.ts";
import { countPaymentFees } from "./invoice_records.ts";
import { payoutLedgerKey } from "./keys.ts";
import { holdbackLeft, netToPay } from "./payout_state.ts";
import { coinsIn, type Records } from "./records.ts";

/** Payouts, their ledgers, and what was taken out of the fee accounts, which no record tells. */
export function writePayouts(ctx: Context, records: Records, genesis: GenesisState): void {
  writeEach({ name: "payouts", records: genesis.payouts, keyOf: bySeq }, (payout, field) => {
    const escrow = records.escrow(ctx, payout.escrowSeq);
    if (escrow === undefined) {
      throw fieldError(`${field}.escrow_seq`, `there is no escrow ${payout.escrowSeq}`);
    }
    requireSums(payout);
    records.setPayout(ctx, undefined, payout, escrow);
    countPaymentFees(ctx, records, payout);
  });
  const keyOf = ({ payoutSeq, number }: PayoutLedgerEntry): string => `${payoutSeq}/${number}`;
  const ledger = { name: "payout_ledger", records: genesis.payoutLedger, keyOf };
  writeEach(ledger, (entry) => {
    const bytes = PayoutLedgerEntry.encode(entry).finish();
    ctx.kv.create(payoutLedgerKey(entry.payoutSeq, entry.number), bytes);
  });
  checkLedgers(ctx, genesis);
  const { platformFeesWithdrawn, validatorFeesWithdrawn } = genesis;
  records.addTotal(ctx, "platformFeesWithdrawn", coinsIn(platformFeesWithdrawn));
  records.addTotal(ctx, "validatorFeesWithdrawn", coinsIn(validatorFeesWithdrawn));
}

/** @throws ChainError saying which amounts do not add up. */
function requireSums(payout: PayoutState): void {
  const { gross, platformFee, validatorFee, holdback, net } = payout;
  const parts = [platformFee, validatorFee, holdback, net].map(coinsIn);
  const sum = parts.reduce<Coins>(addCoins, NO_COINS);
  if (!equalCoins(sum, coinsIn(gross))) {
    const detail = `fees, holdback and net sum to ${formatCoins(sum)}, gross is ${formatCoins(coinsIn(gross))}`;
    throw new ChainError(ErrInvalidPayout, detail);
  }
  // Both refuse amounts that went out and never came in.
  holdbackLeft(payout);
  netToPay(payout);
}

/** Each payout has as many ledger entries as it says, from 1 without gaps, and there are no others. */
function checkLedgers(ctx: Context, genesis: GenesisState): void {
  let entries = 0;
  genesis.payouts.forEach(({ seq, ledgerCount }, index) => {
    for (let number = 1; number <= ledgerCount; number += 1) {
      if (ctx.kv.has(payoutLedgerKey(seq, number))) continue;
      const field = `settlement.payouts[${index}].ledger_count`;
      throw fieldError(field, `expected ${ledgerCount} entries, the ledger lacks number ${number}`);
    }
    entries += ledgerCount;
  });
  const found = genesis.payoutLedger.length;
  if (found === entries) return;
  throw fieldError(
    "settlement.payout_ledger",
    `has ${found} entries, the payouts count ${entries}`,
  );
}
